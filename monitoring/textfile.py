"""Views as files in Prometheus' text format: the same view gives the same bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest

from .collector import TruthCollector
from .job_collector import JobCollector

if TYPE_CHECKING:
    from prometheus_client.registry import Collector

    from .view import Campaign, View


def render_ledger(view: View) -> bytes:
    """Return the metrics of a job's ledger."""
    return _render(JobCollector(view))


def render_truth(campaign: Campaign) -> bytes:
    """Return the metrics of a campaign's ground truth, which belong in a file of their own."""
    return _render(TruthCollector(campaign))


def _render(collector: Collector) -> bytes:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return generate_latest(registry)
