"""Progress of a crawl: one line a round in a pipe, a live line on a terminal, else nothing."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline import progress
from sealedbeam.pipeline.crawl.fetch import Exchange
from sealedbeam.pipeline.crawl.visitor import Answer, AnswerKind
from sealedbeam.pipeline.crawl_progress import CrawlDisplay, CrawlTally, format_bytes
from sealedbeam.pipeline.crawl_telling import describe_crawl
from sealedbeam.pipeline.jobs.crawl.pulse import Pulse
from sealedbeam.pipeline.jobs.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _no_lines_in_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_LINE_SECONDS", 1e9)


def told(task: str, addresses: int, **others: int) -> dict[str, Any]:
    figures = {"pages": addresses, "failures": 0, "bytes": 100 * addresses, "hosts": 1}
    return {"progress": task, "addresses": addresses, "worker": 9} | figures | others


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def play(stream: io.StringIO, *, quiet: bool = False) -> str:
    """Show a small crawl on a stream; return what was written."""
    with CrawlDisplay(stream, quiet=quiet) as display:
        display.begin("round 1", 3)
        display.note(told("fetch-0001-000", 1))
        display.note(told("fetch-0001-001", 1, failures=1, pages=0))
        display.note({"lost_worker": 7})
        display.note(told("fetch-0001-000", 2))
        display.note({"done": "fetch-0001-000"})
        display.begin("round 1: folding", 0)
        display.begin("waiting 60 s for what is to be tried again", 0)
        display.begin("round 2", 1)
        display.note(told("fetch-0002-000", 1))
        display.begin("round 2: folding", 0)
    return stream.getvalue()


def test_piped_progress_is_a_line_for_each_round() -> None:
    """Each round ends in a line with the figures of the run; waiting and lost workers are told."""
    lines = [line.replace(" (", "  (").split("  ") for line in play(io.StringIO()).splitlines()]
    assert [line[0] for line in lines] == [
        "worker 7 died; its task is given out again",
        "round 1",
        "waiting 60 s for what is to be tried again",
        "round 2",
    ]
    assert lines[1][1:3] == ["3/3 addresses of 2 hosts", "2 pages"]
    assert lines[1][4:] == ["300 B", "1 failure"]
    assert lines[3][1:3] == ["1/1 addresses of 1 host", "3 pages"]


def test_quiet_shows_nothing_and_a_terminal_a_live_line() -> None:
    """Nothing is written when it should be quiet, terminal or not; a terminal is drawn over."""
    assert play(io.StringIO(), quiet=True) == play(Terminal(), quiet=True) == ""
    shown = play(Terminal())
    assert "\x1b" in shown
    assert "worker 7 died" in shown


def test_the_rate_is_that_of_the_round() -> None:
    """Pages a second count from where the round began, whatever was there before."""
    tally = CrawlTally()
    tally.begin("round 1", 5)
    tally.add(told("fetch-0001-000", 5))
    tally.begin("round 2", 50)
    tally.phase_seconds = 100.0
    tally.add(told("fetch-0002-000", 20))
    tally.add(told("fetch-0002-000", 40))
    assert tally.describe(110.0).startswith("round 2  40/50 addresses of 1 host  45 pages (4/s)")


def test_a_task_tells_what_is_new_twice_a_second() -> None:
    """Figures are those of the task so far; without anything new nothing is sent."""
    times: Iterator[float] = iter([0.0, 0.1, 0.2, 0.7, 0.7, 1.9, 1.9])
    sent: list[dict[str, Any]] = []
    pulse = Pulse("fetch-0001-000", Recorder(), lambda **event: sent.append(event), times.__next__)
    page = Exchange("http://a/", 0.0, status=200, body=b"12345")
    pulse(Answer(AnswerKind.ROBOTS, "http://a/robots.txt", "a", page))
    pulse(Answer(AnswerKind.PAGE, "http://a/", "a", page))
    assert sent == []
    gone = Exchange("http://b/", 0.0, status=404)
    pulse(Answer(AnswerKind.PAGE, "http://b/", "b", gone))
    figures = {"addresses": 2, "pages": 1, "failures": 1, "bytes": 10, "hosts": 2}
    assert sent == [{"progress": "fetch-0001-000"} | figures]
    pulse()
    assert len(sent) == 1


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (51_587, "51.6 kB"), (3 * 10**15, "3,000.0 TB")],
)
def test_bytes_are_told_in_decimal_units(number: int, text: str) -> None:
    """A number of bytes has at most four digits before its unit, and one behind the point."""
    assert format_bytes(number) == text


def test_a_summary_says_what_a_stranger_wants_to_know() -> None:
    """Pages, what was no page and why, what was not followed, damage, faults, the verdict."""
    cell = {"records": 9, "intact": 6, "corrected": 1, "retried": 0, "dropped": 2}
    faults = {"injected": 3, "corrected": 1, "retried": 0, "dropped": 2, "masked": 0, "escaped": 0}
    text = describe_crawl(
        {
            "status": "complete",
            "rounds": 2,
            "states": {"fetched": 1234, "duplicate": 1, "robots_denied": 3},
            "reasons": {"status_404": 2},
            "links": 7,
            "links_left": {"deny_host": 4},
            "records": 1240,
            "bytes": 2_000_000,
            "hops": {"fetch": cell},
            "refetched": 2,
            "faults": faults,
            "ledger": "balanced",
            "seconds": 1.25,
        },
        "crawl",
    )
    assert text.splitlines() == [
        (
            "1,235 pages in 2 rounds: 1,234 fetched, 1 duplicate; "
            "1,240 answers archived, bodies of 2.0 MB"
        ),
        "addresses without a page: 3 robots denied",
        "reasons: 2 status 404",
        "7 links found; not followed: 4 deny host",
        "",
        "hop          records    intact corrected   retried   dropped",
        "fetch              9         6         1         0         2",
        "",
        "damaged on the way to the archive, set aside and asked for again: 2 answers",
        "faults: 3 injected = 1 corrected + 0 retried + 2 dropped + 0 masked + 0 escaped",
        "ledger: balanced; status: complete; 1.2 s",
        "archives: crawl/warc   report: crawl/report.html   metrics: crawl/metrics.prom",
    ]
