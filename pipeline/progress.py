"""Shows how far a job is: a live line on a terminal, plain lines when piped, nothing when quiet.

What the line says comes from a tally: of an index job, or of a crawl.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self, TextIO

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress as Bar
    from rich.progress import TaskID

_LINE_SECONDS = 5.0  # between plain lines of one phase


class Figures(Protocol):
    """A tally: `done` of `tasks` in this phase, and more in words."""

    tasks: int
    done: int

    def begin(self, phase: str, tasks: int) -> None:
        """Start a phase."""

    def add(self, event: dict[str, Any]) -> None:
        """Count an event."""

    def describe(self, now_seconds: float) -> str:
        """Return the figures in words."""


@dataclass(slots=True)
class Tally:
    """The figures of a run so far.

    `found` names the tasks that an earlier run has committed: they are counted as done, and say
    nothing about how fast this run is.
    """

    found: frozenset[str] = frozenset()
    phase: str = ""
    tasks: int = 0
    done: int = 0
    pages: int = 0
    corrected: int = 0
    retried: int = 0
    dropped: int = 0
    found_pages: int = 0
    found_tasks: int = 0
    started_seconds: float = field(default_factory=time.monotonic)
    phase_seconds: float = field(default_factory=time.monotonic)

    def begin(self, phase: str, tasks: int) -> None:
        """Start a phase."""
        self.phase, self.tasks, self.done, self.found_tasks = phase, tasks, 0, 0
        self.phase_seconds = time.monotonic()

    def add(self, event: dict[str, Any]) -> None:
        """Count one finished task."""
        self.done += 1
        for name in ("pages", "corrected", "retried", "dropped"):
            setattr(self, name, getattr(self, name) + event[name])
        if event["done"] in self.found:
            self.found_tasks += 1
            self.found_pages += event["pages"]

    def describe(self, now_seconds: float) -> str:
        """Return the figures in words."""
        rate = (self.pages - self.found_pages) / max(1e-9, now_seconds - self.started_seconds)
        text = f"{self.phase} {self.done}/{self.tasks}  {self.pages:,} pages"
        if self.phase == "parts":
            text += f" ({rate:,.0f}/s)"
        text += (
            f"  {self.corrected:,} corrected, {self.retried:,} retried, {self.dropped:,} dropped"
        )
        if self.found_tasks < self.done < self.tasks:
            each = (now_seconds - self.phase_seconds) / (self.done - self.found_tasks)
            text += f"  about {each * (self.tasks - self.done):,.0f} s left"
        return text


class Display:
    """Tells of a job's progress on `stream`; a context manager."""

    def __init__(self, stream: TextIO, *, quiet: bool, tally: Figures | None = None) -> None:
        """Write what `tally` says to `stream` unless `quiet`; by default that of an index job."""
        self._stream = stream
        self._quiet = quiet
        self._tally = tally or Tally()
        self._last_seconds = 0.0
        self._bar: Bar | None = None
        self._row: TaskID | None = None

    def __enter__(self) -> Self:
        if not self._quiet and self._stream.isatty():
            from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
            from rich.progress import BarColumn, Progress, TextColumn  # noqa: PLC0415

            console = Console(file=self._stream)
            columns = (BarColumn(bar_width=12), TextColumn("{task.description}"))
            self._bar = Progress(*columns, console=console, transient=True)
            self._row = self._bar.add_task("preparing", total=None)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, phase: str, tasks: int) -> None:
        """Say that a phase of `tasks` tasks begins."""
        self._tally.begin(phase, tasks)
        self._show(force=False)

    def note(self, event: dict[str, Any]) -> None:
        """Say what happened: a task done, or a worker lost."""
        if "lost_worker" in event:
            self._print(f"worker {event['lost_worker']} died; its task is given out again")
            return
        self._tally.add(event)
        self._show(force=self._tally.done == self._tally.tasks)

    def _show(self, *, force: bool) -> None:
        now = time.monotonic()
        if self._bar is not None and self._row is not None:
            tally = self._tally
            self._bar.update(
                self._row,
                total=tally.tasks or None,
                completed=tally.done,
                description=tally.describe(now),
            )
        elif force or now - self._last_seconds >= _LINE_SECONDS:
            self._last_seconds = now
            if self._tally.done:
                self._print(self._tally.describe(now))

    def _print(self, line: str) -> None:
        if self._bar is not None:
            self._bar.console.print(line, highlight=False)
        elif not self._quiet:
            with suppress(OSError):  # a reader that has left, or a full disk, ends no job
                print(line, file=self._stream, flush=True)
