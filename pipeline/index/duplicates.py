"""Exact duplicates: pages whose decoded body is the same, byte for byte.

Each part sends, for each shard, the SHA-256 of its documents' bodies with what decides which of
several equal pages stays. A cryptographic digest, because nobody may be able to remove a page by
making another one collide with it. The earliest page stays: by date, then URL, then document
number, which is the order of the inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sealedbeam.pipeline.fields import pack_fields, unpack_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sealedbeam.pipeline.errors import Buffer

DIGEST_BYTES = 32
_COLUMNS = 5


class Candidate(NamedTuple):
    """What decides about one document; `length` is its number of tokens."""

    digest: bytes
    fetched_at: str
    url: str
    doc_id: int
    length: int


class Duplicate(NamedTuple):
    """A document that is left out of the shards, and the one that stays in its place."""

    doc_id: int
    duplicate_of: int
    length: int


def digest_shard(digest: bytes, shards: int) -> int:
    """Return the shard that compares documents with this digest."""
    return int.from_bytes(digest[:8]) % shards


def encode_candidates(candidates: Sequence[Candidate]) -> bytes:
    """Return the payload of one part's candidates for one shard."""
    doc_ids = np.array([candidate.doc_id for candidate in candidates], "<i8")
    lengths = np.array([candidate.length for candidate in candidates], "<i8")
    return pack_fields(
        (
            doc_ids.tobytes(),
            lengths.tobytes(),
            b"".join(candidate.digest for candidate in candidates),
            pack_fields([candidate.fetched_at.encode() for candidate in candidates]),
            pack_fields([candidate.url.encode() for candidate in candidates]),
        )
    )


def decode_candidates(payload: Buffer) -> list[Candidate]:
    """Return the candidates of a payload; raises ValueError when it is not one."""
    doc_ids, lengths, digests, dates, urls = unpack_fields(payload, _COLUMNS)
    count, rest = divmod(len(doc_ids), 8)
    if rest or len(lengths) != len(doc_ids) or len(digests) != DIGEST_BYTES * count:
        raise ValueError("the columns of a digest run differ in length")
    return [
        Candidate(
            bytes(digests[DIGEST_BYTES * row : DIGEST_BYTES * (row + 1)]),
            str(date, "utf-8"),
            str(url, "utf-8"),
            int(doc_id),
            int(length),
        )
        for row, (doc_id, length, date, url) in enumerate(
            zip(
                np.frombuffer(doc_ids, "<i8"),
                np.frombuffer(lengths, "<i8"),
                unpack_fields(dates, count),
                unpack_fields(urls, count),
                strict=True,
            )
        )
    ]


def find_duplicates(candidates: Iterable[Candidate]) -> list[Duplicate]:
    """Return the documents to leave out, ascending by number."""
    groups: dict[bytes, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.digest, []).append(candidate)
    duplicates = []
    for group in groups.values():
        if len(group) > 1:
            first, *others = sorted(group, key=_precedence)
            duplicates += [Duplicate(other.doc_id, first.doc_id, other.length) for other in others]
    return sorted(duplicates)


def _precedence(candidate: Candidate) -> tuple[str, str, int]:
    # Without the final Z a date with a fraction of a second sorts behind the whole second.
    return candidate.fetched_at.rstrip("Zz"), candidate.url, candidate.doc_id
