"""The requests of a crawl, from the counts of its ledger: what came of them, how long they took.

Each request counts once: the counts are those of tasks that have committed, and a task that was
stopped before it could commit goes on from its log.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_OUTCOMES, _BUCKETS, _MICROSECONDS = "fetches", "fetch_seconds", "fetch_microseconds"
CRAWL = "crawl"
"""What the configuration of a crawl calls its work."""


@dataclass(frozen=True, slots=True)
class Fetches:
    """Requests by outcome, and by the upper bound of the bucket that their time falls into."""

    outcomes: Mapping[str, int] = field(default_factory=dict)
    buckets: Mapping[str, int] = field(default_factory=dict)
    microseconds: int = 0


def read_fetches(
    configuration: Mapping[str, Any], counts: Mapping[str, Mapping[str, int]]
) -> Fetches | None:
    """Return the requests that a job's ledger counts, None for a job that makes none."""
    if configuration.get("work") != CRAWL:
        return None
    return Fetches(
        counts.get(_OUTCOMES, {}),
        counts.get(_BUCKETS, {}),
        sum(counts.get(_MICROSECONDS, {}).values()),
    )
