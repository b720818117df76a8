"""Failures of machines, racks, power and cooling over a run: a schedule that is fixed before it.

The schedule is a pure function of (seed, topology, rates, duration); each cluster and each kind of
failure has a stream of its own, so that another cluster shifts nothing.

1. Single machines: renewals with Weibull gaps of shape 0.75 (failures cluster after failures), long
   running before the run begins, so that 0.56 are expected for each machine and year.
2. Cascades: each failure raises others within 120 s, a Poisson number of mean `raised`; 0.8 of them
   in its own rack, the others anywhere in the cluster. Of all failures of machines, 37 % then have
   company, and the rate of 0.56 includes them. A guard stops avalanches: of one rack, no more than
   10 machines a day fail by cascade.
3. Racks, racks with losses, power domains, whole networks and slow machines are Poisson.
4. Overheating begins in one rack and takes most of the cluster within five minutes, rack by rack.

Sources: the rates, sizes and down times are Jeff Dean's list for a cluster's first year (verified
in reports of it), with 1,800 machines in the cluster; 0.56 is derived. Bursts of failures, mostly
by rack: Ford et al., OSDI'10 (abstract verified); 120 s, 37 % and the Weibull shape: recalled. The
guard's 10 a day is rasdaemon's default for processors (verified in its source). `raised` follows
from the 37 %: of failures in Poisson families of mean m, exp(-m) (1 - m) are alone. The share in
the rack, the share that overheats, single machines' time to repair and all of slow machines: ours.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import exp, factorial, gamma
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sealedbeam.pipeline.errors import UsageError

from .draws import stream_key
from .outages import Outage, Scope, require_few

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from .outages import Wholes

    Floats = NDArray[np.float64]

YEAR_SECONDS = 365.25 * 86_400
_DAY_SECONDS = 86_400
_HOUR_SECONDS = 3600
_WARM_UP_GAPS = 5
_CASCADE_SECONDS = 120
_CHILDREN_MAX = 30
_OVERHEATING_SECONDS = 300
_UNIT = 2.0**-53
OUTAGES_MAX = 1_000_000
_DOWN_HOURS = {
    Scope.MACHINE: (0.5, 12.0),
    Scope.RACK: (1.0, 6.0),
    Scope.POWER: (5.0, 7.0),
    Scope.OVERHEATING: (24.0, 48.0),
    Scope.NETWORK: (0.5, 1.0),
    Scope.WONKY_RACK: (1.0, 6.0),
    Scope.SLOW_MACHINE: (1.0, 24.0),
}


class ClusterShape(NamedTuple):
    """What the schedule needs to know of a cluster; the last rack and domain may be smaller."""

    name: str
    machines: int
    machines_per_rack: int = 40
    racks_per_power_domain: int = 19

    @property
    def racks(self) -> int:
        """How many racks it has."""
        return -(-self.machines // self.machines_per_rack)

    @property
    def power_domains(self) -> int:
        """How many power domains it has."""
        return -(-self.racks // self.racks_per_power_domain)


@dataclass(frozen=True, slots=True)
class FailureRates:
    """How often things fail in real years, and how failures hang together.

    Attributes:
        per_machine_year: failures of single machines, those by cascade included.
        weibull_shape: of the gaps between a machine's failures.
        raised: failures that one failure raises by cascade, on average. From 1 on only the guard
            ends a cascade, and `per_machine_year` counts the failures that begin one.
        raised_in_rack: the share of them in the same rack.
        cascades_per_rack_day: the guard against avalanches.
        per_rack_year: failures of a rack.
        wonky_per_rack_year: spells of lost packets of a rack.
        per_power_domain_year: failures of a power domain.
        overheating_per_cluster_year: of the cooling.
        overheated_share: the part of a cluster's racks that overheats.
        network_per_cluster_year: spells in which a cluster is hard to reach.
        slow_per_machine_year: spells in which a machine is slow.
        acceleration: multiplies all rates; printed in every report.
        repair_factor: multiplies all down times, to go with an acceleration.
    """

    per_machine_year: float = 0.56
    weibull_shape: float = 0.75
    raised: float = 0.217
    raised_in_rack: float = 0.8
    cascades_per_rack_day: int = 10
    per_rack_year: float = 20 / 45
    wonky_per_rack_year: float = 5 / 45
    per_power_domain_year: float = 1 / 2.4
    overheating_per_cluster_year: float = 0.5
    overheated_share: float = 0.9
    network_per_cluster_year: float = 3.0
    slow_per_machine_year: float = 0.1
    acceleration: float = 1.0
    repair_factor: float = 1.0

    @property
    def begun_per_machine_year(self) -> float:
        """Failures of single machines that no other one raised."""
        alone = 1 - self.raised if self.raised < 1 else 1.0
        return self.per_machine_year * alone


def make_schedule(
    seed: int, clusters: Sequence[ClusterShape], rates: FailureRates, duration_seconds: int
) -> tuple[Outage, ...]:
    """Return all outages of a run, sorted by start.

    Raises:
        UsageError: more failures are to be expected than can be kept.
    """
    makers = [_Maker(seed, cluster, rates, duration_seconds) for cluster in clusters]
    if (expected := sum(maker.expected() for maker in makers)) > OUTAGES_MAX:
        raise UsageError(
            f"{expected:,.0f} outages are to be expected, {OUTAGES_MAX:,} are allowed; "
            "lower the acceleration, the duration or the number of machines"
        )
    outages = [outage for maker in makers for outage in maker.outages()]
    require_few(outages)
    return tuple(sorted(outages, key=lambda outage: (outage.start_seconds, outage)))


class _Stream:
    """Uniform numbers above 0 and below 1, from the raw words of a counter: same on any NumPy."""

    def __init__(self, seed: int, *names: str) -> None:
        self._words = np.random.Philox(key=stream_key(seed, "machines", *names))

    def units(self, count: int) -> Floats:
        words = np.asarray(self._words.random_raw(count), dtype=np.uint64)
        numbers: Floats = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * _UNIT
        return numbers

    def indices(self, count: int, below: int) -> Wholes:
        indices: Wholes = np.minimum((self.units(count) * below).astype(np.int64), below - 1)
        return indices

    def poisson(self, mean: float) -> int:
        """Return a Poisson number, by counting gaps; `mean` may be large."""
        number, reached = 0, 0.0
        while reached < mean:
            gaps = -np.log(self.units(1 + int(mean - reached)))
            arrivals = reached + np.cumsum(gaps)
            number += int(np.searchsorted(arrivals, mean))
            reached = float(arrivals[-1])
        return number


class _Failures(NamedTuple):
    """Failures of single machines: which, when, and the number of the failure it all began with."""

    machines: Wholes
    starts: Wholes
    causes: Wholes

    @property
    def number(self) -> int:
        return len(self.machines)


class _Maker:
    """Draws the outages of one cluster."""

    def __init__(
        self, seed: int, cluster: ClusterShape, rates: FailureRates, duration_seconds: int
    ) -> None:
        self._seed = seed
        self._cluster = cluster
        self._rates = rates
        self._duration = duration_seconds
        self._years = duration_seconds / YEAR_SECONDS * rates.acceleration

    def expected(self) -> float:
        """Return about how many outages are to be expected."""
        rates, cluster = self._rates, self._cluster
        machines = rates.per_machine_year + rates.slow_per_machine_year
        racks = rates.per_rack_year + rates.wonky_per_rack_year
        racks += rates.overheating_per_cluster_year * rates.overheated_share
        domains = cluster.power_domains * rates.per_power_domain_year
        each = machines * cluster.machines + racks * cluster.racks + domains
        expected = (each + rates.network_per_cluster_year) * self._years
        if rates.raised >= 1:
            days = 1 + self._duration / _DAY_SECONDS
            expected += rates.cascades_per_rack_day * cluster.racks * days
        return expected

    def outages(self) -> list[Outage]:
        """Return all that fails in this cluster."""
        cluster, rates = self._cluster, self._rates
        rack = cluster.machines_per_rack
        domain = rack * cluster.racks_per_power_domain
        return [
            *self._single_machines(),
            *self._groups(Scope.RACK, rates.per_rack_year, rack),
            *self._groups(Scope.WONKY_RACK, rates.wonky_per_rack_year, rack),
            *self._groups(Scope.POWER, rates.per_power_domain_year, domain),
            *self._groups(Scope.NETWORK, rates.network_per_cluster_year, cluster.machines),
            *self._groups(Scope.SLOW_MACHINE, rates.slow_per_machine_year, 1),
            *self._overheatings(),
        ]

    def _stream(self, *names: str) -> _Stream:
        return _Stream(self._seed, self._cluster.name, *names)

    def _ends(self, stream: _Stream, scope: Scope, starts: Wholes) -> Wholes:
        low, high = _DOWN_HOURS[scope]
        hours = low + (high - low) * stream.units(len(starts))
        down = hours * _HOUR_SECONDS * self._rates.repair_factor
        ends: Wholes = starts + np.maximum(1, down.astype(np.int64))
        return ends

    def _groups(self, scope: Scope, per_group_year: float, size: int) -> Iterator[Outage]:
        """Yield Poisson failures of groups of `size` neighbouring machines."""
        stream, name, total = self._stream(scope), self._cluster.name, self._cluster.machines
        groups = -(-total // size)
        count = stream.poisson(per_group_year * groups * self._years)
        firsts = stream.indices(count, groups) * size
        starts = stream.indices(count, self._duration)
        ends = self._ends(stream, scope, starts)
        rows = zip(firsts.tolist(), starts.tolist(), ends.tolist(), strict=True)
        for number, (first, start, end) in enumerate(rows):
            machines = min(size, total - first)
            yield Outage(scope, name, first, machines, start, end, f"{name}/{scope}/{number}")

    def _overheatings(self) -> Iterator[Outage]:
        """Yield, for each failure of the cooling, the racks that it reaches, nearest first."""
        scope, name, racks = Scope.OVERHEATING, self._cluster.name, self._cluster.racks
        stream, size = self._stream(scope), self._cluster.machines_per_rack
        count = stream.poisson(self._rates.overheating_per_cluster_year * self._years)
        origins = stream.indices(count, racks).tolist()
        starts = stream.indices(count, self._duration)
        ends = self._ends(stream, scope, starts).tolist()
        reached = -(-round(100 * racks * self._rates.overheated_share) // 100)
        for number, (origin, start) in enumerate(zip(origins, starts.tolist(), strict=True)):
            nearest = sorted(range(racks), key=lambda rack: (abs(rack - origin), rack))
            for rank, rack in enumerate(nearest[:reached]):
                after = start + rank * _OVERHEATING_SECONDS // reached
                first = rack * size
                machines = min(size, self._cluster.machines - first)
                cause = f"{name}/{scope}/{number}"
                end = max(after + 1, ends[number])
                yield Outage(scope, name, first, machines, after, end, cause)

    def _single_machines(self) -> Iterator[Outage]:
        """Yield failures of single machines and those that they raise by cascade."""
        newest = self._renewals()
        found, stream, guard = [newest], self._stream("cascade"), Counter[tuple[int, int]]()
        while newest.number:
            newest = self._spare(self._raise_others(stream, newest), guard)
            found.append(newest)
        machines, starts, causes = (np.concatenate(parts) for parts in zip(*found, strict=True))
        ends = self._ends(self._stream("repair"), Scope.MACHINE, starts)
        name = self._cluster.name
        for machine, start, end, cause in zip(
            machines.tolist(), starts.tolist(), ends.tolist(), causes.tolist(), strict=True
        ):
            tag = f"{name}/{Scope.MACHINE}/{cause}"
            yield Outage(Scope.MACHINE, name, machine, 1, start, end, tag)

    def _renewals(self) -> _Failures:
        """Return the failures that no other one raised."""
        rate = self._rates.begun_per_machine_year
        machines = np.arange(self._cluster.machines if rate * self._years else 0)
        stream, shape = self._stream(Scope.MACHINE), self._rates.weibull_shape
        scale = 1 / (rate * gamma(1 + 1 / shape)) if rate else 0.0
        clocks = np.full(len(machines), -_WARM_UP_GAPS / rate if rate else 0.0)
        struck, times = [], []
        while len(machines):
            clocks = clocks + scale * (-np.log(stream.units(len(machines)))) ** (1 / shape)
            within = clocks < self._years
            machines, clocks = machines[within], clocks[within]
            struck.append(machines[clocks >= 0])
            times.append(clocks[clocks >= 0])
        if not struck:
            return _Failures(*np.zeros((3, 0), dtype=np.int64))
        starts = (np.concatenate(times) * (self._duration / self._years)).astype(np.int64)
        order = np.lexsort((np.concatenate(struck), starts))
        return _Failures(np.concatenate(struck)[order], starts[order], np.arange(len(order)))

    def _raise_others(self, stream: _Stream, parents: _Failures) -> _Failures:
        """Return the failures that these raise, each within two minutes of its parent."""
        mean = self._rates.raised
        terms = [exp(-mean) * mean**count / factorial(count) for count in range(_CHILDREN_MAX)]
        counts = np.searchsorted(np.cumsum(terms), stream.units(parents.number))
        causes, near = (np.repeat(part, counts) for part in (parents.causes, parents.machines))
        number = len(near)
        after = 1 + stream.indices(number, _CASCADE_SECONDS)
        starts = np.repeat(parents.starts, counts) + after
        size, total = self._cluster.machines_per_rack, self._cluster.machines
        first = near - near % size
        width = np.minimum(size, total - first)
        beside = first + (stream.units(number) * width).astype(np.int64)
        inside = stream.units(number) < self._rates.raised_in_rack
        machines = np.where(inside, beside, stream.indices(number, total))
        during = starts < self._duration
        return _Failures(machines[during], starts[during], causes[during])

    def _spare(self, raised: _Failures, guard: Counter[tuple[int, int]]) -> _Failures:
        """Return those of the raised failures that the guard against avalanches lets happen."""
        size, limit = self._cluster.machines_per_rack, self._rates.cascades_per_rack_day
        kept = []
        racks, days = raised.machines // size, raised.starts // _DAY_SECONDS
        for number, place in enumerate(zip(racks.tolist(), days.tolist(), strict=True)):
            guard[place] += 1
            if guard[place] <= limit:
                kept.append(number)
        chosen = np.array(kept, dtype=np.int64)
        return _Failures(*(part[chosen] for part in raised))
