"""The metric catalogue: names, help and labels, declared once.

Rules:
1. Labels are bounded: clusters, hops, and words of this program; never a machine, a URL or a file.
2. Metrics are a view of the ledger: no number here is counted anywhere but in the ledger, in the
   journals and counters of a campaign, or in its plan.
3. What a campaign knows is TRUTH, in a registry and a file of its own, so that alerts cannot peek.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MetricType(StrEnum):
    """How Prometheus is to read a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the catalogue; `unit` is empty for what is counted in things."""

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...] = ()
    unit: str = ""


RECORDS = Metric(
    "sealedbeam_records_total",
    MetricType.COUNTER,
    "Records that crossed a hop, each with its one final outcome.",
    ("cluster", "hop", "outcome"),
)
RECORD_BYTES = Metric(
    "sealedbeam_record_bytes_total",
    MetricType.COUNTER,
    "Bytes of the records that were accepted at a hop, as they were sealed.",
    ("cluster", "hop"),
    "bytes",
)
CORRECTED_BITS = Metric(
    "sealedbeam_corrected_bits_total",
    MetricType.COUNTER,
    "Flipped bits that were put right, in records and in the heads of blocks.",
    ("cluster", "hop", "method"),
)
RETRY_ATTEMPTS = Metric(
    "sealedbeam_retry_attempts_total",
    MetricType.COUNTER,
    "Attempts to make a record again, by what was wrong with the delivery before.",
    ("cluster", "hop", "reason"),
)
DROPPED_RECORDS = Metric(
    "sealedbeam_dropped_records_total",
    MetricType.COUNTER,
    "Records that no delivery brought over a hop, by what was wrong with the last one.",
    ("cluster", "hop", "reason"),
)
ECC_ERRORS = Metric(
    "sealedbeam_ecc_errors_total",
    MetricType.COUNTER,
    "Errors of memory that the simulated machines' own hardware counted.",
    ("cluster", "outcome"),
)
AFFECTED_MACHINES = Metric(
    "sealedbeam_affected_machines",
    MetricType.GAUGE,
    "Distinct machines with an error of memory or a damaged delivery, in the newest window.",
    ("cluster",),
)
MACHINE_FAILURES = Metric(
    "sealedbeam_machine_failures_total",
    MetricType.COUNTER,
    "Machines that failed or were impaired in the simulated fleet, by what it was that failed.",
    ("cluster", "scope"),
)
AUDITED_RECORDS = Metric(
    "sealedbeam_audited_records_total",
    MetricType.COUNTER,
    "Pages that several machines parsed, by what came of comparing the results.",
    ("outcome",),
)
PARTS = Metric("sealedbeam_parts", MetricType.GAUGE, "Parts of the input, by state.", ("state",))
LEDGER_IMBALANCE = Metric(
    "sealedbeam_ledger_imbalance_records",
    MetricType.GAUGE,
    "Records by which the ledger is out; anything but 0 means that something was lost silently.",
)
RUN_INFO = Metric(
    "sealedbeam_run_info",
    MetricType.GAUGE,
    "1, with what the job was and how it ended.",
    ("configuration_hash", "ledger", "protection", "scenario", "seed", "status"),
)
LAST_SUCCESS = Metric(
    "sealedbeam_last_success_timestamp_seconds",
    MetricType.GAUGE,
    "Time of day at which the job was done; absent until then, and where no clock was read.",
    unit="seconds",
)
CLUSTER_INFO = Metric(
    "sealedbeam_cluster_info",
    MetricType.GAUGE,
    "1, with where a simulated cluster stands, in degrees; absent where that is not known.",
    ("cluster", "latitude", "longitude"),
)
CATALOGUE = (
    RECORDS,
    RECORD_BYTES,
    CORRECTED_BITS,
    RETRY_ATTEMPTS,
    DROPPED_RECORDS,
    ECC_ERRORS,
    AFFECTED_MACHINES,
    MACHINE_FAILURES,
    AUDITED_RECORDS,
    PARTS,
    LEDGER_IMBALANCE,
    RUN_INFO,
    CLUSTER_INFO,
    LAST_SUCCESS,
)

ECC_CORRECTED, ECC_UNCORRECTED = "corrected", "uncorrected"
FAILURE_SCOPES = (
    "machine",
    "rack",
    "power",
    "overheating",
    "network",
    "wonky_rack",
    "slow_machine",
)
AUDIT_OUTCOMES = ("agreed", "outvoted", "undecided")

FETCHES = Metric(
    "sealedbeam_fetches_total",
    MetricType.COUNTER,
    "Requests that a crawl made, by what came of them.",
    ("outcome",),
)
FETCH_DURATION = Metric(
    "sealedbeam_fetch_duration_seconds",
    MetricType.HISTOGRAM,
    "How long the requests of a crawl took, from the name to the last byte.",
    unit="seconds",
)
CRAWLS = (FETCHES, FETCH_DURATION)
FETCH_OUTCOMES = (
    "fetched",
    "not_modified",
    "redirect_permanent",
    "redirect_temporary",
    "gone",
    "failed",
    "robots",
)
FETCH_BOUNDS_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)

FAULTS_INJECTED = Metric(
    "sealedbeam_faults_injected_total",
    MetricType.COUNTER,
    "Faults that the scenario injected.",
    ("cluster", "kind"),
)
FAULTS_ESCAPED = Metric(
    "sealedbeam_faults_escaped_total",
    MetricType.COUNTER,
    "Faults after which altered bytes were accepted as the record.",
)
TRUTH = (FAULTS_INJECTED, FAULTS_ESCAPED)

SCRUBBED_BYTES = Metric(
    "sealedbeam_scrub_bytes_total",
    MetricType.COUNTER,
    "Stored bytes that scrubs have read and verified.",
    unit="bytes",
)
SCRUB_DAMAGED = Metric(
    "sealedbeam_scrub_damaged_files_total",
    MetricType.COUNTER,
    "Stored files that scrubs have found damaged.",
)
SCRUB_REPAIRED = Metric(
    "sealedbeam_scrub_repaired_files_total",
    MetricType.COUNTER,
    "Stored files that scrubs have repaired.",
)
SCRUB_UNREPAIRED = Metric(
    "sealedbeam_scrub_unrepaired_files",
    MetricType.GAUGE,
    "Stored files that the last whole scrub left damaged; absent before there was one.",
)
LAST_SCRUB = Metric(
    "sealedbeam_scrub_last_timestamp_seconds",
    MetricType.GAUGE,
    "Time of day at which the last whole scrub ended; absent before there was one.",
    unit="seconds",
)
SCRUBS = (SCRUBBED_BYTES, SCRUB_DAMAGED, SCRUB_REPAIRED, SCRUB_UNREPAIRED, LAST_SCRUB)
