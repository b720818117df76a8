"""A fetch task from its list to its commit: visits, archives, links, events, in this order.

What was fetched is in the log before anything is made of it, and everything is made of the log, so
that a task that was killed at any moment gives the same archives when it has gone on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealedbeam.pipeline.crawl.frontier import Discovered, State, collect
from sealedbeam.pipeline.crawl.frontier_store import FRONTIER, shard_of
from sealedbeam.pipeline.crawl.hosts import HOSTS as HOST_ROWS
from sealedbeam.pipeline.crawl.hosts import robots_of
from sealedbeam.pipeline.crawl.pace import robots_url
from sealedbeam.pipeline.crawl.traps import find_trap
from sealedbeam.pipeline.crawl.urls import canonical, host_of
from sealedbeam.pipeline.crawl.visitor import AnswerKind
from sealedbeam.pipeline.crawl.visits import Schedule
from sealedbeam.pipeline.integrity.ladder import Casualty
from sealedbeam.pipeline.jobs.entry import Entry
from sealedbeam.pipeline.jobs.files import commit_task
from sealedbeam.pipeline.jobs.quarantine import Quarantine

from .fetching import AnswerLog, learn, visit_all
from .harvest import FETCH, Harvester, take_answers
from .links import find_links
from .names import EVENTS, HOSTS, LISTS, LOG, fetch_task, select_task
from .rows import commit_rows, paths_in, read_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sealedbeam.pipeline.crawl.frontier import Event, Row
    from sealedbeam.pipeline.crawl.hosts import HostRow
    from sealedbeam.pipeline.crawl.visitor import Answer

    from .context import CrawlContext


def run_fetch(context: CrawlContext, number: int, bucket: int, tick: Callable[[], None]) -> Entry:
    """Fetch one bucket of round `number`, or find that done.

    Args:
        context: the crawl.
        number: of the round.
        bucket: which of its lists.
        tick: called now and then, to show that the task gets on.
    """
    task = fetch_task(number, bucket)
    done = context.committed(task)
    if done is not None:
        return done
    selected = context.committed(select_task(number))
    assert selected is not None, "a round is selected before it is fetched"
    rows, hosts = _read_lists(context, selected, bucket)
    path = context.store.root / LOG / f"{task}.log"
    log = AnswerLog(path, task, context.policy.protection)
    before = dict(hosts)
    share = selected.details["buckets"]
    visit_all(context.config, rows.values(), hosts, log, share=share, tick=tick)
    entry = _FetchTask(context, Entry(task, context.configuration_hash), number).make(
        log, rows, before, tick
    )
    log.close()
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
        self._rules = context.config.rules()
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
        harvester = Harvester(context, entry, Schedule())
        for answer in take_answers(context, entry, log, transit):
            tick()
            if isinstance(answer, Casualty):
                quarantine.add_record(FETCH, answer, None)
                continue
            learn(hosts, answer)
            if harvester.add(answer, rows, hosts):
                self._follow(answer, rows[answer.url])
            if answer.kind is AnswerKind.ROBOTS:
                self._note_sitemaps(hosts[answer.host], answer)
        harvester.close()
        self._events += harvester.visits
        for visit in harvester.visits:
            if visit.redirect_to and visit.state is not State.DUPLICATE:
                self._discover([visit.redirect_to], rows[visit.url].depth, visit.url)
        self._commit_events(hosts)
        commit_task(context.store, entry, quarantine, transit)
        return entry

    def _follow(self, answer: Answer, row: Row) -> None:
        found = find_links(answer)
        self._entry.count("links", "found", len(found))
        self._discover(found, row.depth + 1, row.url)

    def _note_sitemaps(self, host: HostRow, answer: Answer) -> None:
        if self._context.config.sitemaps:
            url = robots_url(answer.url)
            self._events += [
                Discovered(site_map, 0, url, self._number)
                for site_map in robots_of(host).sitemaps(url)
            ]

    def _discover(self, urls: Iterable[str], depth: int, via: str) -> None:
        for url in self._admit(urls):
            self._events.append(Discovered(url, depth, via, self._number))

    def _admit(self, urls: Iterable[str]) -> Iterator[str]:
        """Yield those addresses that the crawl takes, in canonical form; count the others."""
        for found in urls:
            url = canonical(found)
            if url is None:
                self._entry.count("links_left", "no_address")
                continue
            refusal = self._rules.judge(url)
            if not refusal and self._context.config.traps:
                refusal = find_trap(url)
            if refusal:
                self._entry.count("links_left", refusal)
            else:
                yield url

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
