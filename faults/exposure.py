"""By how much the rate of upsets differs from record to record: site, burst, sickness.

The base rate is that of New York at sea level, in quiet times, on a healthy machine. A record's
rate is the base times

    flux of its cluster's site  x  (1 + excess of the bursts there and then)  x  sickness

The first two are bounded, so that upsets are drawn at their highest product and thinned. Sickness
is not, and rare: what a sick machine adds is a process of its own, drawn only there.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from .bursts import BurstSite, highest_multiplier, rate_multiplier
from .sick import Sickness, find_sickness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .bursts import Burst
    from .topology import Cluster

_BURST_STEP_SECONDS = 10
"""Bursts are looked up at this grain: the Earth turns by 0.04 degrees meanwhile."""
_MACHINES_CACHED = 1 << 16


class Exposure:
    """The factors on the base rate, for one plan."""

    def __init__(
        self,
        clusters: Sequence[Cluster],
        bursts: Sequence[Burst],
        sick_share_per_year: float,
        duration_seconds: int,
        seed: int,
    ) -> None:
        """Expose the machines of `clusters` to `bursts`.

        Args:
            clusters: those of the plan.
            bursts: during the run.
            sick_share_per_year: the part of the machines that falls sick in a year.
            duration_seconds: of the run.
            seed: of the run.
        """
        self._flux = {cluster.name: cluster.flux_factor for cluster in clusters}
        self._positions = {cluster.name: cluster.position for cluster in clusters}
        self._bursts = tuple(bursts)
        self._sick_share = sick_share_per_year
        self._duration_seconds = duration_seconds
        self._seed = seed
        self._burst_factor = lru_cache(maxsize=_MACHINES_CACHED)(self._burst_factor_at)
        self._sickness = lru_cache(maxsize=_MACHINES_CACHED)(self._sickness_of)

    @property
    def highest(self) -> float:
        """A factor that no healthy machine ever exceeds."""
        return max(self._flux.values()) * highest_multiplier(self._bursts)

    @property
    def has_sick_machines(self) -> bool:
        """Whether any machine can be sick."""
        return self._sick_share > 0

    def healthy_factor(self, cluster: str, time_seconds: int) -> float:
        """Return the factor of a healthy machine, at most `highest`."""
        step = time_seconds - time_seconds % _BURST_STEP_SECONDS
        return self._flux[cluster] * self._burst_factor(cluster, step)

    def sick_excess(self, cluster: str, machine: int, time_seconds: int) -> float:
        """Return what sickness adds to the factor of a machine, 0 for a healthy one."""
        sickness = self._sickness(cluster, machine)
        if sickness is None:
            return 0.0
        return (sickness.factor(time_seconds) - 1) * self._flux[cluster]

    def _burst_factor_at(self, cluster: str, time_seconds: int) -> float:
        position = self._positions[cluster]
        if position is None or not self._bursts:
            return 1.0
        return rate_multiplier(self._bursts, BurstSite(*position), time_seconds)

    def _sickness_of(self, cluster: str, machine: int) -> Sickness | None:
        return find_sickness(self._seed, cluster, machine, self._duration_seconds, self._sick_share)
