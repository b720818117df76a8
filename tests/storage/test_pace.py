"""Claims about the pace: never faster than the rate, over all who read, and it can be ended."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.storage.pace import Halted, Pace


class Clock:
    """A clock that waiting moves on."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds


@given(st.lists(st.tuples(st.integers(1, 1000), st.floats(0, 5)), min_size=1, max_size=30))
def test_rate_is_kept(pieces: list[tuple[int, float]]) -> None:
    """Since any piece no more was permitted than the rate gives, but for one piece."""
    clock = Clock()
    pace = Pace(100, clock, clock.wait)
    permitted = []
    for amount, idle in pieces:
        clock.now += idle
        pace.take(amount)
        permitted.append((clock.now, amount))
    for start in range(len(permitted)):
        for end in range(start, len(permitted)):
            amount = sum(size for _, size in permitted[start:end])
            assert amount <= 100 * (permitted[end][0] - permitted[start][0]) + 1e-6


def test_without_a_rate_nobody_waits() -> None:
    """No rate, no wait."""
    clock = Clock()
    pace = Pace(None, clock, clock.wait)
    for _ in range(10):
        pace.take(1 << 40)
    assert clock.now == 100.0


def test_halted_pace_permits_nothing() -> None:
    """Who waits is woken, who comes is refused."""
    pace = Pace(1)
    pace.take(1 << 40)  # the next one would wait for thousands of years
    pace.halt()
    with pytest.raises(Halted):
        pace.take(1)
