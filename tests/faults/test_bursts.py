"""Claims about bursts: who sees them, how strongly, and what a window of time expects of them."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.bursts import (
    _NODES,
    _WEIGHTS,
    Burst,
    BurstSite,
    Mode,
    highest_multiplier,
    mean_multipliers,
    rate_multiplier,
    rate_multipliers,
)
from sealedbeam.faults.sphere import source_above

START = 5000.0
ABOVE = source_above(40.0, 20.0, START)
HERE = BurstSite(40.0, 20.0)
BEHIND = BurstSite(-40.0, -160.0)
HEMISPHERE = Burst(Mode.HEMISPHERE, START, ABOVE)
GLE = Burst(Mode.GLE, START, ABOVE, amplitude=42.0, rigidity_scale_gv=1.0, isotropic_share=0.2)

bursts = st.builds(
    Burst,
    st.sampled_from(Mode),
    st.floats(0, 1e6),
    st.builds(source_above, st.floats(-90, 90), st.floats(-180, 180), st.floats(0, 1e6)),
    duration_seconds=st.floats(1, 1e5),
    amplitude=st.floats(0, 100),
    exponent=st.floats(0, 4),
    rise_seconds=st.floats(0, 1000),
    decay_seconds=st.floats(1, 1000),
    isotropic_share=st.floats(0, 1),
)
sites = st.builds(BurstSite, st.floats(-90, 90), st.floats(-180, 180), st.floats(-400, 5000))


def at_angle(degrees: float) -> BurstSite:
    """Return a site that has the source of ABOVE so far from its zenith at the start."""
    return BurstSite(40.0 - degrees, 20.0)


@given(st.lists(bursts, max_size=3), sites, st.floats(0, 2e6))
def test_rate_never_sinks_and_has_a_bound(found: list[Burst], site: BurstSite, time: float) -> None:
    """A multiplier lies between 1 and the highest, and alone as in an array."""
    multiplier = rate_multiplier(found, site, time)
    assert 1 <= multiplier <= highest_multiplier(found) * (1 + 1e-12)
    together = rate_multipliers(found, (HERE, site), np.array([0.0, time]))
    assert together[1, 1] == pytest.approx(multiplier)


def test_hemisphere_doubles_under_the_source_and_spares_the_other_side() -> None:
    """Amplitude 1 doubles the rate in the zenith, adds a cosine elsewhere, and nothing behind."""
    assert rate_multiplier((HEMISPHERE,), HERE, START) == pytest.approx(2)
    assert rate_multiplier((HEMISPHERE,), at_angle(60), START) == pytest.approx(1.5)
    assert rate_multiplier((HEMISPHERE,), at_angle(91), START) == 1
    assert rate_multiplier((HEMISPHERE,), BEHIND, START) == 1
    sharp = dataclasses.replace(HEMISPHERE, exponent=2)
    assert rate_multiplier((sharp,), at_angle(60), START) == pytest.approx(1.25)


def test_quadrature_is_the_one_of_numpy() -> None:
    """The nodes and weights written down are those that NumPy computes."""
    expected = np.polynomial.legendre.leggauss(6)
    np.testing.assert_allclose((_NODES, _WEIGHTS), expected, rtol=1e-15)


def test_hemisphere_lasts_ten_minutes() -> None:
    """The pulse is a top hat, its end left out."""
    times = np.array([START - 1, START, START + 599, START + 600])
    found = rate_multipliers((HEMISPHERE,), (HERE,), times)[0]
    np.testing.assert_allclose(found, [1, 2, 2, 1], atol=1e-2)


def test_earth_turns_under_a_long_burst() -> None:
    """Half a day later the far side has the source in its zenith instead."""
    long = Burst(Mode.HEMISPHERE, 0.0, source_above(0, 0, 0), duration_seconds=86_400)
    near, far = BurstSite(0, 0), BurstSite(0, 180)
    half = 86_164.0905 / 2
    found = rate_multipliers((long,), (near, far), np.array([0.0, half]))
    np.testing.assert_allclose(found, [[2, 1], [1, 2]], atol=1e-9)


def test_solar_event_rises_fast_and_decays_slowly() -> None:
    """Half way up after half the rise, at its peak after it, e times weaker a decay later."""
    pole = dataclasses.replace(HERE, cutoff_rigidity_gv=0.0)
    times = np.array([START, START + 30, START + 60, START + 360, START + 4000])
    excess = rate_multipliers((GLE,), (pole,), times)[0] - 1
    np.testing.assert_allclose(excess, [0, 21, 42, 42 / math.e, 0], atol=0.02, rtol=1e-3)


def test_magnetic_field_stops_a_solar_event() -> None:
    """The excess falls by e for each GV of cutoff: the equator sees nothing."""
    cutoffs = (0.0, 1.0, 17.0)
    found = [dataclasses.replace(HERE, cutoff_rigidity_gv=cutoff) for cutoff in cutoffs]
    excess = rate_multipliers((GLE,), found, np.array([START + 60]))[:, 0] - 1
    assert excess[1] / excess[0] == pytest.approx(1 / math.e)
    assert excess[2] < 1e-4


def test_solar_event_is_seen_where_a_site_looks() -> None:
    """Particles come from a site's viewing direction; from behind comes the isotropic share."""
    turned = dataclasses.replace(BEHIND, cutoff_rigidity_gv=0.0, viewing_degrees=(40.0, 20.0))
    unaware = dataclasses.replace(BEHIND, cutoff_rigidity_gv=0.0)
    found = rate_multipliers((GLE,), (turned, unaware), np.array([START + 60]))[:, 0]
    np.testing.assert_allclose(found, [43, 1 + 0.2 * 42], rtol=1e-3)


@pytest.mark.parametrize(
    ("degrees", "expected"), [(0, 1), (15, 0.73), (30, 0.26), (45, 0.027), (60, 0.0002), (95, 0)]
)
def test_neutral_beam_reaches_a_cap_only(degrees: float, expected: float) -> None:
    """Air stops a slanting beam: at 45 degrees hardly a fortieth is left."""
    beam = dataclasses.replace(HEMISPHERE, mode=Mode.SLANT)
    excess = rate_multiplier((beam,), at_angle(degrees), START) - 1
    assert excess == pytest.approx(expected, abs=0.005 if expected > 0.1 else 5e-4)


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize(
    ("start", "end"), [(0, 20_000), (START + 100, START + 200), (START - 50, START + 61), (0, 10)]
)
def test_mean_is_that_of_many_moments(mode: Mode, start: float, end: float) -> None:
    """The mean over a window is the average of its moments; several bursts add."""
    found = [
        dataclasses.replace(GLE, mode=mode, amplitude=3.0),
        dataclasses.replace(HEMISPHERE, mode=mode, start_seconds=START + 150),
    ]
    places = (HERE, at_angle(89), BEHIND)
    step = (end - start) / 200_000
    moments = np.linspace(start + step / 2, end - step / 2, 200_000)
    expected = rate_multipliers(found, places, moments).mean(axis=1)
    np.testing.assert_allclose(
        mean_multipliers(found, places, start, end) - 1, expected - 1, rtol=2e-3, atol=1e-6
    )


def test_quiet_times_are_exactly_as_usual() -> None:
    """Without a burst, and outside of one, the factor is 1 to the bit."""
    assert rate_multiplier((), HERE, 0) == 1
    assert rate_multiplier((HEMISPHERE,), HERE, START + 600) == 1
    assert mean_multipliers((HEMISPHERE,), (HERE,), 0, START).tolist() == [1]
