"""Claims about the turning Earth: what stands overhead, what turns, and the magnetic field."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.sphere import (
    GEOMAGNETIC_POLE_LATITUDE_DEGREES,
    GEOMAGNETIC_POLE_LONGITUDE_DEGREES,
    SIDEREAL_DAY_SECONDS,
    cutoff_rigidity_gv,
    fixed_position,
    geomagnetic_latitude_degrees,
    source_above,
    source_direction,
    unit_vector,
    zenith_cosine,
)

LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 180)
TIMES = st.floats(0, 3.2e7)


@given(LATITUDES, LONGITUDES, TIMES)
def test_source_stands_above_its_place_at_its_time(
    latitude: float, longitude: float, time: float
) -> None:
    """A source told by the point under it is in the zenith there then."""
    source = np.array(source_above(latitude, longitude, time))
    assert zenith_cosine(fixed_position(latitude, longitude, time), source) == pytest.approx(1)


@given(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES, TIMES)
def test_angle_between_places_does_not_turn(
    north: float, east: float, other_north: float, other_east: float, time: float
) -> None:
    """Two places keep their distance, which is the great circle's between them."""
    cosine = zenith_cosine(
        fixed_position(north, east, time), fixed_position(other_north, other_east, time)
    )
    north, east, other_north, other_east = map(math.radians, (north, east, other_north, other_east))
    expected = math.sin(north) * math.sin(other_north)
    expected += math.cos(north) * math.cos(other_north) * math.cos(east - other_east)
    assert cosine == pytest.approx(expected, abs=1e-9)


@given(LATITUDES, LONGITUDES, TIMES)
def test_sidereal_day_brings_the_same_sky(latitude: float, longitude: float, time: float) -> None:
    """After a sidereal day a place looks where it looked; after half of one, the other way east."""
    before = fixed_position(latitude, longitude, time)
    after = fixed_position(latitude, longitude, time + SIDEREAL_DAY_SECONDS)
    half = fixed_position(latitude, longitude, time + SIDEREAL_DAY_SECONDS / 2)
    np.testing.assert_allclose(before, after, atol=1e-6)
    np.testing.assert_allclose(before * [-1, -1, 1], half, atol=1e-6)


def test_places_move_east() -> None:
    """A quarter of a day later the sky over Greenwich is what stood over 90 degrees east."""
    np.testing.assert_allclose(
        fixed_position(10, 0, SIDEREAL_DAY_SECONDS / 4), fixed_position(10, 90, 0), atol=1e-9
    )


def test_ascension_and_declination_are_longitude_and_latitude_of_the_sky() -> None:
    """The equinox lies on x, the pole on z, right ascension grows from x to y."""
    np.testing.assert_allclose(source_direction(0, 0), (1, 0, 0), atol=1e-15)
    np.testing.assert_allclose(source_direction(90, 0), (0, 1, 0), atol=1e-15)
    np.testing.assert_allclose(source_direction(123, 90), (0, 0, 1), atol=1e-15)


def test_arrays_give_what_numbers_give() -> None:
    """Functions of arrays are functions of their items."""
    latitudes, longitudes = np.array([-33.9, 0, 53.3]), np.array([151.2, 0, -6.3])
    together = unit_vector(latitudes, longitudes)
    for row, latitude, longitude in zip(together, latitudes, longitudes, strict=True):
        np.testing.assert_allclose(row, unit_vector(latitude, longitude), atol=1e-15)


def test_magnetic_latitude_is_counted_from_the_dipole() -> None:
    """The magnetic pole has 90 degrees, its antipode -90, and the equator lies between them."""
    north, east = GEOMAGNETIC_POLE_LATITUDE_DEGREES, GEOMAGNETIC_POLE_LONGITUDE_DEGREES
    assert geomagnetic_latitude_degrees(north, east) == pytest.approx(90, abs=1e-4)
    assert geomagnetic_latitude_degrees(-north, east + 180) == pytest.approx(-90, abs=1e-4)
    assert geomagnetic_latitude_degrees(north - 90, east) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("latitude", "longitude", "known_gv"),
    [(40.71, -74.0, 2.08), (39.25, -106.3, 2.9), (35.68, 139.7, 11.6), (1.35, 103.8, 17.0)],
    ids=["New York", "Leadville", "Tokyo", "Singapore"],
)
def test_cutoff_is_about_the_known_one(latitude: float, longitude: float, known_gv: float) -> None:
    """The dipole's cutoffs are within 25 % of the real ones, and no better than that."""
    assert cutoff_rigidity_gv(latitude, longitude) == pytest.approx(known_gv, rel=0.25)
