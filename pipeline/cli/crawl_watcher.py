"""What looks at a crawl from outside: counts its faults, and writes their metrics."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from .observer import JobObserver

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sealedbeam.pipeline.jobs.crawl.context import CrawlContext
    from sealedbeam.pipeline.jobs.crawl.summary import CrawlTotals


class CrawlWatcher:
    """Counts the faults of a scenario, and writes what a crawl leaves for Prometheus."""

    def __init__(self, command: str, scenario: str, attached: Mapping[str, bytes]) -> None:
        """Watch a crawl that `command` started.

        Args:
            command: the command line.
            scenario: the fault plan, empty without one.
            attached: what belongs to it and lies in the output folder, by path.
        """
        self._faults = JobObserver(command, scenario)
        self.command = command
        self.attached = attached

    def count_faults(self, journals: Sequence[bytes]) -> dict[str, int] | None:
        """Return the faults by outcome, None without a scenario."""
        return self._faults.count_faults(journals)

    def judge_faults(self, figures: dict[str, int], *, sealed: bool) -> list[str]:
        """Object where faults are unaccounted for, and where one escaped that a seal must show."""
        return self._faults.judge_faults(figures, sealed=sealed)

    def publish(self, context: CrawlContext, totals: CrawlTotals, summary: dict[str, Any]) -> None:
        """Write metrics.prom and report.html, and under a scenario faults.prom."""
        from sealedbeam.monitoring.publish import publish

        publish(Path(context.output), totals, summary, self.command)
