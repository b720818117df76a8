"""One page has one spelling: the canonical form is stable, bounded, and means the same."""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import ada_url
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl import urls
from sealedbeam.pipeline.crawl.urls import MAX_URL_CHARACTERS, canonical, host_of

BASE = "https://example.org/a/b?q#f"
PIECES = st.sampled_from(
    [
        *("http://", "https://", "HTTP:", "//", "/", "\\", "..", ".", "%2e", "%2E%2e/", "a", "B"),
        *("%", "%4", "%41", "%7e", "%3a", "%%32%35", "%c3%bc", "ü", "?", "&", "=", "#", "@", ":"),
        *(
            ":80",
            ":443",
            ":0",
            ":8080",
            "user:pw@",
            "example.org",
            "EXAMPLE.org.",
            "127.1",
            "[::1]",
        ),
        *("0x7f.0.0.1", "xn--", "xn--bcher-kva", "bücher.de", ".", "..", "-", "_", " ", "\t", "\n"),
        *("'", '"', "<", "{", "|", "^", "\x00", "\ud800", "e", ";", "+", "~", "ftp:", "mailto:x"),
    ]
)
REFERENCES = st.lists(PIECES, max_size=9).map("".join)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("HTTP://Example.ORG:80/%7Eann/./x/../y%2fz#top", "http://example.org/~ann/y%2Fz"),
        ("https://ann:secret@example.org:443/?a=%41&b=%c3%bc", "https://example.org/?a=A&b=%C3%BC"),
        ("http://user@example.org:8080", "http://example.org:8080/"),
        ("http://example.org./a", "http://example.org/a"),
        ("http://bücher.de/ü?ü", "http://xn--bcher-kva.de/%C3%BC?%C3%BC"),
        ("http://0x7f.1/", "http://127.0.0.1/"),
        ("http://[0:0::1]:80/", "http://[::1]/"),
        ("http://a.org/%2e%2E/%2e/b", "http://a.org/b"),
        ("http://a.org/%%32%35", "http://a.org/%%32%35"),
        ("http://a.org/%zz%3a%41", "http://a.org/%zz%3A%41"),
        ("http://a.org/a//b", "http://a.org/a//b"),
        ("http://a.org/?", "http://a.org/?"),
        ("http://a.org/x y", "http://a.org/x%20y"),
        ("  http://a.org/\n", "http://a.org/"),
        ("http://a.org/@x:y", "http://a.org/@x:y"),
        ("http:\\\\a.org\\b", "http://a.org/b"),
    ],
)
def test_spellings(url: str, expected: str) -> None:
    """Case, escapes, dots, default ports, credentials and fragments make no difference."""
    assert expected == canonical(url)


@pytest.mark.parametrize(
    "url",
    [
        *("", "a", "/a", "ftp://a.org/", "mailto:x@a.org", "javascript:x()", "data:text/html,x"),
        *(
            "http://",
            "http://a..b/",
            "http://./",
            "http://" + "a" * 64 + ".org/",
            "http://a.org:0/",
        ),
        *("http://a b/", "http://a.org:99999/", "http://[::1]:0/", "http://" + "a." * 127 + "a/"),
        *("http://a.org/" + "x" * 2048, "http://a.org/#" + "x" * 20_000),
    ],
)
def test_what_is_no_address(url: str) -> None:
    """Other schemes, relative references without a base and impossible hosts are no pages."""
    assert canonical(url) is None


def test_the_longest_address() -> None:
    """An address of exactly the limit is one, whether or not it has to be parsed."""
    for start in ("http://a.org/", "http://A.org/"):
        longest = start + "x" * (MAX_URL_CHARACTERS - len(start))
        assert longest.lower() == canonical(longest)
        assert canonical(longest + "x") is None


def test_references_are_resolved() -> None:
    """A reference is seen from its base."""
    assert canonical("../c?d#e", BASE) == "https://example.org/c?d"
    assert canonical("//b.org:443", BASE) == "https://b.org/"
    assert canonical("", BASE) == "https://example.org/a/b?q"


@given(REFERENCES, st.sampled_from(["", BASE]))
@example("http://a%2e/", "")
@example("http://a.org/%2%35", "")
@example("http://a.org/%%34%31", "")
def test_canonical_is_stable(reference: str, base: str) -> None:
    """The canonical form is its own, is what the standard makes of it, and hides nothing."""
    url = canonical(reference, base)
    if url is None:
        return
    assert url == canonical(url)
    parsed = ada_url.URL(url)
    assert url == parsed.href
    assert (parsed.username, parsed.password, parsed.hash) == ("", "", "")
    assert host_of(url) == parsed.host
    assert len(url) <= MAX_URL_CHARACTERS
    assert url.isascii()
    assert parsed.port != "0"


@given(REFERENCES)
def test_the_meaning_stays(reference: str) -> None:
    """Path and query stand for the same bytes as those that the standard gives."""
    url = canonical(reference, BASE)
    if url is not None:
        wanted, found = ada_url.URL(reference, BASE), ada_url.URL(url)
        assert unquote_to_bytes(wanted.pathname) == unquote_to_bytes(found.pathname)
        assert unquote_to_bytes(wanted.search) == unquote_to_bytes(found.search)
        assert wanted.hostname.removesuffix(".") == found.hostname


CHARACTERS = [*map(chr, range(0x100)), "xn--", "..", "//", "%41", "\u2028"]


def check_short_cut(url: str) -> None:
    if urls._FINAL.fullmatch(url):
        assert url == ada_url.URL(url).href
        assert urls._clean_host(host_of(url)) == host_of(url)
        assert "%" not in url


@given(st.lists(st.sampled_from([*"ab1-._~/?&=+,;:@", "xn--"])).map("".join))
def test_the_short_cut_changes_nothing(rest: str) -> None:
    """What is taken for canonical without parsing is what parsing makes of it."""
    for url in (f"http://a.org/{rest}", f"https://{rest}.org/", f"http://a.{rest}/x"):
        check_short_cut(url)


@pytest.mark.parametrize("place", ["http://a{}b.org/", "http://a.b{}c/d", "http://a.org/b{}c"])
@pytest.mark.parametrize("rest", ["", "?d{}e"])
def test_the_short_cut_knows_every_character(place: str, rest: str) -> None:
    """No character is taken for canonical where it is not, in no part of an address."""
    for character in CHARACTERS:
        check_short_cut((place + rest).replace("{}", character))
