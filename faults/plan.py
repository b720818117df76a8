"""A plan: a scenario resolved for one seed, fixed and hashed before the run.

It holds all that a worker needs, as canonical JSON, the failures of machines included; its SHA-256
is part of the job's configuration hash, so that a folder cannot be gone on with under other faults.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.errors import UsageError

from .bursts import Burst, Mode
from .counters import Counters, refuse_counters
from .ecc import Hardware
from .exposure import Exposure
from .kinds import ALL_KINDS, BLOCK_KINDS, MISCOMPUTED, BlockKind, HeadKind, MachineKind
from .machines import ClusterShape, FailureRates, make_schedule
from .outages import DEGRADED, Outage, OutageTable, Scope, require_few
from .planfile import read_plan_file
from .rates import BITS_PER_MEBIBYTE, per_bit_second_from_fit_per_gbit
from .sphere import source_above
from .strikes import STRIKES_PER_BIT_MAX, HopRates
from .topology import Cluster, Fleet, Position
from .widths import PRESETS, Width

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .scenario import BurstModel, FaultModel, OutageModel, Scenario

FORMAT = "sealedbeam-fault-plan"
VERSION = 3
BlockShares = list[tuple[HeadKind | BlockKind, dict[str, float]]]


@dataclass(frozen=True, slots=True)
class StatedFault:
    """A kind of fault with its rate in each cluster, at certain hops.

    The rate is per MiB of frames for faults of memory, and per delivery for those of blocks.
    """

    kind: str
    hops: tuple[str, ...]
    rates: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Memory:
    """Upsets per bit and delivery in New York, by pattern, at certain hops."""

    hops: tuple[str, ...]
    rates: tuple[tuple[Width, float], ...]
    sick_share_per_year: float


@dataclass(frozen=True, slots=True)
class Mercurial:
    """The share of machines whose core computes wrongly, and of the results on them."""

    share: float
    share_of_results: float


@dataclass(frozen=True)
class Plan:
    """A scenario for one seed.

    Attributes:
        seed: of the run.
        name: the scenario's.
        acceleration_note: how far its rates are from real ones.
        accelerations: the stated factors, by section of the scenario.
        duration_seconds: the simulated time that it spans.
        clusters: where records are.
        faults: what happens to them at stated rates.
        memory: upsets at physical rates, None without.
        bursts: what raises those.
        outages: which machines fail when.
        mercurial: wrong computations, None without.
        counters: of the machines' own memory errors, None without.
    """

    seed: int
    name: str
    acceleration_note: str
    accelerations: tuple[tuple[str, float], ...]
    duration_seconds: int
    clusters: tuple[Cluster, ...]
    faults: tuple[StatedFault, ...]
    memory: Memory | None = None
    bursts: tuple[Burst, ...] = ()
    outages: tuple[Outage, ...] = ()
    mercurial: Mercurial | None = None
    counters: Counters | None = None

    @cached_property
    def fleet(self) -> Fleet:
        """All machines of the plan."""
        return Fleet(self.clusters, self.duration_seconds, self.seed, self.down)

    @cached_property
    def exposure(self) -> Exposure:
        """The factors on the physical rates."""
        share = 0.0 if self.memory is None else self.memory.sick_share_per_year
        return Exposure(self.clusters, self.bursts, share, self.duration_seconds, self.seed)

    @cached_property
    def down(self) -> OutageTable:
        """Where machines are down."""
        return self._table(each for each in self.outages if each.scope not in DEGRADED)

    @cached_property
    def lossy(self) -> OutageTable:
        """Where packets get lost."""
        return self._table(each for each in self.outages if each.scope in DEGRADED)

    def _table(self, outages: Iterable[Outage]) -> OutageTable:
        return OutageTable(outages, {cluster.name: cluster.machines for cluster in self.clusters})

    def rates(self, hop: str) -> HopRates | None:
        """Return the rates of upsets at `hop`, None where there are none."""
        stated: dict[str, list[tuple[Width, float]]] = {}
        for fault in self.faults:
            for cluster, rate in fault.rates if _is_of_memory(fault, hop) else ():
                if rate > 0:
                    per_bit = rate / BITS_PER_MEBIBYTE
                    stated.setdefault(cluster, []).append((Width(fault.kind), per_bit))
        here = self.memory is not None and hop in self.memory.hops
        physical = self.memory.rates if self.memory is not None and here else ()
        highest = max((sum(rate for _, rate in rates) for rates in stated.values()), default=0.0)
        highest += sum(rate for _, rate in physical) * (self.exposure.highest if physical else 0.0)
        return HopRates(stated, physical, highest) if highest > 0 else None

    def block_shares(self, hop: str) -> BlockShares:
        """Return the shares of the deliveries at `hop` that each kind strikes, by cluster."""
        shares: BlockShares = []
        for kind in BLOCK_KINDS:
            by_cluster: dict[str, float] = {}
            for fault in self.faults:
                for cluster, rate in (
                    fault.rates if fault.kind == kind and hop in fault.hops else ()
                ):
                    by_cluster[cluster] = min(1.0, by_cluster.get(cluster, 0.0) + rate)
            if any(by_cluster.values()):
                shares.append((kind, by_cluster))
        return shares

    @property
    def kinds(self) -> list[str]:
        """Every kind of fault that can happen under this plan, in the order of reports."""
        found = {fault.kind for fault in self.faults}
        found |= {str(width) for width, _ in (self.memory.rates if self.memory else ())}
        found |= set(map(str, MachineKind)) if self.outages else set()
        found |= {MISCOMPUTED} if self.mercurial else set()
        return [kind for kind in ALL_KINDS if kind in found]

    @property
    def hops(self) -> list[str]:
        """The hops at which records or blocks are struck."""
        hops = {hop for fault in self.faults for hop in fault.hops}
        return sorted(hops | set(self.memory.hops if self.memory else ()))

    @property
    def is_quiet(self) -> bool:
        """Whether nothing can happen: whatever is named has a rate of zero."""
        strikes = any(self.rates(hop) or self.block_shares(hop) for hop in self.hops)
        errs = self.mercurial and self.mercurial.share > 0 and self.mercurial.share_of_results > 0
        return not (strikes or self.outages or errs)

    def to_json(self) -> str:
        """Return the plan as canonical JSON: the text of its file."""
        return self._json

    @cached_property
    def _json(self) -> str:
        head = {"format": FORMAT, "version": VERSION, "kinds": self.kinds, "quiet": self.is_quiet}
        values = asdict(replace(self, outages=()))  # which are tuples already, and many
        return canonical_json(head | values | {"outages": self.outages})

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the plan's file, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def _is_of_memory(fault: StatedFault, hop: str) -> bool:
    return hop in fault.hops and fault.kind not in BLOCK_KINDS


def shape_of(cluster: Cluster) -> ClusterShape:
    """Return a cluster as failures see it."""
    return ClusterShape(
        cluster.name, cluster.machines, cluster.machines_per_rack, cluster.racks_per_power_domain
    )


def make_plan(scenario: Scenario, seed: int) -> Plan:
    """Return the plan of `scenario` for `seed`.

    Raises:
        UsageError: more failures are to be expected than can be kept, or more upsets than there is
            anything to hit.
    """
    names = [site.name for site in scenario.clusters]
    clusters = tuple(site.cluster for site in scenario.clusters)
    plan = Plan(
        seed,
        scenario.name,
        scenario.acceleration_note,
        tuple(_accelerations(scenario)),
        scenario.duration_seconds,
        clusters,
        tuple(_stated(fault, names) for fault in scenario.faults),
        _memory(scenario),
        tuple(_burst(burst) for burst in scenario.bursts),
        tuple(_outages(scenario, clusters, seed)),
        Mercurial(**scenario.mercurial_cores.model_dump()) if scenario.mercurial_cores else None,
        _counters(scenario),
    )
    _refuse_floods(plan)
    if plan.counters is not None:
        refuse_counters(plan)
    return plan


def _refuse_floods(plan: Plan) -> None:
    require_few(plan.outages)
    for rates in filter(None, map(plan.rates, plan.hops)):
        if rates.highest > STRIKES_PER_BIT_MAX:
            raise UsageError(
                f"{plan.name}: {rates.highest * BITS_PER_MEBIBYTE:,.3g} upsets per MiB are to be "
                f"expected, {STRIKES_PER_BIT_MAX * BITS_PER_MEBIBYTE:,.0f} are allowed, with which "
                "no record survives; lower per_mebibyte, memory.acceleration or dwell_seconds"
            )


def _accelerations(scenario: Scenario) -> Iterable[tuple[str, float]]:
    if scenario.memory is not None:
        yield "memory", scenario.memory.acceleration
    if scenario.machines is not None:
        yield "machines", scenario.machines.acceleration
    if scenario.counters is not None:
        yield "counters", scenario.counters.acceleration


def _stated(fault: FaultModel, names: list[str]) -> StatedFault:
    factors = dict.fromkeys(names, 1.0) if fault.clusters is None else fault.clusters
    rate = (fault.per_mebibyte or 0.0) + (fault.per_block or 0.0)
    rates = tuple((name, rate * factors.get(name, 0.0)) for name in names)
    return StatedFault(fault.kind, tuple(sorted(set(fault.hops))), rates)


def _memory(scenario: Scenario) -> Memory | None:
    memory = scenario.memory
    if memory is None:
        return None
    per_bit = per_bit_second_from_fit_per_gbit(memory.fit_per_gbit) * memory.dwell_seconds
    per_bit *= memory.acceleration
    rates = tuple((width, share * per_bit) for width, share in PRESETS[memory.widths])
    return Memory(tuple(sorted(set(memory.hops))), rates, scenario.sick_machines)


def _counters(scenario: Scenario) -> Counters | None:
    """Return what the machines count, of upsets as the scenario has them in records."""
    counters = scenario.counters
    if counters is None:
        return None
    return Counters(
        counters.acceleration,
        counters.bin_seconds,
        scenario.upsets.fit_per_gbit,
        scenario.upsets.widths,
        scenario.sick_machines,
        tuple((site.name, site.memory_gib) for site in scenario.clusters),
    )


def _burst(burst: BurstModel) -> Burst:
    values = burst.model_dump(exclude={"above"})
    above = burst.above
    direction = source_above(above.latitude, above.longitude, burst.start_seconds)
    return Burst(**values, direction=direction)


def _outages(scenario: Scenario, clusters: tuple[Cluster, ...], seed: int) -> list[Outage]:
    """Return the stated outages and those by chance, sorted by start."""
    sizes = {cluster.name: cluster.machines for cluster in clusters}
    found = [
        _stated_outage(number, outage, sizes) for number, outage in enumerate(scenario.outages)
    ]
    if scenario.machines is not None:
        rates = FailureRates(**scenario.machines.model_dump())
        shapes = [shape_of(cluster) for cluster in clusters]
        found += make_schedule(seed, shapes, rates, scenario.duration_seconds)
    return sorted(found, key=lambda outage: (outage.start_seconds, outage))


def _stated_outage(number: int, outage: OutageModel, sizes: dict[str, int]) -> Outage:
    machines = outage.machines or sizes[outage.cluster] - outage.first_machine
    return Outage(
        outage.scope,
        outage.cluster,
        outage.first_machine,
        machines,
        outage.start_seconds,
        outage.start_seconds + outage.seconds,
        f"{outage.cluster}/{outage.scope}/stated-{number}",
    )


def parse_plan(text: str) -> Plan:
    """Return the plan that `Plan.to_json` wrote."""
    value: dict[str, Any] = json.loads(text)
    for key in ("format", "version", "kinds", "quiet"):
        del value[key]
    memory, mercurial = value.pop("memory"), value.pop("mercurial")
    counters = value.pop("counters")
    plan = Plan(
        **value
        | {
            "accelerations": tuple(map(tuple, value["accelerations"])),
            "clusters": tuple(_cluster_from(fields) for fields in value["clusters"]),
            "faults": tuple(_fault_from(fields) for fields in value["faults"]),
            "bursts": tuple(_burst_from(fields) for fields in value["bursts"]),
            "outages": tuple(Outage(Scope(scope), *rest) for scope, *rest in value["outages"]),
            "memory": memory and _memory_from(memory),
            "mercurial": mercurial and Mercurial(**mercurial),
            "counters": counters and Counters.from_json(counters),
        }
    )
    vars(plan)["sha256"] = hashlib.sha256(text.encode()).hexdigest()  # the text is canonical
    return plan


def _cluster_from(fields: list[Any]) -> Cluster:
    name, machines, per_rack, per_domain, flux, hardware, position = fields
    where = position and Position(*position)
    return Cluster(name, machines, per_rack, per_domain, flux, Hardware(hardware), where)


def _fault_from(fields: dict[str, Any]) -> StatedFault:
    rates = tuple((name, rate) for name, rate in fields["rates"])
    return StatedFault(fields["kind"], tuple(fields["hops"]), rates)


def _burst_from(fields: dict[str, Any]) -> Burst:
    x, y, z = fields["direction"]
    return Burst(**fields | {"mode": Mode(fields["mode"]), "direction": (x, y, z)})


def _memory_from(fields: dict[str, Any]) -> Memory:
    rates = tuple((Width(width), rate) for width, rate in fields["rates"])
    return Memory(tuple(fields["hops"]), rates, fields["sick_share_per_year"])


def read_plan(path: str, sha256: str) -> Plan:
    """Return the plan in the file `path`.

    Raises:
        IntegrityError: the file cannot be read, or is not the one with this SHA-256.
    """
    return parse_plan(read_plan_file(path, sha256).decode())
