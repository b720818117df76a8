"""The history of scrubs as metrics: `scrub.prom`, for the textfile collector of a node exporter.

Its values are the lines of `scrubs.jsonl`. A line that was damaged adds what it still says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.registry import Collector

from . import metrics
from .collector import to_family

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from .collector import Family


class ScrubCollector(Collector):
    """What the scrubs of one output found."""

    def __init__(self, history: Sequence[Mapping[str, Any]]) -> None:
        """Show `history`, the oldest scrub first."""
        self._history = history

    def collect(self) -> Iterator[Family]:
        """Yield every metric of scrubs."""
        whole = [scrub for scrub in self._history if scrub.get("whole") is True]
        sums = {name: self._sum(name) for name in ("bytes", "damaged", "repaired")}
        yield to_family(metrics.SCRUBBED_BYTES, {(): sums["bytes"]})
        yield to_family(metrics.SCRUB_DAMAGED, {(): sums["damaged"]})
        yield to_family(metrics.SCRUB_REPAIRED, {(): sums["repaired"]})
        last = whole[-1] if whole else {}
        left = _number(last, "damaged") - _number(last, "repaired")
        yield to_family(metrics.SCRUB_UNREPAIRED, {(): left} if whole else {})
        yield to_family(metrics.LAST_SCRUB, {(): _number(last, "ended")} if whole else {})

    def _sum(self, name: str) -> float:
        return sum(_number(scrub, name) for scrub in self._history)


def _number(scrub: Mapping[str, Any], name: str) -> float:
    value = scrub.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def render_scrubs(history: Sequence[Mapping[str, Any]]) -> bytes:
    """Return the metrics of the scrubs of one output, the oldest first."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ScrubCollector(history))
    return generate_latest(registry)
