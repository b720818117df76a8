"""Shards of the frontier: Parquet files of sealed rows in the order of their addresses.

A shard is never changed: what happened in a round is merged with the old shard into a new one. That
reads and writes row group by row group, so that memory does not grow with the shard; rows that
nothing happened to are carried over by Arrow as they are, with the seals that they have. All that a
round says is held in memory, one row for each address that it names.

The same rows make the same bytes: row groups are filled to the same size, whatever came from where.

Damage is told and not raised: a row whose seal is wrong is left out of all that is read and
written, and so is a row group that Parquet cannot decode. An error is raised only where nothing
can be read at all.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.integrity.checksum import digest128
from sealedbeam.pipeline.text import one_line

from .frontier import Row, State, join
from .sealed_rows import SEAL, Layout, are_sound, rows_of, table_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

R = TypeVar("R", bound="tuple[Any, ...]")

_ZSTD_LEVEL: Final = 1
_STATES: Final = {state.value: state for state in State}
_WHERE_STATE_IS: Final = Row._fields.index("state")
_TEXTS: Final = frozenset(
    (
        *("url", "host", "state", "reason", "via", "etag", "last_modified", "payload_digest"),
        *("redirect_to", "warc_file"),
    )
)
_LARGE: Final = frozenset(
    (
        *("fetched_at", "next_at", "interval_seconds", "warc_offset", "length_bytes"),
        "archived_microseconds",
    )
)


def _kind_of(name: str) -> pa.DataType:
    if name in _TEXTS:
        return pa.string()
    return pa.int64() if name in _LARGE else pa.int32()


def _revive(values: tuple[Any, ...]) -> Row:
    state = _STATES[values[_WHERE_STATE_IS]]
    return Row._make((*values[:_WHERE_STATE_IS], state, *values[_WHERE_STATE_IS + 1 :]))


FRONTIER: Final = Layout(
    name="frontier 1",
    kinds={name: _kind_of(name) for name in Row._fields},
    key="url",
    group_rows=1 << 14,
    revive=_revive,
    repetitive=("host", "state", "reason", "via", "warc_file"),
)


@dataclass(frozen=True, slots=True)
class Damage:
    """Rows of a shard that cannot be believed.

    Attributes:
        row_group: where they lie.
        row: which one of the row group it is, None for all of them.
        rows: how many they are.
        key: what the row's key reads, empty for a row group.
        reason: `seal`, or why Parquet cannot decode it.
    """

    row_group: int
    row: int | None
    rows: int
    key: str
    reason: str


@dataclass(slots=True)
class MergeReport:
    """What became of a shard.

    Attributes:
        rows: in the new shard.
        added: of them, addresses that the old one did not have.
        changed: of them, addresses of the old one of which something else holds now.
        damaged: what was left out of the old one.
    """

    rows: int = 0
    added: int = 0
    changed: int = 0
    damaged: list[Damage] = field(default_factory=list)


class ShardWriter:
    """Writes the rows of one shard, by ascending key; the sink stays open."""

    def __init__(self, sink: BinaryIO, layout: Layout[R]) -> None:
        self.rows = 0
        self._group_rows = layout.group_rows
        self._key = layout.key
        self._last: str | None = None
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        numbers = [name for name, kind in layout.kinds.items() if pa.types.is_integer(kind)]
        self._writer = pq.ParquetWriter(
            sink,
            layout.schema,
            compression="zstd",
            compression_level=_ZSTD_LEVEL,
            use_dictionary=list(layout.repetitive),
            column_encoding={layout.key: "DELTA_BYTE_ARRAY"}
            | dict.fromkeys([*numbers, SEAL], "DELTA_BINARY_PACKED"),
            write_statistics=[layout.key],
            write_page_checksum=True,
        )

    def append(self, table: pa.Table) -> None:
        """Take sealed rows that follow all those before them.

        Raises:
            ValueError: keys do not ascend.
        """
        if len(table) == 0:
            return
        keys = table.column(self._key)
        if not _ascends(keys) or (self._last is not None and keys[0].as_py() <= self._last):
            raise ValueError(f"keys do not ascend after {self._last!r}")
        self._last = keys[-1].as_py()
        self.rows += len(table)
        self._waiting.append(table)
        self._waiting_rows += len(table)
        if self._waiting_rows >= self._group_rows:
            self._write_groups(self._waiting_rows - self._waiting_rows % self._group_rows)

    def close(self) -> None:
        """Write what is left, and the footer."""
        if self._waiting_rows:
            self._write_groups(self._waiting_rows)
        self._writer.close()

    def _write_groups(self, count: int) -> None:
        waiting = pa.concat_tables(self._waiting)
        # A copy of the chunks, so that how rows came together does not show in the pages.
        whole = waiting.slice(0, count).combine_chunks()
        self._writer.write_table(whole, row_group_size=self._group_rows)
        self._waiting = [waiting.slice(count)]
        self._waiting_rows -= count


def open_shard(source: BinaryIO, layout: Layout[R]) -> pq.ParquetFile:
    """Return the shard as a Parquet file of which no row has been checked.

    Raises:
        IntegrityError: the file cannot be read at all.
        UsageError: it is a file of another kind or version.
    """
    try:
        file = pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        told = one_line(str(error))
        raise IntegrityError(f"no shard of {layout.name} can be read here: {told}") from error
    if not file.schema_arrow.equals(layout.schema, check_metadata=False) or (
        (file.schema_arrow.metadata or {}).get(b"sealedbeam") != layout.name.encode()
    ):
        raise UsageError(f"this file is no shard of {layout.name}; another version wrote it")
    return file


def read_shard(source: BinaryIO, layout: Layout[R]) -> Iterator[pa.Table | Damage]:
    """Yield the sound rows of each row group as a table, and all damage.

    Raises:
        IntegrityError: the file cannot be read at all.
        UsageError: it is a file of another kind or version.
    """
    with open_shard(source, layout) as file:
        for number in range(file.num_row_groups):
            yield from _read_group(file, number, layout)


def _read_group(
    file: pq.ParquetFile, number: int, layout: Layout[R]
) -> Iterator[pa.Table | Damage]:
    try:
        table = file.read_row_group(number, use_threads=False)
        sound = are_sound(table, layout)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        rows = file.metadata.row_group(number).num_rows
        yield Damage(number, None, rows, "", one_line(str(error)))
        return
    if not sound.all():
        keys = table.column(layout.key)
        for row in np.flatnonzero(~sound).tolist():
            yield Damage(number, row, 1, keys[row].as_py(), "seal")
        table = table.filter(pa.array(sound))
    yield table


def merge_shard(
    old: BinaryIO | None,
    updates: Mapping[str, R],
    sink: BinaryIO,
    layout: Layout[R],
    join_rows: Callable[[R, R], R],
) -> MergeReport:
    """Write the shard `old` (None for an empty one), joined with `updates`, into `sink`.

    Args:
        old: a shard, seekable.
        updates: what happened since, by key.
        sink: where the new shard goes; it stays open.
        layout: the kind of rows.
        join_rows: makes one row of two with the same key.

    Raises:
        IntegrityError: the old shard cannot be read at all.
        UsageError: it is a file of another kind or version.
        ValueError: an update does not fit the layout.
    """
    report = MergeReport()
    writer = ShardWriter(sink, layout)
    keys = sorted(updates)
    done = 0
    for group in read_shard(old, layout) if old is not None else ():
        if isinstance(group, Damage):
            report.damaged.append(group)
        elif len(group):
            stop = bisect_right(keys, group.column(layout.key)[-1].as_py())
            here = {key: updates[key] for key in keys[done:stop]}
            writer.append(_merge_group(group, here, layout, join_rows, report))
            done = stop
    for start in range(done, len(keys), layout.group_rows):
        rest = [updates[key] for key in keys[start : start + layout.group_rows]]
        report.added += len(rest)
        writer.append(table_of(rest, layout))
    writer.close()
    report.rows = writer.rows
    return report


def shard_of(host: str, shards: int) -> int:
    """Return which of so many shards holds the rows of `host`: 0 and up."""
    return int.from_bytes(digest128(host.encode())[:8], "big") % shards


def merge_frontier(old: BinaryIO | None, updates: Mapping[str, Row], sink: BinaryIO) -> MergeReport:
    """Write the shard of the frontier that `old` becomes by `updates` (see `merge_shard`)."""
    return merge_shard(old, updates, sink, FRONTIER, join)


def _merge_group(
    table: pa.Table,
    updates: Mapping[str, R],
    layout: Layout[R],
    join_rows: Callable[[R, R], R],
    report: MergeReport,
) -> pa.Table:
    """Return the sorted `table` with sorted `updates`, which belong before its last key."""
    if not updates:
        return table
    wanted = pa.array(updates, pa.string())
    is_known = pc.is_in(table.column(layout.key), value_set=wanted)
    known = table.filter(is_known)
    changed: dict[str, R] = {}
    for key, row in zip(known.column(layout.key).to_pylist(), rows_of(known, layout), strict=True):
        joined = join_rows(row, updates[key])
        report.changed += joined != row
        changed[key] = joined
    report.added += len(updates) - len(changed)
    rows = [changed.get(key, update) for key, update in updates.items()]
    return _interleave(
        table.filter(pc.invert(is_known)), table_of(rows, layout), list(updates), layout
    )


def _interleave(kept: pa.Table, rows: pa.Table, keys: Sequence[str], layout: Layout[R]) -> pa.Table:
    """Return two sorted tables as one; `keys` are those of `rows`."""
    kept_keys = kept.column(layout.key).to_pylist()
    places = [bisect_left(kept_keys, key) for key in keys]
    order = np.insert(np.arange(len(kept)), places, len(kept) + np.arange(len(keys)))
    return pa.concat_tables([kept, rows]).take(pa.array(order))


def _ascends(keys: pa.ChunkedArray) -> bool:
    return len(keys) < 2 or bool(pc.all(pc.less(keys[:-1], keys[1:])).as_py())  # noqa: PLR2004
