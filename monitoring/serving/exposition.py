"""The metrics of jobs in the format that a scraper asks for: Prometheus' text, or OpenMetrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector
from sealedbeam.monitoring import metrics
from sealedbeam.monitoring.collector import to_family

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from prometheus_client.metrics_core import Metric

JOB_LABEL = "job_name"
DAMAGED = "damaged"
_OPENMETRICS = "application/openmetrics-text"
CONTENT_TYPES = {False: CONTENT_TYPE_PLAIN_0_0_4, True: openmetrics.CONTENT_TYPE_LATEST}


def wants_openmetrics(accept: str) -> bool:
    """Whether an Accept header names OpenMetrics and does not refuse it."""
    for offer in accept.lower().split(","):
        kind, *parameters = (part.strip() for part in offer.split(";"))
        if kind == _OPENMETRICS:
            return not any(word.rstrip("0.") in {"q=", "q"} for word in parameters)
    return False


def render_metrics(jobs: Mapping[str, Collector], *, labelled: bool, as_openmetrics: bool) -> bytes:
    """Return the metrics of jobs, by name; where they are `labelled` each bears its job's name."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Merged(jobs) if labelled else _Chained(jobs.values()))
    generate = openmetrics.generate_latest if as_openmetrics else generate_latest
    text: bytes = generate(registry)
    return text


class DamagedCollector(Collector):
    """What is known of a job that cannot be read: that it is there, and damaged."""

    def collect(self) -> Iterator[Metric]:
        """Yield the metric that tells how a job is."""
        words = {"status": DAMAGED}
        labels = tuple(words.get(label, "") for label in metrics.RUN_INFO.labels)
        yield to_family(metrics.RUN_INFO, {labels: 1})


class _Chained(Collector):
    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._collectors = collectors

    def collect(self) -> Iterator[Metric]:
        for collector in self._collectors:
            yield from collector.collect()


class _Merged(Collector):
    """One family of each name, as the format demands, with the samples of all jobs."""

    def __init__(self, jobs: Mapping[str, Collector]) -> None:
        self._jobs = jobs

    def collect(self) -> Iterator[Metric]:
        families: dict[str, Metric] = {}
        for name, collector in self._jobs.items():
            for family in collector.collect():
                into = families.setdefault(family.name, family)
                labelled = [
                    sample._replace(labels={JOB_LABEL: name, **sample.labels})
                    for sample in family.samples
                ]
                into.samples = labelled if into is family else into.samples + labelled
        yield from families.values()
