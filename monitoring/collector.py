"""Prometheus collectors over a view: exact, in one order, with a zero for each known label set.

A label set is known before anything happened in it, so that the first increment is not lost between
two scrapes. Words that the ledger has and this module does not know are exported as well.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector
from sealedbeam.pipeline.integrity.block import LossReason
from sealedbeam.pipeline.integrity.correction import Method
from sealedbeam.pipeline.integrity.ladder import NOT_REPRODUCIBLE
from sealedbeam.pipeline.integrity.ledger import Cell, Outcome

from . import metrics
from .metrics import Metric, MetricType
from .timeline import list_sites
from .view import PART_STATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .view import Campaign, View

_REASONS = (*LossReason, NOT_REPRODUCIBLE)
Labels = TypeVar("Labels", bound=tuple[str, ...])
Family = CounterMetricFamily | GaugeMetricFamily
Place = tuple[str, str]
Labelled = dict[tuple[str, str, str], int]


def to_family(metric: Metric, samples: Mapping[Labels, float]) -> Family:
    """Return a metric with its samples by label values, in the order of the labels."""
    make = CounterMetricFamily if metric.type is MetricType.COUNTER else GaugeMetricFamily
    family = make(metric.name, metric.help, labels=metric.labels, unit=metric.unit)
    for labels, number in sorted(samples.items()):
        family.add_metric(labels, number)
    return family


class LedgerCollector(Collector):
    """The catalogue's metrics of one job."""

    def __init__(self, view: View) -> None:
        """Show `view`."""
        self._view = view

    def collect(self) -> Iterator[Family]:
        """Yield every metric of the catalogue."""
        cells = sum_by_cluster(self._view)
        yield to_family(metrics.RECORDS, _count_records(cells))
        yield to_family(metrics.RECORD_BYTES, {key: cell.bytes for key, cell in cells.items()})
        yield to_family(metrics.CORRECTED_BITS, _count_words(cells, "corrected_bits", Method))
        yield to_family(metrics.RETRY_ATTEMPTS, _count_words(cells, "retry_attempts", _REASONS))
        yield to_family(metrics.DROPPED_RECORDS, _count_words(cells, "dropped_reasons", _REASONS))
        yield from self._collect_machines(sorted({cluster for cluster, _ in cells}))
        audit = {(name,): self._view.audit.get(name, 0) for name in metrics.AUDIT_OUTCOMES}
        yield to_family(metrics.AUDITED_RECORDS, audit)
        parts = {(state,): self._view.parts.get(state, 0) for state in PART_STATES}
        yield to_family(metrics.PARTS, parts)
        imbalance = self._view.reconciliation.imbalance_records
        yield to_family(metrics.LEDGER_IMBALANCE, {(): imbalance})
        yield to_family(metrics.RUN_INFO, {self._describe_run(): 1})
        yield to_family(metrics.CLUSTER_INFO, dict.fromkeys(self._describe_clusters(), 1))
        if self._view.success_seconds is not None:
            yield to_family(metrics.LAST_SUCCESS, {(): self._view.success_seconds})

    def _collect_machines(self, clusters: Sequence[str]) -> Iterator[Family]:
        """Yield what the machines of a simulated fleet had, by cluster."""
        view = self._view
        errors = dict.fromkeys(
            product(clusters, (metrics.ECC_CORRECTED, metrics.ECC_UNCORRECTED)), 0
        )
        for each in (view.counters, view.journal_errors):
            for cluster, number in each.corrected_by_cluster.items():
                errors[cluster, metrics.ECC_CORRECTED] += number
            for cluster, number in each.uncorrected_by_cluster.items():
                errors[cluster, metrics.ECC_UNCORRECTED] += number
        yield to_family(metrics.ECC_ERRORS, errors)
        affected = {(cluster,): view.affected_lately.get(cluster, 0) for cluster in clusters}
        yield to_family(metrics.AFFECTED_MACHINES, affected)
        failures = dict.fromkeys(product(clusters, metrics.FAILURE_SCOPES), 0)
        for failure in view.campaign.failures if view.campaign else ():
            failures[failure.cluster, failure.scope] += failure.machines
        yield to_family(metrics.MACHINE_FAILURES, failures)

    def _describe_clusters(self) -> Iterator[tuple[str, ...]]:
        for site in list_sites(self._view):
            place = site.latitude_degrees, site.longitude_degrees
            if None not in place:
                yield (site.name, *(f"{degrees:g}" for degrees in place))

    def _describe_run(self) -> tuple[str, ...]:
        view, campaign = self._view, self._view.campaign
        values = {
            **{name: str(view.summary.get(name, "")) for name in metrics.RUN_INFO.labels},
            "configuration_hash": view.configuration_hash,
            "scenario": campaign.name if campaign else "",
        }
        return tuple(values[name] for name in metrics.RUN_INFO.labels)


class TruthCollector(Collector):
    """What a campaign knows and the pipeline must not."""

    def __init__(self, campaign: Campaign) -> None:
        """Show `campaign`."""
        self._campaign = campaign

    def collect(self) -> Iterator[Family]:
        """Yield the faults injected and escaped."""
        campaign = self._campaign
        known = dict.fromkeys(product(campaign.clusters, campaign.kinds), 0)
        yield to_family(metrics.FAULTS_INJECTED, known | dict(campaign.injected))
        yield to_family(metrics.FAULTS_ESCAPED, {(): campaign.escaped})


def sum_by_cluster(view: View) -> dict[Place, Cell]:
    """Return the ledger by (cluster, hop) over all time, with every pair that there is."""
    clusters = [site.name for site in list_sites(view)]
    return {key: view.sums.get(key, Cell()) for key in product(sorted(clusters), view.hops)}


def _count_records(cells: Mapping[Place, Cell]) -> Labelled:
    return {
        (*key, str(outcome)): getattr(cell, outcome)
        for key, cell in cells.items()
        for outcome in Outcome
    }


def _count_words(cells: Mapping[Place, Cell], name: str, known: Iterable[str]) -> Labelled:
    """Return the counts by word that each cell has under `name`, zeros included."""
    words = [str(word) for word in known]
    return {
        (*key, word): number
        for key, cell in cells.items()
        for word, number in (dict.fromkeys(words, 0) | getattr(cell, name)).items()
    }
