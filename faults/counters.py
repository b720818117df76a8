"""What the machines' own error counters (EDAC) show over all their memory, not only over records.

The rate of a machine is that of physics, times a stated acceleration:

    FIT of its memory  x  flux of its site  x  excess of the bursts  (+ what sickness adds)

An upset that its memory protection corrects counts as corrected, one that it reports and cannot
mend as uncorrected; what it misses counts nowhere, as on machines without any (`shares.py`). A sick
machine repeats its error: how often is Pareto-distributed, so that a few of them make most of the
counts (`sick.py`). Beyond 15 a second its system stops to count (the Linux kernel's threshold for a
storm of machine checks; recalled). Machines that are down count nothing.

Counts are drawn as arrivals of a Poisson process: gaps are exponential in the expected count, by
numbers that each (cluster, block of bins) and each sick machine has for itself. All is a pure
function of the plan, and the memory needed is that of one cluster's counts.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sealedbeam.pipeline.errors import UsageError

from .bursts import BurstSite, rate_multipliers
from .draws import stream_key
from .rates import SECONDS_PER_HOUR, fit_per_machine, per_device_hour
from .shares import shares_of
from .sick import MONTH_SECONDS, find_sickness

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from .plan import Plan
    from .sick import Sickness
    from .topology import Cluster

    Floats = NDArray[np.float64]
    Wholes = NDArray[np.int64]

COUNTERS = "faults/counters.parquet"
COUNTS_MAX = 5_000_000
STORM_PER_SECOND = 15.0
_BLOCK_BINS = 60_480
_UNIT = 2.0**-53
_SCHEMA = pa.schema(
    [
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("time_seconds", pa.int64(), nullable=False),
        pa.field("machine", pa.string(), nullable=False),
        pa.field("corrected", pa.int64(), nullable=False),
        pa.field("uncorrected", pa.int64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class Counters:
    """What a plan says of the machines' counters.

    Attributes:
        acceleration: multiplies the rate of physics; printed in every report.
        bin_seconds: counts are added up over so long.
        fit_per_gbit: failures of a Gbit in 10^9 hours, in New York.
        widths: the preset of what one upset flips.
        sick_share_per_year: the part of the machines that falls sick in a year.
        memory_gib: of each machine, by cluster.
    """

    acceleration: float
    bin_seconds: int
    fit_per_gbit: float
    widths: str
    sick_share_per_year: float
    memory_gib: tuple[tuple[str, float], ...]

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Counters:
        """Return what a plan's file says."""
        memory = tuple((name, gib) for name, gib in value["memory_gib"])
        return cls(**{**value, "memory_gib": memory})


class _Upsets(NamedTuple):
    """Upsets of a cluster: machine, second and a number from 0 to 1 that decides what is seen."""

    machines: Wholes
    seconds: Wholes
    levels: Floats


class _Stream:
    """Uniform numbers above 0 and below 1, from the raw words of a counter: same on any NumPy."""

    def __init__(self, seed: int, *names: str | int) -> None:
        self._words = np.random.Philox(key=stream_key(seed, "counters", *names))

    def units(self, count: int) -> Floats:
        words = np.asarray(self._words.random_raw(count), dtype=np.uint64)
        numbers: Floats = ((words >> np.uint64(11)).astype(np.float64) + 0.5) * _UNIT
        return numbers

    def arrivals(self, expected: float) -> Floats:
        """Return the arrivals, ascending, of a process that has one for each 1 of `expected`."""
        found: list[Floats] = []
        reached = 0.0
        while reached < expected:
            left = expected - reached
            gaps = -np.log(self.units(int(left + 4 * np.sqrt(left)) + 8))
            found.append(reached + np.cumsum(gaps))
            reached = float(found[-1][-1])
        arrivals = np.concatenate([np.zeros(0), *found])
        before: Floats = arrivals[: np.searchsorted(arrivals, expected)]
        return before


def encode_counters(plan: Plan) -> bytes:
    """Return the file of counters of a plan that has them: Parquet, rows in the order of columns.

    Raises:
        UsageError: more counts are to be expected than can be kept.
    """
    clusters = sorted(plan.clusters)
    tables = [_count(plan, cluster) for cluster in clusters]
    sink = io.BytesIO()
    table = pa.concat_tables([_SCHEMA.empty_table(), *tables])
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def attach_counters(plan: Plan) -> dict[str, bytes]:
    """Return the file of counters by its path in the output folder; nothing without counters."""
    return {COUNTERS: encode_counters(plan)} if plan.counters is not None else {}


def upsets_per_second(plan: Plan, cluster: Cluster) -> float:
    """Return the rate of a healthy machine of a cluster in quiet times, accelerated."""
    assert plan.counters is not None, "who asks has looked"
    gib = dict(plan.counters.memory_gib)[cluster.name]
    hourly = per_device_hour(fit_per_machine(plan.counters.fit_per_gbit, gib))
    return hourly / SECONDS_PER_HOUR * cluster.flux_factor * plan.counters.acceleration


def expected_upsets(plan: Plan, cluster: Cluster) -> float:
    """Return the upsets to expect of a cluster's healthy machines in the run, seen or not."""
    return float(sum(block.sum() for _, block in _expected_blocks(plan, cluster)))


def refuse_counters(plan: Plan) -> None:
    """Raise UsageError where more counts are to be expected than can be kept."""
    expected = sum(expected_upsets(plan, cluster) for cluster in plan.clusters)
    expected += sum(
        float(np.sum(_sick_pieces(plan, cluster, sickness)[1]))
        for cluster in plan.clusters
        for _, sickness in _sick_machines(plan, cluster)
    )
    if expected > COUNTS_MAX:
        raise UsageError(
            f"{plan.name}: {expected:,.0f} counts of memory errors are to be expected, "
            f"{COUNTS_MAX:,} are allowed; lower counters.acceleration"
        )


def _count(plan: Plan, cluster: Cluster) -> pa.Table:
    """Return the rows of one cluster."""
    assert plan.counters is not None, "who asks has looked"
    shares = shares_of(plan.counters.widths, cluster.hardware)
    parts = [*_healthy_upsets(plan, cluster), *_sick_upsets(plan, cluster)]
    upsets = _Upsets(*map(np.concatenate, zip(*parts, strict=True)))
    seen = upsets.levels < shares.corrected + shares.reported
    seen &= ~plan.down.cover(cluster.name, upsets.machines, upsets.seconds)
    machines, seconds, levels = (column[seen] for column in upsets)
    keys = seconds // plan.counters.bin_seconds * cluster.machines + machines
    rows, places = np.unique(keys, return_inverse=True)
    corrected = np.bincount(places[levels < shares.corrected], minlength=len(rows))
    names = [f"machine-{number:05d}" for number in (rows % cluster.machines).tolist()]
    columns = [
        pa.repeat(cluster.name, len(rows)),
        pa.array(rows // cluster.machines * plan.counters.bin_seconds),
        pa.array(names, pa.string()),
        pa.array(corrected.astype(np.int64)),
        pa.array(np.bincount(places, minlength=len(rows)) - corrected),
    ]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def _expected_blocks(plan: Plan, cluster: Cluster) -> Iterator[tuple[int, Floats]]:
    """Yield the number of each block of bins, and the upsets to expect in each of its bins."""
    assert plan.counters is not None, "who asks has looked"
    seconds = plan.counters.bin_seconds
    per_second = upsets_per_second(plan, cluster) * cluster.machines
    bins = -(-plan.duration_seconds // seconds)
    for block, first in enumerate(range(0, bins, _BLOCK_BINS)):
        starts = np.arange(first, min(first + _BLOCK_BINS, bins)) * seconds
        lengths = np.minimum(starts + seconds, plan.duration_seconds) - starts
        factors = np.ones(len(starts))
        if cluster.position is not None and plan.bursts:
            times = starts.astype(np.float64)
            factors = rate_multipliers(plan.bursts, [BurstSite(*cluster.position)], times)[0]
        yield block, per_second * lengths * factors


def _healthy_upsets(plan: Plan, cluster: Cluster) -> Iterator[_Upsets]:
    """Yield the upsets of a cluster's machines, block by block."""
    assert plan.counters is not None, "who asks has looked"
    seconds = plan.counters.bin_seconds
    for block, expected in _expected_blocks(plan, cluster):
        stream = _Stream(plan.seed, cluster.name, block)
        edges = np.concatenate([[0.0], np.cumsum(expected)])
        starts = (block * _BLOCK_BINS + np.arange(len(edges))) * seconds
        starts[-1] = min(starts[-1], plan.duration_seconds)
        yield _spread(stream, edges, starts, 0, cluster.machines)


def _spread(
    stream: _Stream, edges: Floats, starts: Wholes, first_machine: int, machines: int
) -> _Upsets:
    """Return upsets over machines; `edges` are the counts to expect up to each of `starts`."""
    arrivals = stream.arrivals(float(edges[-1]))
    seconds = np.floor(np.interp(arrivals, edges, starts)).astype(np.int64)
    seconds = np.minimum(seconds, int(starts[-1]) - 1)
    units = stream.units(2 * len(arrivals))
    chosen = np.minimum((units[::2] * machines).astype(np.int64), machines - 1)
    return _Upsets(first_machine + chosen, seconds, units[1::2])


def _sick_machines(plan: Plan, cluster: Cluster) -> Iterator[tuple[int, Sickness]]:
    assert plan.counters is not None, "who asks has looked"
    share = plan.counters.sick_share_per_year
    for machine in range(cluster.machines if share > 0 else 0):
        found = find_sickness(plan.seed, cluster.name, machine, plan.duration_seconds, share)
        if found is not None:
            yield machine, found


def _sick_pieces(plan: Plan, cluster: Cluster, sickness: Sickness) -> tuple[Wholes, Floats]:
    """Return the edges in seconds of the times of equal sickness, and what it adds in each."""
    edges = [0.0, *(sickness.onset_seconds + month * MONTH_SECONDS for month in range(3))]
    starts = np.minimum([*np.ceil(edges), plan.duration_seconds], plan.duration_seconds)
    factors = [sickness.factor(second) - 1 for second in np.ceil(edges)]
    rates = np.minimum(np.array(factors) * upsets_per_second(plan, cluster), STORM_PER_SECOND)
    return starts.astype(np.int64), rates * np.diff(starts)


def _sick_upsets(plan: Plan, cluster: Cluster) -> Iterator[_Upsets]:
    """Yield what sickness adds on each sick machine of a cluster."""
    for machine, sickness in _sick_machines(plan, cluster):
        starts, expected = _sick_pieces(plan, cluster, sickness)
        kept = np.flatnonzero(expected > 0)
        if len(kept):
            span = slice(int(kept[0]), int(kept[-1]) + 1)
            edges = np.concatenate([[0.0], np.cumsum(expected[span])])
            stream = _Stream(plan.seed, "sick", cluster.name, machine)
            yield _spread(stream, edges, starts[span.start : span.stop + 1], machine, 1)
