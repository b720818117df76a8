from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.crawl.frontier import State

from tests.support.crawls import crawl_here, make_context, read_frontier
from tests.support.flipping import DOUBLE_FLIP, FLIP, Rule
from tests.support.local_web import LocalWeb, Reply

if TYPE_CHECKING:
    from pathlib import Path


def pages_asked(web: LocalWeb) -> Counter[str]:
    return Counter(url for url in web.asked if not url.endswith("/robots.txt"))


def test_a_crawl_finds_all_that_can_be_reached(tmp_path: Path) -> None:
    """Every page of all hosts is found, asked for once, and stands in the frontier as fetched."""
    with LocalWeb(hosts=4, pages=15) as web:
        summary = crawl_here(make_context(tmp_path), [web.url(0, 0)])
        assert pages_asked(web) == dict.fromkeys(web.all_urls(), 1)
        robots = [url for url in web.asked if url.endswith("/robots.txt")]
        assert len(robots) == 4
        rows = read_frontier(tmp_path)
        assert {url for url, row in rows.items() if row.state is State.FETCHED} == web.all_urls()
        assert rows[web.url(0, 14)].depth == 3
        assert (summary["ledger"], summary["status"]) == ("balanced", "complete")
        assert summary["states"] == {"fetched": 60}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"depth": 1}, {0, 1, 2}),
        ({"pages": 5}, {0, 1, 2, 3, 4}),
        ({"deny_patterns": ["/[12]$"]}, {0}),
        ({"allow_hosts": ["127.0.1.1"]}, set(range(15))),
    ],
)
def test_limits_hold(tmp_path: Path, options: dict[str, Any], expected: set[int]) -> None:
    """Depth, number of pages and rules for addresses are kept, breadth first."""
    with LocalWeb(hosts=2, pages=15) as web:
        options |= {"deny_hosts": ["127.0.1.2"]} if "allow_hosts" not in options else {}
        crawl_here(make_context(tmp_path, **options), [web.url(0, 0)])
        assert set(pages_asked(web)) == {web.url(0, page) for page in expected}


def test_robots_is_obeyed(tmp_path: Path) -> None:
    """What robots.txt denies is in the frontier as denied, and was never asked for."""
    with LocalWeb(pages=7, robots="User-agent: *\nDisallow: /2\n") as web:
        crawl_here(make_context(tmp_path), [web.url(0, 0)])
        rows = read_frontier(tmp_path)
        assert rows[web.url(0, 2)].state is State.ROBOTS_DENIED
        assert web.url(0, 2) not in web.asked
        assert web.url(0, 5) not in web.asked  # it can be reached by way of page 2 alone


def test_one_flipped_bit_on_the_way_to_the_archive_is_corrected(tmp_path: Path) -> None:
    """Every answer is hit once between fetch and archive, and nothing is asked for twice."""
    with LocalWeb(pages=7) as web:
        summary = crawl_here(make_context(tmp_path, [Rule("fetch", FLIP)]), [web.url(0, 0)])
        assert set(pages_asked(web).values()) == {1}
        assert summary["hops"]["fetch"]["corrected"] == 8
        assert (summary["states"], summary["ledger"]) == ({"fetched": 7}, "balanced")


def test_a_page_that_is_damaged_before_it_is_archived_is_fetched_again(tmp_path: Path) -> None:
    """What no code can put back is dropped as `refetched` and asked for once more, politely."""
    with LocalWeb(pages=7) as web:
        rule = Rule("fetch", DOUBLE_FLIP, task="fetch-0001-000")
        summary = crawl_here(make_context(tmp_path, [rule]), [web.url(0, 0)], workers=1)
        asked = pages_asked(web)
        assert asked.pop(web.url(0, 0)) == 2
        assert set(asked.values()) == {1}
        assert summary["hops"]["fetch"]["dropped"] == 2  # the page, and robots.txt
        assert (summary["states"], summary["ledger"]) == ({"fetched": 7}, "balanced")
        quarantined = list((tmp_path / "quarantine").glob("*.parquet"))
        assert len(quarantined) == 1


def test_equal_pages_are_duplicates_of_the_first(tmp_path: Path) -> None:
    """The same payload at another address is a duplicate of the page that was fetched first."""
    with LocalWeb(pages=3) as web:
        same = Reply(200, b"<p>the same</p>")
        web.special = {"/1": lambda _: same, "/2": lambda _: same}
        crawl_here(make_context(tmp_path), [web.url(0, 0)])
        rows = read_frontier(tmp_path)
        states = Counter(rows[web.url(0, page)].state for page in (1, 2))
        assert states == {State.FETCHED: 1, State.DUPLICATE: 1}
        (duplicate,) = (row for row in rows.values() if row.state is State.DUPLICATE)
        assert rows[duplicate.redirect_to].state is State.FETCHED


def test_redirects_are_states_and_lead_on(tmp_path: Path) -> None:
    """A redirect is kept as one, permanent or temporary, and where it leads is fetched."""
    with LocalWeb(pages=3) as web:
        web.special = {
            "/1": lambda _: Reply(301, b"", (("Location", "/elsewhere"),)),
            "/2": lambda _: Reply(302, b"", (("Location", "/2"),)),
            "/elsewhere": lambda _: Reply(200, b"<p>here</p>"),
        }
        crawl_here(make_context(tmp_path), [web.url(0, 0)])
        rows = read_frontier(tmp_path)
        assert rows[web.url(0, 1)].state is State.REDIRECT_PERMANENT
        assert rows[web.url(0, 2)].state is State.REDIRECT_TEMPORARY
        assert rows[web.url(0, 0).removesuffix("0") + "elsewhere"].state is State.FETCHED


def test_a_finished_crawl_asks_for_nothing_more(tmp_path: Path) -> None:
    """Given again, the command finds everything done and leaves the web alone."""
    with LocalWeb(pages=7) as web:
        context = make_context(tmp_path)
        first = crawl_here(context, [web.url(0, 0)])
        asked = len(web.asked)
        second = crawl_here(context, [web.url(0, 0)])
        assert len(web.asked) == asked
        assert first | {"seconds": 0} == second | {"seconds": 0}
        assert read_frontier(tmp_path)
