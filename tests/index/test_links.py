"""Cached resolution gives what joining every link by itself gives."""

from __future__ import annotations

import ada_url
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sealedbeam.pipeline.index import links

_PAGE = "https://example.org/docs/guide/page.html?q=1#top"
_BLANKS = "".join(map(chr, range(0x21)))
_PIECES = [
    *("a", "b.html", "x-y_z", "..", ".", "/", "//", "?", "#", ":", "\\", " ", "\t", "\n", "\0"),
    *("http:", "https:", "https://", "HTTP://", "h.org", "mailto:m", "javascript:", "data:,"),
    *("é", "%2e", "%", "@", "[", "]", ";", "=", "&", "|", "c:", "é.org", "\ufffd"),
]
_REFERENCES = st.one_of(st.lists(st.sampled_from(_PIECES), max_size=6).map("".join), st.text())
_BASES = st.sampled_from(
    [
        _PAGE,
        "http://example.org",
        "https://example.org/a/b/",
        "https://example.org/?x=/y/z",
        "https://example.org/a#/b/c",
        "https://user@example.org:8080/a;p/b",
        "not a url",
    ]
)


def _join(base: str, reference: str) -> str:
    try:
        return ada_url.URL(reference, base or None).href
    except ValueError:
        return ""


def _oracle(references: list[str], page_url: str, base_reference: str) -> tuple[str, ...]:
    page = _join("", page_url)
    base = (_join(page, base_reference) if base_reference else "") or page
    if base.startswith(("data:", "javascript:")):
        base = page
    found: dict[str, None] = {}
    for reference in references:
        if not reference.strip(_BLANKS).startswith("#"):
            url = _join(base, reference).split("#")[0]
            if url.startswith(("http://", "https://")):
                found[url] = None
    return tuple(found)


@given(references=st.lists(_REFERENCES, max_size=8), page=_BASES, base=st.just("") | _REFERENCES)
@example(references=["a #f", "a ", "a", "a#"], page=_PAGE, base="")
@example(references=["", "?", "?x", "#", " #", "\t#x", " ?y", "\n"], page=_PAGE, base="")
@example(references=["https:", "https:?x", "https:b", "http:b", "//h.org"], page=_PAGE, base="")
@example(references=["a:b", "./a:b", "a/../b", ".", "..", "a/.", "a//b"], page=_PAGE, base="")
@example(references=["b", "/c", "?d"], page=_PAGE, base="mailto:x")
@example(references=["b", "/c", "?d"], page=_PAGE, base="data:,x")
@example(references=["b", "?d"], page=_PAGE, base="http://h.org/x/y?z")
@example(references=["ht\ntps://h.org/a", "h\nttps:?x"], page=_PAGE, base="")
def test_agrees_with_joining_one_by_one(references: list[str], page: str, base: str) -> None:
    """The links are those that the URL library gives when it joins each reference by itself."""
    assert _oracle(references, page, base) == links.resolve_links(references, page, base)


def test_pages_of_one_folder_share_what_is_shared() -> None:
    """What one page put into the cache is never wrong for another page of the same folder."""
    references = ["", "?x", "a", "../a", "/a"]
    for name in ("one.html", "two.html?y", "", "three"):
        page = f"https://example.org/d/{name}"

        assert _oracle(references, page, "") == links.resolve_links(references, page, "")


def test_at_most_so_many_links() -> None:
    """Of 20,000 links the first 10,000 are kept."""
    references = [f"p{number}" for number in range(20_000)]

    resolved = links.resolve_links(references, _PAGE, "")

    assert tuple(f"https://example.org/docs/guide/p{n}" for n in range(10_000)) == resolved


@pytest.mark.parametrize("prefix", ["", "?", "https://h.org/"])
def test_long_references_are_left_out(prefix: str) -> None:
    """A reference beyond the limit is dropped, and its neighbours are kept."""
    references = ["a", prefix + "x" * links.MAX_URL_CHARACTERS + "yy", "b"]

    resolved = links.resolve_links(references, "https://h.org/", "")

    assert resolved == ("https://h.org/a", "https://h.org/b")


def test_a_line_feed_inside_a_reference_is_dropped() -> None:
    """A reference over two lines is one link, as browsers read it, not two plain paths."""
    assert links.resolve_links(["a\nb", "c"], "https://h.org/d/", "") == (
        "https://h.org/d/ab",
        "https://h.org/d/c",
    )


def test_absolute_links_take_the_short_way_too() -> None:
    """Links in their final form, among relative ones, do not force a page to be parsed."""
    plain = [
        "../a.html",
        "https://code.example.org/b/c?d=e",
        "http://x.org/",
        "d(1)",
        "/f",
        "./g%3D",
    ]
    assert links._all_plain([*plain, "javascript:go()"])
    others = [
        "http://1.2.3/",
        "http://xn--a.org/",
        "b/../c",
        "%2e%2E/a",
        "//h/a",
        "a:b",
        "a b",
        "é",
    ]
    assert [other for other in others if links._all_plain(["a", other])] == []


PIECES = ["a", "c=@:d", "b-c", "(1)", "%3D", "%2e", ".", "..", "", "x.html", "é", "~u", "a:b"]
PREFIXES = [
    "",
    "./",
    "../",
    "../../",
    "/",
    "//",
    "http://h.org/",
    "https://x.example.com/",
    "mailto:",
]


@given(
    st.lists(
        st.builds(
            lambda prefix, pieces, query: prefix + "/".join(pieces) + query,
            st.sampled_from(PREFIXES),
            st.lists(st.sampled_from(PIECES), max_size=4),
            st.sampled_from(["", "?", "?/", "?a=b:c/d&c=%20", "?a b", "#f", "?x#y"]),
        ),
        max_size=4,
    )
)
def test_short_way_agrees_with_the_standard(references: list[str]) -> None:
    """Whatever is put together of plain and odd pieces, it is as if joined one by one."""
    base = "https://host.example/one/two/page.html?q"
    expected: dict[str, None] = {}
    for reference in references:
        if reference.startswith("#"):
            continue
        try:
            link = ada_url.join_url(base, reference).partition("#")[0]
        except ValueError:
            continue
        if link.startswith(("http://", "https://")):
            expected[link] = None
    assert links.resolve_links(references, base, "") == tuple(expected)
