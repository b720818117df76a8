"""Events and rows of a crawl to test with: few addresses, few times, so that they meet."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from sealedbeam.pipeline.crawl.frontier import (
    Discovered,
    DuplicateOf,
    Event,
    Row,
    State,
    Visited,
    fold,
)
from sealedbeam.pipeline.crawl.frontier_store import FRONTIER, Damage, merge_frontier, read_shard
from sealedbeam.pipeline.crawl.sealed_rows import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable

URL = "http://a.org/"
WORDS = st.sampled_from(["", "a", "b"])
TIMES = st.integers(0, 3)
VISIT_STATES = st.sampled_from([state for state in State if state is not State.DUPLICATE])
URLS = st.builds(
    "{}://{}/{}".format,
    st.sampled_from(["http", "https"]),
    st.sampled_from(["a.org", "b.org", "b.org:81", "c.org"]),
    st.sampled_from(["", "a", "b", "c/d", "%C3%BC"]),
)


def events(urls: st.SearchStrategy[str]) -> st.SearchStrategy[Event]:
    """Return events of all kinds."""
    discovered = st.builds(
        Discovered,
        urls,
        depth=TIMES,
        via=WORDS,
        discovered_round=st.integers(1, 3),
        redirects=st.integers(0, 1),
    )
    visited = st.builds(
        Visited,
        urls,
        state=VISIT_STATES,
        fetched_at=st.integers(1, 3),
        reason=WORDS,
        attempts=TIMES,
        next_at=st.integers(0, 9),
        interval_seconds=TIMES,
        status=st.sampled_from([0, 200]),
        linked_depth=st.integers(-1, 3),
        etag=WORDS,
        last_modified=WORDS,
        payload_digest=WORDS,
        redirect_to=WORDS,
        warc_file=WORDS,
        warc_offset=TIMES,
        length_bytes=TIMES,
        archived_microseconds=TIMES,
    )
    duplicate = st.builds(
        DuplicateOf, urls, original=WORDS, fetched_at=st.integers(1, 3), payload_digest=WORDS
    )
    return discovered | visited | duplicate


def rows(happened: Iterable[Event]) -> dict[str, Row]:
    """Return what a list of events comes to, address by address, the slow way."""
    by_url: dict[str, list[Event]] = {}
    for event in happened:
        by_url.setdefault(event.url, []).append(event)
    return {url: fold(None, its_events) for url, its_events in by_url.items()}


def shard_of_rows(known: dict[str, Row]) -> io.BytesIO:
    """Return a shard with these rows."""
    sink = io.BytesIO()
    merge_frontier(None, known, sink)
    sink.seek(0)
    return sink


def rows_in(shard: io.BytesIO) -> list[Row]:
    """Return the rows of an undamaged shard, in its order."""
    shard.seek(0)
    found: list[Row] = []
    for group in read_shard(shard, FRONTIER):
        assert not isinstance(group, Damage)
        found += rows_of(group, FRONTIER)
    return found
