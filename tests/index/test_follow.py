from __future__ import annotations

import pytest
from sealedbeam.pipeline.index.follow import read_links
from sealedbeam.pipeline.records import Page

URL = "http://example.org/folder/page.html"


def page(html: str, content_type: str = "text/html; charset=utf-8") -> Page:
    return Page("response", URL, "", 200, content_type, "", "", html.encode())


def test_links_are_resolved_in_order_and_once() -> None:
    """All kinds of references come out as absolute addresses, each once."""
    html = """<base href="/other/"><p><a href="a.html">A</a> <a href="../b.html#part">B</a>
    <a href="a.html">again</a> <map><area href="http://elsewhere.example/"></map>
    <a href="mailto:x@example.org">mail</a> <a href="#top">top</a> <a>none</a>"""
    assert read_links(page(html), "sealedbeam") == (
        "http://example.org/other/a.html",
        "http://example.org/b.html",
        "http://elsewhere.example/",
    )


def test_a_link_that_is_not_to_be_followed_is_left() -> None:
    """rel=nofollow leaves out that link alone, whatever stands beside it."""
    html = '<a rel="noopener NOFOLLOW" href="a">A</a><a rel="nofollowing" href="b">B</a>'
    assert read_links(page(html), "sealedbeam") == ("http://example.org/folder/b",)


@pytest.mark.parametrize(
    ("head", "followed"),
    [
        ('<meta name="robots" content="noindex, nofollow">', False),
        ('<meta name="ROBOTS" content="NONE">', False),
        ('<meta name="sealedbeam" content="nofollow">', False),
        ('<meta name="otherbot" content="nofollow">', True),
        ('<meta name="robots" content="noindex">', True),
        ('<meta name="description" content="nofollow">', True),
    ],
)
def test_a_page_can_ask_to_leave_all_its_links(head: str, followed: bool) -> None:  # noqa: FBT001
    """The meta element speaks to all crawlers, or to the one that it names."""
    links = read_links(page(f'<head>{head}</head><a href="a">A</a>'), "sealedbeam")
    assert bool(links) == followed


@pytest.mark.parametrize(
    ("tag", "followed"),
    [
        ("nofollow", False),
        ("noindex, none", False),
        ("SealedBeam: nofollow", False),
        ("otherbot: nofollow", True),
        ("noarchive", True),
    ],
)
def test_a_server_can_ask_the_same(tag: str, followed: bool) -> None:  # noqa: FBT001
    """X-Robots-Tag is to all, or to the crawler whose name stands before the colon."""
    links = read_links(page('<a href="a">A</a>'), "sealedbeam", ["noodp", tag])
    assert bool(links) == followed


@pytest.mark.parametrize("content_type", ["text/plain", "application/pdf", "image/svg+xml"])
def test_what_is_no_html_has_no_links(content_type: str) -> None:
    """Only HTML is read for links; where no type is said, what looks like it."""
    html = '<!doctype html><a href="a">A</a>'
    assert read_links(page(html, content_type), "sealedbeam") == ()
    assert read_links(page(html, ""), "sealedbeam") == ("http://example.org/folder/a",)


def test_a_monster_has_no_links() -> None:
    """A page that would take the HTML engine too long is left alone."""
    assert read_links(page("<b>" * 200_000 + '<a href="a">A</a>'), "sealedbeam") == ()
