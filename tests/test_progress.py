"""Progress is a live line on a terminal, plain lines in a pipe, and nothing when quiet."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline import progress
from sealedbeam.pipeline.progress import Display, Tally

if TYPE_CHECKING:
    import pytest


def done(pages: int = 1, **others: int) -> dict[str, Any]:
    return {"pages": pages, "corrected": 0, "retried": 0, "dropped": 0, "done": "t"} | others


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def play(stream: io.StringIO, *, quiet: bool = False) -> str:
    """Show a small job on a stream; return what was written."""
    with Display(stream, quiet=quiet) as display:
        display.begin("parts", 2)
        display.note(done(3, corrected=1))
        display.note({"lost_worker": 7, "exit": -9, "task": "part-00001"})
        display.note(done(4, retried=2, dropped=1))
        display.begin("shards", 1)
        display.note(done(0))
    return stream.getvalue()


def test_piped_progress_is_plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe each phase's end is a line, a lost worker is one, and there are no escapes."""
    monkeypatch.setattr(progress, "_LINE_SECONDS", 1e9)
    shown = play(io.StringIO())
    lines = [line.partition(" (")[0].partition("  ")[0] for line in shown.splitlines()]
    assert lines[-2:] == ["parts 2/2", "shards 1/1"]
    assert lines[-3].startswith("worker 7 died; ")
    assert "7 pages" in shown
    assert "1 corrected, 2 retried, 1 dropped" in shown
    assert "\x1b" not in shown


def test_quiet_shows_nothing() -> None:
    """Nothing is written when it should be quiet, terminal or not."""
    assert play(io.StringIO(), quiet=True) == ""
    assert play(Terminal(), quiet=True) == ""


def test_terminal_has_a_live_line() -> None:
    """A terminal gets a line that is drawn over, and news above it."""
    shown = play(Terminal())
    assert "\x1b" in shown
    assert "worker 7 died" in shown


def test_rate_and_time_left_follow_from_the_clock() -> None:
    """Pages a second over the whole run; time left by the tasks of this phase."""
    tally = Tally(started_seconds=100.0)
    tally.begin("parts", 10)
    tally.phase_seconds = 100.0
    for _ in range(4):
        tally.add(done(25))
    assert tally.describe(120.0) == (
        "parts 4/10  100 pages (5/s)  0 corrected, 0 retried, 0 dropped  about 30 s left"
    )
    tally.begin("shards", 1)
    assert tally.describe(120.0).startswith("shards 0/1  100 pages  0 corrected")


def test_what_an_earlier_run_has_done_says_nothing_about_speed() -> None:
    """Parts that were found done count as done, not as work of this run."""
    tally = Tally(frozenset({"t"}), started_seconds=100.0)
    tally.begin("parts", 10)
    tally.phase_seconds = 100.0
    for _ in range(4):
        tally.add(done(1000))
    assert tally.describe(110.0).startswith("parts 4/10  4,000 pages (0/s)")
    assert "left" not in tally.describe(110.0)
    for _ in range(2):
        tally.add(done(50) | {"done": "new"})
    assert tally.describe(110.0).startswith("parts 6/10  4,100 pages (10/s)")
    assert tally.describe(110.0).endswith("about 20 s left")


def test_stream_that_takes_nothing_ends_no_job() -> None:
    """A reader that has left costs the lines of progress and nothing else."""

    class Broken(io.StringIO):
        def write(self, _text: str) -> int:
            raise BrokenPipeError

    assert play(Broken()) == ""
