"""Where and when a record is: a pure function of (seed, identity, hop, attempt).

Rules:
1. Each machine of the fleet is as likely as any other; a cluster has its machines' share.
2. A retry is delivered on another machine than the attempt before it, in any cluster: on one that
   is up by then, each as likely as any other. Where none is, it goes to one that is down, and what
   is down takes it; it stays on the machine that it was on where that is the only one up.
3. A record's time is that of its identity, uniform over the scenario, the same at every hop; each
   retry is some seconds later. Time is simulated: nothing here looks at a clock.
4. Neighbours by number stand in one rack, neighbouring racks hang on one power supply.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.integrity.channel import Place

from .draws import draw, stream_key, to_index
from .ecc import Hardware

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .outages import OutageTable

RETRY_DELAY_SECONDS_MAX = 30
_DRAWS_MAX = 64
"""So many machines are drawn for a retry before all are looked through: few enough are down."""
_SEARCHES_CACHED = 1 << 12


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

    def __init__(
        self,
        clusters: Sequence[Cluster],
        duration_seconds: int,
        seed: int,
        down: OutageTable | None = None,
    ) -> None:
        """Spread records over `clusters` and over the simulated `duration_seconds`.

        Args:
            clusters: in the order in which their machines are numbered.
            duration_seconds: of the scenario.
            seed: of the run.
            down: where machines are down, for the same clusters in the same order.
        """
        self._clusters = tuple(clusters)
        self._ends = list(accumulate(cluster.machines for cluster in clusters))
        self._duration_seconds = duration_seconds
        self._seed = seed
        self._down = down if down is not None and len(down) else None
        self._time_key = stream_key(seed, "time")
        self._keys: dict[tuple[str, int], int] = {}
        self._search = lru_cache(maxsize=_SEARCHES_CACHED)(self._search_all)

    def spot(self, identity: bytes, hop: str, attempt: int) -> Spot:
        """Return where and when `identity` is delivered; attempts count from 1."""
        last = self._duration_seconds - 1
        machine = to_index(draw(identity, self._key(hop, 1)), self._ends[-1])
        seconds = to_index(draw(identity, self._time_key), self._duration_seconds)
        for again in range(2, attempt + 1):
            key = self._key(hop, again)
            seconds += 1 + to_index(draw(identity, key, 1), RETRY_DELAY_SECONDS_MAX)
            machine = self._elsewhere(machine, identity, key, min(seconds, last))
        return Spot(*self._locate(machine), min(seconds, last))

    def place(self, identity: bytes, hop: str, attempt: int) -> Place:
        """Return the same as the pipeline knows it."""
        return self.spot(identity, hop, attempt).place

    def _elsewhere(self, before: int, identity: bytes, key: int, time_seconds: int) -> int:
        """Return the machine of a retry after an attempt on the machine `before`."""
        for number in (0, *range(2, 1 + _DRAWS_MAX)):  # number 1 of the stream is the delay
            total = self._ends[-1]
            machine = (before + 1 + to_index(draw(identity, key, number), total - 1)) % total
            if self._down is None:
                return machine
            cluster, local = self._locate(machine)
            if not self._down.covers(cluster.name, local, time_seconds):
                return machine
        return self._search(before, draw(identity, key, 1 + _DRAWS_MAX), time_seconds)

    def _search_all(self, before: int, word: int, time_seconds: int) -> int:
        """Return the machine of a retry when nearly all are down; `word` chooses."""
        assert self._down is not None, "asked for only where machines are down"
        up = self._down.find_up(time_seconds)
        others = up[up != before]
        if len(others):
            return int(others[to_index(word, len(others))])
        total = self._ends[-1]
        return before if len(up) else (before + 1 + to_index(word, total - 1)) % total

    def _locate(self, machine: int) -> tuple[Cluster, int]:
        """Return the cluster of a machine and its number there."""
        number = bisect_right(self._ends, machine)
        cluster = self._clusters[number]
        return cluster, machine - self._ends[number] + cluster.machines

    def _key(self, hop: str, attempt: int) -> int:
        key = self._keys.get((hop, attempt))
        if key is None:
            key = self._keys[hop, attempt] = stream_key(self._seed, "machine", hop, attempt)
        return key
