"""Watches each cluster for a sick machine: one that errs again and again while others do not.

Counting distinct machines hides a sick one almost wholly (it adds one at most to a bin), but in a
small cluster one a bin is much. What gives it away is that the largest machine of a bin has more
events than chance lets any of so many machines have. Bins in which it does are hits; their number
in the last minutes is compared with what is expected:

* from chance: k of M machines erred, so that each machine's mean is L = -ln(1 - k / M); the chance
  that some machine has m events or more is at most M L^m / m!, and m is the least count for which
  that is small. A burst raises k and with it m: no burst looks like a sick machine;
* from strikes that count several times at once: hits for each machine that erred, learned slowly
  from bins that have left the window and held no sick machine.

The excess is judged by the signed root of Poisson's likelihood ratio.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

WINDOW_BINS = 30
_RAISE_SIGMA = 5.0
_END_SIGMA = 2.0
_CHANCE_MAX = 3e-3
_EVENTS = np.arange(2.0, 24.0)[:, None]
_LOG_FACTORIALS = np.cumsum(np.log(_EVENTS), axis=0)
_PRIOR_HITS = 0.1
_PRIOR_MACHINES = 100.0
_MEMORY_BINS = 8640.0  # a day of bins of ten seconds
_SHARE_MAX = 0.999


@dataclass(frozen=True, slots=True)
class MachineChange:
    """What became known of one cluster in this bin.

    Attributes:
        cluster: its index.
        sick: whether a sick machine is there from now on, or no longer.
        bins_ago: how long ago its first hit was (last, when no longer sick), 0 for this bin.
        sigma: the significance now.
        accepted: no longer, only because it lasted so long that it is the usual now.
    """

    cluster: int
    sick: bool
    bins_ago: int
    sigma: float
    accepted: bool


class MachineWatch:
    """The state of all clusters.

    Args:
        machines: of each cluster.
        duration_max_bins: a machine that is sick for longer becomes part of the usual.
    """

    def __init__(self, machines: Floats, duration_max_bins: int) -> None:
        clusters = len(machines)
        self._machines = np.maximum(machines, 1.0)
        self._duration_max = duration_max_bins
        self.sick: Flags = np.zeros(clusters, bool)
        self._since = np.zeros(clusters, np.int64)
        self._rows = 0
        self._hits = np.zeros((WINDOW_BINS, clusters))
        self._chance = np.zeros((WINDOW_BINS, clusters))
        self._affected = np.zeros((WINDOW_BINS, clusters))
        self._usual_hits = np.full(clusters, _PRIOR_HITS)
        self._usual_machines = np.full(clusters, _PRIOR_MACHINES)

    def observe(self, affected: Floats, largest: Floats, seen: Flags) -> list[MachineChange]:
        """Take in one bin of every cluster and return what changed."""
        slot = self._rows % WINDOW_BINS
        self._learn(slot)
        needed, chance = self._unlikely(affected)
        self._hits[slot] = (largest >= needed) & seen
        self._chance[slot] = np.where(seen, chance, 0.0)
        self._affected[slot] = np.where(seen, affected, 0.0)
        self._rows += 1
        if not (self._hits.any() or self.sick.any()):
            return []
        sigma = self._significance()
        too_long = self.sick & (self._rows - self._since > self._duration_max)
        begin = ~self.sick & (sigma >= _RAISE_SIGMA)
        end = self.sick & ((sigma < _END_SIGMA) | too_long)
        changes = [
            MachineChange(
                index,
                sick=bool(begin[index]),
                bins_ago=self._bins_ago(index, first=bool(begin[index])),
                sigma=float(sigma[index]),
                accepted=bool(too_long[index]),
            )
            for index in np.flatnonzero(begin | end).tolist()
        ]
        self._accept(too_long)
        self._since[begin] = self._rows
        self.sick = (self.sick | begin) & ~end
        return changes

    def _unlikely(self, affected: Floats) -> tuple[Floats, Floats]:
        """Return from how many events of one machine on chance is ruled out, and that chance."""
        share = np.minimum(affected / self._machines, _SHARE_MAX)
        mean = np.maximum(-np.log1p(-share), 1e-12)
        logarithm = np.log(self._machines) + _EVENTS * np.log(mean) - _LOG_FACTORIALS
        unlikely = logarithm < np.log(_CHANCE_MAX)
        place = np.argmax(unlikely, axis=0)
        found = unlikely[place, np.arange(len(affected))]
        chance = np.exp(np.minimum(logarithm[place, np.arange(len(affected))], 0))
        return np.where(found, place + _EVENTS[0], np.inf), np.where(found, chance, 0.0)

    def _learn(self, slot: int) -> None:
        """Add the bin that leaves the window to what is usual."""
        healthy = ~self.sick
        fade = np.exp(-1 / _MEMORY_BINS)
        hits = _PRIOR_HITS + (self._usual_hits - _PRIOR_HITS) * fade + self._hits[slot]
        machines = _PRIOR_MACHINES + (self._usual_machines - _PRIOR_MACHINES) * fade
        self._usual_hits = np.where(healthy, hits, self._usual_hits)
        self._usual_machines = np.where(
            healthy, machines + self._affected[slot], self._usual_machines
        )

    def _significance(self) -> Floats:
        hits = self._hits.sum(0)
        usual = self._usual_hits / self._usual_machines
        expected = self._chance.sum(0) + usual * self._affected.sum(0)
        ratio = np.maximum(hits, 1) / np.maximum(expected, 1e-9)
        gain = np.where(hits > expected, hits * np.log(ratio) - (hits - expected), 0.0)
        sigma: Floats = np.sqrt(2 * np.maximum(gain, 0))
        return sigma

    def _bins_ago(self, index: int, *, first: bool) -> int:
        order = (self._rows - 1 - np.arange(WINDOW_BINS)) % WINDOW_BINS  # newest first
        places = np.flatnonzero(self._hits[order, index])
        if not len(places):
            return WINDOW_BINS
        return int(places[-1] if first else places[0])

    def _accept(self, clusters: Flags) -> None:
        """Take what the window holds for the usual from now on."""
        bins = _MEMORY_BINS / WINDOW_BINS
        hits, machines = self._hits.sum(0) * bins, self._affected.sum(0) * bins
        self._usual_hits = np.where(clusters, hits + _PRIOR_HITS, self._usual_hits)
        self._usual_machines = np.where(clusters, machines + _PRIOR_MACHINES, self._usual_machines)
