"""Visits the pages of one task: a thousand hosts at once, each of them politely.

One event loop. A host's first request is for its robots.txt, unless that is known; pages that it
denies are answered without a request. A robots.txt that redirects is asked for there, in the turn
of the host that it is at. A host that fails several times in a row is left for a later round, and
what waits for it stays due. Every answer is handed to `keep` in the coroutine that read its last
byte, before anything else can happen to it.

An address that another worker asks in this round is left to it: its hosts stay due, and are dealt
to one task once their address is known. A host that was asked in an earlier round rests from then.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from .fetch import REFUSED_ADDRESS, Exchange
from .frontier import conditions_of
from .hosts import HostRow, robots_of
from .pace import THROTTLED, after_leaving, after_page, after_robots, robots_url
from .politeness import HostQueues
from .robots import REDIRECTS_MAX, ROBOTS_BYTES_MAX, Outcome
from .urls import canonical, host_of

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
    LEFT = "left"  # to another worker, which asks the host's address in this round


class Answer(NamedTuple):
    """What became of an address; `host` is the one that was asked about, `exchange` how."""

    kind: AnswerKind
    url: str
    host: str
    exchange: Exchange


class RobotsHop(NamedTuple):
    """A request for the rules of a host; after redirects it can be one to another host."""

    host: str
    url: str
    redirects: int = 0


@dataclass(frozen=True, slots=True)
class Manners:
    """How the crawler behaves.

    Attributes:
        product_token: the name that robots.txt knows it by.
        delay_seconds: between two requests to a host, at least.
        rate_per_second: of requests to all hosts together; 0 for no limit.
        connections_max: at a time.
        failures_max: in a row, after which a host is left alone in this round.
        body_bytes_max: of all pages together, after which nothing new is begun; 0 for no limit.
    """

    product_token: str
    delay_seconds: float = 1.0
    rate_per_second: float = 0.0
    connections_max: int = 1_000
    failures_max: int = 3
    body_bytes_max: int = 0


def _claim_all(_address: str) -> bool:
    """Claim an address where there is no other worker."""
    return True


class Visitor:
    """Visits rows of the frontier; one for each task."""

    def __init__(
        self,
        fetcher: Fetcher,
        manners: Manners,
        hosts: dict[str, HostRow],
        keep: Callable[[Answer], None],
        *,
        claim: Callable[[str], bool] = _claim_all,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Know `hosts`, whose rows are updated here, and hand every answer to `keep`.

        Args:
            fetcher: makes the requests.
            manners: how to behave.
            hosts: what is known of the hosts of all rows, and of others that share an address.
            keep: takes every answer; what it raises ends the visit.
            claim: whether this worker may ask an address in this round.
            clock: tells seconds since the epoch.
        """
        self._fetcher = fetcher
        self._manners = manners
        self._hosts = hosts
        self._keep = keep
        self._claim = claim
        self._clock = clock
        self._queues: HostQueues[Row | RobotsHop] = HostQueues(
            manners.delay_seconds, manners.rate_per_second
        )
        self._without_rules: dict[str, list[Row]] = {}
        self._under_way: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._error: BaseException | None = None
        self._body_bytes = 0

    async def run(self, rows: Iterable[Row], seconds: float) -> None:
        """Visit `rows`, in their order within each host; begin nothing after so many seconds."""
        deadline = time.monotonic() + seconds
        self._queue(rows)
        while (now := time.monotonic()) < deadline and not self._is_full():
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

    def _is_full(self) -> bool:
        return 0 < self._manners.body_bytes_max <= self._body_bytes

    def _queue(self, rows: Iterable[Row]) -> None:
        by_host: dict[str, list[Row]] = {}
        for row in rows:
            by_host.setdefault(row.host, []).append(row)
        now, now_seconds = self._clock(), time.monotonic()
        for host, waiting in by_host.items():
            known = self._hosts.setdefault(host, HostRow(host))
            robots = robots_of(known)
            if robots.outcome is Outcome.UNKNOWN or robots.expires_at <= now:
                self._without_rules[host] = waiting
                hop = RobotsHop(host, robots_url(waiting[0].url))
                self._queues.add(host, [hop], address=known.address)
            else:
                self._queues.add(host, self._permit(host, waiting), address=known.address)
            self._queues.slow_down(host, known.delay_seconds)
        for known in self._hosts.values():
            delay_seconds = max(self._manners.delay_seconds, known.delay_seconds)
            left_seconds = min(known.asked_until + delay_seconds - now, delay_seconds)
            if left_seconds > 0 and known.host in by_host:
                self._queues.rest(known.host, now_seconds + left_seconds)
            if left_seconds > 0 and known.address:
                self._queues.rest_address(known.address, now_seconds + left_seconds)

    def _begin(self, turn: Turn[Row | RobotsHop]) -> None:
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

    async def _visit(self, turn: Turn[Row | RobotsHop]) -> None:
        """Make one request, unless the address behind the host says otherwise."""
        host, item = turn
        address = await self._fetcher.find_address(item.url)
        if address and not self._queues.resolve(host, address, time.monotonic()):
            self._queues.put_back(host, item, time.monotonic())
            return
        if address and not self._claim(address):
            self._leave(host, item, address)
        elif isinstance(item, RobotsHop):
            await self._ask_robots(item)
        else:
            await self._ask_page(host, item)
        self._queues.done(host, time.monotonic())

    def _leave(self, host: str, item: Row | RobotsHop, address: str) -> None:
        """Leave all that waits for a host to the worker that asks its address."""
        left = {each.host: each for each in (item, *self._queues.give_up(host))}
        for name, each in left.items():
            self._without_rules.pop(name, None)
            nothing = Exchange(each.url, self._clock(), address=address)
            self._keep(Answer(AnswerKind.LEFT, each.url, name, nothing))
            self._hosts[name] = after_leaving(self._hosts[name], nothing)

    async def _ask_page(self, host: str, row: Row) -> None:
        exchange = await self._fetcher.fetch(row.url, conditions_of(row))
        self._keep(Answer(AnswerKind.PAGE, row.url, host, exchange))
        self._body_bytes += len(exchange.body)
        self._hosts[host] = after = after_page(self._hosts[host], exchange)
        if after.failures >= self._manners.failures_max or exchange.status in THROTTLED:
            self._queues.give_up(host)

    async def _ask_robots(self, hop: RobotsHop) -> None:
        exchange = await self._fetcher.fetch(hop.url, _PLAIN, ROBOTS_BYTES_MAX + 1)
        location = exchange.get("Location")
        target = canonical(location, hop.url) if location else None
        is_redirect = exchange.status in _REDIRECTS and target is not None
        if is_redirect and target is not None and hop.redirects < REDIRECTS_MAX:
            self._keep(Answer(AnswerKind.ROBOTS_REDIRECT, hop.url, hop.host, exchange))
            further = RobotsHop(hop.host, target, hop.redirects + 1)
            self._queues.add(host_of(target), [further], first=True)
            return
        waiting = self._without_rules.pop(hop.host)
        if exchange.error == REFUSED_ADDRESS:  # nothing of this host will ever be asked for
            for row in waiting:
                refused = Exchange(row.url, exchange.time_seconds, error=REFUSED_ADDRESS)
                self._keep(Answer(AnswerKind.PAGE, row.url, hop.host, refused))
            waiting = []
        self._keep(Answer(AnswerKind.ROBOTS, hop.url, hop.host, exchange))
        known = after_robots(self._hosts[hop.host], exchange, self._manners.product_token)
        self._hosts[hop.host] = known
        self._queues.slow_down(hop.host, known.delay_seconds)
        self._queues.add(hop.host, self._permit(hop.host, waiting))

    def _permit(self, host: str, rows: Iterable[Row]) -> list[Row]:
        """Return the rows that robots.txt allows, and answer the others."""
        robots = robots_of(self._hosts[host])
        allowed = []
        for row in rows:
            if robots.allows(row.url, self._manners.product_token):
                allowed.append(row)
            else:
                nothing = Exchange(row.url, self._clock())
                self._keep(Answer(AnswerKind.DENIED, row.url, host, nothing))
        return allowed
