"""Outages as values, and a fast answer to "is this machine down, or slow, at this time?".

The lookup keeps one number per interval of one machine, sorted by machine and time, beside the
latest end so far: any query is one binary search, however outages overlap. Only to say which outage
it is takes a walk back over those that overlap. Records are asked for one at a time: `bisect` on
views of the arrays answers that several times faster than NumPy does.
"""

from __future__ import annotations

from bisect import bisect_right
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sealedbeam.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    Wholes = NDArray[np.int64]

INTERVALS_MAX = 10_000_000
_SPAN_SECONDS = 1 << 32


class Scope(StrEnum):
    """What went wrong; the values stand in plans and reports."""

    MACHINE = "machine"
    RACK = "rack"
    POWER = "power"
    OVERHEATING = "overheating"
    NETWORK = "network"
    WONKY_RACK = "wonky_rack"
    SLOW_MACHINE = "slow_machine"


DEGRADED = frozenset((Scope.NETWORK, Scope.WONKY_RACK, Scope.SLOW_MACHINE))
"""Scopes whose machines go on, and lose a part of the deliveries, to the network or to a deadline.

All others are down.
"""


class Outage(NamedTuple):
    """Some neighbouring machines of a cluster that fail together.

    Attributes:
        scope: what failed.
        cluster: its name.
        first_machine: the lowest number of a machine that is struck.
        machines: how many are.
        start_seconds: simulated.
        end_seconds: when they are back; later than the start, and past the run's end if need be.
        cause_id: the same for all outages that follow from one failure.
    """

    scope: Scope
    cluster: str
    first_machine: int
    machines: int
    start_seconds: int
    end_seconds: int
    cause_id: str


def require_few(outages: Iterable[Outage]) -> None:
    """Raise UsageError when there are more than INTERVALS_MAX machine failures in `outages`."""
    if (intervals := sum(outage.machines for outage in outages)) > INTERVALS_MAX:
        raise UsageError(
            f"{intervals:,} failures of machines are planned, {INTERVALS_MAX:,} are allowed; "
            "lower the acceleration, the duration or the number of machines"
        )


class OutageTable:
    """Outages by machine and time; 24 bytes for each machine of each outage."""

    def __init__(self, outages: Iterable[Outage], machines: Mapping[str, int]) -> None:
        """Take up the outages of clusters that have so many machines."""
        chosen = list(outages)
        firsts, total = {}, 0
        for name, count in machines.items():
            firsts[name] = total
            total += count
        self._firsts = firsts
        self._machines = total
        lengths = np.array([outage.machines for outage in chosen], dtype=np.int64)
        struck = self._expand(chosen, lengths)
        starts = _column([outage.start_seconds for outage in chosen], lengths)
        ends = _column([outage.end_seconds for outage in chosen], lengths)
        keys = struck * _SPAN_SECONDS + starts
        order = np.argsort(keys, kind="stable")
        self._starts = keys[order]
        latest = struck * _SPAN_SECONDS + np.minimum(ends, _SPAN_SECONDS - 1)
        self._latest_ends = np.maximum.accumulate(latest[order])
        self._starts_seen, self._ends_seen = self._starts.data, self._latest_ends.data
        self._owners = np.repeat(np.arange(len(chosen)), lengths)[order]
        self._outages = chosen

    def _expand(self, outages: Sequence[Outage], lengths: Wholes) -> Wholes:
        """Return the number, through all clusters, of each machine of each outage."""
        firsts = [self._firsts[outage.cluster] + outage.first_machine for outage in outages]
        before = np.cumsum(lengths) - lengths
        within = np.arange(int(lengths.sum()), dtype=np.int64) - np.repeat(before, lengths)
        return _column(firsts, lengths) + within

    def __len__(self) -> int:
        return len(self._starts)

    def covers(self, cluster: str, machine: int, time_seconds: int) -> bool:
        """Return whether an outage holds this machine at this time."""
        return self._last_before(cluster, machine, time_seconds) is not None

    def find(self, cluster: str, machine: int, time_seconds: int) -> Outage | None:
        """Return the latest outage that holds this machine at this time, None if there is none."""
        number = self._last_before(cluster, machine, time_seconds)
        if number is None:
            return None
        outage: Outage = self._outages[self._owners[number]]
        while outage.end_seconds <= time_seconds:
            number -= 1
            outage = self._outages[self._owners[number]]
        return outage

    def cover(self, cluster: str, machines: Wholes, times_seconds: Wholes) -> NDArray[np.bool_]:
        """Return the same for machines of a cluster, each at its own time."""
        return self._hold((self._firsts[cluster] + machines) * _SPAN_SECONDS + times_seconds)

    def find_up(self, time_seconds: int) -> Wholes:
        """Return all machines that no outage holds at this time, numbered through the clusters."""
        keys = np.arange(self._machines, dtype=np.int64) * _SPAN_SECONDS + time_seconds
        return np.flatnonzero(~self._hold(keys))

    def _last_before(self, cluster: str, machine: int, time_seconds: int) -> int | None:
        """Return the number of the last interval that has begun, None if no interval holds."""
        key = (self._firsts[cluster] + machine) * _SPAN_SECONDS + time_seconds
        number = bisect_right(self._starts_seen, key) - 1
        return number if number >= 0 and self._ends_seen[number] > key else None

    def _hold(self, keys: Wholes) -> NDArray[np.bool_]:
        if not len(self._starts):
            return np.zeros(len(keys), dtype=np.bool_)
        before = np.searchsorted(self._starts, keys, side="right") - 1
        held: NDArray[np.bool_] = self._latest_ends[np.maximum(before, 0)] > keys
        return held & (before >= 0)


def _column(values: Sequence[int], lengths: Wholes) -> Wholes:
    return np.repeat(np.array(values, dtype=np.int64), lengths)
