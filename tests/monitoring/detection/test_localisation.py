"""Claims about the fitted direction: equivariant, unbiased, no floor, honest about its error."""

from __future__ import annotations

import numpy as np
from sealedbeam.monitoring.detection.localisation import localise
from sealedbeam.monitoring.detection.network_filter import responses
from sealedbeam.monitoring.detection.sky import fibonacci_cap, separations_degrees

NORTH = np.array([0.0, 0.0, 1.0])
POSITIONS = fibonacci_cap(NORTH, 180.0, 12)
STILL = POSITIONS[None]
SOURCE = np.array([0.48, -0.6, 0.64])


def error(found: np.ndarray, truth: np.ndarray = SOURCE) -> float:
    return float(separations_degrees(found[None], truth)[0])


def expect(per_cluster: float, amplitude: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    expected = np.full(12, per_cluster)
    return expected * (1 + amplitude * responses(POSITIONS, SOURCE[None], 1.0)[:, 0]), expected


def test_exact_counts_give_the_exact_place() -> None:
    """No grid leaves a floor under the error, however many the counts."""
    place = localise(*expect(1e7), STILL, 1.0)
    assert error(place.direction) < 0.02
    assert place.radius_degrees < 0.2
    assert abs(place.amplitude - 1) < 1e-3


def test_rotating_all_rotates_the_answer() -> None:
    """Clusters turned anyhow give the direction turned likewise, within a tenth of the radius."""
    rng = np.random.default_rng(3)
    counts, expected = expect(500.0)
    counts = rng.poisson(counts).astype(float)
    here = localise(counts, expected, STILL, 1.0)
    for _ in range(5):
        turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
        there = localise(counts, expected, STILL @ turn, 1.0)
        assert error(there.direction, here.direction @ turn) < here.radius_degrees / 10
        assert abs(there.radius_degrees / here.radius_degrees - 1) < 0.1


def test_the_order_of_clusters_does_not_matter() -> None:
    """Clusters in another order give the same place."""
    counts, expected = expect(500.0)
    order = np.random.default_rng(4).permutation(12)
    here = localise(counts, expected, STILL, 1.0)
    there = localise(counts[order], expected[order], STILL[:, order], 1.0)
    assert error(here.direction, there.direction) < 1e-6


def test_four_times_the_counts_halve_the_radius() -> None:
    """The radius shrinks with the root of the counts."""
    few, many = (localise(*expect(count), STILL, 1.0) for count in (2e3, 8e3))
    assert abs(few.radius_degrees / many.radius_degrees - 2) < 0.2


def test_the_radius_covers_nine_in_ten() -> None:
    """Over sources from anywhere, 400 of them, the truth lies within as often as is said."""
    rng = np.random.default_rng(5)
    sources = fibonacci_cap(NORTH, 180.0, 400)
    expected = np.full(12, 600.0)
    covered = 0
    for source in sources:
        response = responses(POSITIONS, source[None], 1.0)[:, 0]
        counts = rng.poisson(expected * (1 + response)).astype(float)
        place = localise(counts, expected, STILL, 1.0)
        covered += error(place.direction, source) <= place.radius_degrees
    assert 0.86 <= covered / 400 <= 0.94


def test_no_excess_is_no_place() -> None:
    """Counts as expected, or none at all, leave half the sky or more."""
    expected = np.full(12, 100.0)
    assert localise(expected, expected, STILL, 1.0).radius_degrees > 60
    nothing = localise(np.zeros(12), np.zeros(12), STILL, 1.0)
    assert nothing.radius_degrees > 60
    assert nothing.amplitude == 0
