"""Claims about the history: sums and baselines equal slow ones, whatever is taken out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sealedbeam.monitoring.detection.history import History

KEPT, MEMORY, LEARNING = 12, 5.0, 2
CLUSTERS = 2

bins = st.tuples(
    st.tuples(st.integers(0, 50), st.integers(0, 50)),
    st.tuples(st.booleans(), st.booleans()),
    st.booleans(),
)


@dataclass
class Slow:
    """The same by lists and loops."""

    counts: list[list[float]] = field(default_factory=list)
    usable: list[list[bool]] = field(default_factory=list)
    learned: list[list[bool]] = field(default_factory=list)

    def append(self, counts: tuple[int, ...], usable: tuple[bool, ...], *, learn: bool) -> None:
        self.counts.append([c if u else 0 for c, u in zip(counts, usable, strict=True)])
        self.usable.append(list(usable))
        self.learned.append([u and learn for u in usable])

    def window(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        counts = np.array(self.counts[start:stop], float).reshape(-1, CLUSTERS)
        return counts.sum(0), np.array(self.usable[start:stop], float).reshape(-1, CLUSTERS).sum(0)

    def per_bin(self, row: int) -> list[float]:
        rates = []
        for cluster in range(CLUSTERS):
            faded = weight = 0.0
            for counts, learned in zip(self.counts[:row], self.learned[:row], strict=True):
                if learned[cluster]:
                    faded = faded * np.exp(-1 / MEMORY) + counts[cluster]
                    weight = weight * np.exp(-1 / MEMORY) + 1
            rates.append((faded + 0.5) / weight if weight >= LEARNING else 0.0)
        return rates


def fill(rows: list[tuple[tuple[int, int], tuple[bool, bool], bool]]) -> tuple[History, Slow]:
    history, slow = History(CLUSTERS, KEPT, MEMORY, LEARNING), Slow()
    for counts, usable, learn in rows:
        history.append(np.array(counts, float), np.array(usable), learn=learn)
        slow.append(counts, usable, learn=learn)
    return history, slow


def check(history: History, slow: Slow) -> None:
    stop = history.rows
    assert stop == len(slow.counts)
    for start in range(max(history.oldest, stop - KEPT), stop + 1):
        for found, expected in zip(
            history.window(start, stop), slow.window(start, stop), strict=True
        ):
            assert found.tolist() == expected.tolist()
        assert history.baseline(start).per_bin == pytest.approx(slow.per_bin(start))


@settings(max_examples=50, deadline=None)
@given(st.lists(bins, min_size=1, max_size=80))
def test_sums_and_baselines_are_the_slow_ones(
    rows: list[tuple[tuple[int, int], tuple[bool, bool], bool]],
) -> None:
    """Every window and every baseline of the rows kept, also after old ones were dropped."""
    check(*fill(rows))


@settings(max_examples=50, deadline=None)
@given(st.lists(bins, min_size=10, max_size=80), st.integers(1, 9), st.integers(0, 9))
def test_what_is_forgotten_was_missing(
    rows: list[tuple[tuple[int, int], tuple[bool, bool], bool]], ago: int, length: int
) -> None:
    """Rows taken out, of one cluster and of all, count as if never scraped."""
    history, slow = fill(rows)
    start = len(rows) - ago
    stop = min(len(rows), start + length)
    history.forget(start, stop, np.array([True, False]))
    history.hold(start)
    for row in range(start, len(rows)):
        slow.learned[row] = [False, False]
    for row in range(start, stop):
        slow.counts[row][0], slow.usable[row][0] = 0, False
    check(history, slow)
    history.forget(start, stop)
    for row in range(start, stop):
        slow.counts[row], slow.usable[row] = [0, 0], [False, False]
    check(history, slow)


def test_a_restart_forgets_all() -> None:
    """After a restart of one cluster it has no baseline, the other has its own."""
    history, _ = fill([((5, 7), (True, True), True)] * 20)
    history.restart(np.array([True, False]))
    assert history.baseline(20).per_bin[0] == 0
    assert history.baseline(20).per_bin[1] == pytest.approx(7, abs=0.2)


def test_young_baselines_count_for_less() -> None:
    """Counts and expectations are divided by 1 plus the window over what is known."""
    history, _ = fill([((5, 7), (True, True), True)] * 3)
    baseline = history.baseline(3)
    counts, expected = baseline.judge(np.array([9.0, 9.0]), np.array([2.0, 2.0]))
    scale = 1 + 2 / baseline.effective_bins
    assert 2 < baseline.effective_bins[0] < 3.01
    assert (counts * scale).tolist() == pytest.approx([9, 9])
    assert (expected * scale).tolist() == pytest.approx((2 * baseline.per_bin).tolist())
