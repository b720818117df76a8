"""The turning Earth: where places point, how high a source stands, what the magnetic field lets in.

Frames: right-handed, z towards the north pole. The fixed frame does not turn; its x axis points to
the vernal equinox, so the right ascension over a place is its longitude plus Greenwich's sidereal
angle. Simulated second 0 is the epoch J2000.0 (1 January 2000, 12:00 UT). The Earth is a sphere.

Every function takes numbers or NumPy arrays, which broadcast; vectors have a last axis of 3.

Sources:
* sidereal day and Greenwich's sidereal angle at J2000.0: IAU 1982, recalled, not verified;
* geomagnetic pole: centred dipole of IGRF-13 for 2020, geocentric. Its coefficients are recalled;
  the pole is 0.1 degrees from the one for 2020 at deeptow.whoi.edu/cdpole.html, which was read;
* cutoff rigidity 14.9 cos^4 of the geomagnetic latitude (Stoermer's vertical cutoff): recalled. It
  is some 20 % off real cutoffs, which are not free to use; a site may state its own instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Numbers = float | NDArray[np.float64]

SIDEREAL_DAY_SECONDS = 86_164.0905
GREENWICH_AT_EPOCH_DEGREES = 280.46061837
GEOMAGNETIC_POLE_LATITUDE_DEGREES = 80.59
GEOMAGNETIC_POLE_LONGITUDE_DEGREES = -72.68
CUTOFF_AT_EQUATOR_GV = 14.9


def unit_vector(latitude_degrees: Numbers, longitude_degrees: Numbers) -> NDArray[np.float64]:
    """Return the direction from the Earth's centre to a place, or of (declination, ascension)."""
    latitude, longitude = np.broadcast_arrays(
        np.radians(latitude_degrees), np.radians(longitude_degrees)
    )
    level = np.cos(latitude)
    return np.stack([level * np.cos(longitude), level * np.sin(longitude), np.sin(latitude)], -1)


def sidereal_angle_degrees(time_seconds: Numbers) -> Numbers:
    """Return how far Greenwich has turned from the equinox, in 0 .. 360."""
    turned: Numbers = np.mod(
        GREENWICH_AT_EPOCH_DEGREES + 360 * (np.asarray(time_seconds) / SIDEREAL_DAY_SECONDS), 360.0
    )
    return turned


def fixed_position(
    latitude_degrees: Numbers, longitude_degrees: Numbers, time_seconds: Numbers
) -> NDArray[np.float64]:
    """Return the direction of a place's zenith in the fixed frame at a simulated time."""
    return unit_vector(latitude_degrees, longitude_degrees + sidereal_angle_degrees(time_seconds))


def source_direction(
    right_ascension_degrees: float, declination_degrees: float
) -> tuple[float, float, float]:
    """Return the direction of a source at these coordinates of the sky."""
    return _as_triple(unit_vector(declination_degrees, right_ascension_degrees))


def source_above(
    latitude_degrees: float, longitude_degrees: float, time_seconds: float
) -> tuple[float, float, float]:
    """Return the direction of a source that stands in the zenith of a place at a time."""
    return _as_triple(fixed_position(latitude_degrees, longitude_degrees, time_seconds))


def _as_triple(vector: NDArray[np.float64]) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z


def zenith_cosine(position: NDArray[np.float64], direction: NDArray[np.float64]) -> Numbers:
    """Return the cosine of the source's distance from the zenith; negative below the horizon."""
    cosine: Numbers = np.clip(np.sum(position * direction, axis=-1), -1.0, 1.0)
    return cosine


def geomagnetic_latitude_degrees(latitude_degrees: Numbers, longitude_degrees: Numbers) -> Numbers:
    """Return the latitude that a place has towards the axis of the centred dipole."""
    pole = unit_vector(GEOMAGNETIC_POLE_LATITUDE_DEGREES, GEOMAGNETIC_POLE_LONGITUDE_DEGREES)
    sine = zenith_cosine(unit_vector(latitude_degrees, longitude_degrees), pole)
    latitude: Numbers = np.degrees(np.arcsin(sine))
    return latitude


def cutoff_rigidity_gv(latitude_degrees: Numbers, longitude_degrees: Numbers) -> Numbers:
    """Return the least rigidity with which a particle comes down vertically at a place."""
    magnetic = np.radians(geomagnetic_latitude_degrees(latitude_degrees, longitude_degrees))
    cutoff: Numbers = CUTOFF_AT_EQUATOR_GV * np.cos(magnetic) ** 4
    return cutoff
