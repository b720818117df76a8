"""Title, text, language and references are what a reader of the page sees."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index.html import MAX_TITLE_CHARACTERS, read_html

_WORDS = st.text("abcdefg", min_size=1, max_size=5)
_BLOCKS = st.sampled_from(["p", "div", "li", "h1", "section", "td", "pre", "blockquote"])


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("<table><tr><td>foo</td><td>bar</td></tr></table>", ["foo", "bar"]),
        ("<td>foo<td>bar", ["foobar"]),
        ("foo<br>bar<hr>baz", ["foo", "bar", "baz"]),
        ("<ul><li>foo<li>bar</ul>", ["foo", "bar"]),
        ("<p>a<script>b</script>c<style>d</style>e<noscript>f</noscript>", ["a", "c", "e"]),
        ("<template>a<p>b</p></template>c<iframe>d</iframe>", ["c"]),
        ("<SCRIPT>a</SCRIPT>b<!-- c -->", ["b"]),
        ("<svg><style>a</style><text>b</text></svg>", ["b"]),
        ("x<title>t</title>y", ["x", "y"]),
        ("&amp;&eacute;&#xD800;", ["&é\ufffd"]),
        ("<textarea>a</textarea><option>b", ["a", "b"]),
        ("<select><selectedcontent></selectedcontent><option>once</select>", ["once"]),
        ("", []),
        ("<frameset><frame src=x></frameset>", []),
    ],
)
def test_visible_words(source: str, words: list[str]) -> None:
    """Markup separates words; scripts, styles, templates and comments are no text."""
    assert words == read_html(source).text.split()


@given(cells=st.lists(st.tuples(_BLOCKS, _WORDS), max_size=12))
def test_blocks_never_run_together(cells: list[tuple[str, str]]) -> None:
    """The words of neighbouring blocks stay apart, in order."""
    rows = "".join(f"<{tag}>{word}</{tag}>" for tag, word in cells if tag != "td")
    data = "".join(f"<td>{word}</td>" for tag, word in cells if tag == "td")
    source = f"{rows}<table><tr>{data}</table>"

    expected = [w for tag, w in cells if tag != "td"] + [w for tag, w in cells if tag == "td"]

    assert expected == read_html(source).text.split()


@pytest.mark.parametrize(
    ("source", "title"),
    [
        ("<title> a\n <b>c</b> &lt; </title><title>x</title>", "a <b>c</b> <"),
        ("<body><svg><title>s</title></svg><title>late</title>", "late"),
        ("<noscript><p>n</p></noscript><title>t</title>", "t"),
        ("<p>no title", ""),
        ("<svg><title>s</title></svg>", ""),
    ],
)
def test_title(source: str, title: str) -> None:
    """The title is the first title element's text, wherever a broken page has it."""
    assert title == read_html(source).title


def test_long_titles_are_cut() -> None:
    """A title of a megabyte is cut to the limit."""
    assert read_html(f"<title>{'x' * 2**20}</title>").title == "x" * MAX_TITLE_CHARACTERS


@pytest.mark.parametrize(
    ("declared", "language"),
    [("en", "en"), ("DE-at", "de"), ("pt_BR", "pt"), (" fr ", "fr"), ("english", ""), ("x-a", ""),
     ("e1", ""), ("", ""), ("zh-Hant-TW", "zh"), ("gsw", "gsw")],
)  # fmt: skip
def test_language(declared: str, language: str) -> None:
    """Of the declared language the primary subtag counts, if it has the form of one."""
    assert language == read_html(f'<html lang="{declared}"><p>x').language


def test_references() -> None:
    """The references are the `href` values of links and areas, decoded, but fragments alone."""
    source = (
        "<link href=no><a href=a>1</a><area href='b&amp;c'><a href='#x'></a><a href></a><a>2</a>"
        '<a href="">3</a><svg><a href=d>4</a><use href=no /></svg><script><a href=no></script>'
        "<!-- <a href=no> --><base href=late><link href=no>"
    )

    content = read_html(f"<body>{source}")

    assert content.references == ["a", "b&c", "d"]
    assert content.base_reference == "late"


def test_first_base_counts() -> None:
    """Of several base elements the first with a reference counts."""
    assert read_html("<base target=x><base href=a><base href=b><p>").base_reference == "a"


def test_bytes_are_read_as_utf_8() -> None:
    """Bytes are read as UTF-8, and what is invalid in them is replaced."""
    content = read_html("<title>é</title><a href=ü>ß".encode() + b"\xff")

    assert (content.title, content.text, content.references) == ("é", "ß\ufffd", ["ü"])


@given(source=st.text(st.characters(exclude_characters="<>&\0\r", exclude_categories=["Cs"])))
def test_text_without_markup_is_itself(source: str) -> None:
    """Where there is no markup the text is the source, but for blanks at its ends."""
    text = read_html(f"<body>{source}").text

    assert re.split(r"\s+", source.strip()) == re.split(r"\s+", text)
