"""Claims about sick machines and mercurial cores: as many as stated, as heavy, and reproducible."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.sick import (
    MEAN_TO_MEDIAN,
    MONTH_SECONDS,
    PARETO_RATIO_MAX,
    Sickness,
    find_mercurial,
    find_sickness,
    miscompute,
    pareto_exponent,
)

YEAR = 365.25 * 86_400


def test_a_third_of_the_machines_falls_sick_in_a_year() -> None:
    """Over 30,000 machines the share is within 3 sigma, over half a year that of half a year."""
    for duration, share in ((YEAR, 1 / 3), (YEAR / 2, 1 - math.sqrt(2 / 3))):
        found = [find_sickness(1, "a", machine, duration) for machine in range(30_000)]
        sick = len(found) - found.count(None)
        assert abs(sick - 30_000 * share) <= 3 * math.sqrt(30_000 * share * (1 - share))


def test_weights_follow_the_truncated_distribution() -> None:
    """Median 1, the quantiles of a Pareto distribution, nothing above the truncation."""
    found = [find_sickness(1, "a", machine, YEAR, 0.999) for machine in range(30_000)]
    weights = sorted(each.weight for each in found if each)
    exponent = pareto_exponent(MEAN_TO_MEDIAN, PARETO_RATIO_MAX)
    for level in (0.1, 0.5, 0.9, 0.99):
        share = 1 - PARETO_RATIO_MAX**-exponent
        expected = ((1 - level * share) / (1 - share / 2)) ** (-1 / exponent)
        below = sum(weight <= expected for weight in weights) / len(weights)
        assert abs(below - level) <= 3 * math.sqrt(level * (1 - level) / len(weights))
    assert weights[-1] < PARETO_RATIO_MAX


def test_exponent_gives_the_stated_mean() -> None:
    """By summing over a million quantiles, the mean of the distribution is 55 times its median.

    Without truncation the exponent is the one known for it, 1.009 for 55.
    """
    exponent, steps = pareto_exponent(MEAN_TO_MEDIAN, PARETO_RATIO_MAX), 1_000_000
    share = 1 - PARETO_RATIO_MAX**-exponent
    values = [(1 - (step + 0.5) / steps * share) ** (-1 / exponent) for step in range(steps)]
    assert sum(values) / steps / values[steps // 2] == pytest.approx(MEAN_TO_MEDIAN, rel=0.01)
    assert pareto_exponent(MEAN_TO_MEDIAN, 1e300) == pytest.approx(1.009, abs=2e-3)


def test_rate_rises_for_two_months() -> None:
    """Usual before the onset, 13 times for a month, 35 for the next, usual again."""
    sickness = Sickness(1000.0, 2.0)
    times = (999, 1000, 1000 + MONTH_SECONDS, 1000 + 2 * MONTH_SECONDS)
    assert [sickness.factor(time) for time in times] == [1, 26, 70, 1]
    assert Sickness(0.0, 0.01).factor(0) == 1


def test_one_machine_in_a_thousand_is_mercurial() -> None:
    """Over 100,000 machines the number is within 3 sigma of 100."""
    cores = [find_mercurial(1, "a", machine) for machine in range(100_000)]
    assert abs(sum(core is not None for core in cores) - 100) <= 30


@given(st.binary(max_size=20), st.integers(1, 4000))
def test_core_errs_on_the_same_inputs_alike(given_bytes: bytes, length_bits: int) -> None:
    """A wrong answer is the same each time, and differs within the result."""
    wrong = miscompute(7, given_bytes, 0.5, length_bits)
    assert wrong == miscompute(7, given_bytes, 0.5, length_bits)
    assert wrong is None or 0 <= wrong < length_bits


def test_core_errs_on_its_share_of_inputs() -> None:
    """Of 20,000 inputs one in a hundred goes wrong, on other ones for another core."""
    inputs = [number.to_bytes(4) for number in range(20_000)]
    wrong = [{each for each in inputs if miscompute(core, each, 0.01, 64)} for core in (1, 2)]
    assert all(abs(len(each) - 200) <= 3 * math.sqrt(200) for each in wrong)
    assert len(wrong[0] & wrong[1]) < 20


def test_machines_and_seeds_are_independent() -> None:
    """Another seed, cluster or use has other machines; the same has the same."""

    def sick(seed: int, cluster: str) -> set[int]:
        return {machine for machine in range(3000) if find_sickness(seed, cluster, machine, YEAR)}

    assert sick(1, "a") == sick(1, "a")
    for other in (sick(2, "a"), sick(1, "b")):
        assert abs(len(sick(1, "a") & other) - 3000 / 9) <= 3 * math.sqrt(3000 / 9)
