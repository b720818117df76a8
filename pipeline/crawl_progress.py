"""Shows how far a crawl is: one line a round when piped, a live line on a terminal."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .display import quantity
from .progress import Display

if TYPE_CHECKING:
    from typing import TextIO

_FIGURES = ("addresses", "pages", "failures", "bytes", "hosts")
_UNITS = ("B", "kB", "MB", "GB", "TB")
_UNIT = 1000


@dataclass(slots=True)
class CrawlTally:
    """The figures of this run of a crawl so far.

    `tasks` and `done` are the addresses of a round, and those of them that were answered; both are
    0 where no round is being fetched.
    """

    phase: str = "preparing"
    tasks: int = 0
    done: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    pages_before: int = 0
    phase_seconds: float = field(default_factory=time.monotonic)
    told: dict[str, Counter[str]] = field(default_factory=dict)
    """The last figures of each task of this round."""

    def begin(self, phase: str, tasks: int) -> None:
        """Start a phase."""
        self.phase, self.tasks, self.done = phase, tasks, 0
        if tasks:
            self.told.clear()
            self.pages_before = self.counts["pages"]
            self.phase_seconds = time.monotonic()

    def add(self, event: dict[str, Any]) -> None:
        """Count what a task under way tells: its figures from its beginning."""
        task = event.get("progress")
        if task is None:
            return
        figures = Counter({name: event[name] for name in _FIGURES})
        self.counts += figures - self.told.get(task, Counter())
        self.told[task] = figures
        self.done = self._of_round("addresses")

    def describe(self, now_seconds: float) -> str:
        """Return the figures in words."""
        counts, hosts = self.counts, self._of_round("hosts")
        rate = (counts["pages"] - self.pages_before) / max(1e-9, now_seconds - self.phase_seconds)
        text = self.phase
        if self.tasks:
            text += f"  {self.done:,}/{self.tasks:,} addresses of {quantity(hosts, 'host')}"
        text += f"  {quantity(counts['pages'], 'page')}"
        if self.tasks:
            text += f" ({rate:,.0f}/s)"
        return f"{text}  {format_bytes(counts['bytes'])}  {quantity(counts['failures'], 'failure')}"

    def _of_round(self, name: str) -> int:
        return sum(figures[name] for figures in self.told.values())


class CrawlDisplay(Display):
    """Tells of a crawl's progress; a context manager."""

    def __init__(self, stream: TextIO, *, quiet: bool) -> None:
        """Write to `stream` unless `quiet`."""
        super().__init__(stream, quiet=quiet, tally=CrawlTally())

    def begin(self, phase: str, tasks: int) -> None:
        """Say that a phase begins; the round before it is told with its final figures."""
        if self._tally.tasks:
            self._show(force=True)
        elif not tasks:
            self._print(phase)
        super().begin(phase, tasks)

    def note(self, event: dict[str, Any]) -> None:
        """Say what happened: a task done or under way, a worker lost."""
        if "lost_worker" in event:
            super().note(event)
            return
        self._tally.add(event)
        self._show(force=False)


def format_bytes(number: int) -> str:
    """Return a number of bytes to read, in decimal units."""
    value, unit = float(number), _UNITS[0]
    for larger in _UNITS[1:]:
        if value < _UNIT:
            break
        value, unit = value / _UNIT, larger
    return f"{value:,.0f} {unit}" if unit == _UNITS[0] else f"{value:,.1f} {unit}"
