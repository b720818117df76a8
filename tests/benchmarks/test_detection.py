"""Claims about how the detector is measured: true draws, right intervals, errors seen as such."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from tests.benchmarks.detection import (
    Case,
    ideal_share,
    run_alone,
    run_case,
    run_quiet,
    share_interval,
    show_quantile,
    warm_up,
)
from tests.support.fleet_counts import draw_counts, draw_storms, read_world

WORLD = read_world()


def test_draws_have_the_moments_of_machines_that_err_by_chance() -> None:
    """Distinct machines, errors and the largest machine are those of machines drawn one by one."""
    rng = np.random.default_rng(1)
    machines, mean, draws = 200, 60.0, 4000
    one_by_one = rng.poisson(mean / machines, (draws, machines))
    truth = np.stack([(one_by_one > 0).sum(1), one_by_one.sum(1), one_by_one.max(1)], axis=-1).mean(
        0
    )
    drawn = draw_counts(rng, np.full((draws, 1), mean), np.array([machines]))[:, 0]
    found = np.stack([drawn[:, 0], drawn[:, 1] + drawn[:, 2], drawn[:, 3]], axis=-1).mean(0)
    assert found == pytest.approx(truth, rel=0.02)


def test_a_storm_adds_one_machine() -> None:
    """Storms come as often as asked, last ten minutes, and add one distinct machine at most."""
    rng = np.random.default_rng(2)
    rates = np.full(12, 10.0)
    storms = draw_storms(rng, rates, 86_400, 10)
    stormy = float((storms > 0).mean())
    assert stormy == pytest.approx(600 / 86_400, rel=0.35)
    counts = draw_counts(rng, np.tile(rates, (600, 1)), np.full(12, 1000), np.full((600, 12), 30))
    assert counts[..., 0].mean() == pytest.approx(11, rel=0.02)
    assert counts[..., 3].min() >= 30


def test_a_share_has_wilsons_interval() -> None:
    """At 8 of 10 the interval is 0.490 to 0.943, as in the literature."""
    assert share_interval(8, 10) == pytest.approx((0.490, 0.943), abs=1e-3)
    assert show_quantile([], 0.5) == "none"
    assert show_quantile([float(one) for one in range(101)], 0.5, " s").startswith("50.0 s (40.0")


def test_no_test_is_better_than_the_ideal_one() -> None:
    """With more time, higher rates or amplitudes more is seen."""
    shares = [ideal_share(WORLD, 60, 0.5, seconds) for seconds in (10, 60, 120, 600)]
    assert shares == sorted(shares)
    assert shares[-1] > 0.99


def test_trials_repeat() -> None:
    """The same seed gives the same outcomes; strong bursts are all seen."""
    detectors = warm_up(WORLD, 60, 3, 1)
    case = Case(WORLD, 60, 3.0)
    first = run_case(copy.deepcopy(detectors), case, 3, 3)
    assert run_case(detectors, case, 3, 3) == first
    assert [outcome.alarms for outcome in first] == [1] * 3
    assert all((outcome.delay_seconds or 999) < 60 for outcome in first)
    assert all((outcome.error_degrees or 99) < 10 for outcome in first)
    assert all(2 <= outcome.seen_by <= 10 for outcome in first)


def test_a_cluster_alone_is_counted_when_told() -> None:
    """Detectors that ask nothing against one cluster call its rise a burst; the usual do not."""
    case = Case(WORLD, 60, 3.0)
    detectors = warm_up(WORLD, 60, 5, 1)
    assert run_alone(detectors, case, 1, 5) == 0
    detectors[0]._beyond_one = -np.inf
    assert run_alone(detectors, case, 1, 5) == 1


def test_quiet_days_are_counted() -> None:
    """A day without a burst shows its storms and nothing else."""
    quiet = run_quiet(WORLD, 60, 1, 4)
    assert quiet.bursts == 0
    assert 4 <= quiet.sick_machines <= 24
    assert quiet.share_shifts == 0
