"""Visits the pages of one task: a thousand hosts at once, each of them politely.

One event loop. A host's first request is for its robots.txt, unless that is known; pages that it
denies are answered without a request. A host that fails several times in a row is left for a later
round, and what waits for it stays due. Every answer is handed to `keep` in the coroutine that read
its last byte, before anything else can happen to it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from .fetch import REFUSED_ADDRESS, Exchange
from .hosts import HostRow, robots_of
from .pace import THROTTLED, after_page, after_robots, robots_url
from .politeness import HostQueues
from .robots import REDIRECTS_MAX, Outcome
from .urls import canonical

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .fetch import Fetcher
    from .frontier import Row
    from .politeness import Turn

_REDIRECTS = (301, 302, 303, 307, 308)
_PLAIN = {"Accept-Encoding": "gzip, deflate"}


class AnswerKind(StrEnum):
    """What an answer is to."""

    PAGE = "page"
    ROBOTS = "robots"  # the last of a chain of redirects
    ROBOTS_REDIRECT = "robots_redirect"
    DENIED = "denied"  # by robots.txt, without a request


class Answer(NamedTuple):
    """What became of an address; `host` is the one that was asked about, `exchange` how."""

    kind: AnswerKind
    url: str
    host: str
    exchange: Exchange


@dataclass(frozen=True, slots=True)
class Manners:
    """How the crawler behaves.

    Attributes:
        product_token: the name that robots.txt knows it by.
        delay_seconds: between two requests to a host, at least.
        rate_per_second: of requests to all hosts together; 0 for no limit.
        connections_max: at a time.
        failures_max: in a row, after which a host is left alone in this round.
    """

    product_token: str
    delay_seconds: float = 1.0
    rate_per_second: float = 0.0
    connections_max: int = 1_000
    failures_max: int = 3


class Visitor:
    """Visits rows of the frontier; one for each task."""

    def __init__(
        self,
        fetcher: Fetcher,
        manners: Manners,
        hosts: dict[str, HostRow],
        keep: Callable[[Answer], None],
    ) -> None:
        """Know `hosts`, whose rows are updated here, and hand every answer to `keep`."""
        self._fetcher = fetcher
        self._manners = manners
        self._hosts = hosts
        self._keep = keep
        self._queues: HostQueues[Row | None] = HostQueues(
            manners.delay_seconds, manners.rate_per_second
        )
        self._under_way: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._error: BaseException | None = None

    async def run(self, rows: Iterable[Row], seconds: float) -> None:
        """Visit `rows`, in their order within each host; begin nothing after so many seconds."""
        deadline = time.monotonic() + seconds
        self._queue(rows)
        while (now := time.monotonic()) < deadline:
            while len(self._under_way) < self._manners.connections_max:
                turn = self._queues.take(now)
                if turn is None:
                    break
                self._begin(turn)
            soonest = self._queues.next_seconds()
            if soonest is None and not self._under_way:
                return
            full = len(self._under_way) >= self._manners.connections_max
            until = deadline if soonest is None or full else min(soonest, deadline)
            await self._wait(max(until - now, 0))
        while self._under_way:
            await self._wait(None)

    def _queue(self, rows: Iterable[Row]) -> None:
        by_host: dict[str, list[Row]] = {}
        for row in rows:
            by_host.setdefault(row.host, []).append(row)
        now = int(time.time())
        for host, waiting in by_host.items():
            known = self._hosts.setdefault(host, HostRow(host))
            robots = robots_of(known)
            if robots.outcome is Outcome.UNKNOWN or robots.expires_at <= now:
                self._queues.add(host, [None, *waiting])  # None stands for robots.txt
            else:
                self._queues.add(host, self._permit(host, waiting))
            self._queues.slow_down(host, known.delay_seconds)

    def _begin(self, turn: Turn[Row | None]) -> None:
        task = asyncio.get_running_loop().create_task(self._visit(turn))
        self._under_way.add(task)
        task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        self._ended.set()
        if not task.cancelled():
            self._error = self._error or task.exception()

    async def _wait(self, seconds: float | None) -> None:
        """Wait until a visit has ended, at most so long; raise what `keep` has raised."""
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return
        self._ended.clear()
        if self._error is not None:
            raise self._error

    async def _visit(self, turn: Turn[Row | None]) -> None:
        """Make one request, or the few that robots.txt takes."""
        host, row = turn
        address = await self._fetcher.find_address(row.url if row else f"http://{host}/")
        if address and not self._queues.resolve(host, address, time.monotonic()):
            self._queues.put_back(host, row, time.monotonic())
            return
        if row is None:
            await self._ask_robots(host)
            return
        exchange = await self._fetcher.fetch(row.url, _conditions(row))
        self._keep(Answer(AnswerKind.PAGE, row.url, host, exchange))
        self._hosts[host] = after = after_page(self._hosts[host], exchange)
        if after.failures >= self._manners.failures_max or exchange.status in THROTTLED:
            self._queues.give_up(host)
        self._queues.done(host, time.monotonic())

    async def _ask_robots(self, host: str) -> None:
        waiting = [row for row in self._queues.give_up(host) if row is not None]
        url = robots_url(waiting[0].url)
        for hop in range(REDIRECTS_MAX + 1):
            exchange = await self._fetcher.fetch(url, _PLAIN)
            target = canonical(exchange.get("Location"), url) if exchange.get("Location") else None
            if exchange.status not in _REDIRECTS or target is None or hop == REDIRECTS_MAX:
                break
            self._keep(Answer(AnswerKind.ROBOTS_REDIRECT, url, host, exchange))
            url = target
            await asyncio.sleep(self._manners.delay_seconds)
        if exchange.error == REFUSED_ADDRESS:  # nothing of this host will ever be asked for
            for row in waiting:
                refused = Exchange(row.url, exchange.time_seconds, error=REFUSED_ADDRESS)
                self._keep(Answer(AnswerKind.PAGE, row.url, host, refused))
            waiting = []
        self._keep(Answer(AnswerKind.ROBOTS, url, host, exchange))
        known = after_robots(self._hosts[host], exchange, self._manners.product_token)
        self._hosts[host] = known
        self._queues.slow_down(host, known.delay_seconds)
        self._queues.add(host, self._permit(host, waiting))
        self._queues.done(host, time.monotonic())

    def _permit(self, host: str, rows: Iterable[Row]) -> list[Row]:
        """Return the rows that robots.txt allows, and answer the others."""
        robots = robots_of(self._hosts[host])
        allowed = []
        for row in rows:
            if robots.allows(row.url, self._manners.product_token):
                allowed.append(row)
            else:
                nothing = Exchange(row.url, time.time())
                self._keep(Answer(AnswerKind.DENIED, row.url, host, nothing))
        return allowed


def _conditions(row: Row) -> dict[str, str]:
    """Return the header that asks for a page only if it is another one than was fetched."""
    conditions = {"If-None-Match": row.etag, "If-Modified-Since": row.last_modified}
    return {name: value for name, value in conditions.items() if value}
