"""Claims about the filter's statistics, against slow and obviously right ones."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealedbeam.monitoring.detection.network_filter import (
    log_likelihood,
    profile_amplitude,
    responses,
    score,
)
from sealedbeam.monitoring.detection.sky import fibonacci_cap

NORTH = np.array([0.0, 0.0, 1.0])
SOURCES = fibonacci_cap(NORTH, 180.0, 300)
POSITIONS = fibonacci_cap(NORTH, 180.0, 12)
RESPONSE = responses(POSITIONS, SOURCES, 1.0)

counts_lists = st.lists(st.integers(0, 400), min_size=12, max_size=12)
expected_lists = st.lists(st.floats(0.5, 200), min_size=12, max_size=12)


def likelihood(counts: list[int], expected: list[float], source: int, amplitude: float) -> float:
    terms = (
        x * log(1 + amplitude * r) - amplitude * r * m
        for x, m, r in zip(counts, expected, RESPONSE[:, source].tolist(), strict=True)
    )
    return float(sum(terms))


def test_responses_are_powers_above_the_horizon() -> None:
    """A source in the zenith gives 1, at 60 degrees a half to the power, below the horizon 0."""
    there = np.array([[1.0, 0, 0], [0.5, sqrt(0.75), 0], [-1.0, 0, 0], [0, 0, 1.0]])
    here = np.array([[1.0, 0, 0]])
    assert responses(here, there, 2.0)[0] == pytest.approx([1, 0.25, 0, 0])
    assert responses(here, there, 0.0)[0] == pytest.approx([1, 1, 0, 0])


@settings(max_examples=40, deadline=None)
@given(counts_lists, expected_lists, st.integers(0, 299))
def test_no_other_amplitude_is_likelier(
    counts: list[int], expected: list[float], source: int
) -> None:
    """The profiled amplitude is the best one, and never below nothing."""
    found = profile_amplitude(np.array(counts, float), np.array(expected), RESPONSE)
    gain = log_likelihood(np.array(counts, float), np.array(expected), RESPONSE, found)
    best = float(gain[source])
    assert found[source] >= 0
    assert best == pytest.approx(likelihood(counts, expected, source, found[source]), abs=1e-6)
    around = [0.0, found[source] * 0.99, found[source] * 1.01, found[source] + 0.01]
    assert all(likelihood(counts, expected, source, one) <= best + 1e-6 for one in around)


def test_score_is_the_formula() -> None:
    """Two matrix products give what the sums give."""
    rng = np.random.default_rng(1)
    counts, expected = rng.poisson(8, (3, 12)).astype(float), rng.uniform(5, 12, (3, 12))
    found = score(counts, expected, RESPONSE, RESPONSE**2)
    for row in range(3):
        for source in (0, 17, 299):
            weight = RESPONSE[:, source]
            above = sum(weight * (counts[row] - expected[row]))
            assert found[row, source] == pytest.approx(above / sqrt(sum(weight**2 * expected[row])))


def test_small_excesses_have_one_significance() -> None:
    """Where counts are many and the excess small, root and score agree."""
    expected = np.full(12, 1e6)
    counts = expected + 3e3 * RESPONSE[:, 7]
    linear = score(counts[None], expected[None], RESPONSE, RESPONSE**2)[0]
    amplitude = profile_amplitude(counts, expected, RESPONSE)
    gain = log_likelihood(counts, expected, RESPONSE, amplitude)
    assert sqrt(2 * gain[7]) == pytest.approx(linear[7], rel=1e-2)
