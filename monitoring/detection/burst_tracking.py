"""Follows one burst from its detection to its end: onset, end, direction and amplitude.

Each bin's gain is how much likelier its counts are under the fitted burst than without it. The
onset is the bin from which on the gains up to the detection add up to most; the last bin is where
the sum from the onset is highest. Fit and onset are repeated until they agree.

The end is declared once the sum has fallen by 6 (the burst has become e^6 times less likely than
none since it was highest) and the last minutes show no excess towards the source: a pulse that
decays slowly is neither cut off nor raised a second time. If what follows the highest sum shows an
excess of its own, a burst of a third of the amplitude says where the end was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from .localisation import Place, localise
from .network_filter import responses
from .sky import carry

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .history import History

    Floats = NDArray[np.float64]

_END_GAIN = 6.0
_END_SHARE = 1 / 3
_QUIET_SIGMA = 3.0
_FITS_MAX = 4
_MOMENTS = 4  # of the turning Earth in a fit: steps of 0.6 degrees in ten minutes
_HIT_SIGMA = 2.0
_SHARE_MAX = 0.99
_MACHINES_UNKNOWN = 1e9
_AMPLITUDE_MIN = 1e-3


@dataclass(frozen=True, slots=True)
class Tracking:
    """What is known of one burst.

    Attributes:
        detected_row: the bin in which it was detected.
        onset_row: the first bin it is in.
        baseline_row: the bin before which the baseline that it is judged by ends.
        end_row: the bin after the last one, None while it goes on.
        sigma: its highest significance so far.
        place: direction at the onset, amplitude and uncertainty.
        clusters: indices of those that show an excess of their own.
    """

    detected_row: int
    onset_row: int
    baseline_row: int
    end_row: int | None
    sigma: float
    place: Place
    clusters: tuple[int, ...]


class Tracker:
    """Fits bursts to a history.

    Args:
        history: the counts.
        positions: of the clusters, a unit vector in each row, zeros where unknown.
        exponent: p of the response.
        machines: of each cluster, 0 where unknown.
        bin_seconds: how long a bin is.
        guard_bins: between the baseline and the onset.
        fit_bins_max: the direction is fitted to so many bins from the onset on.
        quiet_bins: no excess in so many bins before a burst is over.
    """

    def __init__(
        self,
        history: History,
        positions: Floats,
        exponent: float,
        *,
        machines: Floats,
        bin_seconds: int,
        guard_bins: int,
        fit_bins_max: int,
        quiet_bins: int,
    ) -> None:
        self._history = history
        self._positions = positions
        self._exponent = exponent
        self._machines = np.where(machines > 0, machines, _MACHINES_UNKNOWN)
        self._bin_seconds = bin_seconds
        self._guard = guard_bins
        self._fit_max = fit_bins_max
        self._quiet = quiet_bins

    def begin(self, window_bins: int, sigma: float) -> Tracking:
        """Return the burst that a window of this many bins up to now has shown."""
        stop = self._history.rows
        start = stop - window_bins
        baseline_row = start - self._guard
        earliest = max(self._history.oldest, start - window_bins)
        start, place = self._fit_with_onset(start, earliest, stop, baseline_row)
        return self._describe(Tracking(stop - 1, start, baseline_row, None, sigma, place, ()))

    def follow(self, tracking: Tracking) -> Tracking:
        """Return the burst with its end, if it has ended; else as it was."""
        if self._last_bin(tracking) is None:
            return tracking
        fitted = self.refit(tracking)  # the first fit, of few bins, may have been far too strong
        last = self._last_bin(fitted)
        return tracking if last is None else self.refit(fitted, last + 1)

    def _last_bin(self, tracking: Tracking) -> int | None:
        """Return the last bin of a burst that is over, None of one that is not."""
        start, stop = tracking.onset_row, self._history.rows
        strong = np.cumsum(self._gains(tracking, start, stop, 1.0))
        last = int(np.argmax(strong))
        if strong[last] - strong[-1] <= _END_GAIN:
            return None
        recent = max(start + last + 1, stop - self._quiet)
        if self._excess(tracking, recent, stop) > _QUIET_SIGMA:
            return None
        weak = np.cumsum(self._gains(tracking, start, stop, _END_SHARE))
        later = int(np.argmax(weak))
        if self._excess(tracking, start + last + 1, start + later + 1) > _QUIET_SIGMA:
            last = later
        return start + last

    def refit(self, tracking: Tracking, end_row: int | None = None) -> Tracking:
        """Return the burst with its direction and onset fitted to all that is known of it."""
        stop = self._history.rows if end_row is None else end_row
        start = tracking.onset_row
        earliest = max(self._history.oldest, start - self._guard)
        start, place = self._fit_with_onset(start, earliest, stop, tracking.baseline_row)
        return self._describe(replace(tracking, onset_row=start, end_row=end_row, place=place))

    def _fit_with_onset(
        self, start: int, earliest: int, stop: int, baseline_row: int
    ) -> tuple[int, Place]:
        """Fit direction and onset in turn until they agree."""
        place = self._fit(start, stop, baseline_row)
        for _ in range(_FITS_MAX):
            gains = self._bin_gains(place, baseline_row, earliest, stop, 1.0)
            found = earliest + int(np.argmax(np.cumsum(gains[::-1])[::-1]))
            if found == start:
                break
            start = found
            place = self._fit(start, stop, baseline_row)
        return start, place

    def _describe(self, tracking: Tracking) -> Tracking:
        """Return the burst with its significance and the clusters that it hit."""
        start = tracking.onset_row
        stop = self._history.rows if tracking.end_row is None else tracking.end_row
        stop = min(stop, start + self._fit_max)
        counts, expected = self._sums(start, stop, tracking.baseline_row)
        hit = counts - expected > _HIT_SIGMA * np.sqrt(expected)
        clusters = np.flatnonzero((self._response(tracking.place) > 0) & (expected > 0) & hit)
        sigma = max(tracking.sigma, tracking.place.significance_sigma)
        return replace(tracking, sigma=sigma, clusters=tuple(clusters.tolist()))

    def _fit(self, start: int, stop: int, baseline_row: int) -> Place:
        """Fit in the frame in which the Earth stood at the onset, and turns from then on."""
        stop = min(stop, start + self._fit_max)
        counts, expected = self._sums(start, stop, baseline_row)
        seconds = (np.arange(_MOMENTS) + 0.5) / _MOMENTS * (stop - start) * self._bin_seconds
        turned = np.stack([carry(self._positions, -second) for second in seconds.tolist()])
        return localise(counts, expected, turned, self._exponent)

    def _sums(self, start: int, stop: int, baseline_row: int) -> tuple[Floats, Floats]:
        """Return counts and expectations, both divided by the baseline's part of the variance."""
        counts, bins = self._history.window(start, stop)
        baseline = self._history.baseline(baseline_row)
        counts = bins * self._hits(counts / np.maximum(bins, 1))
        return replace(baseline, per_bin=self._hits(baseline.per_bin)).judge(counts, bins)

    def _hits(self, machines_per_bin: Floats) -> Floats:
        """Return how many errors make so many of a cluster's machines err: some err twice."""
        share = np.minimum(machines_per_bin / self._machines, _SHARE_MAX)
        hits: Floats = -self._machines * np.log1p(-share)
        return hits

    def _gains(self, tracking: Tracking, start: int, stop: int, strength: float) -> Floats:
        return self._bin_gains(tracking.place, tracking.baseline_row, start, stop, strength)

    def _bin_gains(
        self, place: Place, baseline_row: int, start: int, stop: int, strength: float
    ) -> Floats:
        """Return the gain of each bin under a burst of `strength` times the fitted amplitude."""
        counts, usable = self._history.bins(start, stop)
        per_bin = self._history.baseline(baseline_row).per_bin
        rise = max(strength * place.amplitude, _AMPLITUDE_MIN) * self._response(place)
        rise = np.where(per_bin > 0, rise, 0)
        gains: Floats = counts @ np.log1p(rise) - usable @ (rise * per_bin)
        return gains

    def _excess(self, tracking: Tracking, start: int, stop: int) -> float:
        """Return the score of an excess towards the source."""
        if stop <= start:
            return 0.0
        counts, expected = self._sums(start, stop, tracking.baseline_row)
        response = self._response(tracking.place)
        spread = float(np.sqrt(response**2 @ expected))
        return float(response @ (counts - expected)) / spread if spread > 0 else 0.0

    def _response(self, place: Place) -> Floats:
        one: Floats = responses(self._positions, place.direction[None, :], self._exponent)[:, 0]
        return one
