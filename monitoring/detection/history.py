"""What was counted lately, bin by bin and cluster by cluster, and the baseline at each moment.

Rows are bins, numbered from 0. Sums over any window are differences of cumulative sums. The
baseline is an exponentially weighted mean whose state is kept for each row, so that a window is
judged by the baseline as it stood before the window began, a guard gap earlier: what a burst adds
in its own window never lifts the baseline that it is judged by.

A bin counts for windows and for the baseline, for windows alone (`hold`: a burst is under way), or
for neither (missing, or taken out later by `forget`). What does not count neither adds to the
baseline nor lets it fade: a missing scrape is missing, not zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_PRIOR_COUNT = 0.5  # Jeffreys' prior of a Poisson rate: a cluster never seen to err is not immune
_SUMS = 2  # of counts and of bins
_BASELINE = 3  # faded counts, faded bins, bins faded by the square


@dataclass(frozen=True, slots=True)
class Baseline:
    """Expected counts of each cluster: mean of a bin, and from how many bins' worth it is known."""

    per_bin: Floats
    effective_bins: Floats

    def judge(self, counts: Floats, bins: Floats) -> tuple[Floats, Floats]:
        """Return counts and expectations, both divided by how much the variance exceeds Poisson's.

        A cluster without a baseline gets 0 for both, which says nothing either way.
        """
        known = self.effective_bins > 0
        scale = 1 + bins / np.where(known, self.effective_bins, 1.0)
        return np.where(known, counts, 0.0) / scale, self.per_bin * bins / scale


class History:
    """The rows kept, of which the oldest are dropped.

    Args:
        clusters: how many.
        rows_kept: how many rows back anything may be asked for.
        memory_bins: after so many bins a count weighs e times less in the baseline.
        learning_bins: a baseline of less is none.
    """

    def __init__(
        self, clusters: int, rows_kept: int, memory_bins: float, learning_bins: int
    ) -> None:
        self._kept = rows_kept
        self._learning_bins = learning_bins
        fade = np.exp(-1 / memory_bins)
        self._fade = np.array([fade, fade, fade**2])[:, None]
        size = 2 * rows_kept + 2
        self._counts = np.zeros((size, clusters))
        self._usable = np.zeros((size, clusters), bool)
        self._learned = np.zeros((size, clusters), bool)
        self._sums = np.zeros((size, _SUMS, clusters))
        self._states = np.zeros((size, _BASELINE, clusters))
        self._first = 0  # the row that stands at place 1; place 0 holds what was before
        self._used = 1

    @property
    def rows(self) -> int:
        """How many rows there have been: the number of the next one."""
        return self._first + self._used - 1

    @property
    def oldest(self) -> int:
        """The oldest row that can still be asked for."""
        return self._first

    def append(self, counts: Floats, usable: Flags, *, learn: bool) -> None:
        """Add a bin; where `usable` is false the count is missing."""
        if self._used == len(self._counts):
            self._drop_oldest()
        place = self._used
        self._counts[place] = np.where(usable, counts, 0.0)
        self._usable[place] = usable
        self._learned[place] = usable & learn
        self._used += 1
        self._carry_on(place)

    def window(self, start: Floats | int, stop: int) -> tuple[Floats, Floats]:
        """Return counts and usable bins of each cluster from row `start` to before row `stop`."""
        until = self._sums[self._place(stop)]
        sums = until - self._sums[self._place(start)]
        return sums[..., 0, :], sums[..., 1, :]

    def bins(self, start: int, stop: int) -> tuple[Floats, Flags]:
        """Return the counts of each bin and whether they are usable."""
        rows = slice(self._place(start) + 1, self._place(stop) + 1)
        return self._counts[rows], self._usable[rows]

    def baseline(self, row: Floats | int) -> Baseline:
        """Return the baseline as it stood before a row, or before each of several."""
        counts, bins, squares = np.moveaxis(self._states[self._place(row)], -2, 0)
        known = bins >= self._learning_bins
        per_bin = np.where(known, (counts + _PRIOR_COUNT) / np.maximum(bins, 1), 0.0)
        effective = np.where(known, bins**2 / np.maximum(squares, 1), 0.0)
        return Baseline(per_bin, effective)

    def hold(self, start: int) -> None:
        """Let the baseline forget all rows from `start` on."""
        place = int(self._place(start)) + 1
        self._learned[place : self._used] = False
        self._rebuild(place)

    def forget(self, start: int, stop: int, clusters: Flags | None = None) -> None:
        """Take rows out, of all clusters or of some, as if they had been missing."""
        rows = slice(int(self._place(start)) + 1, int(self._place(stop)) + 1)
        chosen = slice(None) if clusters is None else clusters
        self._counts[rows, chosen] = 0.0
        self._usable[rows, chosen] = False
        self._learned[rows, chosen] = False
        self._rebuild(rows.start)

    def restart(self, clusters: Flags | None = None) -> None:
        """Forget all that was ever seen, of all clusters or of some."""
        chosen = slice(None) if clusters is None else clusters
        self._states[0][:, chosen] = 0.0
        self.forget(self._first, self.rows, clusters)

    def _place(self, row: Floats | int) -> NDArray[np.intp]:
        """Return where the sums before a row stand; rows too old stand where the oldest does."""
        return np.maximum(np.asarray(row, np.intp) - self._first, 0)

    def _carry_on(self, place: int) -> None:
        usable, learned = self._usable[place], self._learned[place]
        counts = self._counts[place]
        sums, states = self._sums, self._states
        np.add(sums[place - 1, 0], counts, out=sums[place, 0])
        np.add(sums[place - 1, 1], usable, out=sums[place, 1])
        states[place] = np.where(learned, states[place - 1] * self._fade, states[place - 1])
        states[place, 0] += counts * learned
        states[place, 1:] += learned

    def _rebuild(self, place: int) -> None:
        for later in range(place, self._used):
            self._carry_on(later)

    def _drop_oldest(self) -> None:
        dropped = self._used - 1 - self._kept
        arrays = (self._counts, self._usable, self._learned, self._sums, self._states)
        for array in arrays:
            array[: self._kept + 1] = array[dropped : self._used].copy()
        self._used = self._kept + 1
        self._first += dropped
