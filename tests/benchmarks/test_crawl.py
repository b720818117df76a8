"""The crawl's benchmark: its web, its arithmetic, and that a wrong crawl does not get a time."""

from __future__ import annotations

import json
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from selectolax.lexbor import LexborHTMLParser

from tests.benchmarks import crawl, crawl_frontier
from tests.benchmarks.measure import Cost
from tests.support.generated_web import LASTING, GeneratedWeb, Kind

if TYPE_CHECKING:
    from pathlib import Path

WEB = GeneratedWeb(hosts=25, pages=500, port=80, broken_percent=20)


def test_a_web_is_the_same_every_time() -> None:
    """The same numbers make the same pages, and another seed makes others."""
    again, other = replace(WEB), replace(WEB, seed=1)
    assert [WEB.html(page) for page in range(50)] == [again.html(page) for page in range(50)]
    assert WEB.expected() == again.expected()
    assert WEB.html(3) != other.html(3)
    assert {WEB.kind(page) for page in range(500)} == set(Kind)


def test_a_page_has_the_links_that_the_oracle_follows() -> None:
    """What stands in the HTML are the links of the graph, in their order."""
    for page in range(0, 500, 7):
        tree = LexborHTMLParser(WEB.html(page))
        found = [node.attributes["href"] or "" for node in tree.css("a")]
        whole = [href if "://" in href else WEB.root(page) + href for href in found]
        assert [WEB.url(target) for target in WEB.links(page)] == [
            href.partition("#")[0] for href in whole
        ]


def test_some_pages_cannot_be_reached() -> None:
    """The oracle leaves out what no link leads to, and what lies behind what is broken."""
    reached = {url for url in WEB.expected() if not url.endswith(".xml")}
    pages = {WEB.url(page) for page in range(500)}
    assert reached < pages
    sound = replace(WEB, broken_percent=0)
    linked = {WEB.url(target) for page in range(500) for target in sound.links(page)}
    named = {WEB.url(target) for page in range(500) for target in sound.sitemap(page)}
    assert reached <= {WEB.url(0)} | linked | named


def test_a_server_says_what_it_was_asked_for() -> None:
    """The server's process serves the web that it was told of, and counts."""
    described = {"hosts": 3, "pages": 9, "broken_percent": 0, "broken": LASTING}
    with crawl.served(described) as (server, web):
        for _ in range(2):
            with urllib.request.urlopen(web.url(4), timeout=30) as answer:
                assert answer.read().decode() == web.html(4)
        said = server.ask("end")
        assert said["asked"] == {web.url(4): 2}
        assert server.ask("end")["asked"] == {}


def test_a_crawl_that_is_not_exact_gets_no_time(tmp_path: Path) -> None:
    """A page that is missing ends the benchmark, and so does one that is stored twice."""
    with pytest.raises(SystemExit, match=r"wrong states: .* missing \[\('http"):
        crawl.check_ours(WEB, tmp_path, {})
    fetched = [url for url, state in WEB.expected().items() if state == "fetched"]
    pages = [url for url in fetched if not url.endswith(".xml")]
    crawl.check_rival(WEB, store(tmp_path, pages))
    with pytest.raises(SystemExit, match="1 missing"):
        crawl.check_rival(WEB, store(tmp_path, pages[:-1]))
    with pytest.raises(SystemExit, match="stored twice"):
        crawl.check_rival(WEB, store(tmp_path, [*pages, pages[0]]))


def store(folder: Path, urls: list[str]) -> Path:
    """Write down pages as the rival does."""
    lines = "".join(json.dumps([url, 200, 0, 0]) + "\n" for url in urls)
    (folder / "index.jsonl").write_text(lines)
    return folder


def test_ratios_of_crawls_are_taken_within_a_round() -> None:
    """A round in which the machine was twice as slow does not change a ratio."""
    runs = [
        crawl.Run(subject, number, 1_000, Cost(0, wall * slow, wall / 2, 10**6, ""), 0.5, 10**6)
        for number, slow in enumerate((1.0, 2.0, 1.0))
        for subject, wall in (("crawl", 2.0), ("scrapy", 8.0))
    ]
    table = crawl.format_table(runs)
    assert "| crawl | 1,000 | 2.0 | 500 | 1.00 | 1 | 1 | 0.50 | 4.00 | 4.00 |" in table


def test_a_frontier_is_folded_and_selected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Half of what the round has discovered is new; what was fetched is not selected."""
    monkeypatch.setattr(crawl_frontier, "VISITED", 100)
    monkeypatch.setattr(crawl_frontier, "DISCOVERED", 200)
    rows = []
    for step in ("make", "compare", "fold", "select"):
        crawl_frontier.run_step(step, tmp_path, 2_000)
        said = capsys.readouterr().out
        rows.append(json.loads(said)["rows"] if said else None)
    assert rows == [None, 100, 2_100, 2_000 * 2 // 5 - 100 + 100]
