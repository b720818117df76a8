"""Claims about directions and grids on the sphere."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.sphere import fixed_position, source_above
from sealedbeam.monitoring.detection.sky import (
    carry,
    fibonacci_cap,
    latitude_longitude,
    separations_degrees,
    unit_vectors,
)

latitudes = st.floats(-89, 89)
longitudes = st.floats(-179, 179)


@given(latitudes, longitudes)
def test_places_and_vectors_are_the_same(latitude: float, longitude: float) -> None:
    """A place's direction leads back to the place."""
    vector = unit_vectors(np.array(latitude), np.array(longitude))
    assert latitude_longitude(vector) == pytest.approx((latitude, longitude), abs=1e-9)


@given(latitudes, longitudes, st.floats(-1e5, 1e5))
def test_a_source_moves_as_the_simulated_sky_does(
    latitude: float, longitude: float, seconds: float
) -> None:
    """A source above a place stands later above the place that the turning Earth brings there."""
    source = source_above(latitude, longitude, 0.0)
    moved = carry(unit_vectors(np.array(latitude), np.array(longitude)), seconds)
    assert fixed_position(*latitude_longitude(moved), seconds) == pytest.approx(source, abs=1e-9)


@given(latitudes, longitudes, st.floats(1, 180))
def test_a_cap_is_covered_evenly(latitude: float, longitude: float, radius: float) -> None:
    """All points lie in the cap, have length 1, and half of them in the half of its area."""
    centre = unit_vectors(np.array(latitude), np.array(longitude))
    points = fibonacci_cap(centre, radius, 400)
    apart = separations_degrees(points, centre)
    half = np.degrees(np.arccos((1 + np.cos(np.radians(radius))) / 2))
    assert np.linalg.norm(points, axis=1) == pytest.approx(np.ones(400))
    assert apart.max() <= radius + 1e-9
    assert abs(int((apart < half).sum()) - 200) <= 1


def test_the_sphere_has_no_hole() -> None:
    """Every direction has a grid point within 1.1 mean spacings."""
    points = fibonacci_cap(np.array([0.0, 0.0, 1.0]), 180.0, 400)
    rng = np.random.default_rng(1)
    anywhere = rng.normal(size=(2000, 3))
    anywhere /= np.linalg.norm(anywhere, axis=1, keepdims=True)
    nearest = np.degrees(np.arccos(np.clip((anywhere @ points.T).max(axis=1), -1, 1)))
    assert nearest.max() < 1.1 * np.degrees(np.sqrt(4 * np.pi / 400))


def test_separations_are_exact_when_small() -> None:
    """A millionth of a degree is not lost."""
    near = unit_vectors(np.array([0.0]), np.array([1e-6]))
    assert separations_degrees(near, np.array([1.0, 0, 0])) == pytest.approx([1e-6], rel=1e-6)
