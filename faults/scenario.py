"""A scenario as people write it: YAML, checked key by key.

An error names the file, the path of the value inside it, the value, and what is allowed there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.integrity.ledger import WINDOW_SECONDS
from sealedbeam.pipeline.text import one_line
from sealedbeam.pipeline.yaml_files import read_yaml

from .bursts import Mode
from .kinds import BLOCK_KINDS, MEMORY_KINDS
from .machines import FailureRates
from .mistakes import Words, describe, parse_model
from .outages import Scope
from .rates import DRAM_FIT_PER_GBIT
from .sites import (
    CLUSTERS_MAX,
    MACHINES_MAX,
    ClusterName,
    Model,
    Real,
    Site,
    Text,
    Whole,
    load_sites,
)
from .vocabulary import ALLOWED, DURATION_SECONDS_MAX, FACTOR_MAX, FAULTS_MAX, RATE_MAX, WHOLE
from .widths import PRESETS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MACHINES_MIN = 2
_WORDS = Words(ALLOWED, WHOLE)

Hop = Literal["fetch", "pages", "documents", "runs", "shards"]
_HOPS: tuple[Hop, ...] = ("fetch", "pages", "documents", "runs", "shards")
Hops = Annotated[tuple[Hop, ...], Field(min_length=1)]


def _as_factors(value: Any) -> Any:
    names = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return dict.fromkeys(value, 1.0) if names else value


def _part_of_minute(seconds: int) -> int:
    if WINDOW_SECONDS % seconds:
        raise ValueError
    return seconds


Rate = Annotated[Real, Field(ge=0, le=RATE_MAX)]
Factor = Annotated[Real, Field(ge=0, le=FACTOR_MAX)]
Share = Annotated[Real, Field(ge=0, le=1)]
Positive = Annotated[Real, Field(gt=0, le=1e30)]
Seconds = Annotated[Whole, Field(ge=0, le=DURATION_SECONDS_MAX)]
Factors = Annotated[
    Annotated[dict[str, Factor], Field(min_length=1)] | None, BeforeValidator(_as_factors)
]


class FaultModel(Model):
    """A kind of fault and how often it is expected, as its author wants it.

    Attributes:
        kind: what happens.
        per_mebibyte: expected faults for each MiB of frames that is delivered: faults of memory.
        per_block: share of the deliveries that it strikes: faults of blocks and their heads.
        clusters: where, with a factor on the rate; clusters that are not named are spared.
        hops: at which hops; all by default.
    """

    kind: Annotated[str, Field(pattern=f"^({'|'.join((*MEMORY_KINDS, *BLOCK_KINDS))})$")]
    per_mebibyte: Rate | None = None
    per_block: Share | None = None
    clusters: Factors = None
    hops: Hops = _HOPS


class MemoryModel(Model):
    """Upsets at the rate of physics: it differs by site, burst and machine.

    Attributes:
        fit_per_gbit: failures of a Gbit in 10^9 hours, in New York.
        dwell_seconds: how long a record lies in memory at each hop.
        acceleration: multiplies the rate; printed in every report.
        widths: the preset of what one upset flips.
        hops: at which hops; all by default.
    """

    fit_per_gbit: Positive = DRAM_FIT_PER_GBIT
    dwell_seconds: Positive = 1.0
    acceleration: Positive = 1.0
    widths: Annotated[str, Field(pattern=f"^({'|'.join(PRESETS)})$")] = "dram_hbm2"
    hops: Hops = _HOPS


class Above(Model):
    """A place on Earth that a source stands above."""

    latitude: Annotated[Real, Field(ge=-90, le=90)]
    longitude: Annotated[Real, Field(ge=-180, le=180)]


class BurstModel(Model):
    """A burst of cosmic rays; see `bursts.Burst` for what the numbers mean."""

    mode: Mode
    start_seconds: Seconds
    above: Above
    duration_seconds: Annotated[Whole, Field(ge=1, le=DURATION_SECONDS_MAX)] = 600
    amplitude: Annotated[Real, Field(gt=0, le=FACTOR_MAX)] = 1.0
    exponent: Annotated[Real, Field(ge=0, le=10)] = 1.0
    rise_seconds: Annotated[Real, Field(ge=0, le=DURATION_SECONDS_MAX)] = 60.0
    decay_seconds: Annotated[Real, Field(gt=0, le=DURATION_SECONDS_MAX)] = 300.0
    rigidity_scale_gv: Annotated[Real, Field(gt=0, le=100)] = 1.0
    isotropic_share: Share = 0.1


class MachinesModel(Model):
    """How often machines fail by chance; see `machines.FailureRates` for the numbers."""

    acceleration: Positive = 1.0
    repair_factor: Annotated[Real, Field(gt=0, le=1000)] = 1.0
    per_machine_year: Rate = FailureRates().per_machine_year
    per_rack_year: Rate = FailureRates().per_rack_year
    per_power_domain_year: Rate = FailureRates().per_power_domain_year
    overheating_per_cluster_year: Rate = FailureRates().overheating_per_cluster_year
    network_per_cluster_year: Rate = FailureRates().network_per_cluster_year
    wonky_per_rack_year: Rate = FailureRates().wonky_per_rack_year
    slow_per_machine_year: Rate = FailureRates().slow_per_machine_year
    raised: Annotated[Real, Field(ge=0, lt=1)] = FailureRates().raised


class OutageModel(Model):
    """A failure at a stated time: some neighbouring machines of a cluster.

    Attributes:
        scope: what fails.
        cluster: where.
        first_machine: the lowest number of a machine that is struck.
        machines: how many are; all from the first one on by default.
        start_seconds: simulated.
        seconds: until they are back.
    """

    scope: Scope
    cluster: ClusterName
    first_machine: Annotated[Whole, Field(ge=0, le=MACHINES_MAX)] = 0
    machines: Annotated[Whole, Field(ge=1, le=MACHINES_MAX)] | None = None
    start_seconds: Seconds
    seconds: Annotated[Whole, Field(ge=1, le=DURATION_SECONDS_MAX)]


class MercurialModel(Model):
    """Cores that compute wrongly: the share of machines, and of the results on them."""

    share: Share
    share_of_results: Share


class CountersModel(Model):
    """The machines' own counters of memory errors, over all their memory.

    Attributes:
        acceleration: multiplies the rate of physics; printed in every report.
        bin_seconds: counts are added up over so long; an equal part of a minute.
    """

    acceleration: Positive = 1.0
    bin_seconds: Annotated[Whole, Field(ge=1), AfterValidator(_part_of_minute)] = 10


class Scenario(Model):
    """What goes wrong, and where.

    Attributes:
        name: what reports call it.
        description: what it shows.
        acceleration_note: how far its rates are from real ones; printed in reports.
        duration_seconds: the simulated time over which the job's records are spread.
        clusters: where records are.
        faults: what happens to them at rates that are stated.
        memory: what happens to them at physical rates.
        bursts: what raises the physical rates for a while.
        sick_machines: the share of the machines whose memory falls sick in a year.
        machines: failures by chance.
        outages: failures at stated times.
        mercurial_cores: wrong computations.
        counters: what the machines themselves count, not only of records.
    """

    name: Annotated[Text, Field(max_length=80)]
    description: Text
    acceleration_note: Text
    duration_seconds: Annotated[Whole, Field(ge=1, le=DURATION_SECONDS_MAX)]
    clusters: Annotated[tuple[Site, ...], Field(min_length=1, max_length=CLUSTERS_MAX)]
    faults: Annotated[tuple[FaultModel, ...], Field(max_length=FAULTS_MAX)] = ()
    memory: MemoryModel | None = None
    bursts: Annotated[tuple[BurstModel, ...], Field(max_length=FAULTS_MAX)] = ()
    sick_machines: Share = 0.0
    machines: MachinesModel | None = None
    outages: Annotated[tuple[OutageModel, ...], Field(max_length=FAULTS_MAX)] = ()
    mercurial_cores: MercurialModel | None = None
    counters: CountersModel | None = None

    @property
    def upsets(self) -> MemoryModel:
        """What upsets are like: as stated, or as usual."""
        return self.memory or MemoryModel()


def load_scenario(path: Path) -> Scenario:
    """Return the scenario in a YAML file; a file of clusters that it names lies beside it.

    Raises:
        UsageError: a file cannot be read, or says something that is not allowed.
    """
    values = read_yaml(path, "scenario")
    if isinstance(values, dict) and values and not set(Scenario.model_fields) & set(values):
        raise UsageError(
            one_line(f"{path} is no scenario, which has {ALLOWED['']}; ")
            + "give a configuration with --config"
        )
    if isinstance(values, dict) and isinstance(values.get("clusters"), str):
        clusters = load_sites(path.parent / values["clusters"]).clusters
        values = values | {"clusters": [site.model_dump() for site in clusters]}
    return parse_scenario(values, str(path))


def parse_scenario(values: Any, origin: str) -> Scenario:
    """Return the scenario that parsed YAML describes; `origin` names it in errors.

    Raises:
        UsageError: something in it is not allowed; the message lists all of that.
    """
    return parse_model(Scenario, values, origin, _WORDS, _find_contradictions)


def _find_contradictions(scenario: Scenario) -> Iterator[str]:
    """Yield what is wrong between values that are right each by itself."""
    known: dict[str, int] = {}
    for number, cluster in enumerate(scenario.clusters):
        if cluster.name in known:
            yield _wrong(("clusters", number, "name"), cluster.name)
        known[cluster.name] = cluster.machines
    for number, fault in enumerate(scenario.faults):
        yield from _contradictions_of_fault(number, fault, known)
    for number, outage in enumerate(scenario.outages):
        yield from _contradictions_of_outage(number, outage, known, scenario.duration_seconds)
    for number, burst in enumerate(scenario.bursts):
        if burst.start_seconds >= scenario.duration_seconds:
            yield _late(f"bursts[{number}]", burst.start_seconds, scenario.duration_seconds)
    placeless = [cluster.name for cluster in scenario.clusters if cluster.position is None]
    if scenario.bursts and placeless:
        yield f"bursts need to know where {', '.join(placeless)} is; allowed: {_place_keys()}"
    raised = scenario.bursts or scenario.sick_machines
    if raised and scenario.memory is None and scenario.counters is None:
        yield "memory is missing; bursts and sick_machines raise its rate"
    if sum(known.values()) < MACHINES_MIN:
        yield "clusters have 1 machine in all; allowed: 2 at least, as a retry goes to another one"


def _contradictions_of_fault(
    number: int, fault: FaultModel, known: dict[str, int]
) -> Iterator[str]:
    where = f"faults[{number}]"
    for name in sorted(set(fault.clusters or ()) - set(known)):
        yield f"{where}.clusters names {name!r}; allowed: {', '.join(sorted(known))}"
    of_memory = fault.kind in MEMORY_KINDS
    wanted, other = ("per_mebibyte", "per_block") if of_memory else ("per_block", "per_mebibyte")
    if getattr(fault, wanted) is None:
        yield f"{where}.{wanted} is missing; allowed: {ALLOWED[f'faults.{wanted}']}"
    if getattr(fault, other) is not None:
        yield f"{where}.{other} does not go with {fault.kind}; allowed: {wanted}"


def _contradictions_of_outage(
    number: int, outage: OutageModel, known: dict[str, int], duration_seconds: int
) -> Iterator[str]:
    where = f"outages[{number}]"
    if outage.cluster not in known:
        yield f"{where}.cluster is {outage.cluster!r}; allowed: {', '.join(sorted(known))}"
    elif outage.first_machine + (outage.machines or 1) > known[outage.cluster]:
        yield (
            f"{where} goes past the last machine of {outage.cluster}; "
            f"allowed: machines 0 to {known[outage.cluster] - 1:,}"
        )
    if outage.start_seconds >= duration_seconds:
        yield _late(where, outage.start_seconds, duration_seconds)


def _late(where: str, seconds: int, duration_seconds: int) -> str:
    return (
        f"{where}.start_seconds is {seconds:,}, outside the run; "
        f"allowed: 0 to {duration_seconds - 1:,}, as duration_seconds says"
    )


def _place_keys() -> str:
    return "latitude and longitude in every cluster"


def _wrong(location: tuple[int | str, ...], value: Any) -> str:
    return describe(location, "", value, _WORDS)
