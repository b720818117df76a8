"""Claims about exposure: site, burst and sickness multiply the base rate, each where it belongs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.bursts import Burst, BurstSite, Mode, rate_multiplier
from sealedbeam.faults.exposure import Exposure
from sealedbeam.faults.sick import find_sickness
from sealedbeam.faults.sphere import source_above
from sealedbeam.faults.topology import Cluster, Position

MADRID = Position(40.42, -3.7, 650, None)
AUCKLAND = Position(-36.85, 174.76, 30, None)
CLUSTERS = (
    Cluster("madrid", 40, flux_factor=1.5, position=MADRID),
    Cluster("auckland", 40, flux_factor=0.8, position=AUCKLAND),
    Cluster("nowhere", 40),
)
DAY = 86_400
BURST = Burst(
    mode=Mode.HEMISPHERE,
    start_seconds=600,
    duration_seconds=600,
    amplitude=9.0,
    direction=source_above(40.0, -4.0, 600),
    exponent=1.0,
    rise_seconds=60.0,
    decay_seconds=300.0,
    rigidity_scale_gv=1.0,
    isotropic_share=0.1,
)


def exposure(sick: float = 0.0, *bursts: Burst, seed: int = 0) -> Exposure:
    return Exposure(CLUSTERS, bursts, sick, 90 * DAY, seed)


def test_quiet_factor_is_the_flux_of_the_site() -> None:
    """Without bursts each cluster has its own flux, at any time."""
    quiet = exposure()
    for cluster in CLUSTERS:
        assert quiet.healthy_factor(cluster.name, 12_345) == cluster.flux_factor
    assert quiet.highest == 1.5
    assert not quiet.has_sick_machines


@given(st.integers(0, 2000), st.sampled_from(CLUSTERS))
def test_burst_multiplies_the_flux(time_seconds: int, cluster: Cluster) -> None:
    """Within a grain of ten seconds the factor is flux times burst, and never above the highest."""
    under = exposure(0.0, BURST)
    factor = under.healthy_factor(cluster.name, time_seconds)
    expected = cluster.flux_factor
    if cluster.position is not None:
        step = time_seconds - time_seconds % 10
        expected *= rate_multiplier([BURST], BurstSite(*cluster.position), step)
    assert factor == pytest.approx(expected)
    assert factor <= under.highest


def test_burst_shines_on_one_side_only() -> None:
    """In mid-burst the side that faces the source sees several times more than the one behind."""
    under, quiet = exposure(0.0, BURST), exposure()
    for name, least, most in (("madrid", 3.0, 10.0), ("auckland", 1.0, 1.001)):
        ratio = under.healthy_factor(name, 700) / quiet.healthy_factor(name, 700)
        assert least <= ratio <= most


def test_sickness_adds_to_the_flux_of_its_machine() -> None:
    """A sick machine's excess is that of its sickness at that time, times the flux; else 0."""
    sick = exposure(0.9, seed=4)
    assert sick.has_sick_machines
    excesses = []
    for machine in range(40):
        found = find_sickness(4, "madrid", machine, 90 * DAY, 0.9)
        for day in (0, 30, 89):
            excess = sick.sick_excess("madrid", machine, day * DAY)
            factor = 1.0 if found is None else found.factor(day * DAY)
            assert excess == pytest.approx(1.5 * (factor - 1))
            excesses.append(excess)
    assert min(excesses) == 0
    assert max(excesses) > 10
