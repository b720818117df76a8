"""The network matched filter: how much better a burst from a direction explains the counts.

With x the distinct machines of a cluster that erred in a window, m what its baseline expects, and
r = max(0, n . s)^p how a cluster at n answers to a source in direction s, counts are taken for
Poisson with mean m (1 + A r). Two statistics of the same test:

* the score z(s) = sum r (x - m) / sqrt(sum r^2 m): linear, two matrix products for all windows and
  sources; it screens. Counts are skewed, so that its upper tail is heavier than a normal one.
* the signed root of twice the log likelihood ratio, A profiled: standard normal in its upper tail
  down to a handful of counts. It decides, and it is never above the score by more than rounding
  of the grid allows (x ln(x / m) - (x - m) <= (x - m)^2 / 2m for an excess).

A baseline estimated from n_eff bins instead of known adds m e / n_eff to the variance over e bins.
Counts and expectations are therefore divided by k = 1 + e / n_eff before they come here: Wald's
quasi-likelihood.

Thresholds (`window_thresholds`): z(s) is a Gaussian field on the surface that the normalised
templates trace out in the space of clusters. The expected Euler characteristic of its excursion
set gives the chance that its maximum exceeds h at a given moment,
P(h) = area h exp(-h^2 / 2) / (2 pi)^(3/2) + 2 Q(h) (Adler and Taylor, Random Fields and Geometry),
and a window of L bins that slides by one bin gives P(h) min(1, h^2 / L v(h sqrt(2 / L))) false
alarms a bin, v(y) = exp(-0.583 y) (Siegmund, Sequential Analysis). Both are recalled.
Simulated over 3,000 days at 6 and at 60 counts a minute, twelve clusters: false alarms of single
windows at 5 to 5.5 standard deviations are 0.3 to 1.2 times those of theory for windows from 20 s
on, up to 3 times for one bin; of all fifteen windows together 0.4 to 0.9 times their sum.
"""

from __future__ import annotations

from math import erfc, exp, pi, sqrt
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_NEWTON_STEPS = 20
_NEWTON_TOLERANCE = 1e-6
_OVERSHOOT = 0.583
_SLOPE_STEP = 1e-4
_TINY = 1e-300


def responses(positions: Floats, sources: Floats, exponent: float) -> Floats:
    """Return how each cluster (row) answers to each source (column), 0 below its horizon."""
    cosine = positions @ sources.T
    lit: Floats = np.where(cosine > 0, np.maximum(cosine, 0) ** exponent, 0.0)
    return lit


def score(counts: Floats, expected: Floats, response: Floats, squared: Floats) -> Floats:
    """Return z of each window (row) and source (column).

    Args:
        counts: of each window (row) and cluster (column).
        expected: likewise.
        response: of each cluster (row) to each source (column).
        squared: the response's square, made once.
    """
    spread = np.sqrt(np.maximum(expected @ squared, _TINY))
    z: Floats = ((counts - expected) @ response) / spread
    return z


def profile_amplitude(counts: Floats, expected: Floats, response: Floats) -> Floats:
    """Return the amplitude, not below 0, that explains the counts best, for each source.

    The likelihood is concave in A, and its slope convex and falling: Newton's steps from 0 climb
    to the root from below and never pass it.

    Args:
        counts: of each cluster.
        expected: of each cluster.
        response: of each cluster (row) to each source (column).
    """
    wanted = expected @ response
    amplitude = np.zeros(response.shape[1])
    for _ in range(_NEWTON_STEPS):
        share = response / (1 + amplitude * response)
        slope = counts @ share - wanted
        curvature = counts @ (share * share)
        step = slope / np.maximum(curvature, _TINY)
        before = amplitude
        amplitude = np.maximum(0, amplitude + np.where(curvature > 0, step, 0))
        if np.all(np.abs(amplitude - before) <= _NEWTON_TOLERANCE * amplitude):
            break
    return amplitude


def log_likelihood(counts: Floats, expected: Floats, response: Floats, amplitude: Floats) -> Floats:
    """Return ln of the likelihood ratio of a burst of `amplitude` to none, for each source."""
    gain: Floats = counts @ np.log1p(amplitude * response) - amplitude * (expected @ response)
    return gain


def root_significance(counts: Floats, expected: Floats, response: Floats) -> Floats:
    """Return the significance of an excess in standard deviations, for each source."""
    amplitude = profile_amplitude(counts, expected, response)
    gain = log_likelihood(counts, expected, response, amplitude)
    sigma: Floats = np.sqrt(2 * np.maximum(0, gain))
    return sigma


def significance_beyond_one(counts: Floats, expected: Floats, response: Floats) -> float:
    """Return by how much a burst explains more than a change of any one cluster could.

    Against a burst stands that one cluster alone has another rate, whichever and how high ever.
    What is left are the other clusters, which must show what the same source and amplitude would
    do to them.

    Args:
        counts: of each cluster.
        expected: of each cluster.
        response: of each cluster to the one source.
    """
    column = response[:, None]
    gain = log_likelihood(counts, expected, column, profile_amplitude(counts, expected, column))
    ratio = np.maximum(counts, _TINY) / np.maximum(expected, _TINY)
    alone = np.where(counts > expected, counts * np.log(ratio) - (counts - expected), 0.0)
    return sqrt(2 * max(0.0, float(gain[0]) - float(alone.max())))


def template_area(positions: Floats, sources: Floats, exponent: float) -> float:
    """Return the area of the surface of normalised templates, equal baselines supposed.

    The sphere of all directions is projected on it; the area is summed over a grid of sources from
    the two slopes at each.
    """
    helper = np.eye(3)[np.argmin(np.abs(sources), axis=1)]
    first = np.cross(helper, sources)
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    second = np.cross(sources, first)
    here = _normalised(positions, sources, exponent)
    slopes = [
        (_normalised(positions, sources + _SLOPE_STEP * tangent, exponent) - here) / _SLOPE_STEP
        for tangent in (first, second)
    ]
    squares = (slopes[0] ** 2).sum(0) * (slopes[1] ** 2).sum(0)
    stretch = np.sqrt(np.maximum(0, squares - (slopes[0] * slopes[1]).sum(0) ** 2))
    return float(4 * pi * stretch.mean())


def _normalised(positions: Floats, sources: Floats, exponent: float) -> Floats:
    template = responses(positions, sources, exponent)
    unit: Floats = template / np.maximum(np.linalg.norm(template, axis=0), _TINY)
    return unit


def window_thresholds(
    area: float, windows_bins: Sequence[int], false_alarms_per_bin: Sequence[float]
) -> Floats:
    """Return the significance at which each window raises this many false alarms a bin."""
    return np.array(
        [
            _threshold(area, window, rate)
            for window, rate in zip(windows_bins, false_alarms_per_bin, strict=True)
        ]
    )


def false_alarm_rate(area: float, window_bins: int, threshold: float) -> float:
    """Return the expected false alarms a bin of one window at one threshold."""
    tail = exp(-(threshold**2) / 2)
    at_once = area * threshold * tail / (2 * pi) ** 1.5 + erfc(threshold / sqrt(2))
    sliding = threshold**2 / window_bins * exp(-_OVERSHOOT * threshold * sqrt(2 / window_bins))
    return float(at_once * min(1.0, sliding))


def _threshold(area: float, window_bins: int, rate: float) -> float:
    low, high = 2.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        if false_alarm_rate(area, window_bins, middle) > rate:
            low = middle
        else:
            high = middle
    return high
