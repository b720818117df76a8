"""Which addresses a round asks for, dealt out to its fetch tasks: all of a host go to one of them.

Hosts that are known to share an address go to the same task as well, so that it can see to it that
the address is asked politely. Of hosts that nobody has asked yet that is not known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from sealedbeam.pipeline.crawl.frontier_store import FRONTIER, Damage, read_shard, shard_of
from sealedbeam.pipeline.crawl.hosts import HOSTS as HOST_ROWS
from sealedbeam.pipeline.crawl.sealed_rows import table_of
from sealedbeam.pipeline.crawl.selection import combine, count_pages, select_due
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.jobs.entry import Entry, encode_entry, entry_path

from .names import FRONTIER as FRONTIER_FOLDER
from .names import HOSTS, LISTS, fold_task, select_task
from .rows import commit_table, paths_in, read_rows

if TYPE_CHECKING:
    from sealedbeam.pipeline.crawl.hosts import HostRow

    from .context import CrawlContext


def run_select(context: CrawlContext, number: int, now: int, buckets: int) -> Entry:
    """Select the addresses of round `number`, or find that done.

    Args:
        context: the crawl.
        number: of the round, from 1.
        now: seconds since the epoch; what is due then is selected.
        buckets: how many fetch tasks the round may have.
    """
    task = select_task(number)
    done = context.committed(task)
    if done is not None:
        return done
    entry = Entry(task, context.configuration_hash)
    before = [_folded(context, number - 1, shard) for shard in range(context.config.shards)]
    hosts = _read_hosts(context, before)
    chosen, pages = _choose(context, before, now, hosts)
    dealt = _deal(chosen, hosts, buckets)
    for bucket in range(buckets):
        rows = chosen.filter(pa.array(dealt == bucket))
        if not len(rows):
            continue
        commit_table(context.store, entry, LISTS, f"{task}-bucket-{bucket:03d}", rows)
        names = set(rows.column("host").to_pylist())
        known = [hosts[name] for name in sorted(names & hosts.keys())]
        name = f"{task}-hosts-{bucket:03d}"
        commit_table(context.store, entry, LISTS, name, table_of(known, HOST_ROWS))
        entry.count("selected", f"{bucket:03d}", len(rows))
    entry.details = {"now": now, "buckets": buckets, "pages": pages, "selected": len(chosen)}
    context.store.write(entry_path(task), encode_entry(entry))
    return entry


def _folded(context: CrawlContext, number: int, shard: int) -> Entry:
    entry = context.committed(fold_task(number, shard))
    if entry is None:
        raise IntegrityError(f"{fold_task(number, shard)} is not committed, or is damaged")
    return entry


def _read_hosts(context: CrawlContext, before: list[Entry]) -> dict[str, HostRow]:
    hosts: dict[str, HostRow] = {}
    for entry in before:
        for path in paths_in(entry, HOSTS):
            rows, _ = read_rows(context.store, path, HOST_ROWS)
            hosts.update((row.host, row) for row in rows)
    return hosts


def _choose(
    context: CrawlContext, before: list[Entry], now: int, hosts: dict[str, HostRow]
) -> tuple[pa.Table, int]:
    """Return the rows of the round in order, and how many pages there were before it."""
    quotas = context.config.quotas()
    files = [
        context.store.root / path for entry in before for path in paths_in(entry, FRONTIER_FOLDER)
    ]
    counts = []
    for file in files:
        with file.open("rb") as source:
            counts.append(count_pages(source))
    pages = sum(count.total() for count in counts)
    waiting = [row.host for row in hosts.values() if row.backoff_until > now]
    offered = []
    for file, count in zip(files, counts, strict=True):
        with file.open("rb") as source:
            selection = select_due(
                source,
                now=now,
                quotas=quotas,
                pages=count,
                pages_left=max(quotas.pages_max - pages, 0),
                waiting_hosts=waiting,
            )
        offered.append(selection.rows)
    return combine(offered, quotas, max(quotas.pages_max - pages, 0)), pages


def _deal(chosen: pa.Table, hosts: dict[str, HostRow], buckets: int) -> np.ndarray:
    """Return the fetch task that each row goes to."""
    names = chosen.column("host").to_pylist()
    keys = {name: hosts[name].address if name in hosts else "" for name in set(names)}
    bucket = {name: shard_of(address or name, buckets) for name, address in keys.items()}
    return np.array([bucket[name] for name in names], np.int64)


def next_due(context: CrawlContext, path: str, now: int) -> int | None:
    """Return when the next address of a shard is due that is not due yet; None for never."""
    soonest: int | None = None
    with (context.store.root / path).open("rb") as source:
        for group in read_shard(source, FRONTIER):
            if isinstance(group, Damage):
                continue
            times = group.column("next_at").to_numpy()
            later = times[times > now]
            if len(later) and (soonest is None or later.min() < soonest):
                soonest = int(later.min())
    return soonest
