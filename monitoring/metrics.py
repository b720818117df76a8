"""The metric catalogue: names, help and labels, declared once.

Rules:
1. Labels are bounded: clusters, hops, and words of this program; never a machine, a URL or a file.
2. Metrics are a view of the ledger: no number here is counted anywhere but in the ledger, or in the
   journals of a campaign.
3. What a campaign knows is TRUTH, in a registry and a file of its own, so that alerts cannot peek.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MetricType(StrEnum):
    """How Prometheus is to read a metric."""

    COUNTER = "counter"
    GAUGE = "gauge"


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry of the catalogue."""

    name: str
    type: MetricType
    help: str
    labels: tuple[str, ...] = ()


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
CATALOGUE = (
    RECORDS,
    RECORD_BYTES,
    CORRECTED_BITS,
    RETRY_ATTEMPTS,
    DROPPED_RECORDS,
    PARTS,
    LEDGER_IMBALANCE,
    RUN_INFO,
)

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
