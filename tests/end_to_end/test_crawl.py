"""The command `crawl` as its user runs it: over real HTTP, killed and gone on with."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.index.search import Index

from tests.support.jobs import command, environment
from tests.support.local_web import LocalWeb

if TYPE_CHECKING:
    from pathlib import Path

AGENT = "test/1.0 (+mailto:nobody@example.org)"
HOSTS, PAGES = 6, 15


def words(output: Path, *seeds: str, delay_seconds: float = 0.0) -> list[str]:
    """Return the command line of a crawl."""
    return command(
        *("crawl", *seeds, "--output", str(output), "--user-agent", AGENT, "--json"),
        *("--allow-network", "127.0.0.0/8", "--delay-seconds", str(delay_seconds)),
        *("--workers", "2"),
    )


def run(line: list[str], code: int = 0) -> dict[str, Any]:
    """Run a command; return what it prints as JSON."""
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == code, done.stderr
    value: dict[str, Any] = json.loads(done.stdout) if not code else {"error": done.stderr}
    return value


def test_a_crawl_goes_straight_into_an_index(tmp_path: Path) -> None:
    """Crawl and index are one command each; every page of the web is found by its own word."""
    crawled, index = tmp_path / "crawl", tmp_path / "index"
    with LocalWeb(HOSTS, PAGES) as web:
        summary = run(words(crawled, web.url(0, 0)))
        pages = {url for url in web.asked if not url.endswith("/robots.txt")}
        assert pages == web.all_urls()
        assert max(Counter(web.asked).values()) == 1
        assert summary["states"] == {"fetched": HOSTS * PAGES}
        run(command("index", str(crawled), "--output", str(index), "--json"))
        found = Index.open(index)
        for host in range(HOSTS):
            (hit,) = found.search(f"only{host}x7", 10).hits
            assert hit.url == web.url(host, 7)
    for archive in (crawled / "warc").glob("*.warc.gz"):
        check = [sys.executable, "-m", "warcio.cli", "check", str(archive)]
        assert subprocess.run(check, check=False, capture_output=True).returncode == 0


def test_a_crawl_that_is_killed_goes_on(tmp_path: Path) -> None:
    """After every kill all that was answered is kept: only requests under way are repeated."""
    with LocalWeb(HOSTS, PAGES) as web:
        line = words(tmp_path / "crawl", web.url(0, 0), delay_seconds=0.02)
        kills = 0
        for attempt in range(100):
            process = subprocess.Popen(
                line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
            )
            try:
                process.wait(min(1.5 * 1.3**attempt, 60))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                time.sleep(0.2)  # until the workers have died with it
                continue
            said, error = process.communicate()
            assert process.returncode == 0, error
            break
        summary = json.loads(said)
        asked = Counter(url for url in web.asked if not url.endswith("/robots.txt"))
        assert set(asked) == web.all_urls()
        assert asked.total() <= HOSTS * PAGES + kills * HOSTS  # one under way for each host
        assert summary["states"] == {"fetched": HOSTS * PAGES}
        assert summary["ledger"] == "balanced"
        assert not list((tmp_path / "crawl").glob("log/*"))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["http://127.0.0.1/"], "say who crawls"),
        (["no address at all", "--user-agent", AGENT], "is no address of the web"),
        (["ftp://example.org/", "--user-agent", AGENT], "is no address of the web"),
        (["http://x.example/", "--user-agent", AGENT, "--allow-network", "home"], "is no network"),
        (["http://x.example/", "--user-agent", AGENT, "--depth", "-1"], "--depth is -1"),
        (["http://x.example/", "--user-agent", AGENT, "--allow-host", "a b"], "a b"),
    ],
)
def test_what_cannot_be_crawled_is_refused(tmp_path: Path, arguments: list[str], says: str) -> None:
    """A mistake ends in one line and exit code 2, before anything is asked for."""
    line = command("crawl", *arguments, "--output", str(tmp_path / "crawl"), "--json")
    error = run(line, 2)["error"]
    assert says in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "crawl").exists()


def test_addresses_inside_are_not_crawled_without_leave(tmp_path: Path) -> None:
    """A seed on this machine is refused by its address, and the crawl says so."""
    with LocalWeb() as web:
        line = command(
            *("crawl", web.url(0, 0), "--output", str(tmp_path / "crawl"), "--json"),
            *("--user-agent", AGENT),
        )
        summary = run(line)
        assert web.asked == []
        assert summary["states"] == {"failed": 1}
        assert summary["reasons"] == {"refused_address": 1}
