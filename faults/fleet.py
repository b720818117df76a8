"""A whole fleet over a year: what flips, what each protection misses, which one is needed.

An expectation and a simulation are made from one pool of faults (`fleet_pool.py`), so that they
differ by chance alone. Neither time nor memory depends on the number of faults. Machines' failures
are drawn one by one, cluster after cluster; past 600 clusters the others are taken to fare alike.

* Faults: Poisson, at the fleet's rate; a fault is counted once, however often it is read.
* Records: a transient fault strikes one stretch of memory once; a permanent one strikes each of the
  records that are laid over it until the module is replaced. A stretch holds a sealed record with
  the probability `record_memory_share`.
* Undetected corruptions: struck records times the code's probability to miss (`misses.py`), and 0
  where the memory reported the fault. Two faults in one record are left out: at real rates they
  are rarer by far than one fault that flips as many bits.
* Wrong computations: a mercurial core errs as a Poisson process until a sampled repetition shows
  it, and is then taken out of service. No seal sees them.
* Machines lost: `machines.py`. What was in flight on them is derived again, and so is every struck
  record that the code `correct` refuses.

Which protection is needed: the cheapest code under which no more corruptions a year go undetected
than are tolerated, and `none` only where the memory corrects every fault of the pool, since a
sample cannot show that what it leaves is never missed; correction where it mends a record a day or
more; the audit where the wrong computations of a year exceed what is tolerated. Only memory and
processors are weighed here: disks and networks alter bytes as well.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from math import exp
from typing import TYPE_CHECKING, Any

import numpy as np

from .draws import stream_key
from .ecc import Verdict
from .fleet_model import MACHINES_PER_CLUSTER, Figures
from .fleet_pool import make_pool
from .machines import YEAR_SECONDS, ClusterShape, make_schedule
from .misses import Code
from .outages import DEGRADED, Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .fleet_model import FleetModel
    from .fleet_pool import Pool

    Counts = NDArray[np.int64]

MENDED_PER_DAY_MIN = 1.0
CLUSTERS_SIMULATED_MAX = 600


@dataclass(frozen=True, slots=True)
class Advice:
    """What a fleet needs under one memory protection.

    Attributes:
        code: the cheapest that keeps undetected corruptions within what is tolerated.
        enough_up_to_machines: the size of a fleet up to which it does; None if there is no limit.
        protection: the pipeline's preset that holds at least this code, and mends if that pays.
    """

    code: str
    enough_up_to_machines: float | None
    protection: str


@dataclass(frozen=True, slots=True)
class FleetReport:
    """A fleet's run.

    Attributes:
        model: what was assumed.
        seed: of the simulation.
        expected: by the formulas.
        simulated: one run by chance.
        advice: for each memory protection.
        audit_needed: whether wrong computations exceed what is tolerated.
    """

    model: FleetModel
    seed: int
    expected: Figures
    simulated: Figures
    advice: dict[str, Advice]
    audit_needed: bool

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, fit for JSON."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return values


def report_fleet(model: FleetModel, seed: int) -> FleetReport:
    """Return what to expect of a fleet, beside one simulated run.

    Raises:
        UsageError: more outages are to be expected than can be drawn.
    """
    pool = make_pool(model.preset, 8 * model.record_bytes, seed)
    expected = expect(model, pool)
    return FleetReport(
        model,
        seed,
        expected,
        simulate(model, pool, seed),
        {hardware: _advise(model, expected, hardware) for hardware in expected.undetected},
        expected.wrong_computations / model.years > model.tolerated_per_year,
    )


def expect(model: FleetModel, pool: Pool) -> Figures:
    """Return what is to be expected of a fleet."""
    per_day = model.transient_per_day + model.permanent_per_day
    laid_over = model.permanent_per_day * model.records_per_permanent_fault
    faults = per_day * model.days
    struck = (model.transient_per_day + laid_over) * model.days * model.record_memory_share
    failures, wrong = model.failures, model.wrong_per_core
    machine_years = model.machines * model.years * failures.acceleration
    outages = _outages_per_machine_year(model) * machine_years
    cores = model.machines * model.mercurial_share
    judged, weights = pool.judged, pool.weights
    refused = {str(name): struck * float(each.refused @ weights) for name, each in judged.items()}
    return Figures(
        faults_per_day=per_day,
        bits_flipped_per_day=per_day * float(pool.bits @ weights),
        outcomes={
            name: _by_verdict(faults * each.verdicts @ weights) for name, each in judged.items()
        },
        undetected={
            name: {code: struck * float(each.misses[code] @ weights) for code in Code}
            for name, each in judged.items()
        },
        mended_records={
            name: struck * float(each.mended @ weights) for name, each in judged.items()
        },
        refused_records=refused,
        wrong_computations=cores * wrong,
        wrong_unnoticed=cores * expected_unnoticed(wrong, model.audit_share),
        machines_lost=failures.per_machine_year * machine_years,
        machine_outages=outages,
        bytes_derived_again=_bytes_again(model, refused, outages),
    )


def expected_unnoticed(wrong: float, audit_share: float) -> float:
    """Return the wrong results of a core that go out before the audit catches it.

    With w wrong results expected and a share a repeated, it is (1 - a) / a (1 - exp(-a w)).

    Args:
        wrong: results to expect if nobody looked.
        audit_share: of results that are repeated elsewhere.
    """
    if audit_share == 0:
        return wrong
    return (1 - audit_share) / audit_share * (1 - exp(-audit_share * wrong))


def _outages_per_machine_year(model: FleetModel) -> float:
    rates = model.failures
    groups = rates.per_rack_year + rates.per_power_domain_year
    cooling = rates.overheating_per_cluster_year * rates.overheated_share
    return rates.per_machine_year + groups + cooling


def _by_verdict(counts: NDArray[Any]) -> dict[str, float]:
    return dict(zip(map(str, Verdict), counts.tolist(), strict=True))


def _bytes_again(
    model: FleetModel, refused: Mapping[str, float], outages: float
) -> dict[str, float]:
    in_flight = outages * model.in_flight_bytes
    return {name: in_flight + records * model.record_bytes for name, records in refused.items()}


def simulate(model: FleetModel, pool: Pool, seed: int) -> Figures:
    """Return one run of a fleet.

    Raises:
        UsageError: more outages are to be expected than can be drawn.
    """
    chance = np.random.Generator(np.random.Philox(key=stream_key(seed, "fleet")))
    transient = chance.poisson(model.transient_per_day, model.days).sum()
    permanent = chance.poisson(model.permanent_per_day, model.days).sum()
    transients = chance.multinomial(transient, pool.weights)
    permanents = chance.multinomial(permanent, pool.weights)
    counts: Counts = transients + permanents
    laid_over = transients + permanents * model.records_per_permanent_fault
    struck: Counts = chance.binomial(laid_over, model.record_memory_share)
    wrong, unnoticed = _simulate_cores(model, chance)
    lost, outages = _simulate_outages(model, seed)
    judged = pool.judged
    refused = {str(name): float(struck @ each.refused) for name, each in judged.items()}
    return Figures(
        faults_per_day=float(counts.sum()) / model.days,
        bits_flipped_per_day=float(counts @ pool.bits) / model.days,
        outcomes={name: _by_verdict(each.verdicts @ counts) for name, each in judged.items()},
        undetected={
            name: {code: float(chance.binomial(struck, each.misses[code]).sum()) for code in Code}
            for name, each in judged.items()
        },
        mended_records={name: float(struck @ each.mended) for name, each in judged.items()},
        refused_records=refused,
        wrong_computations=wrong,
        wrong_unnoticed=unnoticed,
        machines_lost=lost,
        machine_outages=outages,
        bytes_derived_again=_bytes_again(model, refused, outages),
    )


def _simulate_cores(model: FleetModel, chance: np.random.Generator) -> tuple[float, float]:
    """Return the wrong results of all mercurial cores, and those before each one is caught."""
    cores = chance.binomial(model.machines, model.mercurial_share)
    wrong = chance.poisson(model.wrong_per_core, cores)
    unnoticed = wrong
    if model.audit_share > 0:
        unnoticed = np.minimum(wrong, chance.geometric(model.audit_share, cores) - 1)
    return float(wrong.sum()), float(unnoticed.sum())


def _simulate_outages(model: FleetModel, seed: int) -> tuple[float, float]:
    """Return how many machines fail by themselves or by cascade, and how many for any cause."""
    full, rest = divmod(model.machines, MACHINES_PER_CLUSTER)
    sizes = [MACHINES_PER_CLUSTER] * min(full, CLUSTERS_SIMULATED_MAX)
    if full < CLUSTERS_SIMULATED_MAX and rest:
        sizes.append(rest)
    duration = max(1, int(model.years * YEAR_SECONDS))
    lost = down = 0
    for number, size in enumerate(sizes):
        cluster = ClusterShape(f"cluster-{number}", size)
        outages = make_schedule(seed, (cluster,), model.failures, duration)
        lost += sum(outage.scope is Scope.MACHINE for outage in outages)
        down += sum(outage.machines for outage in outages if outage.scope not in DEGRADED)
    scale = model.machines / sum(sizes)
    return lost * scale, down * scale


def _advise(model: FleetModel, expected: Figures, hardware: str) -> Advice:
    outcomes = expected.outcomes[hardware]
    return advise(
        model,
        outcomes[Verdict.REPORTED] + outcomes[Verdict.MISSED],
        expected.undetected[hardware],
        expected.mended_records[hardware],
    )


def advise(
    model: FleetModel, left: float, undetected: Mapping[str, float], mended: float
) -> Advice:
    """Return the protection that a fleet needs.

    Args:
        model: the fleet.
        left: faults that its memory does not correct.
        undetected: records altered and accepted, by code.
        mended: struck records that the code `correct` mends.
    """
    tolerated = model.tolerated_per_year * model.years
    if left == 0:
        return Advice(Code.NONE, None, "none")
    codes = [code for code in Code if code is not Code.NONE]
    code = next((code for code in codes if undetected[code] <= tolerated), Code.CORRECT)
    enough = model.machines * tolerated / undetected[code] if undetected[code] else None
    mends = mended >= MENDED_PER_DAY_MIN * model.days
    return Advice(code, enough, "correct" if mends else "detect")
