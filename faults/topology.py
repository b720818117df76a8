"""Where and when a record is: a pure function of (seed, identity, hop, attempt).

Rules:
1. Each machine of the fleet is as likely as any other; a cluster has its machines' share.
2. A retry is delivered on another machine than the attempt before it, in any cluster.
3. A record's time is that of its identity, uniform over the scenario, the same at every hop; each
   retry is some seconds later. Time is simulated: nothing here looks at a clock.
4. Neighbours by number stand in one rack, neighbouring racks hang on one power supply.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.integrity.channel import Place

from .draws import draw, stream_key, to_index
from .ecc import Hardware

if TYPE_CHECKING:
    from collections.abc import Sequence

RETRY_DELAY_SECONDS_MAX = 30


class Position(NamedTuple):
    """Where a cluster stands: degrees, metres above the sea, its own cutoff where it is known."""

    latitude_degrees: float
    longitude_degrees: float
    altitude_metres: float
    cutoff_rigidity_gv: float | None


class Cluster(NamedTuple):
    """A cluster of a plan.

    Attributes:
        name: what reports call it.
        machines: how many it has.
        machines_per_rack: the last rack may have fewer.
        racks_per_power_domain: the last domain may have fewer.
        flux_factor: its usual rate of upsets; 1 in New York, and where no position is given.
        hardware: what protects its memory before software sees it.
        position: None where it does not matter.
    """

    name: str
    machines: int
    machines_per_rack: int = 40
    racks_per_power_domain: int = 19
    flux_factor: float = 1.0
    hardware: Hardware = Hardware.NONE
    position: Position | None = None


class Spot(NamedTuple):
    """The cluster, the machine's number in it, and the simulated time of a delivery."""

    cluster: Cluster
    machine: int
    time_seconds: int

    @property
    def place(self) -> Place:
        """The same as the pipeline knows it."""
        return Place(self.cluster.name, f"machine-{self.machine:05d}", self.time_seconds)


class Fleet:
    """All machines of a scenario, numbered through its clusters; two at least."""

    def __init__(self, clusters: Sequence[Cluster], duration_seconds: int, seed: int) -> None:
        """Spread records over `clusters` and over the simulated `duration_seconds`."""
        self._clusters = tuple(clusters)
        self._ends = list(accumulate(cluster.machines for cluster in clusters))
        self._duration_seconds = duration_seconds
        self._seed = seed
        self._time_key = stream_key(seed, "time")
        self._keys: dict[tuple[str, int], int] = {}

    def spot(self, identity: bytes, hop: str, attempt: int) -> Spot:
        """Return where and when `identity` is delivered; attempts count from 1."""
        total = self._ends[-1]
        machine = to_index(draw(identity, self._key(hop, 1)), total)
        seconds = to_index(draw(identity, self._time_key), self._duration_seconds)
        for again in range(2, attempt + 1):
            key = self._key(hop, again)
            machine = (machine + 1 + to_index(draw(identity, key), total - 1)) % total
            seconds += 1 + to_index(draw(identity, key, 1), RETRY_DELAY_SECONDS_MAX)
        number = bisect_right(self._ends, machine)
        cluster = self._clusters[number]
        local = machine - self._ends[number] + cluster.machines
        return Spot(cluster, local, min(seconds, self._duration_seconds - 1))

    def place(self, identity: bytes, hop: str, attempt: int) -> Place:
        """Return the same as the pipeline knows it."""
        return self.spot(identity, hop, attempt).place

    def _key(self, hop: str, attempt: int) -> int:
        key = self._keys.get((hop, attempt))
        if key is None:
            key = self._keys[hop, attempt] = stream_key(self._seed, "machine", hop, attempt)
        return key
