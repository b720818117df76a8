"""Bursts of cosmic rays: by how much each cluster's rate of flips rises, and when.

The rate at a site is multiplied by 1 plus the excess of every burst. With zenith cosine c, towards
a source that stands still among the stars while the Earth turns, and A the amplitude:

* `hemisphere`: A c^p above the horizon, 0 below, for the whole duration. This is the story as told
  at Google: no written source for one side of the Earth was found. Also no supernova does it:
  its charged particles lose their direction on the way (recalled).
* `gle`, a solar event, physical: A exp(-Rc / R0) (e + (1 - e) c^p), c towards the site's viewing
  direction, e the part that comes from everywhere. It rises straight to 1 over `rise_seconds` and
  decays exponentially. Events of up to 42 times the background, structure within minutes, 1000
  times more in one direction than in another, about 15 in a solar cycle: verified in abstracts
  (20 January 2005; University of Mahidol's news). R0 = 1 GV and the shape of the pulse: ours.
* `slant`, a neutral beam through air: A c exp(-(d / 131.3)(1 / c - 1)) with d the depth of air.
  It shows what a real beam would do: a cap of some 25 degrees instead of a hemisphere.

All functions are pure. Arrays of sites and times give one row for each site.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from .flux import ABSORPTION_DEPTH_GRAMS_PER_CM2, depth_grams_per_cm2
from .sphere import cutoff_rigidity_gv, fixed_position, zenith_cosine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_DECAYS = 12  # e^-12 of the peak is less than any count can show
_PIECE_SECONDS_MAX = 60.0
_PIECES_MAX = 1 << 12
# Gauss and Legendre's rule of six nodes, as numpy.polynomial gives it, whose import costs more.
_HALF_NODES = np.array([0.2386191860831969, 0.6612093864662645, 0.9324695142031519])
_HALF_WEIGHTS = np.array([0.46791393457269104, 0.3607615730481387, 0.17132449237917027])
_NODES = np.concatenate([-_HALF_NODES[::-1], _HALF_NODES])
_WEIGHTS = np.concatenate([_HALF_WEIGHTS[::-1], _HALF_WEIGHTS])
_HORIZON_COSINE = 1e-3  # the beam has long vanished in so much air


class Mode(StrEnum):
    """The modes; the values stand in scenarios."""

    HEMISPHERE = "hemisphere"
    GLE = "gle"
    SLANT = "slant"


@dataclass(frozen=True, slots=True)
class Burst:
    """One burst.

    Attributes:
        mode: how it reaches the ground.
        start_seconds: simulated.
        direction: of the source, a unit vector of the fixed frame (`sphere.source_direction`).
        duration_seconds: of the modes hemisphere and slant.
        amplitude: A; 1 doubles the rate where the source is in the zenith.
        exponent: p, at least 0.
        rise_seconds: of a solar event, to its peak.
        decay_seconds: of a solar event, until it is e times weaker.
        rigidity_scale_gv: R0 of a solar event.
        isotropic_share: e of a solar event, 0 to 1.
    """

    mode: Mode
    start_seconds: float
    direction: tuple[float, float, float]
    duration_seconds: float = 600.0
    amplitude: float = 1.0
    exponent: float = 1.0
    rise_seconds: float = 60.0
    decay_seconds: float = 300.0
    rigidity_scale_gv: float = 1.0
    isotropic_share: float = 0.1

    @property
    def end_seconds(self) -> float:
        """The time from which on it adds nothing."""
        if self.mode is Mode.GLE:
            return self.start_seconds + self.rise_seconds + _DECAYS * self.decay_seconds
        return self.start_seconds + self.duration_seconds


@dataclass(frozen=True, slots=True)
class BurstSite:
    """Where a cluster stands.

    Attributes:
        latitude_degrees: geographic.
        longitude_degrees: east of Greenwich.
        altitude_metres: above the sea.
        cutoff_rigidity_gv: its own, None for that of the dipole.
        viewing_degrees: latitude and longitude to which the paths of charged particles lead back
            from here, None for the site's own zenith.
    """

    latitude_degrees: float
    longitude_degrees: float
    altitude_metres: float = 0.0
    cutoff_rigidity_gv: float | None = None
    viewing_degrees: tuple[float, float] | None = None

    @property
    def rigidity_gv(self) -> float:
        """The cutoff that holds here."""
        if self.cutoff_rigidity_gv is not None:
            return self.cutoff_rigidity_gv
        return float(cutoff_rigidity_gv(self.latitude_degrees, self.longitude_degrees))


def rate_multiplier(bursts: Sequence[Burst], site: BurstSite, time_seconds: float) -> float:
    """Return by how much the rate at a site is higher than usual at a time; 1 in quiet times."""
    under_way = tuple(
        burst for burst in bursts if burst.start_seconds <= time_seconds < burst.end_seconds
    )
    return _multiplier_at(under_way, site, time_seconds) if under_way else 1.0


@lru_cache(maxsize=1 << 16)
def _multiplier_at(bursts: tuple[Burst, ...], site: BurstSite, time_seconds: float) -> float:
    """Return one multiplier; a burst has few whole seconds and many records that ask for them."""
    return float(rate_multipliers(bursts, (site,), np.array([time_seconds]))[0, 0])


def rate_multipliers(
    bursts: Sequence[Burst], sites: Sequence[BurstSite], times_seconds: Floats
) -> Floats:
    """Return the multiplier of each site (row) at each time (column)."""
    result = np.ones((len(sites), len(times_seconds)))
    for burst in bursts:
        pulse = _pulse(burst, times_seconds)
        lit = np.flatnonzero(pulse)
        if len(lit):
            result[:, lit] += _response(burst, sites, times_seconds[lit]) * pulse[lit]
    return result


def highest_multiplier(bursts: Sequence[Burst]) -> float:
    """Return a multiplier that is nowhere and never exceeded: for thinning."""
    return 1.0 + sum(burst.amplitude for burst in bursts)


def mean_multipliers(
    bursts: Sequence[Burst], sites: Sequence[BurstSite], start_seconds: float, end_seconds: float
) -> Floats:
    """Return each site's mean multiplier over an interval: expected counts are this times usual.

    The excess is integrated by Gauss and Legendre over pieces of a minute, cut where a pulse has
    its corners, and is exact to some 1e-3: a source may rise or set within a piece.
    """
    total = np.zeros(len(sites))
    for burst in bursts:
        corners = [burst.start_seconds, burst.end_seconds]
        if burst.mode is Mode.GLE:
            corners.insert(1, burst.start_seconds + burst.rise_seconds)
        for low, high in pairwise(corners):
            low_inside, high_inside = max(low, start_seconds), min(high, end_seconds)
            if low_inside < high_inside:
                total += _integrate(burst, sites, low_inside, high_inside)
    return 1.0 + total / (end_seconds - start_seconds)


def _integrate(burst: Burst, sites: Sequence[BurstSite], start: float, end: float) -> Floats:
    pieces = min(_PIECES_MAX, max(1, int(np.ceil((end - start) / _PIECE_SECONDS_MAX))))
    edges = np.linspace(start, end, pieces + 1)
    half = (end - start) / pieces / 2
    times = ((edges[:-1] + half)[:, None] + half * _NODES).ravel()
    excess = _response(burst, sites, times) * _pulse(burst, times)
    integral: Floats = excess @ np.tile(half * _WEIGHTS, pieces)
    return integral


def _pulse(burst: Burst, times_seconds: Floats) -> Floats:
    """Return the burst's strength over time, 1 at its peak."""
    since = times_seconds - burst.start_seconds
    during = (since >= 0) & (times_seconds < burst.end_seconds)
    if burst.mode is not Mode.GLE:
        return during.astype(np.float64)
    later = np.clip(since - burst.rise_seconds, 0, _DECAYS * burst.decay_seconds)
    rise = burst.rise_seconds
    rising = np.clip(since, 0, rise) / rise if rise else 1.0
    strength: Floats = np.where(during, rising * np.exp(-later / burst.decay_seconds), 0.0)
    return strength


def _response(burst: Burst, sites: Sequence[BurstSite], times_seconds: Floats) -> Floats:
    """Return the excess of each site at each time if the pulse were at its peak."""
    gle = burst.mode is Mode.GLE
    seen = [site.viewing_degrees if gle else None for site in sites]
    places = np.array(
        [
            (site.latitude_degrees, site.longitude_degrees) if view is None else view
            for site, view in zip(sites, seen, strict=True)
        ]
    )
    zenith = fixed_position(places[:, :1], places[:, 1:], times_seconds[None, :])
    cosine = np.asarray(zenith_cosine(zenith, np.array(burst.direction)))
    if burst.mode is Mode.SLANT:
        return burst.amplitude * _through_air(cosine, sites)
    facing = np.where(cosine > 0, np.maximum(cosine, 0) ** burst.exponent, 0.0)
    if not gle:
        return burst.amplitude * facing
    rigidity = np.array([site.rigidity_gv for site in sites])[:, None]
    share = burst.isotropic_share
    passed = np.exp(-rigidity / burst.rigidity_scale_gv)
    response: Floats = burst.amplitude * passed * (share + (1 - share) * facing)
    return response


def _through_air(cosine: Floats, sites: Sequence[BurstSite]) -> Floats:
    depth = np.array([depth_grams_per_cm2(site.altitude_metres) for site in sites])[:, None]
    high = np.maximum(cosine, _HORIZON_COSINE)
    absorbed = np.exp(-(depth / ABSORPTION_DEPTH_GRAMS_PER_CM2) * (1 / high - 1))
    passed: Floats = np.where(cosine > _HORIZON_COSINE, cosine * absorbed, 0.0)
    return passed
