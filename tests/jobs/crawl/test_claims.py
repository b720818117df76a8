"""An address is asked by one worker in a round, and by another one after that has ended."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sealedbeam.pipeline.crawl.frontier import State
from sealedbeam.pipeline.crawl.urls import host_of
from sealedbeam.pipeline.jobs.crawl.claims import AddressClaims
from sealedbeam.pipeline.jobs.crawl.rounds import commit_seeds
from sealedbeam.pipeline.jobs.crawl.steps import CrawlStep, StepKind, run_step

from tests.support.crawls import crawl_here, make_context, read_frontier
from tests.support.jobs import ROOT
from tests.support.local_web import LocalWeb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_HOLD = """
import sys
from pathlib import Path
from sealedbeam.pipeline.jobs.crawl.claims import AddressClaims
with AddressClaims(Path(sys.argv[1])) as claims:
    print(claims.claim(sys.argv[2]), flush=True)
    sys.stdin.read()
"""


@contextmanager
def other_worker(path: Path, address: str) -> Iterator[str]:
    """Claim an address in another process; yields what that was told."""
    command = [sys.executable, "-c", _HOLD, str(path), address]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(30)


def test_one_worker_has_an_address(tmp_path: Path) -> None:
    """Whoever claims first has it to the end, however often the other asks; others are free."""
    path = tmp_path / "log" / "addresses.lock"
    with AddressClaims(path) as claims:
        assert claims.claim("192.0.2.1")
        with other_worker(path, "192.0.2.1") as told:
            assert told == "False"
        with other_worker(path, "192.0.2.2") as told:
            assert told == "True"
            assert not claims.claim("192.0.2.2")
            assert claims.claim("2001:db8::1")
        assert not claims.claim("192.0.2.2")  # in this round it stays with the other
    with other_worker(path, "192.0.2.1") as told:
        assert told == "True"


def test_an_address_of_another_worker_waits_for_the_next_round(tmp_path: Path) -> None:
    """Nothing is asked of it, its pages stay due, and once it is free they are all fetched."""
    with LocalWeb(hosts=2, pages=3) as web:
        context = make_context(tmp_path, shards=1)
        seeds = [web.url(0, 0), web.url(1, 0)]
        commit_seeds(context, seeds)
        with other_worker(tmp_path / "log" / "addresses.lock", "127.0.1.2") as told:
            assert told == "True"
            for step in (
                CrawlStep(StepKind.FOLD, 0),
                CrawlStep(StepKind.SELECT, 1, 0, 1, int(context.clock())),
                CrawlStep(StepKind.FETCH, 1, 0, 1),
            ):
                entry = run_step(context, step, lambda *_: None)
        assert {host_of(url) for url in web.asked} == {host_of(seeds[0])}
        assert entry.counts["answers"] == {"left": 1}
        summary = crawl_here(context, seeds, workers=1)
        assert summary["ledger"] == "balanced"
        rows = read_frontier(tmp_path)
        assert {row.state for row in rows.values()} == {State.FETCHED}
        assert set(rows) == web.all_urls()
