"""Watches whether uncorrected errors take another share of all errors than they used to.

A burst raises corrected and uncorrected errors alike. A share that moves has another cause: a
protection that was switched off, a batch of failing modules, a counter that broke.

The share in a window is compared with the learned one by the signed root of the binomial
likelihood ratio. Errors come in clumps, as a sick machine repeats itself: evidence is divided by
the errors of each machine and bin that erred, and by 1 + window / learned, the uncertainty of the
learned share. Learning lags by the window and stands still while an alarm is open.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Flags = NDArray[np.bool_]

_RAISE_SIGMA = 6.0
_END_GAIN = (
    12.0  # log of how much likelier the old share is again: chance gives it to 1 bin in e^12
)
_LEARNED_MIN = 100.0
_MEMORY_BINS = 8640.0  # a day of bins of ten seconds
_CORRECTED, _UNCORRECTED, _AFFECTED = 0, 1, 2


@dataclass(frozen=True, slots=True)
class ShareChange:
    """What became known of one cluster in this bin.

    Attributes:
        cluster: its index.
        moved: whether the share is another one from now on, or the old one again.
        bins_ago: how many bins ago that began, 0 for this bin.
        sigma: the significance now.
    """

    cluster: int
    moved: bool
    bins_ago: int
    sigma: float


class ShareWatch:
    """The state of all clusters.

    Args:
        clusters: how many.
        window_bins: how many bins are compared with what was learned.
        duration_max_bins: a share that has moved for longer becomes the usual.
    """

    def __init__(self, clusters: int, window_bins: int, duration_max_bins: int) -> None:
        self._window = np.zeros((window_bins, 3, clusters))
        self._recent = np.zeros((3, clusters))
        self._learned = np.zeros((3, clusters))
        self._duration_max = duration_max_bins
        self._rows = 0
        self._since = np.zeros(clusters, np.int64)
        self._moved: Flags = np.zeros(clusters, bool)
        self._new_share = np.zeros(clusters)
        self._gain = np.zeros(clusters)
        self._peak = np.zeros(clusters)
        self._peak_row = np.zeros(clusters, np.int64)

    def observe(
        self, corrected: Floats, uncorrected: Floats, affected: Floats, seen: Flags
    ) -> list[ShareChange]:
        """Take in one bin of every cluster, sick ones counted as unseen; return what changed."""
        slot = self._rows % len(self._window)
        counts = np.where(seen, np.stack([corrected, uncorrected, affected]), 0.0)
        fade = np.where(self._moved, 1.0, np.exp(-1 / _MEMORY_BINS))
        self._learned = self._learned * fade + np.where(self._moved, 0.0, self._window[slot])
        self._window[slot] = counts
        self._recent = self._window.sum(0)
        self._rows += 1
        sigma = self._significance()
        end = self._end(counts)
        begin = ~self._moved & (sigma >= _RAISE_SIGMA)
        changes = [self._begin(int(i), float(sigma[i])) for i in np.flatnonzero(begin)]
        changes += [
            ShareChange(
                int(i),
                moved=False,
                sigma=float(sigma[i]),
                bins_ago=int(self._rows - 1 - self._peak_row[i]),
            )
            for i in np.flatnonzero(end)
        ]
        self._moved = (self._moved | begin) & ~end
        return changes

    def _significance(self) -> Floats:
        total = self._recent[:2].sum(0)
        learned = self._learned[:2].sum(0)
        old = self._old_share()
        new = self._recent[_UNCORRECTED] / np.maximum(total, 1)
        gain = total * (new * _logarithm(new / old) + (1 - new) * _logarithm((1 - new) / (1 - old)))
        clumps = np.maximum(total / np.maximum(self._recent[_AFFECTED], 1), 1)
        gain /= clumps * (1 + total / np.maximum(learned, 1))
        return np.where(learned >= _LEARNED_MIN, np.sqrt(2 * np.maximum(gain, 0)), 0.0)

    def _old_share(self) -> Floats:
        share: Floats = (self._learned[_UNCORRECTED] + 0.5) / (self._learned[:2].sum(0) + 1)
        return share

    def _gains(self, counts: Floats, new: Floats) -> Floats:
        """Return how much better the new share explains counts than the old one."""
        old = self._old_share()
        gain: Floats = counts[..., _UNCORRECTED, :] * np.log(new / old)
        return gain + counts[..., _CORRECTED, :] * np.log((1 - new) / (1 - old))

    def _begin(self, index: int, sigma: float) -> ShareChange:
        """Note the new share of a cluster and find the bin from which on it explains best."""
        newest_first = (self._rows - 1 - np.arange(len(self._window))) % len(self._window)
        counts = self._window[newest_first]
        total = self._recent[:2].sum(0)
        self._new_share = np.where(
            np.arange(len(total)) == index,
            (self._recent[_UNCORRECTED] + 0.5) / (total + 1),
            self._new_share,
        )
        share = np.clip(self._new_share, 1e-6, 1 - 1e-6)
        bins_ago = int(np.argmax(np.cumsum(self._gains(counts, share)[:, index])))
        recent = counts[: bins_ago + 1, :2, index].sum(0)
        self._new_share[index] = (recent[_UNCORRECTED] + 0.5) / (recent.sum() + 1)
        self._gain[index] = self._peak[index] = 0.0
        self._peak_row[index] = self._since[index] = self._rows - 1
        return ShareChange(index, moved=True, bins_ago=bins_ago, sigma=sigma)

    def _end(self, counts: Floats) -> Flags:
        """Follow open alarms; return those whose old share is back, or that lasted too long."""
        if not self._moved.any():
            return self._moved
        share = np.clip(self._new_share, 1e-6, 1 - 1e-6)
        clumps = np.maximum(counts[:2].sum(0) / np.maximum(counts[_AFFECTED], 1), 1)
        self._gain += np.where(self._moved, self._gains(counts, share) / clumps, 0.0)
        higher = self._gain >= self._peak
        self._peak = np.where(higher, self._gain, self._peak)
        self._peak_row = np.where(higher & self._moved, self._rows - 1, self._peak_row)
        too_long = self._moved & (self._rows - self._since > self._duration_max)
        self._learned = np.where(too_long, self._recent, self._learned)
        back = self._moved & (self._peak - self._gain > _END_GAIN)
        self._window[:, :, back] = 0.0
        return back | too_long


def _logarithm(ratio: Floats) -> Floats:
    return np.log(np.maximum(ratio, 1e-12))
