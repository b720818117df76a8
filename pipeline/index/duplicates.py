"""Exact duplicates: pages whose decoded body is the same, byte for byte.

Each part sends, for each shard, the XXH3-128 of its documents' bodies with what decides which of
several equal pages stays. That digest is fast and cannot stand against an adversary, who must not
be able to remove a page by making another one collide with it: equal digests only make candidates,
and candidates are confirmed by the SHA-256 of their bodies, read again from the inputs. The
earliest page stays: by date, then URL, then document number, which is the order of the inputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sealedbeam.pipeline.fields import pack_fields, unpack_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sealedbeam.pipeline.errors import Buffer

DIGEST_BYTES = 16
_NUMBERS = 5  # columns of whole numbers
_COLUMNS = _NUMBERS + 3


class Candidate(NamedTuple):
    """What decides about one document; `length` is its number of tokens.

    `source`, `offset` and `stored_bytes` tell where its page lies in the inputs.
    """

    digest: bytes
    fetched_at: str
    url: str
    doc_id: int
    length: int
    source: int
    offset: int
    stored_bytes: int


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
    numbers = np.array([candidate[-_NUMBERS:] for candidate in candidates], "<i8")
    return pack_fields(
        (
            *(column.tobytes() for column in numbers.reshape(-1, _NUMBERS).T),
            b"".join(candidate.digest for candidate in candidates),
            pack_fields([candidate.fetched_at.encode() for candidate in candidates]),
            pack_fields([candidate.url.encode() for candidate in candidates]),
        )
    )


def decode_candidates(payload: Buffer) -> list[Candidate]:
    """Return the candidates of a payload; raises ValueError when it is not one."""
    *numbers, digests, dates, urls = unpack_fields(payload, _COLUMNS)
    count, rest = divmod(len(digests), DIGEST_BYTES)
    if rest or any(len(column) != 8 * count for column in numbers):
        raise ValueError("the columns of a digest run differ in length")
    rows = zip(*(np.frombuffer(column, "<i8").tolist() for column in numbers), strict=True)
    return [
        Candidate(
            bytes(digests[DIGEST_BYTES * row : DIGEST_BYTES * (row + 1)]),
            str(date, "utf-8"),
            str(url, "utf-8"),
            *values,
        )
        for row, (values, date, url) in enumerate(
            zip(rows, unpack_fields(dates, count), unpack_fields(urls, count), strict=True)
        )
    ]


def find_duplicates(
    candidates: Iterable[Candidate], confirm: Callable[[Candidate], bytes | None]
) -> list[Duplicate]:
    """Return the documents to leave out, ascending by number.

    Args:
        candidates: all documents of a shard.
        confirm: returns the SHA-256 of a document's body, None when it cannot be read any more;
            such a document is nobody's duplicate. Called for candidates with equal digests only.
    """
    groups: dict[bytes, list[Candidate]] = {}
    for candidate in candidates:
        groups.setdefault(candidate.digest, []).append(candidate)
    confirmed: dict[bytes, list[Candidate]] = {}
    for group in groups.values():
        for candidate in group if len(group) > 1 else ():
            digest = confirm(candidate)
            if digest is not None:
                confirmed.setdefault(digest, []).append(candidate)
    duplicates = []
    for group in confirmed.values():
        first, *others = sorted(group, key=_precedence)
        duplicates += [Duplicate(other.doc_id, first.doc_id, other.length) for other in others]
    return sorted(duplicates)


def _precedence(candidate: Candidate) -> tuple[str, str, int]:
    # Without the final Z a date with a fraction of a second sorts behind the whole second.
    return candidate.fetched_at.rstrip("Zz"), candidate.url, candidate.doc_id
