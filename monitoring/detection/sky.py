"""Directions on the sphere: unit vectors, even grids, and how far the Earth turns.

The frame turns with the Earth: z towards the north pole, x towards Greenwich on the equator. A
source stands still among the stars, so the point of the Earth above which it stands moves
westwards by 360 degrees in a sidereal day (its length: IAU 1982, recalled, not verified).

Grids are spherical Fibonacci spirals: the points of a cap are spread by equal steps of height and
by the golden angle, which leaves each point nearly the same area and no seams or poles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SIDEREAL_DAY_SECONDS = 86_164.0905
_GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))


def unit_vectors(latitudes_degrees: Floats, longitudes_degrees: Floats) -> Floats:
    """Return the directions from the Earth's centre to places, one row each."""
    latitudes, longitudes = np.radians(latitudes_degrees), np.radians(longitudes_degrees)
    level = np.cos(latitudes)
    return np.stack(
        [level * np.cos(longitudes), level * np.sin(longitudes), np.sin(latitudes)], axis=-1
    )


def latitude_longitude(direction: Floats) -> tuple[float, float]:
    """Return the place below a direction in degrees, the longitude in -180 .. 180."""
    x, y, z = direction.tolist()
    return float(np.degrees(np.arctan2(z, np.hypot(x, y)))), float(np.degrees(np.arctan2(y, x)))


def separations_degrees(directions: Floats, direction: Floats) -> Floats:
    """Return how far each row of `directions` is from one direction, exact also when near."""
    across = np.linalg.norm(np.cross(directions, direction), axis=-1)
    angles: Floats = np.degrees(np.arctan2(across, directions @ direction))
    return angles


def fibonacci_cap(centre: Floats, radius_degrees: float, points: int) -> Floats:
    """Return `points` directions spread evenly over a cap; 180 degrees make the whole sphere."""
    steps = np.arange(points) + 0.5
    height = 1 - steps * ((1 - np.cos(np.radians(radius_degrees))) / points)
    level = np.sqrt(np.maximum(0, 1 - height**2))
    turn = steps * _GOLDEN_ANGLE
    around_pole = np.stack([level * np.cos(turn), level * np.sin(turn), height], axis=-1)
    return around_pole @ _frame_at(centre)


def _frame_at(centre: Floats) -> Floats:
    """Return an orthonormal frame, one row each, whose third direction is `centre`."""
    helper = np.eye(3)[np.argmin(np.abs(centre))]
    first = np.cross(helper, centre)
    first /= np.linalg.norm(first)
    return np.stack([first, np.cross(centre, first), centre])


def carry(directions: Floats, seconds: float) -> Floats:
    """Return where sources that stood in `directions` stand `seconds` later, as seen from here."""
    turn = -2 * np.pi * seconds / SIDEREAL_DAY_SECONDS
    cosine, sine = np.cos(turn), np.sin(turn)
    x, y, z = np.moveaxis(directions, -1, 0)
    return np.stack([cosine * x - sine * y, sine * x + cosine * y, z], axis=-1)
