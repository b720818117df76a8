"""Exact duplicates are found by their bodies' digests, and the earliest page stays."""

from __future__ import annotations

import contextlib
import hashlib
import struct
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index.duplicates import (
    Candidate,
    Duplicate,
    decode_candidates,
    digest_shard,
    encode_candidates,
    find_duplicates,
)

if TYPE_CHECKING:
    from random import Random

SECONDS = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001 - the strategy wants naive bounds and adds UTC
    datetime(2020, 1, 1, 0, 0, 3),  # noqa: DTZ001 - likewise
    timezones=st.just(UTC),
)
candidate_lists = st.lists(
    st.builds(
        Candidate,
        st.sampled_from([bytes([n]) * 16 for n in range(3)]),
        SECONDS.map(lambda date: date.isoformat().replace("+00:00", "Z")),
        st.sampled_from(["http://a/", "http://b/", "http://é/", ""]),
        st.integers(0, 1 << 40),
        st.integers(0, 1000),
        st.integers(0, 3),
        st.integers(0, 1 << 40),
        st.integers(1, 1 << 30),
    ),
    unique_by=lambda candidate: candidate.doc_id,
    max_size=12,
)


def confirm(candidate: Candidate) -> bytes | None:
    """Pretend to hash a body; of pages in input 3 it collides, pages in input 2 are gone."""
    if candidate.source == 2:
        return None
    collides = b"another body" if candidate.source == 3 else b""
    return hashlib.sha256(candidate.digest + collides).digest()


def oracle(candidates: list[Candidate]) -> list[Duplicate]:
    """Compare each page with each other one."""

    def rank(candidate: Candidate) -> tuple[datetime, str, int]:
        date = datetime.fromisoformat(candidate.fetched_at)
        return date, candidate.url, candidate.doc_id

    found = []
    for page in candidates:
        body = confirm(page)
        equal = [other for other in candidates if confirm(other) == body]
        first = min(equal, key=rank)
        if body is not None and first.doc_id != page.doc_id:
            found.append(Duplicate(page.doc_id, first.doc_id, page.length))
    return sorted(found)


@given(candidate_lists)
def test_duplicates_are_those_of_the_oracle(candidates: list[Candidate]) -> None:
    """Of equal pages one stays: the earliest by date, then URL, then number.

    Pages whose digests collide are not equal, and one that cannot be read again is left alone.
    """
    assert find_duplicates(candidates, confirm) == oracle(candidates)


@given(candidate_lists, st.randoms())
def test_order_of_arrival_does_not_matter(candidates: list[Candidate], chance: Random) -> None:
    """Whichever part reports first, the same pages stay."""
    shuffled = chance.sample(candidates, len(candidates))
    assert find_duplicates(shuffled, confirm) == find_duplicates(candidates, confirm)


@given(candidate_lists, st.integers(1, 5))
def test_shards_can_be_compared_apart(candidates: list[Candidate], shards: int) -> None:
    """Equal pages meet in one shard, so that shard by shard finds what all at once would."""
    found = []
    for shard in range(shards):
        own = [c for c in candidates if digest_shard(c.digest, shards) == shard]
        found += find_duplicates(own, confirm)
    assert sorted(found) == find_duplicates(candidates, confirm)


@given(candidate_lists)
def test_candidates_come_back(candidates: list[Candidate]) -> None:
    """A payload holds all that decides."""
    assert decode_candidates(encode_candidates(candidates)) == candidates


@given(candidate_lists, st.data())
def test_other_bytes_are_refused_or_read(candidates: list[Candidate], data: st.DataObject) -> None:
    """Whatever the bytes are, the answer is candidates or ValueError, never anything else."""
    payload = bytearray(encode_candidates(candidates))
    for _ in range(data.draw(st.integers(1, 3))):
        payload[data.draw(st.integers(0, len(payload) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with contextlib.suppress(ValueError):
        assert len(decode_candidates(bytes(payload))) <= len(payload) // 8


def test_columns_of_different_lengths_are_refused() -> None:
    """A payload whose columns do not fit together is no digest run."""
    payload = struct.pack("<8I", 8, 0, 8, 8, 8, 16, 0, 0) + bytes(48)
    with pytest.raises(ValueError, match="differ in length"):
        decode_candidates(payload)


@given(candidate_lists)
def test_only_equal_digests_are_confirmed(candidates: list[Candidate]) -> None:
    """No page is read again whose digest nobody shares."""
    asked: list[Candidate] = []

    def listen(candidate: Candidate) -> None:
        asked.append(candidate)

    assert find_duplicates(candidates, listen) == []
    digests = [candidate.digest for candidate in candidates]
    assert all(digests.count(candidate.digest) > 1 for candidate in asked)
