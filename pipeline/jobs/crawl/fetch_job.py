"""A fetch task from its list to its commit: visits, archives, links, events, in this order.

What was fetched is in the log before anything is made of it, and everything is made of the log, so
that a task that was killed at any moment gives the same archives when it has gone on.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from sealedbeam.pipeline.crawl.frontier import collect
from sealedbeam.pipeline.crawl.frontier_store import FRONTIER, shard_of
from sealedbeam.pipeline.crawl.hosts import HOSTS as HOST_ROWS
from sealedbeam.pipeline.crawl.hosts import robots_of
from sealedbeam.pipeline.crawl.pace import robots_url
from sealedbeam.pipeline.crawl.retry import RefetchPolicy
from sealedbeam.pipeline.crawl.urls import host_of
from sealedbeam.pipeline.crawl.visitor import AnswerKind
from sealedbeam.pipeline.crawl.visits import Schedule
from sealedbeam.pipeline.integrity.ladder import Casualty
from sealedbeam.pipeline.jobs.entry import Entry
from sealedbeam.pipeline.jobs.files import commit_task
from sealedbeam.pipeline.jobs.quarantine import Quarantine

from .admission import Admission
from .fetching import AnswerLog, learn, visit_all
from .harvest import FETCH, Harvester, take_answers
from .links import find_links
from .names import EVENTS, HOSTS, LISTS, LOG, fetch_task, select_task
from .refetch import visit_after_damage
from .rows import commit_rows, paths_in, read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sealedbeam.pipeline.crawl.frontier import Event, Row
    from sealedbeam.pipeline.crawl.hosts import HostRow
    from sealedbeam.pipeline.crawl.visitor import Answer

    from .context import CrawlContext
    from .fetching import Share


def run_fetch(
    context: CrawlContext, number: int, bucket: int, share: Share, tick: Callable[..., None]
) -> Entry:
    """Fetch one bucket of round `number`, or find that done.

    Args:
        context: the crawl.
        number: of the round.
        bucket: which of its lists.
        share: of the round's limits.
        tick: called now and then, to show that the task gets on, and with every answer.
    """
    task = fetch_task(number, bucket)
    done = context.committed(task)
    if done is not None:
        return done
    selected = context.committed(select_task(number))
    assert selected is not None, "a round is selected before it is fetched"
    rows, hosts = _read_lists(context, selected, bucket)
    path = context.store.root / LOG / f"{task}.log"
    before = dict(hosts)
    share = share._replace(tasks=max(selected.details["tasks"], 1))
    entry = Entry(task, context.configuration_hash, details={"now": selected.details["now"]})
    with closing(AnswerLog(path, task, context.policy.protection)) as log:
        visit_all(context, rows.values(), hosts, log, share=share, tick=tick)
        entry = _FetchTask(context, entry, number).make(log, rows, before, tick)
    path.unlink()
    return entry


def _read_lists(
    context: CrawlContext, selected: Entry, bucket: int
) -> tuple[dict[str, Row], dict[str, HostRow]]:
    rows: dict[str, Row] = {}
    hosts: dict[str, HostRow] = {}
    for path in paths_in(selected, LISTS):
        if f"-bucket-{bucket:03d}." in path:
            rows = {row.url: row for row in read_rows(context.store, path, FRONTIER)[0]}
        elif f"-hosts-{bucket:03d}." in path:
            hosts = {row.host: row for row in read_rows(context.store, path, HOST_ROWS)[0]}
    return rows, hosts


class _FetchTask:
    """What a fetch task makes of its log."""

    def __init__(self, context: CrawlContext, entry: Entry, number: int) -> None:
        self._context = context
        self._entry = entry
        self._number = number
        self._admission = Admission(context.config, entry, number)
        self._events: list[Event] = []

    def make(
        self,
        log: AnswerLog,
        rows: dict[str, Row],
        hosts: dict[str, HostRow],
        tick: Callable[[], None],
    ) -> Entry:
        """Commit all that a log holds; `hosts` is what was known before it, and updated."""
        context, entry = self._context, self._entry
        transit = context.transit_source.begin(entry.task)
        quarantine = Quarantine(entry.task, ())
        known = dict(hosts)
        refetch = RefetchPolicy(first_seconds=context.config.refetch_seconds)
        harvester = Harvester(context, entry, Schedule(refetch=refetch))
        for answer in take_answers(context, entry, log, transit, rows):
            tick()
            if isinstance(answer, Casualty):
                quarantine.add_record(FETCH, answer, None)
                self._settle_damage(answer, rows)
                continue
            learn(hosts, answer)
            if harvester.add(answer, rows, hosts):
                self._admission.take_named(find_links(answer), rows[answer.url])
            if answer.kind is AnswerKind.ROBOTS and context.config.sitemaps:
                self._note_sitemaps(hosts[answer.host], answer, rows)
        harvester.close()
        for visit in harvester.visits:
            if visit.redirect_to:
                self._admission.take_redirect(visit.redirect_to, rows[visit.url])
        self._events += [*harvester.visits, *self._admission.events]
        learned = {name: host for name, host in hosts.items() if host != known.get(name)}
        self._commit_events(learned)
        commit_task(context.store, entry, quarantine, transit)
        return entry

    def _settle_damage(self, casualty: Casualty, rows: dict[str, Row]) -> None:
        now = self._entry.details["now"]
        visit = visit_after_damage(casualty.identity, rows, self._context.config, now)
        if visit is not None:
            self._events.append(visit)

    def _note_sitemaps(self, host: HostRow, answer: Answer, rows: Mapping[str, Row]) -> None:
        url = robots_url(answer.url)
        depth = min(row.depth for row in rows.values() if row.host == host.host)
        self._admission.take_sitemaps(robots_of(host).sitemaps(url), depth, url)

    def _commit_events(self, hosts: dict[str, HostRow]) -> None:
        context, shards = self._context, self._context.config.shards
        by_shard: dict[int, dict[str, Row]] = {}
        for url, row in collect(self._events).items():
            by_shard.setdefault(shard_of(host_of(url), shards), {})[url] = row
        for shard, rows in sorted(by_shard.items()):
            commit_rows(context.store, self._entry, (EVENTS, shard), rows, FRONTIER)
        of_hosts: dict[int, dict[str, HostRow]] = {}
        for name, host in hosts.items():
            of_hosts.setdefault(shard_of(name, shards), {})[name] = host
        for shard, known in sorted(of_hosts.items()):
            commit_rows(context.store, self._entry, (HOSTS, shard), known, HOST_ROWS)
