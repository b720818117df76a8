"""Claims about the odds: against slow ones, their false alarms, and what one cluster can do."""

from __future__ import annotations

from math import exp, log, log1p

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealedbeam.monitoring.detection.burst_odds import (
    DESIGN_SIGMA,
    FALSE_ALARMS_SHARE,
    burst_log_odds,
    log_odds_threshold,
    mean_burst_gain,
    strongest_alone,
    total_log,
)
from sealedbeam.monitoring.detection.network_filter import responses
from sealedbeam.monitoring.detection.sky import fibonacci_cap

NORTH = np.array([0.0, 0.0, 1.0])
SOURCES = fibonacci_cap(NORTH, 180.0, 60)
POSITIONS = fibonacci_cap(NORTH, 180.0, 5)
RESPONSE = responses(POSITIONS, SOURCES, 1.0)
WINDOWS = (1, 4, 12)
WEIGHTS = np.array([0.2, 0.3, 0.5])
PER_BIN = 10.0

tables = st.lists(
    st.lists(st.integers(0, 100), min_size=5, max_size=5), min_size=3, max_size=3
).map(lambda rows: np.array(rows, float))


def slow_log_odds(counts: np.ndarray, expected: np.ndarray) -> list[float]:
    found = []
    for xs, means, weight in zip(counts.tolist(), expected.tolist(), WEIGHTS.tolist(), strict=True):
        ratios = []
        for responding in RESPONSE.T.tolist():
            information = sum(r * r * m for r, m in zip(responding, means, strict=True))
            amplitude = DESIGN_SIGMA / information**0.5 if information else 0.0
            ratios.append(
                exp(
                    sum(
                        x * log1p(amplitude * r) - amplitude * r * m
                        for x, m, r in zip(xs, means, responding, strict=True)
                    )
                )
            )
        found.append(log(weight * sum(ratios) / len(ratios)))
    return found


@settings(max_examples=30, deadline=None)
@given(tables, st.floats(5, 60))
def test_the_odds_are_averaged_likelihoods(counts: np.ndarray, per_bin: float) -> None:
    """Array code gives what loops over windows, sources and clusters give."""
    expected = per_bin * np.array(WINDOWS, float)[:, None] * np.ones(5)
    found = burst_log_odds(counts, expected, RESPONSE, RESPONSE**2, WEIGHTS)
    slow = slow_log_odds(counts, expected)
    assert found.tolist() == pytest.approx(slow, abs=1e-9)
    assert total_log(found) == pytest.approx(log(sum(exp(one) for one in slow)))


def test_clusters_without_a_baseline_say_nothing() -> None:
    """Where nothing is expected of any cluster, the odds are one to one."""
    nothing = np.zeros((3, 5))
    found = burst_log_odds(nothing, nothing, RESPONSE, RESPONSE**2, WEIGHTS)
    assert total_log(found) == pytest.approx(0.0)


def log_odds_of(bins: np.ndarray, stop: int) -> np.ndarray:
    """Return the odds of each trial in the windows that end before bin `stop`."""
    counts = np.stack([bins[:, stop - length : stop].sum(1) for length in WINDOWS], axis=1)
    expected = PER_BIN * np.array(WINDOWS, float)[:, None] * np.ones(5)
    return np.array(
        [
            total_log(burst_log_odds(one, expected, RESPONSE, RESPONSE**2, WEIGHTS))
            for one in counts.astype(float)
        ]
    )


def test_chance_raises_as_many_alarms_as_are_asked_for() -> None:
    """Draws from the bursts looked for, weighted by how unlikely chance is, count false alarms."""
    rng = np.random.default_rng(1)
    trials, rate = 1500, 1e-6
    bins = rng.poisson(PER_BIN, (trials, WINDOWS[-1] + 1, 5))
    for trial, window in enumerate(rng.choice(WINDOWS, trials, p=WEIGHTS)):
        response = RESPONSE[:, rng.integers(60)]
        amplitude = DESIGN_SIGMA / np.sqrt(PER_BIN * window * (response**2).sum())
        bins[trial, -window:] = rng.poisson(PER_BIN * (1 + amplitude * response), (window, 5))
    now, before = (log_odds_of(bins, stop) for stop in (WINDOWS[-1] + 1, WINDOWS[-1]))
    threshold = log_odds_threshold(rate)
    assert threshold == pytest.approx(log(FALSE_ALARMS_SHARE / rate))
    newly = (now >= threshold) & (before < threshold)
    assert 0.4 * rate < np.mean(np.exp(-now) * newly) < 2 * rate


def test_one_cluster_explains_itself_best() -> None:
    """However high one cluster is, its own change is likelier than a burst; together they are."""
    expected = np.full((1, 5), 100.0)
    source = int(np.argmax((RESPONSE > 0.3).sum(0)))
    for high in (150.0, 300.0, 3000.0):
        counts = expected.copy()
        counts[0, 2] = high
        rival = strongest_alone(counts, expected)
        assert rival.cluster == 2
        assert mean_burst_gain(counts[0], expected[0], RESPONSE)[0] < rival.log_likelihood
    together = expected * (1 + 0.8 * RESPONSE[:, source])
    mean, best = mean_burst_gain(together[0], expected[0], RESPONSE)
    assert strongest_alone(together, expected).log_likelihood + 5 < mean < best


def test_the_rival_may_have_changed_in_another_window() -> None:
    """A cluster that rose long ago answers for what the last bin shows of it."""
    expected = np.array([[10.0] * 5, [100.0] * 5])
    counts = expected.copy()
    counts[:, 1] = 20.0, 200.0
    rival = strongest_alone(counts, expected)
    assert rival.log_likelihood == pytest.approx(200 * log(2) - 100)


def test_fewer_than_expected_is_no_rival() -> None:
    """A cluster that fell silent explains no excess."""
    expected = np.full((2, 5), 50.0)
    assert strongest_alone(expected * 0.2, expected).log_likelihood == 0.0
