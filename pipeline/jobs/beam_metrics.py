"""What tasks did, as Beam's own counters, so that a runner's reporter shows it beside its figures.

They cross-check the ledger and never replace it: a runner counts attempts, so a task that was done
twice counts twice, and some runners show nothing of them at all. Beam's counters have no labels, so
the values stand in the names; clusters are added up, because a runner may allow a hundred names.
A task counts once, when it has committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from apache_beam.metrics import Metrics
from sealedbeam.pipeline.integrity.ledger import Outcome

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealedbeam.pipeline.integrity.ledger import HopAccount

NAMESPACE = "sealedbeam"


def name_counts(hops: Mapping[str, HopAccount]) -> dict[str, int]:
    """Return what an entry's hops count, zeros included, by the name of Beam's counter."""
    counts = {}
    for hop, account in hops.items():
        cell = account.total()
        for outcome in Outcome:
            counts[f"records_total_{hop}_{outcome}"] = int(getattr(cell, outcome))
        counts[f"record_bytes_total_{hop}"] = cell.bytes
        counts[f"corrected_bits_total_{hop}"] = sum(cell.corrected_bits.values())
        counts[f"retry_attempts_total_{hop}"] = sum(cell.retry_attempts.values())
    return counts


def count(hops: Mapping[str, HopAccount]) -> None:
    """Add an entry's hops to the counters of the step that is running."""
    for name, number in name_counts(hops).items():
        Metrics.counter(NAMESPACE, name).inc(number)
