"""Whose turn it is: one connection to a host and to an address at a time, with a pause between.

The scheduler of one worker, without clock or network: times are arguments, in seconds of a clock
that never goes back.

Rules:
1. A host has at most one request under way, and rests for its delay after each.
2. So has an address: hosts that share one take turns there. Which one a host has is known once it
   was resolved; a host that turns out to share a busy address gives its turn back.
3. All hosts together begin at most `rate_per_second` requests.
4. A host that is told to wait waits; it holds up nobody else.
5. Among those that may, the one goes first that has waited longest since it could.
"""

from __future__ import annotations

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable

Item = TypeVar("Item")


class Turn(NamedTuple, Generic[Item]):
    """A request that may be made now."""

    host: str
    item: Item


@dataclass(slots=True)
class _Host(Generic[Item]):
    """The queue of a host, and when it may be asked again."""

    name: str
    delay_seconds: float
    items: deque[Item] = field(default_factory=deque)
    ready_seconds: float = 0.0
    busy: bool = False
    queued: bool = False
    address: str = ""


@dataclass(slots=True)
class _Address:
    """An address: when it may be asked again, whether it is busy, and who waits for it."""

    ready_seconds: float = 0.0
    busy: bool = False
    waiting: list[str] = field(default_factory=list)


class HostQueues(Generic[Item]):
    """The queues of all hosts of a worker."""

    def __init__(self, delay_seconds: float, rate_per_second: float = 0.0) -> None:
        """Pause `delay_seconds` between requests to one host; a rate of 0 is no limit."""
        self._delay_seconds = delay_seconds
        self._gap_seconds = 1 / rate_per_second if rate_per_second > 0 else 0.0
        self._next_seconds = 0.0  # when the rate allows the next request of all
        self._hosts: dict[str, _Host[Item]] = {}
        self._addresses: dict[str, _Address] = {}
        self._heap: list[tuple[float, int, str]] = []
        self._entered = 0
        self._left = 0

    def __len__(self) -> int:
        """Return how many items wait."""
        return self._left

    def add(
        self, host: str, items: Iterable[Item], *, address: str = "", first: bool = False
    ) -> None:
        """Queue items of a host, which has this address if that is known; `first` before others."""
        entry = self._hosts.get(host)
        if entry is None:
            entry = self._hosts[host] = _Host(host, self._delay_seconds)
        entry.address = address or entry.address
        was_empty = not entry.items
        before = len(entry.items)
        if first:
            entry.items.extendleft(reversed(list(items)))
        else:
            entry.items.extend(items)
        self._left += len(entry.items) - before
        if was_empty and entry.items and not entry.busy:
            self._enter(entry)

    def slow_down(self, host: str, delay_seconds: float) -> None:
        """Pause at least so long between requests to a host from now on."""
        entry = self._hosts[host]
        entry.delay_seconds = max(entry.delay_seconds, delay_seconds)

    def rest(self, host: str, ready_seconds: float) -> None:
        """Let a host alone until then; it was asked before it came here."""
        entry = self._hosts[host]
        entry.ready_seconds = max(entry.ready_seconds, ready_seconds)

    def rest_address(self, address: str, ready_seconds: float) -> None:
        """Let an address alone until then; one of its hosts was asked before."""
        place = self._addresses.setdefault(address, _Address())
        place.ready_seconds = max(place.ready_seconds, ready_seconds)

    def take(self, now: float) -> Turn[Item] | None:
        """Return a request that may begin now, and count it as begun; None if there is none."""
        while self._heap and self._heap[0][0] <= now and self._next_seconds <= now:
            _, _, name = heapq.heappop(self._heap)
            entry = self._hosts[name]
            entry.queued = False
            if entry.busy or not entry.items:
                continue
            if entry.ready_seconds > now:  # it was told to wait after it had been queued
                self._enter(entry)
                continue
            if not self._may_ask(entry, now):
                continue
            entry.busy = True
            if entry.address:
                self._addresses[entry.address].busy = True
            self._next_seconds = max(self._next_seconds, now) + self._gap_seconds
            self._left -= 1
            return Turn(name, entry.items.popleft())
        return None

    def next_seconds(self) -> float | None:
        """Return the time at which `take` is worth asking again; None while only answers help."""
        if not self._heap:
            return None
        return max(self._heap[0][0], self._next_seconds)

    def resolve(self, host: str, address: str, now: float) -> bool:
        """Say which address a host under way has; return whether it may be asked now.

        If not, another host is being asked there or was just now: give the turn back with
        `put_back`.
        """
        entry = self._hosts[host]
        if entry.address == address:
            return True
        self._release_address(entry, now, rest=False)
        entry.address = address
        place = self._addresses.setdefault(address, _Address())
        if place.busy or place.ready_seconds > now:
            return False
        place.busy = True
        return True

    def put_back(self, host: str, item: Item, now: float) -> None:
        """Return a turn that was not used; the item is the host's next again."""
        entry = self._hosts[host]
        entry.busy = False
        entry.items.appendleft(item)
        self._left += 1
        if self._may_ask(entry, now):
            self._enter(entry)

    def done(self, host: str, now: float, *, wait_seconds: float = 0.0) -> None:
        """Say that a request has ended; the host then rests for its delay, or longer if told."""
        entry = self._hosts[host]
        entry.busy = False
        entry.ready_seconds = now + max(entry.delay_seconds, wait_seconds)
        self._release_address(entry, now, rest=True)
        if entry.items:
            self._enter(entry)

    def give_up(self, host: str) -> list[Item]:
        """Take all items that wait for a host out of its queue, and return them."""
        entry = self._hosts[host]
        items = list(entry.items)
        entry.items.clear()
        self._left -= len(items)
        return items

    def _may_ask(self, entry: _Host[Item], now: float) -> bool:
        """Return whether the host's address is free; else see that the host comes back to it."""
        if not entry.address:
            return True
        place = self._addresses.setdefault(entry.address, _Address())
        if place.busy:
            place.waiting.append(entry.name)
            return False
        if place.ready_seconds > now:
            entry.ready_seconds = max(entry.ready_seconds, place.ready_seconds)
            self._enter(entry)
            return False
        return True

    def _release_address(self, entry: _Host[Item], now: float, *, rest: bool) -> None:
        place = self._addresses.get(entry.address)
        if place is None or not place.busy:
            return
        place.busy = False
        if rest:
            place.ready_seconds = now + entry.delay_seconds
        waiting, place.waiting = place.waiting, []
        for name in waiting:
            self._enter(self._hosts[name])

    def _enter(self, entry: _Host[Item]) -> None:
        if entry.queued:
            return
        entry.queued = True
        self._entered += 1
        heapq.heappush(self._heap, (entry.ready_seconds, self._entered, entry.name))
