"""Merges what a round has found with one shard of the frontier, and of the hosts."""

from __future__ import annotations

import io
from collections import Counter
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from sealedbeam.pipeline.crawl.frontier import join
from sealedbeam.pipeline.crawl.frontier_store import FRONTIER, merge_frontier
from sealedbeam.pipeline.crawl.hosts import HOSTS as HOST_ROWS
from sealedbeam.pipeline.crawl.hosts import join_hosts, merge_hosts
from sealedbeam.pipeline.jobs.entry import Entry, encode_entry, entry_path
from sealedbeam.pipeline.jobs.files import commit_file

from .names import EVENTS, HOSTS, fold_task, object_name
from .names import FRONTIER as FRONTIER_FOLDER
from .rows import paths_in, read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, BinaryIO

    from sealedbeam.pipeline.crawl.frontier_store import MergeReport
    from sealedbeam.pipeline.crawl.sealed_rows import Layout

    from .context import CrawlContext


def run_fold(context: CrawlContext, number: int, shard: int, found: Sequence[Entry]) -> Entry:
    """Fold round `number` into a shard, or find that done.

    Args:
        context: the crawl.
        number: of the round; round 0 is that of the seeds.
        shard: which of the frontier's.
        found: the entries of the tasks that have found something in this round.
    """
    task = fold_task(number, shard)
    done = context.committed(task)
    if done is not None:
        return done
    entry = Entry(task, context.configuration_hash)
    before = context.committed(fold_task(number - 1, shard)) if number else None
    folding = _Folding(context, entry, shard, before, found)
    frontier = folding.merge(EVENTS, FRONTIER_FOLDER, FRONTIER, join, merge_frontier)
    folding.merge(HOSTS, HOSTS, HOST_ROWS, join_hosts, merge_hosts)
    for state, count in _count_states(frontier).items():
        entry.count("states", state, count)
    context.store.write(entry_path(task), encode_entry(entry))
    return entry


class _Folding:
    """One shard of one round."""

    def __init__(
        self,
        context: CrawlContext,
        entry: Entry,
        shard: int,
        before: Entry | None,
        found: Sequence[Entry],
    ) -> None:
        self._context = context
        self._entry = entry
        self._shard = shard
        self._before = before
        self._found = found

    def merge(
        self,
        events: str,
        folder: str,
        layout: Layout[Any],
        join_rows: Callable[[Any, Any], Any],
        merge: Callable[[BinaryIO | None, Any, BinaryIO], MergeReport],
    ) -> bytes:
        """Commit the new shard of one kind of rows; return its bytes."""
        store, entry = self._context.store, self._entry
        updates: dict[str, list[Any]] = {}
        for source in self._found:
            for path in paths_in(source, events, self._shard):
                rows, damaged = read_rows(store, path, layout)
                entry.count(f"{events}_folded", f"{self._shard:04d}", len(rows))
                if damaged:
                    entry.count(f"{events}_damaged", f"{self._shard:04d}", damaged)
                for row in rows:
                    updates.setdefault(row[0], []).append(row)
        paths = paths_in(self._before, folder) if self._before is not None else ()
        old = io.BytesIO(store.read(paths[0])) if paths else None
        sink = io.BytesIO()
        joined = {key: reduce(join_rows, rows) for key, rows in updates.items()}
        report = merge(old, joined, sink)
        entry.count(folder, "rows", report.rows)
        entry.count(folder, "added", report.added)
        if report.damaged:
            entry.count(folder, "damaged", sum(damage.rows for damage in report.damaged))
        data = sink.getvalue()
        commit_file(store, entry, object_name(folder, entry.task, data), data)
        return data


def _count_states(frontier: bytes) -> Counter[str]:
    states: Counter[str] = Counter()
    with pq.ParquetFile(io.BytesIO(frontier), pre_buffer=False) as file:
        for number in range(file.num_row_groups):
            column = file.read_row_group(number, columns=["state"], use_threads=False).column(0)
            for group in column.value_counts().to_pylist():
                states[group["values"]] += group["counts"]
    return states
