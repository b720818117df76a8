"""Crawls of webs whose every page is known: what is found is what can be reached, exactly."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.crawl.robots import ROBOTS_BYTES_MAX
from sealedbeam.pipeline.index.search import Index
from sealedbeam.pipeline.jobs.crawl import fetching, rounds
from warcio.archiveiterator import ArchiveIterator

from tests.support.crawls import crawl_here, make_context, read_frontier
from tests.support.generated_web import PASSING, GeneratedWeb, Kind
from tests.support.hostile_web import LIMITS, SECRET, all_hosts, hostile_web
from tests.support.jobs import Job
from tests.support.web_server import serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOSTS, PAGES, BROKEN_PERCENT = 150, 1_500, 10


class Clock:
    """A clock that goes on by itself, and at once where somebody sleeps, half a minute too far."""

    def __init__(self) -> None:
        self._slept_seconds = 0.0

    def __call__(self) -> float:
        return time.time() + self._slept_seconds

    def sleep(self, seconds: float) -> None:
        self._slept_seconds += seconds + 30


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock of a crawl that has an hour's patience and takes no time to wait."""
    clock = Clock()
    monkeypatch.setattr(rounds, "_PATIENCE_SECONDS", 3_600)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    return clock


def test_a_crawl_finds_exactly_what_can_be_reached(tmp_path: Path, clock: Clock) -> None:
    """The frontier is the oracle's, nothing else was asked for, and the index finds each page."""

    def make_web(port: int) -> GeneratedWeb:
        return GeneratedWeb(HOSTS, PAGES, port, BROKEN_PERCENT)

    with serve(lambda port: make_web(port).answer) as server:
        web = make_web(server.port)
        context = replace(make_context(tmp_path / "crawl"), clock=clock)
        summary = crawl_here(context, [web.url(0)])
    states = {url: row.state.value for url, row in read_frontier(tmp_path / "crawl").items()}
    expected = web.expected()
    assert expected == states
    assert summary["ledger"] == "balanced"
    pages = {web.url(page): page for page in range(PAGES)}
    asked = {url: times for url, times in server.asked.items() if not url.endswith("/robots.txt")}
    assert set(asked) == {url for url in expected if url not in pages or web.is_asked(pages[url])}
    for url, page in pages.items():
        if url in asked:
            # A connection that breaks is tried again at once where it had been used before.
            allowed = (4, 8) if web.kind(page) is Kind.RESET else (PASSING.get(web.kind(page), 1),)
            assert min(allowed) <= asked[url] <= max(allowed), url
    archives = sorted((tmp_path / "crawl" / "warc").glob("*.warc.gz"))
    job = Job.make(tmp_path, archives, part_bytes=1 << 24)
    job.run_here()
    index = Index.open(job.output)
    found: dict[str, str] = {}
    for some in range(0, PAGES, 100):
        query = " ".join(f"only{page}x" for page in range(some, some + 100))
        found |= {hit.url: hit.title for hit in index.search(query, 1_000).hits}
    reached = [url for url, page in pages.items() if url in expected and web.has_text(page)]
    assert {url: f"Page {pages[url]}" for url in reached} == found


def read_archive(archive: Path) -> Iterator[tuple[str, int]]:
    """Yield address and length of each response; raises where a digest is wrong."""
    with archive.open("rb") as stream:
        for record in ArchiveIterator(stream, check_digests="raise"):
            body = record.raw_stream.read()
            if record.rec_type == "response":
                yield record.rec_headers.get_header("WARC-Target-URI"), len(body)


def test_nothing_that_a_server_does_is_a_surprise(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each host of a hostile web ends as it should, in valid archives that can be indexed."""
    monkeypatch.setattr(fetching, "FetchLimits", lambda **_: LIMITS)
    context = replace(make_context(tmp_path / "crawl"), clock=clock)
    with hostile_web(all_hosts()) as web:
        summary = crawl_here(context, web.seeds)
        expected = web.expected() | {
            SECRET.replace("user:hunter2@", ""): "failed robots_unreachable"
        }
    rows = read_frontier(tmp_path / "crawl")
    assert expected == {url: f"{row.state} {row.reason}".strip() for url, row in rows.items()}
    assert summary["ledger"] == "balanced"
    archives = sorted((tmp_path / "crawl" / "warc").glob("*.warc.gz"))
    sizes = {url: size for archive in archives for url, size in read_archive(archive)}
    assert max(sizes.values()) == LIMITS.body_bytes
    of_robots = [size for url, size in sizes.items() if url.endswith("/robots.txt")]
    assert max(of_robots) == ROBOTS_BYTES_MAX + 1
    assert (
        Job.make(tmp_path, archives, part_bytes=1 << 24).run_here().summary["status"] == "complete"
    )
