"""Angles on the sphere and polygons of the plane, by the plainest formulas: oracles for the map."""

from __future__ import annotations

import math
from itertools import pairwise


def separation(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Return the angle in degrees between two points of (longitude, latitude) in degrees."""
    vectors = [
        (
            math.cos(math.radians(latitude)) * math.cos(math.radians(longitude)),
            math.cos(math.radians(latitude)) * math.sin(math.radians(longitude)),
            math.sin(math.radians(latitude)),
        )
        for longitude, latitude in (one, other)
    ]
    cosine = sum(a * b for a, b in zip(*vectors, strict=True))
    return math.degrees(math.acos(max(-1, min(1, cosine))))


def is_inside(point: tuple[float, float], polygon: list[tuple[float, float]]) -> bool:
    """Return whether a point of the plane lies in a polygon: a ray crosses it an odd number."""
    x, y = point
    crossings = 0
    for (x1, y1), (x2, y2) in pairwise([*polygon, polygon[0]]):
        if (y1 > y) != (y2 > y) and x < x1 + (y - y1) * (x2 - x1) / (y2 - y1):
            crossings += 1
    return crossings % 2 == 1
