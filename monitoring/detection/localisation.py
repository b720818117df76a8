"""Where a burst came from: the posterior of its direction, its middle and the radius around it.

Counts are Poisson with mean m (1 + A r(s)), as in `network_filter`. The amplitude has a flat prior
and is integrated out by Laplace's method, the direction has a flat prior on the sphere. The answer
is the posterior's mean direction; its uncertainty is the radius around it that holds 90 % of the
posterior, widened by a systematic twentieth: the onset is fitted to the same counts, which the
posterior does not know of. Over 1,668 simulated bursts seen by the whole detector, two fleets, 6 to
600 counts a minute, the bare radius held the truth in 0.887 of cases and the widened one in 0.905.
Clusters that saw nothing tell as much as those that did.

The grid first covers the sphere and then, ever finer, the cap that the posterior leaves, until its
spacing is small against the radius: no floor under the error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .network_filter import log_likelihood, profile_amplitude, responses
from .sky import fibonacci_cap, separations_degrees

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CONFIDENCE = 0.9
SYSTEMATIC_FACTOR = 1.05
_RADIUS_MAX_DEGREES = 180.0
_POINTS = 1000
_REFINEMENTS_MAX = 4
_SPACINGS_PER_RADIUS = 8
_CAP_RADII = 3.0
_CAP_SPACINGS = 3.0
_CAP_MAX_DEGREES = 90.0
_NORTH = np.array([0.0, 0.0, 1.0])
_TINY = 1e-300


@dataclass(frozen=True, slots=True)
class Place:
    """A fitted direction.

    Attributes:
        direction: unit vector of the frame of the positions.
        amplitude: best there.
        radius_degrees: of the 90 % region around it.
        significance_sigma: of a burst from the best direction against none.
    """

    direction: Floats
    amplitude: float
    radius_degrees: float
    significance_sigma: float


def localise(counts: Floats, expected: Floats, positions: Floats, exponent: float) -> Place:
    """Return where the burst behind the counts came from.

    Args:
        counts: of each cluster, summed over the burst.
        expected: of each cluster, from its baseline.
        positions: of each cluster (row) at moments spread evenly over the burst (first axis), in
            a frame that does not turn: a source near a cluster's horizon rises or sets meanwhile.
        exponent: p of the response.
    """
    centre, cap_degrees = _NORTH, 180.0
    best_gain = 0.0
    for _ in range(_REFINEMENTS_MAX + 1):
        sources = fibonacci_cap(centre, cap_degrees, _POINTS)
        gains, weights = _posterior(counts, expected, _mean_response(positions, sources, exponent))
        best_gain = max(best_gain, float(gains.max()))
        mean = weights @ sources
        length = float(np.linalg.norm(mean))
        centre = mean / length if length > _TINY else sources[np.argmax(weights)]
        radius = _radius(separations_degrees(sources, centre), weights)
        spacing = _spacing_degrees(cap_degrees)
        next_cap = max(_CAP_RADII * radius, _CAP_SPACINGS * spacing)
        if radius > _SPACINGS_PER_RADIUS * spacing or next_cap > _CAP_MAX_DEGREES:
            break
        cap_degrees = next_cap
    response = _mean_response(positions, centre[None, :], exponent)
    amplitude = float(profile_amplitude(counts, expected, response)[0])
    stated = min(_RADIUS_MAX_DEGREES, SYSTEMATIC_FACTOR * radius)
    return Place(centre, amplitude, stated, float(np.sqrt(2 * best_gain)))


def _mean_response(positions: Floats, sources: Floats, exponent: float) -> Floats:
    mean: Floats = responses(positions, sources, exponent).mean(axis=0)
    return mean


def _posterior(counts: Floats, expected: Floats, response: Floats) -> tuple[Floats, Floats]:
    """Return the profiled gain of each source and its share of the posterior."""
    amplitude = profile_amplitude(counts, expected, response)
    gain = log_likelihood(counts, expected, response, amplitude)
    share = response / (1 + amplitude * response)
    information = np.maximum(counts @ (share * share), _TINY)
    logarithm = np.where(amplitude > 0, gain - np.log(information) / 2, -np.inf)
    if not np.isfinite(logarithm).any():
        return gain, np.full(len(gain), 1 / len(gain))
    weights = np.exp(logarithm - logarithm.max())
    return gain, weights / weights.sum()


def _radius(separations: Floats, weights: Floats) -> float:
    order = np.argsort(separations)
    reached = np.searchsorted(np.cumsum(weights[order]), CONFIDENCE)
    return float(separations[order][min(int(reached), len(order) - 1)])


def _spacing_degrees(cap_degrees: float) -> float:
    area = 2 * np.pi * (1 - np.cos(np.radians(cap_degrees)))
    return float(np.degrees(np.sqrt(area / _POINTS)))
