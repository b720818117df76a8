"""A round takes what a slow and plain selection takes, however the frontier is cut into shards."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl.frontier import NEVER, PAGES, UNKNOWN, Row, State, needs_links
from sealedbeam.pipeline.crawl.frontier_store import FRONTIER, ShardWriter, shard_of
from sealedbeam.pipeline.crawl.sealed_rows import SEAL, rows_of, table_of
from sealedbeam.pipeline.crawl.selection import (
    UNLIMITED,
    Quotas,
    combine,
    count_pages,
    select_due,
)
from sealedbeam.pipeline.errors import IntegrityError

from tests.support.crawl_rows import shard_of_rows

NOW = 5
LIMITS = st.sampled_from([0, 1, 2, 3, 5, *[UNLIMITED] * 5])
HOSTS = ("a.org", "b.org", "b.org-c.net", "b.org:81")  # their addresses are in another order
ROWS = st.builds(
    lambda scheme, host, name, **values: Row(f"{scheme}://{host}/{name}", host, **values),
    st.sampled_from(["http", "https"]),
    st.sampled_from(HOSTS),
    st.integers(0, 60),
    state=st.sampled_from([*[State.UNFETCHED] * 3, State.FETCHED, State.FAILED, State.DUPLICATE]),
    depth=st.sampled_from([*[0, 1, 1, 2] * 3, UNKNOWN]),
    discovered_round=st.integers(1, 2),
    next_at=st.sampled_from([*[0, 5] * 4, 6, NEVER]),
    linked_depth=st.sampled_from([-1, 0, 1, 2]),
)
FRONTIERS = st.lists(ROWS, max_size=30).map(lambda rows: {row.url: row for row in rows})
QUOTAS = st.builds(
    Quotas,
    depth_max=st.sampled_from([0, 1, 2, UNLIMITED]),
    pages_max=LIMITS | st.integers(5, 20),
    pages_per_host_max=LIMITS | st.integers(2, 6),
    round_max=st.sampled_from([0, 1, 2, 3, 8, *[100] * 3]),
)


def slow_selection(frontier: dict[str, Row], quotas: Quotas, waiting: set[str]) -> list[Row]:
    pages = Counter(row.host for row in frontier.values() if row.state in PAGES)
    mine: dict[tuple[str, bool], list[Row]] = {}
    for row in sorted(
        frontier.values(), key=lambda row: (row.depth, row.discovered_round, row.url)
    ):
        behind = quotas.depth_max < UNKNOWN and row.linked_depth >= 0 and needs_links(row)
        is_within = row.depth <= quotas.depth_max and row.depth != UNKNOWN
        if not (row.next_at <= NOW or behind) or not is_within or row.host in waiting:
            continue
        is_new = row.state not in PAGES
        before = mine.setdefault((row.host, is_new), [])
        if not is_new or len(before) < quotas.pages_per_host_max - pages[row.host]:
            before.append(row)
    places = [
        (row.depth, place, host, is_new, row)
        for (host, is_new), rows in mine.items()
        for place, row in enumerate(rows)
    ]
    chosen: list[Row] = []
    for *_, row in sorted(places):
        new = sum(other.state not in PAGES for other in chosen)
        if row.state in PAGES or new < quotas.pages_max - pages.total():
            chosen.append(row)
    return chosen[: quotas.round_max]


def fast_selection(
    frontier: dict[str, Row], quotas: Quotas, waiting: set[str], shards: int, group_rows: int
) -> list[Row]:
    layout = replace(FRONTIER, group_rows=group_rows)
    files = []
    for number in range(shards):
        sink = io.BytesIO()
        writer = ShardWriter(sink, layout)
        rows = [frontier[url] for url in sorted(frontier)]
        writer.append(
            table_of([row for row in rows if shard_of(row.host, shards) == number], layout)
        )
        writer.close()
        files.append(sink)
    counts = [count_pages(file) for file in files]
    pages_left = quotas.pages_max - sum(count.total() for count in counts)
    offers = [
        select_due(
            file, now=NOW, quotas=quotas, pages=pages, pages_left=pages_left, waiting_hosts=waiting
        ).rows
        for file, pages in zip(files, counts, strict=True)
    ]
    return rows_of(combine(offers, quotas, pages_left), FRONTIER)


@settings(max_examples=300)
@given(
    FRONTIERS,
    QUOTAS,
    st.sets(st.sampled_from(HOSTS), max_size=1),
    st.integers(1, 3),
    st.integers(1, 9),
)
def test_selection_against_the_rules(
    frontier: dict[str, Row], quotas: Quotas, waiting: set[str], shards: int, group_rows: int
) -> None:
    """Limits, order and fairness are those of the rules, for any number of shards and groups."""
    expected = slow_selection(frontier, quotas, waiting)
    assert expected == fast_selection(frontier, quotas, waiting, shards, group_rows)


def test_hosts_take_turns() -> None:
    """At one depth each host has its first address before any has its second."""
    frontier = {
        url: Row(url, url.split("/")[2], depth=1)
        for url in [
            *(f"http://big.org/{k}" for k in range(9)),
            "http://small.org/",
            "http://x.org/",
        ]
    }
    chosen = fast_selection(frontier, Quotas(round_max=5), set(), 1, 100)
    assert [row.host for row in chosen] == ["big.org", "small.org", "x.org", "big.org", "big.org"]


def test_damaged_rows_are_told_and_not_fetched() -> None:
    """A row whose seal is wrong is not asked for."""
    frontier = {f"http://a.org/{k}": Row(f"http://a.org/{k}", "a.org", depth=0) for k in range(5)}
    table = table_of([frontier[url] for url in sorted(frontier)], FRONTIER)
    seals = table.column(SEAL).to_numpy().copy()
    seals[2] ^= 1
    where = FRONTIER.schema.get_field_index(SEAL)
    sink = io.BytesIO()
    writer = ShardWriter(sink, FRONTIER)
    writer.append(table.set_column(where, FRONTIER.schema.field(SEAL), [seals]))
    writer.close()
    selection = select_due(sink, now=NOW, quotas=Quotas(), pages={}, pages_left=9)
    assert [row.url for row in rows_of(selection.rows, FRONTIER)] == [
        f"http://a.org/{k}" for k in (0, 1, 3, 4)
    ]
    assert [(damage.row, damage.key) for damage in selection.damaged] == [(2, "http://a.org/2")]


def test_pages_are_counted_by_host() -> None:
    """What holds a page counts for its host, and nothing else does."""
    frontier = {
        f"http://{host}/{state}": Row(f"http://{host}/{state}", host, state)
        for host in ("a.org", "b.org")
        for state in State
        if host == "a.org" or state is State.GONE
    }
    assert count_pages(shard_of_rows(frontier)) == Counter({"a.org": 3})
    assert count_pages(shard_of_rows({})) == Counter()
    with pytest.raises(IntegrityError, match="no shard of frontier 1"):
        count_pages(io.BytesIO(b"PAR1"))
