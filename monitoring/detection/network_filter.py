"""The network matched filter: how much better a burst from a direction explains the counts.

With x the distinct machines of a cluster that erred in a window, m what its baseline expects, and
r = max(0, n . s)^p how a cluster at n answers to a source in direction s, counts are taken for
Poisson with mean m (1 + A r). Two statistics of the same test:

* the score z(s) = sum r (x - m) / sqrt(sum r^2 m): linear, two matrix products for all windows and
  sources; it screens. Counts are skewed, so that its upper tail is heavier than a normal one.
* the log likelihood ratio, of a given amplitude or of the best one. It decides (`burst_odds`,
  `localisation`); the signed root of twice the best one is standard normal in its upper tail down
  to a handful of counts, and is not above the score by more than rounding of the grid allows
  (x ln(x / m) - (x - m) <= (x - m)^2 / 2m for an excess).

A baseline estimated from n_eff bins instead of known adds m e / n_eff to the variance over e bins.
Counts and expectations are therefore divided by k = 1 + e / n_eff before they come here: Wald's
quasi-likelihood.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_NEWTON_STEPS = 20
_NEWTON_TOLERANCE = 1e-6
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
