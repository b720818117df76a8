"""A plan: a scenario resolved for one seed, fixed and hashed before the run.

It holds all that a worker needs, as canonical JSON; its SHA-256 is part of the job's configuration
hash, so that a folder cannot be gone on with under other faults.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.errors import IntegrityError

from .bitflips import HopRates, Kind
from .topology import Cluster, Fleet

if TYPE_CHECKING:
    from .scenario import Scenario

FORMAT = "sealedbeam-fault-plan"
VERSION = 1
_MEBIBYTE_BITS = 8 << 20


@dataclass(frozen=True, slots=True)
class PlannedFault:
    """A kind of fault with its rate in each cluster, at certain hops."""

    kind: Kind
    hops: tuple[str, ...]
    per_mebibyte: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A scenario for one seed.

    Attributes:
        seed: of the run.
        name: the scenario's.
        acceleration_note: how far its rates are from real ones.
        duration_seconds: the simulated time that it spans.
        clusters: where records are.
        faults: what happens to them.
    """

    seed: int
    name: str
    acceleration_note: str
    duration_seconds: int
    clusters: tuple[Cluster, ...]
    faults: tuple[PlannedFault, ...]

    @property
    def fleet(self) -> Fleet:
        """All machines of the plan."""
        return Fleet(self.clusters, self.duration_seconds, self.seed)

    def rates(self, hop: str) -> HopRates | None:
        """Return the rates at `hop`, None where nothing can happen."""
        by_cluster: dict[str, list[tuple[Kind, float]]] = {}
        for fault in self.faults:
            for cluster, rate in fault.per_mebibyte if hop in fault.hops else ():
                if rate > 0:
                    by_cluster.setdefault(cluster, []).append((fault.kind, rate / _MEBIBYTE_BITS))
        if not by_cluster:
            return None
        return HopRates(by_cluster, max(sum(r for _, r in kinds) for kinds in by_cluster.values()))

    def to_json(self) -> str:
        """Return the plan as canonical JSON: the text of its file."""
        return canonical_json(
            {
                "format": FORMAT,
                "version": VERSION,
                "seed": self.seed,
                "name": self.name,
                "acceleration_note": self.acceleration_note,
                "duration_seconds": self.duration_seconds,
                "clusters": [list(cluster) for cluster in self.clusters],
                "faults": [
                    [fault.kind, list(fault.hops), [list(pair) for pair in fault.per_mebibyte]]
                    for fault in self.faults
                ],
            }
        )

    @property
    def sha256(self) -> str:
        """The SHA-256 of the plan's file, in hexadecimal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()


def make_plan(scenario: Scenario, seed: int) -> Plan:
    """Return the plan of `scenario` for `seed`."""
    names = [cluster.name for cluster in scenario.clusters]
    faults = []
    for fault in scenario.faults:
        factors = dict.fromkeys(names, 1.0) if fault.clusters is None else fault.clusters
        rates = ((name, fault.per_mebibyte * factors.get(name, 0.0)) for name in names)
        faults.append(PlannedFault(fault.kind, tuple(sorted(set(fault.hops))), tuple(rates)))
    return Plan(
        seed,
        scenario.name,
        scenario.acceleration_note,
        scenario.duration_seconds,
        tuple(Cluster(cluster.name, cluster.machines) for cluster in scenario.clusters),
        tuple(faults),
    )


def parse_plan(text: str) -> Plan:
    """Return the plan that `Plan.to_json` wrote."""
    value: dict[str, Any] = json.loads(text)
    return Plan(
        value["seed"],
        value["name"],
        value["acceleration_note"],
        value["duration_seconds"],
        tuple(Cluster(*cluster) for cluster in value["clusters"]),
        tuple(
            PlannedFault(Kind(kind), tuple(hops), tuple((name, rate) for name, rate in rates))
            for kind, hops, rates in value["faults"]
        ),
    )


def read_plan(path: str, sha256: str) -> Plan:
    """Return the plan in the file `path`.

    Raises:
        IntegrityError: the file cannot be read, or is not the one with this SHA-256.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise IntegrityError(f"cannot read the fault plan {path}: {error.strerror}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise IntegrityError(f"the fault plan {path} changed; run the same command again")
    return parse_plan(data.decode())
