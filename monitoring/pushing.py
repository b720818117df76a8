"""The outcome of a batch for a Pushgateway, which remembers it when the job is gone.

Rules:
1. Only what is true of a batch that is over is pushed: whether and when it was done, how long it
   took, what its ledger says. A Pushgateway never forgets and knows no `up`; all that is live is
   scraped.
2. A push adds to what earlier ones left: the time of the last success stays when a batch fails.
3. A push is bounded in time, and its failure is told to the caller as words: it concerns no record.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http.client import HTTPException
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, pushadd_to_gateway
from prometheus_client.registry import Collector
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.integrity.ledger import Outcome

from .collector import to_family
from .metrics import Metric, MetricType

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from prometheus_client.metrics_core import Metric as Family

GATEWAY_JOB = "sealedbeam_batch"
TIMEOUT_SECONDS = 5.0
FAILED = "failed"

LAST_SUCCESS = Metric(
    "sealedbeam_batch_last_success_timestamp_seconds",
    MetricType.GAUGE,
    "Time of day at which the batch last ended with an index.",
)
LAST_FAILURE = Metric(
    "sealedbeam_batch_last_failure_timestamp_seconds",
    MetricType.GAUGE,
    "Time of day at which the batch last ended without an index.",
)
DURATION = Metric(
    "sealedbeam_batch_duration_seconds", MetricType.GAUGE, "How long the last run of it took."
)
VERDICT = Metric(
    "sealedbeam_batch_verdict",
    MetricType.GAUGE,
    "1 for what the ledger of the last run says, 0 for what it does not.",
    ("ledger",),
)
RECORDS = Metric(
    "sealedbeam_batch_records",
    MetricType.GAUGE,
    "Records that crossed a hop in the last run, by outcome.",
    ("hop", "outcome"),
)
BATCH = (LAST_SUCCESS, LAST_FAILURE, DURATION, VERDICT, RECORDS)
VERDICTS = ("balanced", "imbalanced", "unknown")


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """How a batch ended.

    Attributes:
        batch: its name, the same for every run of it.
        status: complete, incomplete or failed.
        ledger: the verdict.
        duration_seconds: of this run.
        ended_seconds: time of day, since 1970.
        records: by hop and outcome; empty when the job could not go on.
    """

    batch: str
    status: str
    ledger: str
    duration_seconds: float
    ended_seconds: float
    records: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


class BatchCollector(Collector):
    """The metrics of one batch."""

    def __init__(self, outcome: BatchOutcome) -> None:
        """Show `outcome`."""
        self._outcome = outcome

    def collect(self) -> Iterator[Family]:
        """Yield every metric but the time of what did not happen."""
        outcome = self._outcome
        ended = LAST_FAILURE if outcome.status == FAILED else LAST_SUCCESS
        yield to_family(ended, {(): outcome.ended_seconds})
        yield to_family(DURATION, {(): outcome.duration_seconds})
        yield to_family(VERDICT, {(word,): int(word == outcome.ledger) for word in VERDICTS})
        records = {
            (hop, str(kind)): counts.get(kind, 0)
            for hop, counts in outcome.records.items()
            for kind in Outcome
        }
        yield to_family(RECORDS, records)


def check_gateway(url: str) -> str:
    """Return the address of a Pushgateway; raises UsageError when it cannot be one."""
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and parts.hostname and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.query or parts.fragment or parts.username:
        raise UsageError(f"--push-gateway {url!r} is no address such as http://127.0.0.1:9091")
    return url.rstrip("/")


def push_outcome(
    url: str, outcome: BatchOutcome, timeout_seconds: float = TIMEOUT_SECONDS
) -> str | None:
    """Push how a batch ended; return why that failed, None if it did not."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(BatchCollector(outcome))
    try:
        pushadd_to_gateway(
            url,
            job=GATEWAY_JOB,
            registry=registry,
            grouping_key={"batch": outcome.batch},
            timeout=timeout_seconds,
        )
    except (OSError, HTTPException, ValueError) as error:
        return f"the outcome was not pushed to {url}: {error}"
    return None
