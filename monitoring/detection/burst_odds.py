"""How much likelier a burst is than chance, and than a change of one cluster: what raises an alarm.

With x the counts of a cluster in a window, m what its baseline expects, and r(s) its response to a
source in direction s:

* against chance (`burst_log_odds`): the likelihood ratio of a burst to none, averaged over all
  directions alike and over windows by their weights. The amplitude is the one at which a burst
  from s stands out by K = 5 standard deviations in that window, A = K / sqrt(sum r^2 m): a
  stronger one is likelier still, a weaker one cannot be seen. No test of the same false alarms
  sees more bursts than one by averaged likelihoods (Neyman and Pearson), and where clusters stand
  thinly, so that directions there look alike, less is asked than where many do. Counts are judged
  by Poisson's likelihood, so that few of them need no correction.
* against one cluster (`mean_burst_gain` less `strongest_alone`): the likelihood ratio, amplitude
  profiled and averaged over directions, less the best that another rate of one cluster, in any
  window, would do. The more is asked, the fewer changes of one cluster pass for a burst, and the
  later bursts are known that few clusters see: tests/benchmarks/README.md has both.

Under chance the averaged ratio T has the mean 1 in each bin, so that it exceeds B in one bin of B
at most (Markov). How often it newly does is `FALSE_ALARMS_SHARE` / B, measured by importance
sampling (draws from the bursts averaged over, weighted by 1 / T): 0.019 to 0.044 with bins of 10
seconds, 0.2 to 100 counts in each, fleets of 3 to 40 clusters; 0.07 to 0.08 with bins of a minute
and of ten, whose alarms by chance are up to twice those asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING

import numpy as np

from .network_filter import log_likelihood, profile_amplitude

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DESIGN_SIGMA = 5.0
FALSE_ALARMS_SHARE = 0.04
_TINY = 1e-300


def log_odds_threshold(false_alarms_per_bin: float) -> float:
    """Return the odds, a logarithm, that chance newly reaches in so many bins."""
    return log(FALSE_ALARMS_SHARE / false_alarms_per_bin)


def burst_log_odds(
    counts: Floats, expected: Floats, response: Floats, squared: Floats, weights: Floats
) -> Floats:
    """Return each window's share of the odds of a burst against chance, as logarithms.

    Their sum (`total_log`) is what the threshold applies to.

    Args:
        counts: of each window (row) and cluster (column).
        expected: likewise.
        response: of each cluster (row) to each source (column).
        squared: the response's square, made once.
        weights: of each window, 1 in sum.
    """
    information = expected @ squared
    amplitude = np.where(information > 0, DESIGN_SIGMA / np.sqrt(information + _TINY), 0.0)
    rise = amplitude[:, None, :] * response
    gains = np.einsum("wc,wcs->ws", counts, np.log1p(rise)) - amplitude * (expected @ response)
    return _mean_log(gains) + np.log(weights)


def total_log(logarithms: Floats) -> float:
    """Return the logarithm of a sum of exponentials."""
    highest = float(logarithms.max())
    return highest + log(float(np.exp(logarithms - highest).sum()))


@dataclass(frozen=True, slots=True)
class Rival:
    """The one cluster whose own change would explain an excess best.

    Attributes:
        cluster: its index.
        log_likelihood: of that change against none.
    """

    cluster: int
    log_likelihood: float


def strongest_alone(counts: Floats, expected: Floats) -> Rival:
    """Return the cluster and the likelihood of its own rate, whichever, in the best window."""
    ratio = np.maximum(counts, _TINY) / np.maximum(expected, _TINY)
    gains = np.where(counts > expected, counts * np.log(ratio) - (counts - expected), 0.0)
    of_clusters = gains.max(axis=0)
    cluster = int(np.argmax(of_clusters))
    return Rival(cluster, float(of_clusters[cluster]))


def mean_burst_gain(counts: Floats, expected: Floats, response: Floats) -> tuple[float, float]:
    """Return ln of the likelihood ratio of a burst to none, averaged over sources, and the best.

    Args:
        counts: of each cluster in one window.
        expected: likewise.
        response: of each cluster (row) to each source (column).
    """
    amplitude = profile_amplitude(counts, expected, response)
    gains = log_likelihood(counts, expected, response, amplitude)
    return float(_mean_log(gains[None])[0]), float(gains.max())


def _mean_log(logarithms: Floats) -> Floats:
    highest = logarithms.max(axis=1)
    means: Floats = highest + np.log(np.exp(logarithms - highest[:, None]).mean(axis=1))
    return means
