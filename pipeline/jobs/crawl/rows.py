"""Rows of the frontier in files: written with their seals, read with the damage counted.

What one task writes for another is a hop through storage. Each row proves itself by its seal, and
each file by the CRC in its task's entry; a row that is lost is counted, never guessed.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, TypeVar

import pyarrow.parquet as pq
from sealedbeam.pipeline.crawl.frontier_store import Damage, ShardWriter, read_shard
from sealedbeam.pipeline.crawl.sealed_rows import rows_of, table_of
from sealedbeam.pipeline.jobs.files import commit_file

from .names import object_name, shard_object

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import pyarrow as pa
    from sealedbeam.pipeline.crawl.sealed_rows import Layout
    from sealedbeam.pipeline.jobs.entry import Entry
    from sealedbeam.pipeline.jobs.store import Store

R = TypeVar("R", bound="tuple[Any, ...]")


def encode_table(table: pa.Table) -> bytes:
    """Return sealed rows, in the order that they have, as a Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def encode_sorted(rows: Mapping[str, R], layout: Layout[R]) -> bytes:
    """Return rows by their keys as a Parquet file, sorted."""
    sink = io.BytesIO()
    writer = ShardWriter(sink, layout)
    writer.append(table_of([rows[key] for key in sorted(rows)], layout))
    writer.close()
    return sink.getvalue()


def commit_rows(
    store: Store,
    entry: Entry,
    place: tuple[str, int],
    rows: Mapping[str, R],
    layout: Layout[R],
) -> None:
    """Commit what a task has for one shard, a folder's and a number, and count it as sent."""
    if not rows:
        return
    folder, shard = place
    data = encode_sorted(rows, layout)
    commit_file(store, entry, shard_object(folder, entry.task, shard, data), data)
    entry.count(f"{folder}_sent", f"{shard:04d}", len(rows))


def commit_table(store: Store, entry: Entry, folder: str, name: str, table: pa.Table) -> str:
    """Commit a table of sealed rows in its own order; returns the path."""
    data = encode_table(table)
    path = object_name(folder, name, data)
    commit_file(store, entry, path, data)
    return path


def read_rows(store: Store, path: str, layout: Layout[R]) -> tuple[list[R], int]:
    """Return the sound rows of a file in their order, and how many could not be believed."""
    rows: list[R] = []
    damaged = 0
    for group in read_shard(io.BytesIO(store.read(path)), layout):
        if isinstance(group, Damage):
            damaged += group.rows
        else:
            rows += rows_of(group, layout)
    return rows, damaged


def paths_in(entry: Entry, folder: str, shard: int | None = None) -> Sequence[str]:
    """Return the objects of a folder that a task has committed, of one shard if that is given."""
    mark = "" if shard is None else f"-shard-{shard:04d}."
    return [
        file.path
        for file in entry.files
        if file.path.startswith(f"{folder}/") and mark in file.path
    ]
