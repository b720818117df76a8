"""Beam metrics in the words of the ledger, under the namespace "sealedbeam"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from apache_beam.metrics import Metrics

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE = "sealedbeam"


def count(counts: Mapping[str, int]) -> None:
    """Add to the counters; zeros too, so that a counter that is absent is never read as zero."""
    for name, number in counts.items():
        Metrics.counter(NAMESPACE, name).inc(number)
