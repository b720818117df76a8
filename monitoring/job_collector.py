"""All metrics of one job: those of its ledger, and of a crawl those of its requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

from . import metrics
from .collector import LedgerCollector, to_family

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client.metrics_core import Metric

    from .fetches import Fetches
    from .view import View

_INFINITE = "+Inf"


class JobCollector(Collector):
    """The catalogue's metrics of one job, and of a crawl those of its requests."""

    def __init__(self, view: View) -> None:
        """Show `view`."""
        self._view = view

    def collect(self) -> Iterator[Metric]:
        """Yield every metric that a job of this kind has."""
        yield from LedgerCollector(self._view).collect()
        fetches = self._view.fetches
        if fetches is None:
            return
        known = dict.fromkeys(metrics.FETCH_OUTCOMES, 0) | dict(fetches.outcomes)
        yield to_family(metrics.FETCHES, {(outcome,): number for outcome, number in known.items()})
        yield _to_histogram(fetches)


def _to_histogram(fetches: Fetches) -> HistogramMetricFamily:
    metric = metrics.FETCH_DURATION
    family = HistogramMetricFamily(metric.name, metric.help, unit=metric.unit)
    buckets: list[tuple[str, float]] = []
    total = 0
    for bound in (*map(str, metrics.FETCH_BOUNDS_SECONDS), _INFINITE):
        total += fetches.buckets.get(bound, 0)
        buckets.append((bound, total))
    family.add_metric((), buckets, fetches.microseconds / 1e6)
    return family
