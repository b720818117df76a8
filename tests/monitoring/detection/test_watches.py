"""Claims about the watches over sick machines and over the share of uncorrected errors."""

from __future__ import annotations

import numpy as np
import pytest
from sealedbeam.monitoring.detection.machine_watch import MachineChange, MachineWatch
from sealedbeam.monitoring.detection.share_watch import ShareChange, ShareWatch

MACHINES = np.array([1000.0, 1000.0])
SEEN = np.array([True, True])
LONG = 10_000


def watch_machines(
    largest: np.ndarray, affected: float = 10.0, duration_max_bins: int = LONG
) -> list[tuple[int, MachineChange]]:
    watch = MachineWatch(MACHINES, duration_max_bins)
    return [
        (row, change)
        for row, one in enumerate(largest)
        for change in watch.observe(np.full(2, affected), np.array([one, 1.0]), SEEN)
    ]


def test_a_storm_begins_and_ends() -> None:
    """A machine with nine errors a bin is told within a minute and a half, and its end is known."""
    largest = np.ones(300)
    largest[100:160] = 9
    (begun, first), (ended, last) = watch_machines(largest)
    assert (first.cluster, first.sick, last.sick) == (0, True, False)
    assert begun <= 109
    assert begun - first.bins_ago == 100
    assert ended - last.bins_ago == 159


def test_strikes_that_count_twice_are_soon_usual() -> None:
    """Where two bins in five hold a machine with many errors from the start, it is told once."""
    rng = np.random.default_rng(1)
    largest = np.where(rng.uniform(size=4000) < 0.4, 6.0, 1.0)
    changes = watch_machines(largest, duration_max_bins=500)
    assert [change.accepted for _, change in changes] == [False, True]
    assert changes[1][0] < 520


def test_chance_is_no_sickness() -> None:
    """The largest machine of many that err by chance is never called sick."""
    rng = np.random.default_rng(2)
    watch = MachineWatch(np.array([900.0]), LONG)
    for _ in range(2000):
        errors = np.bincount(rng.integers(0, 900, rng.poisson(100)), minlength=900)
        affected, largest = np.array([float((errors > 0).sum())]), np.array([float(errors.max())])
        assert watch.observe(affected, largest, np.array([True])) == []


def watch_shares(uncorrected: np.ndarray, per_bin: int = 20, clump: int = 1) -> list[ShareChange]:
    watch = ShareWatch(1, 60, LONG)
    found = []
    for one in uncorrected:
        found += watch.observe(
            np.array([per_bin - one]),
            np.array([one]),
            np.array([per_bin / clump]),
            np.array([True]),
        )
    return found


@pytest.mark.parametrize("share", [0.02, 0.3])
def test_a_share_that_moves_is_told(share: float) -> None:
    """A share of a tenth that falls to a fiftieth or rises to three tenths, and comes back."""
    rng = np.random.default_rng(3)
    shares = np.full(2000, 0.1)
    shares[800:1200] = share
    found = watch_shares(rng.binomial(20, shares).astype(float))
    assert [change.moved for change in found] == [True, False]


def test_a_share_that_stays_is_not() -> None:
    """Neither chance nor errors that come ten at once make a share move."""
    rng = np.random.default_rng(4)
    assert watch_shares(rng.binomial(20, 0.1, 6000).astype(float)) == []
    clumped = 10.0 * rng.binomial(2, 0.1, 3000)
    assert watch_shares(clumped, clump=10) == []
    assert watch_shares(clumped) != []
