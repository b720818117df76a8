"""What sites ask for is done, over all rounds; what the user limits ends there."""

from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import brotli
import pytest
from sealedbeam.pipeline.crawl.frontier import State
from sealedbeam.pipeline.crawl.urls import host_of

from tests.support.crawls import crawl_here, make_context, read_frontier
from tests.support.local_web import LocalWeb, Reply

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_700_000_000
XML = ("Content-Type", "application/xml")
HTML = ("Content-Type", "text/html")


def page(text: str, *fields: tuple[str, str]) -> Reply:
    return Reply(200, text.encode(), (HTML, *fields))


def names_asked(web: LocalWeb) -> Counter[str]:
    return Counter(url.split("/", 3)[3] for url in web.asked)


def test_site_maps_lead_to_pages_within_the_rules(tmp_path: Path) -> None:
    """Robots.txt, an index, gzip and brotli; what the rules refuse is neither read nor fetched."""
    with LocalWeb(pages=1) as web:
        site = web.url(0, 0).removesuffix("0")
        index = "".join(
            f"<sitemap><loc>{site}{name}</loc></sitemap>"
            for name in ("more.xml.gz", "secret/map.xml", "packed.xml")
        )
        more = f"<urlset><url><loc>{site}docs/1</loc></url><url><loc>{site}b</loc></url></urlset>"
        packed = f"<urlset><url><loc>{site}docs/2</loc></url></urlset>"
        coded = Reply(200, brotli.compress(packed.encode()), (XML, ("Content-Encoding", "br")))
        web.robots = f"Sitemap: {site}index.xml\nSitemap: {site}secret/other.xml"
        web.special = {
            "/docs/0": lambda _: page("start"),
            "/docs/1": lambda _: page("one"),
            "/docs/2": lambda _: page("two"),
            "/index.xml": lambda _: Reply(200, f"<sitemapindex>{index}</sitemapindex>".encode()),
            "/more.xml.gz": lambda _: Reply(200, gzip.compress(more.encode())),
            "/packed.xml": lambda _: coded,
        }
        rules: dict[str, Any] = {
            "allow_prefixes": [f"{site}docs/"],
            "deny_prefixes": [f"{site}secret/"],
        }
        crawl_here(make_context(tmp_path, shards=1, **rules), [f"{site}docs/0"])
        expected = ("robots.txt", "docs/0", "docs/1", "docs/2")
        maps = ("index.xml", "more.xml.gz", "packed.xml")
        assert names_asked(web) == dict.fromkeys((*expected, *maps), 1)
        assert read_frontier(tmp_path)[f"{site}docs/1"].depth == 2


def test_what_pages_ask_for_is_done(tmp_path: Path) -> None:
    """Links that are not to be followed are not; a page not to be indexed is archived all the same.

    Whether it is shown to anybody is for those to decide who search the archive.
    """
    link = '<a href="/{0}">{0}</a>'.format
    with LocalWeb(pages=1) as web:
        web.special = {
            "/0": lambda _: page(
                "".join(map(link, ("meta", "own", "header", "noindex")))
                + '<a rel="ugc nofollow" href="/link">link</a>'
            ),
            "/meta": lambda _: page('<meta name="robots" content="nofollow">' + link("x1")),
            "/own": lambda _: page('<meta name="sealedbeam" content="none">' + link("x2")),
            "/header": lambda _: page(link("x3"), ("X-Robots-Tag", "noindex, nofollow")),
            "/noindex": lambda _: page('<meta name="robots" content="noindex">' + link("y")),
            "/y": lambda _: page("y"),
        }
        crawl_here(make_context(tmp_path, shards=1), [web.url(0, 0)])
        asked = ("robots.txt", "0", "meta", "own", "header", "noindex", "y")
        assert names_asked(web) == dict.fromkeys(asked, 1)
        states = {row.state for row in read_frontier(tmp_path).values()}
        assert states == {State.FETCHED}


def test_a_host_that_asks_for_a_pause_gets_it_in_later_rounds(tmp_path: Path) -> None:
    """No round asks it for anything before; another host is not held up."""
    with LocalWeb(hosts=2, pages=3) as web:
        busy = [True]

        def throttle(header: dict[str, str]) -> Reply | None:
            if not busy[0] or not header["host"].startswith("127.0.1.1:"):
                return None
            return Reply(429, b"", (("Retry-After", "4000"),))

        web.special = {"/1": throttle, "/2": throttle}

        def crawl(seconds: float) -> Counter[str]:
            web.asked.clear()
            context = replace(make_context(tmp_path, shards=1), clock=lambda: seconds)
            crawl_here(context, [web.url(0, 0), web.url(1, 0)])
            return Counter(host_of(url).partition(":")[0] for url in web.asked)

        first = crawl(NOW)
        assert first == {"127.0.1.1": 3, "127.0.1.2": 4}  # a page of the one is left
        busy[0] = False
        assert crawl(NOW + 3_900) == {}
        assert crawl(NOW + 4_001) == {"127.0.1.1": 2}
        assert {row.state for row in read_frontier(tmp_path).values()} == {State.FETCHED}


@pytest.mark.parametrize(
    ("options", "pages"),
    [({"pages_per_host": 2}, 4), ({"max_bytes": 1_200}, 3), ({"max_seconds": 1e-9}, 0)],
)
def test_limits_end_a_crawl(tmp_path: Path, options: dict[str, Any], pages: int) -> None:
    """Pages of a host, bytes of bodies within a round too, time: nothing is begun beyond."""
    with LocalWeb(hosts=2, pages=7) as web:
        size = min(len(web.page(0, number)) for number in range(7))
        assert 400 <= size < 600
        context = make_context(tmp_path, shards=1, connections=1, **options)
        summary = crawl_here(context, [web.url(0, number) for number in range(7)], workers=1)
        assert sum(not url.endswith("/robots.txt") for url in web.asked) == pages
        assert (summary["status"], summary["states"].get("fetched", 0)) == ("complete", pages)
