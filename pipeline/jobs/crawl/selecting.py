"""Which addresses a round asks for, dealt out to its fetch tasks: all of a host go to one of them.

Hosts that are known to share an address go to the same task as well, so that it can see to it that
the address is asked politely; it is told of all of them, asked for or not, since it must know when
one was last asked. Of hosts that nobody has asked yet the address is not known: see `claims.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sealedbeam.pipeline.crawl.frontier import NEVER, PAGES
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
    from collections.abc import Mapping

    from sealedbeam.pipeline.crawl.hosts import HostRow

    from .context import CrawlContext

_PAGES: Final = pa.array(sorted(state.value for state in PAGES), pa.string())


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
    neighbours = _by_address(hosts)
    for bucket in range(buckets):
        rows = chosen.filter(pa.array(dealt == bucket))
        if not len(rows):
            continue
        commit_table(context.store, entry, LISTS, f"{task}-bucket-{bucket:03d}", rows)
        names = set(rows.column("host").to_pylist()) & hosts.keys()
        names |= {each for name in names for each in neighbours.get(hosts[name].address, ())}
        known = [hosts[name] for name in sorted(names)]
        name = f"{task}-hosts-{bucket:03d}"
        commit_table(context.store, entry, LISTS, name, table_of(known, HOST_ROWS))
        entry.count("selected", f"{bucket:03d}", len(rows))
    entry.details = {
        "now": now,
        "buckets": buckets,
        "tasks": len(set(dealt.tolist())),
        "pages": pages,
        "selected": len(chosen),
        "next_at": 0 if len(chosen) else _find_next(context, before, now, hosts, pages),
    }
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


def _by_address(hosts: Mapping[str, HostRow]) -> dict[str, list[str]]:
    """Return the hosts of each address that is known."""
    found: dict[str, list[str]] = {}
    for name, host in hosts.items():
        if host.address:
            found.setdefault(host.address, []).append(name)
    return found


def _deal(chosen: pa.Table, hosts: dict[str, HostRow], buckets: int) -> np.ndarray:
    """Return the fetch task that each row goes to."""
    names = chosen.column("host").to_pylist()
    keys = {name: hosts[name].address if name in hosts else "" for name in set(names)}
    bucket = {name: shard_of(address or name, buckets) for name, address in keys.items()}
    return np.array([bucket[name] for name in names], np.int64)


def _find_next(
    context: CrawlContext, before: list[Entry], now: int, hosts: Mapping[str, HostRow], pages: int
) -> int:
    """Return when the next address is due, or its host has waited long enough; `NEVER` for never.

    What a limit keeps out does not count.
    """
    quotas = context.config.quotas()
    waiting = {row.host: row.backoff_until for row in hosts.values() if row.backoff_until > now}
    soonest = NEVER
    for path in (path for entry in before for path in paths_in(entry, FRONTIER_FOLDER)):
        with (context.store.root / path).open("rb") as source:
            for group in read_shard(source, FRONTIER):
                if isinstance(group, Damage):
                    continue
                may_be = group.column("depth").to_numpy() <= quotas.depth_max
                if pages >= quotas.pages_max:
                    may_be &= pc.is_in(group.column("state"), value_set=_PAGES).to_numpy()
                due = group.column("next_at").to_numpy()[may_be]
                names = group.column("host").to_pylist() if waiting else ()
                held = [waiting.get(name, 0) for name in names]
                if held:
                    due = np.maximum(due, np.array(held, np.int64)[may_be])
                soonest = min(soonest, int(min(due[due > now], default=NEVER)))
    return soonest
