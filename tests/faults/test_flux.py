"""Claims about the flux of neutrons: the check values that hold the recalled coefficients."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.flux import (
    NEW_YORK_CUTOFF_GV,
    altitude_factor,
    depth_grams_per_cm2,
    flux_factor,
    rigidity_factor,
)


def test_new_york_is_the_reference() -> None:
    """New York at sea level has 1.000, 7.3 % more under a quiet sun, 7.3 % less under an active."""
    assert flux_factor(0, NEW_YORK_CUTOFF_GV) == pytest.approx(1.000, abs=5e-4)
    assert flux_factor(0, NEW_YORK_CUTOFF_GV, 1) == pytest.approx(1.073, abs=5e-4)
    assert flux_factor(0, NEW_YORK_CUTOFF_GV, 0) == pytest.approx(0.927, abs=5e-4)


@pytest.mark.parametrize(
    ("altitude_metres", "cutoff_gv", "expected"),
    [
        (3094, 2.9, 12.1),
        (1609, 2.9, 4.0),
        (3640, 12.4, 7.8),
        (40, 12.0, 0.64),
        (15, 17.0, 0.52),
        (760, 9.8, 1.3),
    ],
    ids=["Leadville", "Denver", "La Paz", "Tokyo", "Singapore", "Sao Paulo"],
)
def test_known_places_have_their_factor(
    altitude_metres: float, cutoff_gv: float, expected: float
) -> None:
    """Places whose factor is known have it within 5 %, at their own cutoff."""
    assert flux_factor(altitude_metres, cutoff_gv) == pytest.approx(expected, rel=0.05)


@given(st.floats(0, 5000), st.floats(1, 900), st.floats(0, 18), st.floats(0, 1))
def test_flux_grows_upwards_and_towards_the_poles(
    altitude: float, higher: float, cutoff: float, quiet: float
) -> None:
    """More altitude is more flux, more cutoff is no more."""
    assert altitude_factor(altitude + higher) > altitude_factor(altitude)
    assert flux_factor(altitude, cutoff + 1, quiet) <= flux_factor(altitude, cutoff, quiet) * 1.001


@given(st.floats(0.5, 1.02), st.floats(0, 18))
def test_quiet_sun_lets_more_through(pressure: float, cutoff: float) -> None:
    """The sun's activity is interpolated between its extremes."""
    low, middle, high = (rigidity_factor(cutoff, pressure, quiet) for quiet in (0, 0.5, 1))
    assert low <= high + 1e-3
    assert middle == pytest.approx((low + high) / 2)


def test_depth_at_sea_level_is_a_whole_atmosphere() -> None:
    """1,033 grams of air stand on each square centimetre, and no altitude adds to them."""
    assert depth_grams_per_cm2(0) == 1033
    assert depth_grams_per_cm2(-400) > 1033
    assert depth_grams_per_cm2(5500) == pytest.approx(1033 / 2, rel=0.05)
