"""Claims about one cluster that changes by itself: it is no burst, and hides none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sealedbeam.faults.bursts import Burst, Mode
from sealedbeam.faults.sphere import source_above
from sealedbeam.monitoring.detection import burst_detector as detector_module
from sealedbeam.monitoring.detection.burst_detector import AlarmKind, BurstDetector

from tests.support.fleet_counts import as_samples, burst_rates, draw_counts, read_world

if TYPE_CHECKING:
    import pytest
    from numpy.typing import NDArray

WORLD = read_world()
NAMES = [cluster.name for cluster in WORLD]
MACHINES = np.array([cluster.machines for cluster in WORLD])
BINS, ONSET, RISE = 130, 80, 70
STARTS = 10 * np.arange(BINS)


def bursts(rates: NDArray[np.float64], detector: BurstDetector) -> list[tuple[str, ...]]:
    """Return the clusters of each update of a burst."""
    counts = draw_counts(np.random.default_rng(3), rates, MACHINES)
    return [
        alarm.clusters
        for place, samples in enumerate(as_samples(NAMES, counts))
        for alarm in detector.observe(10 * place, samples)
        if alarm.kind is AlarmKind.BURST
    ]


def with_tokyo_up(amplitude: float) -> NDArray[np.float64]:
    """Return rates of a burst above the Atlantic while Tokyo, in the dark, errs five-fold."""
    start = float(STARTS[ONSET])
    burst = Burst(Mode.HEMISPHERE, start, source_above(30.0, -40.0, start), 600, amplitude)
    rates = burst_rates(np.full(len(WORLD), 10.0), WORLD, burst, STARTS, 10)
    rates[RISE:, NAMES.index("tokyo")] *= 5.0
    return rates


def test_a_change_alone_is_a_burst_where_nothing_is_asked() -> None:
    """The odds against one cluster are what keeps its change from being told as a burst."""
    assert bursts(with_tokyo_up(0.0), BurstDetector(WORLD)) == []
    assert bursts(with_tokyo_up(0.0), BurstDetector(WORLD, beyond_one_log_odds=-np.inf)) != []


def test_a_changed_cluster_hides_no_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    """The others alone show the burst; where they are not asked, it stays unseen."""
    rates = with_tokyo_up(1.0)
    hit = set(bursts(rates, BurstDetector(WORLD))[-1])
    assert {"dublin", "council-bluffs", "sao-paulo"} <= hit
    assert "tokyo" not in hit
    monkeypatch.setattr(detector_module, "_CHANGED_ALONE_MAX", 0)
    assert bursts(rates, BurstDetector(WORLD)) == []
