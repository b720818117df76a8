"""Who looks at a crawl from outside: shows how far it is, counts its faults, writes views of it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .context import CrawlContext
    from .summary import CrawlTotals


class Progress(Protocol):
    """What shows how far a crawl is."""

    def begin(self, phase: str, addresses: int) -> None:
        """Say that a phase begins, in which so many addresses are asked for; 0 in all others."""

    def note(self, event: dict[str, Any]) -> None:
        """Say what happened: a task done or under way, a worker lost."""


class Watcher(Protocol):
    """What looks at a crawl: the simulation of faults, and the monitoring."""

    @property
    def attached(self) -> Mapping[str, bytes]:
        """Files that lie in the output folder before any work, by path."""

    def count_faults(self, journals: Sequence[bytes]) -> dict[str, int] | None:
        """Return the fault figures of the summary, None without a scenario."""

    def judge_faults(self, figures: dict[str, int], *, sealed: bool) -> list[str]:
        """Return why a crawl with these fault figures has failed; nothing when it has not."""

    def publish(self, context: CrawlContext, totals: CrawlTotals, summary: dict[str, Any]) -> None:
        """Write views of the ledger into the output folder."""


class Unwatched:
    """Looks at nothing and writes no views."""

    attached: Mapping[str, bytes] = MappingProxyType({})

    def count_faults(self, journals: Sequence[bytes]) -> dict[str, int] | None:  # noqa: ARG002
        """Return None: no scenario."""
        return None

    def judge_faults(self, figures: dict[str, int], *, sealed: bool) -> list[str]:  # noqa: ARG002
        """Return no objection."""
        return []

    def publish(self, context: CrawlContext, totals: CrawlTotals, summary: dict[str, Any]) -> None:
        """Write nothing."""
