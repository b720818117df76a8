"""A shard and what happened since make the next shard, whatever its row groups; damage is told."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl import frontier_store
from sealedbeam.pipeline.crawl.frontier import Event, Row, State, collect, join
from sealedbeam.pipeline.crawl.frontier_store import (
    FRONTIER,
    Damage,
    MergeReport,
    ShardWriter,
    merge_frontier,
    merge_shard,
    read_shard,
    shard_of,
)
from sealedbeam.pipeline.crawl.sealed_rows import Layout, rows_of, table_of
from sealedbeam.pipeline.errors import IntegrityError, UsageError

from tests.support.crawl_rows import URLS, events, rows, rows_in, shard_of_rows

ROUNDS = st.lists(st.lists(events(URLS), max_size=12), min_size=1, max_size=4)
ROWS = {
    f"http://a.org/{number:05}": Row(
        *(f"http://a.org/{number:05}", "a.org", State.FETCHED, "", number % 7, "http://a.org/"),
        payload_digest="ab" * 32,
    )
    for number in range(1000)
}


@settings(max_examples=40)  # each writes and reads some Parquet files
@given(ROUNDS, st.integers(1, 5))
def test_rounds_against_one_fold(rounds: list[list[Event]], group_rows: int) -> None:
    """Round after round, shards hold what all events together come to, sorted and sealed."""
    layout = replace(FRONTIER, group_rows=group_rows)
    old: io.BytesIO | None = None
    known: dict[str, Row] = {}
    for happened in rounds:
        sink = io.BytesIO()
        report = merge_shard(old, collect(happened), sink, layout, join)
        updates = rows(happened)
        merged = known | {
            url: join(known[url], row) if url in known else row for url, row in updates.items()
        }
        assert [merged[url] for url in sorted(merged)] == rows_in(sink)
        assert report == MergeReport(
            rows=len(merged),
            added=len(merged) - len(known),
            changed=sum(merged[url] != row for url, row in known.items()),
        )
        known, old = merged, sink
        old.seek(0)
    everything = rows([event for happened in rounds for event in happened])
    assert everything == known


@settings(max_examples=40)
@given(st.lists(events(URLS), max_size=20), st.integers(0, 20), st.integers(1, 5))
def test_same_rows_make_same_bytes(happened: list[Event], cut: int, group_rows: int) -> None:
    """However a shard came to its rows, in one round or two, its bytes are the same."""
    layout = replace(FRONTIER, group_rows=group_rows)
    merge = partial(merge_shard, layout=layout, join_rows=join)
    once, first, second = io.BytesIO(), io.BytesIO(), io.BytesIO()
    merge(None, collect(happened), once)
    merge(None, collect(happened[:cut]), first)
    first.seek(0)
    merge(first, collect(happened[cut:]), second)
    assert once.getvalue() == second.getvalue()


def test_row_groups_are_full() -> None:
    """All row groups but the last one have the size of the layout."""
    layout = replace(FRONTIER, group_rows=300)
    sink = io.BytesIO()
    merge_shard(None, ROWS, sink, layout, join)
    with pq.ParquetFile(sink) as file:
        sizes = [file.metadata.row_group(k).num_rows for k in range(file.num_row_groups)]
    assert sizes == [300, 300, 300, 100]


def with_values(field: str, values: dict[int, object]) -> io.BytesIO:
    """Return a shard in which some rows were changed after they were sealed."""
    table = table_of([ROWS[url] for url in sorted(ROWS)], FRONTIER)
    column = table.column(field).to_pylist()
    for row, value in values.items():
        column[row] = value
    index = FRONTIER.schema.get_field_index(field)
    changed = pa.array(column, FRONTIER.schema.field(field).type)
    sink = io.BytesIO()
    with pq.ParquetWriter(sink, FRONTIER.schema) as writer:
        writer.write_table(table.set_column(index, FRONTIER.schema.field(field), changed), 400)
    sink.seek(0)
    return sink


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("state", "gone"), ("depth", 6), ("next_at", 7), ("url", "http://a.org/~"), ("seal", 5)),
        ("state", "no such state"),
    ],
)
def test_damaged_rows_are_told_and_left_out(field: str, value: object) -> None:
    """A row that differs from what was sealed is told with its place, and all others are kept."""
    damaged = with_values(field, {0: value, 399: value, 777: value})
    sink = io.BytesIO()
    report = merge_frontier(damaged, {}, sink)
    key = {"url": value}.get(field)
    assert report.damaged == [
        Damage(0, 0, 1, str(key or "http://a.org/00000"), "seal"),
        Damage(0, 399, 1, str(key or "http://a.org/00399"), "seal"),
        Damage(1, 377, 1, str(key or "http://a.org/00777"), "seal"),
    ]
    expected = [ROWS[url] for k, url in enumerate(sorted(ROWS)) if k not in (0, 399, 777)]
    assert expected == rows_in(sink)
    assert (report.rows, report.added, report.changed) == (997, 0, 0)


def test_a_damaged_page_costs_its_row_group() -> None:
    """Where Parquet cannot decode a row group, it is told, and the others are kept."""
    layout = replace(FRONTIER, group_rows=300)
    sink = io.BytesIO()
    merge_shard(None, ROWS, sink, layout, join)
    with pq.ParquetFile(sink) as file:
        column = file.metadata.row_group(1).column(0)
        place = column.data_page_offset + column.total_compressed_size - 9
    data = bytearray(sink.getvalue())
    data[place] ^= 1
    found = list(read_shard(io.BytesIO(bytes(data)), FRONTIER))
    damage = [group for group in found if isinstance(group, Damage)]
    assert [(one.row_group, one.row, one.rows) for one in damage] == [(1, None, 300)]
    assert "CRC" in damage[0].reason
    kept = [
        row.url
        for group in found
        if not isinstance(group, Damage)
        for row in rows_of(group, FRONTIER)
    ]
    assert kept == [url for k, url in enumerate(sorted(ROWS)) if not 300 <= k < 600]


@pytest.mark.parametrize("keep", [0, 3, 100, -1, -30])
def test_what_is_no_shard_ends_the_job(keep: int) -> None:
    """A file that is cut has no footer: nothing in it can be read."""
    data = shard_of_rows(ROWS).getvalue()[:keep]
    with pytest.raises(IntegrityError, match="no shard of frontier 1"):
        list(read_shard(io.BytesIO(data), FRONTIER))


def test_another_version_is_refused() -> None:
    """A file of another kind is named as such."""
    sink = io.BytesIO()
    pq.write_table(pa.table({"url": ["x"]}), sink)
    with pytest.raises(UsageError, match="no shard of frontier 1"):
        list(read_shard(sink, FRONTIER))
    other = io.BytesIO()
    merge_shard(None, ROWS, other, replace(FRONTIER, name="frontier 0"), join)
    with pytest.raises(UsageError, match="no shard of frontier 1"):
        merge_frontier(other, {}, io.BytesIO())


def test_disorder_is_refused() -> None:
    """Rows that do not ascend cannot be written, within a table or between two."""
    a, b = (table_of([ROWS[url]], FRONTIER) for url in sorted(ROWS)[:2])
    for before, table in ((None, pa.concat_tables([b, a])), (b, a), (a, a)):
        writer = ShardWriter(io.BytesIO(), FRONTIER)
        if before is not None:
            writer.append(before)
        with pytest.raises(ValueError, match="do not ascend"):
            writer.append(table)


def test_seals_travel_unchanged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that nothing happened to keep the seal that they came with: none is minted for them."""
    old = shard_of_rows(ROWS)
    minted: list[int] = []

    def count(made: list[Row], layout: Layout[Row]) -> pa.Table:
        minted.append(len(made))
        return table_of(made, layout)

    monkeypatch.setattr(frontier_store, "table_of", count)
    url = "http://a.org/00500"
    merge_frontier(old, {url: ROWS[url]._replace(depth=0)}, io.BytesIO())
    assert sum(minted) == 1


def test_hosts_have_one_shard() -> None:
    """All of a host lies in one shard, and hosts spread."""
    places = [shard_of(f"host{number}.org", 8) for number in range(800)]
    assert set(places) == set(range(8))
    assert min(map(places.count, range(8))) > 50
    assert shard_of("host1.org", 8) == shard_of("host1.org", 8)
    assert shard_of("host1.org", 1) == 0
