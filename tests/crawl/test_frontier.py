"""Events come to the same row in any order, in any grouping, and however often they are told."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl.frontier import (
    NEVER,
    UNKNOWN,
    Discovered,
    DuplicateOf,
    Event,
    Row,
    State,
    Visited,
    clean_header,
    collect,
    fold,
    join,
    visit_of,
)

from tests.support.crawl_rows import URL, URLS, events, rows

if TYPE_CHECKING:
    from random import Random

EVENTS = st.lists(events(st.just(URL)), min_size=1, max_size=7)
ROWS = EVENTS.map(lambda happened: fold(None, happened))


@given(EVENTS, st.randoms())
def test_order_does_not_matter(happened: list[Event], random: Random) -> None:
    """Events in any order give the same row."""
    expected = fold(None, happened)
    random.shuffle(happened)
    assert expected == fold(None, happened)


@given(EVENTS, EVENTS)
def test_grouping_does_not_matter(first: list[Event], second: list[Event]) -> None:
    """Events of two rounds give the same row as all of them at once."""
    assert fold(None, first + second) == fold(fold(None, first), second)


@given(EVENTS)
def test_telling_again_does_not_matter(happened: list[Event]) -> None:
    """Events that are told again, all or some, change nothing."""
    row = fold(None, happened)
    assert row == fold(row, happened) == fold(None, happened * 2) == fold(row, happened[:1])


@given(ROWS, ROWS, ROWS)
def test_join_is_a_semilattice(one: Row, two: Row, three: Row) -> None:
    """The join of rows is commutative, associative and idempotent."""
    assert join(one, two) == join(two, one)
    assert join(join(one, two), three) == join(one, join(two, three))
    assert one == join(one, one) == join(one, Row(URL, "a.org"))


@given(EVENTS)
def test_what_a_row_says_is_what_happened(happened: list[Event]) -> None:
    """Depth is the least, the visit is the latest, and a duplicate belongs to that visit."""
    row = fold(None, happened)
    found = [event for event in happened if isinstance(event, Discovered)]
    assert (row.depth, row.redirects, row.via) == min(
        [(event.depth, event.redirects, event.via) for event in found], default=(UNKNOWN, 0, "")
    )
    assert row.discovered_round == min([e.discovered_round for e in found], default=UNKNOWN)
    visits = [event for event in happened if not isinstance(event, Discovered)]
    keys = [(event.fetched_at, event.payload_digest) for event in visits]
    last = max(keys, default=(0, ""))
    assert (row.fetched_at, row.payload_digest) == last
    here = [event for event, key in zip(visits, keys, strict=True) if key == last]
    copies = [event for event in here if isinstance(event, DuplicateOf)]
    pages = [event for event in here if isinstance(event, Visited)]
    if copies:
        assert row.state is State.DUPLICATE
        assert row.redirect_to == max(event.original for event in copies)
    elif pages:
        order = list(State)
        assert row.state == max((event.state for event in pages), key=order.index)
    else:
        assert row == Row(URL, "a.org", depth=row.depth, via=row.via)._replace(
            redirects=row.redirects, discovered_round=row.discovered_round
        )
    if pages:
        places = {(event.warc_file, event.warc_offset, event.length_bytes) for event in pages}
        assert (row.warc_file, row.warc_offset, row.length_bytes) in places


@given(st.lists(events(URLS), max_size=12))
def test_collect_is_fold_for_each_address(happened: list[Event]) -> None:
    """Events of many addresses come to what each address's events come to."""
    assert rows(happened) == collect(happened)


@given(ROWS)
def test_visit_of_repeats_the_visit(row: Row) -> None:
    """The visit of a row, told again, changes nothing, and a later one wins as a whole."""
    assert row == fold(row, [visit_of(row)])
    later = replace(visit_of(row), state=State.FAILED, fetched_at=9, reason="x", next_at=NEVER)
    failed = fold(row, [later])
    assert failed == row._replace(state=State.FAILED, fetched_at=9, reason="x", next_at=NEVER)
    assert failed == reduce(join, [later.as_row(), row, later.as_row()])


def test_a_page_from_seed_to_duplicate() -> None:
    """A page is found, fails, is fetched, is told to be a copy, and is fetched again, changed."""
    row = fold(
        None, [Discovered(URL, 2, "http://b.org/", 3), Discovered(URL, 4, "http://c.org/", 1)]
    )
    assert row == Row(URL, "a.org", depth=2, via="http://b.org/", discovered_round=1)
    row = fold(
        row, [replace(visit_of(row), state=State.FAILED, fetched_at=5, attempts=1, next_at=9)]
    )
    assert (row.state, row.attempts, row.next_at, row.depth) == (State.FAILED, 1, 9, 2)
    page = Visited(
        URL, State.FETCHED, 9, etag='"x"', payload_digest="aa", warc_file="w", next_at=99
    )
    copy = DuplicateOf(URL, "http://b.org/", 9, "aa")
    row = fold(row, [copy, page])
    assert (row.state, row.reason, row.redirect_to) == (
        *(State.DUPLICATE, "same_payload", "http://b.org/"),
    )
    assert (row.etag, row.warc_file, row.next_at, row.attempts) == ('"x"', "w", 99, 0)
    row = fold(row, [replace(page, fetched_at=99, payload_digest="bb"), copy])
    assert (row.state, row.redirect_to) == (State.FETCHED, "")


def test_what_makes_no_row() -> None:
    """Different addresses do not join, and nothing makes no row."""
    with pytest.raises(ValueError, match="make no row together"):
        fold(None, [Discovered("http://a.org/", 0, "", 1), Discovered("http://b.org/", 0, "", 1)])
    with pytest.raises(ValueError, match="no events"):
        fold(None, [])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *(('"abc"', '"abc"'), (' W/"a b" ', 'W/"a b"'), ("", ""), ("a\nb", ""), ("a\ud800", "")),
        *(("ü", ""), ("x" * 1024, "x" * 1024), ("x" * 1025, ""), ("a\x00", ""), ("a\tb", "")),
    ],
)
def test_clean_header(value: str, expected: str) -> None:
    """A validator is stored as it came or not at all."""
    assert expected == clean_header(value)
