"""The fleet of a file of clusters, summed over its memory protections, as values and as a table.

Clusters with the same memory protection are one group: a fleet of its own, at the mean flux of its
sites, weighted by memory. The groups' figures add up. The same pool of faults serves all groups.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import UsageError

from .draws import stream_key
from .ecc import Hardware, Verdict
from .fleet import Advice, advise, expect, simulate
from .fleet_pool import make_pool
from .misses import Code

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .fleet_model import Figures, FleetModel
    from .sites import Site


@dataclass(frozen=True, slots=True)
class Sums:
    """The figures of all groups together; counts are of the whole run.

    Attributes:
        faults_per_day: of memory.
        bits_flipped_per_day: within the records that are struck.
        corrected: faults that memory corrects by itself.
        reported: faults that memory knows of and cannot mend.
        missed: faults that pass for right in memory.
        undetected: records altered and accepted, by the code that guards them.
        mended_records: struck records that the code `correct` mends.
        refused_records: struck records that the code `correct` refuses.
        wrong_computations: by mercurial cores that nobody stops.
        wrong_unnoticed: by mercurial cores under the audit.
        machines_lost: by failures of their own and of cascades.
        machine_outages: times that a machine is down for any cause.
        bytes_derived_again: for records that were refused, or were on a machine that went down.
    """

    faults_per_day: float
    bits_flipped_per_day: float
    corrected: float
    reported: float
    missed: float
    undetected: Mapping[str, float]
    mended_records: float
    refused_records: float
    wrong_computations: float
    wrong_unnoticed: float
    machines_lost: float
    machine_outages: float
    bytes_derived_again: float


@dataclass(frozen=True, slots=True)
class FleetSummary:
    """A fleet's run.

    Attributes:
        model: what was assumed, its flux and memory being means over the fleet.
        machines_by_hardware: how many machines have each memory protection.
        clusters: how many clusters the file names.
        seed: of the simulation.
        expected: by the formulas.
        simulated: one run by chance.
        advice: which protection the fleet needs.
        audit_needed: whether wrong computations exceed what is tolerated.
    """

    model: FleetModel
    machines_by_hardware: Mapping[str, int]
    clusters: int
    seed: int
    expected: Sums
    simulated: Sums
    advice: Advice
    audit_needed: bool

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as plain values, fit for JSON."""
        values: dict[str, Any] = json.loads(json.dumps(asdict(self), allow_nan=False))
        return values


def summarise_fleet(
    sites: Sequence[Site], model: FleetModel, seed: int, machines: int | None = None
) -> FleetSummary:
    """Return what to expect of the machines of `sites`, beside one simulated run.

    Args:
        sites: the clusters.
        model: what is assumed; its machines, memory and flux are those of the sites.
        seed: of the simulation.
        machines: so many in all, in the same proportions; as the sites have them by default.

    Raises:
        UsageError: more outages are to be expected than can be drawn.
    """
    pool = make_pool(model.preset, 8 * model.record_bytes, seed)
    groups = {
        hardware: _group(model, [site for site in sites if site.hardware is hardware])
        for hardware in Hardware
        if any(site.hardware is hardware for site in sites)
    }
    if machines is not None:
        groups = _scale(groups, machines)
    keys = {hardware: stream_key(seed, "fleet", hardware) for hardware in groups}
    expected = _add((h, expect(group, pool)) for h, group in groups.items())
    simulated = _add((h, simulate(group, pool, keys[h])) for h, group in groups.items())
    whole = _group(model, sites)
    whole = replace(whole, machines=sum(group.machines for group in groups.values()))
    left = expected.reported + expected.missed
    return FleetSummary(
        whole,
        {str(hardware): group.machines for hardware, group in groups.items()},
        len(sites),
        seed,
        expected,
        simulated,
        advise(whole, left, expected.undetected, expected.mended_records),
        expected.wrong_computations / whole.years > whole.tolerated_per_year,
    )


def _group(model: FleetModel, sites: Sequence[Site]) -> FleetModel:
    """Return the fleet of some clusters."""
    machines = sum(site.machines for site in sites)
    memory_gib = sum(site.machines * site.memory_gib for site in sites)
    flux = sum(site.machines * site.memory_gib * site.flux_factor() for site in sites)
    return replace(
        model,
        machines=machines,
        memory_gib=memory_gib / machines,
        flux_factor=flux / memory_gib,
    )


def _scale(groups: Mapping[Hardware, FleetModel], machines: int) -> dict[Hardware, FleetModel]:
    """Return the groups with so many machines in all, those that round down most made up for."""
    total = sum(group.machines for group in groups.values())
    if machines < len(groups):
        raise UsageError(
            f"--machines is {machines:,}; allowed: {len(groups)} at least, as the clusters have "
            "so many kinds of memory protection"
        )
    shares = {h: max(1, group.machines * machines // total) for h, group in groups.items()}
    largest = max(shares, key=lambda hardware: shares[hardware])
    shares[largest] += machines - sum(shares.values())
    return {h: replace(group, machines=shares[h]) for h, group in groups.items()}


def _add(parts: Iterable[tuple[Hardware, Figures]]) -> Sums:
    """Return the sum of groups' figures, each under its own memory protection."""
    sums: dict[str, float] = defaultdict(float)
    undetected = dict.fromkeys(map(str, Code), 0.0)
    for hardware, figures in parts:
        for verdict in Verdict:
            sums[verdict] += figures.outcomes[hardware][verdict]
        for code in Code:
            undetected[code] += figures.undetected[hardware][code]
        for name in ("mended_records", "refused_records", "bytes_derived_again"):
            sums[name] += getattr(figures, name)[hardware]
        for name in _PLAIN:
            sums[name] += getattr(figures, name)
    return Sums(undetected=undetected, **{str(name): number for name, number in sums.items()})


_PLAIN = (
    "faults_per_day",
    "bits_flipped_per_day",
    "wrong_computations",
    "wrong_unnoticed",
    "machines_lost",
    "machine_outages",
)
