"""The arithmetic of the benchmark of killed workers."""

from __future__ import annotations

import random

import pytest

from tests.benchmarks.kills import Round, lost_seconds, plan_kills


def test_kills_lie_within_the_job() -> None:
    """Moments are in order, between a tenth and nine tenths of all parts."""
    moments = plan_kills(50, random.Random(1))
    assert moments == sorted(moments)
    assert (len(moments), min(moments) >= 20, max(moments) < 180) == (50, True, True)
    assert moments == plan_kills(50, random.Random(1))


def test_lost_work_is_what_was_in_hand() -> None:
    """From a worker's last word to its death; one that never told of anything is not counted."""
    events: list[dict[str, object]] = [
        {"time": 1.0, "started": "x"},
        {"time": 2.0, "done": "a", "worker": 1},
        {"time": 2.5, "done": "b", "worker": 2},
        {"time": 3.25, "lost_worker": 1},
        {"time": 4.0, "lost_worker": 3},
        {"time": 5.0, "ended": "complete"},
    ]
    assert lost_seconds(events) == pytest.approx(1.25)


def test_overhead_is_relative() -> None:
    """A job that takes a tenth longer has an overhead of a tenth."""
    assert Round(10.0, 11.0, 1, 0.5).overhead == pytest.approx(0.1)
