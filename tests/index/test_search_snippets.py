"""Claims about snippets: the right words are marked, and nothing in them acts on a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index.snippets import make_snippet, printable
from sealedbeam.pipeline.index.tokens import tokenize


def clauses(*queries: str) -> list[tuple[str, ...]]:
    return [tuple(tokenize(query)) for query in queries]


def marked(text: str, *queries: str) -> list[str]:
    """Return what is marked in the snippet."""
    return make_snippet(text, clauses(*queries), ("<<", ">>")).replace("<<", ">>").split(">>")[1::2]


@pytest.mark.parametrize(
    ("text", "query", "expected"),
    [
        ("The Red lamp", "red", ["Red"]),
        ("STRASSE Stra\u00dfe strasse", "stra\u00dfe", ["STRASSE", "Stra\u00dfe", "strasse"]),
        ("cafe\u0301 caf\u00e9 cafe", "caf\u00e9", ["cafe\u0301", "caf\u00e9"]),
        ("\u0130stanbul", "\u0130STANBUL", ["\u0130stanbul"]),
        ("a redo, red-hot", "red", ["red"]),
        ("\u6771\u4eac\u90fd\u306b", "\u4eac\u90fd", ["\u4eac\u90fd"]),
        ("\u304b\u3099\u304f", "\u304c", ["\u304b\u3099"]),
        ("light,\n sealed off", "light sealed", ["light, sealed"]),
        ("\u041c\u043e\u0441\u043a\u0432\u0430!", "\u043c\u043e\u0441\u043a\u0432\u0430", None),
        ("x" * 300 + " red", "red", ["red"]),
    ],
)
def test_words_are_compared_as_terms(text: str, query: str, expected: list[str] | None) -> None:
    """What is marked is what the index calls the same word, in the document's spelling."""
    assert (expected or [text[:-1]]) == marked(text, query)


def test_phrase_is_preferred() -> None:
    """The window with the whole phrase wins over an earlier one with single words."""
    text = "lamp " + "filler " * 100 + "the sealed lamp here " + "filler " * 100
    assert marked(text, "sealed lamp", "lamp") == ["sealed lamp"]


def test_most_different_words_are_preferred() -> None:
    """Two different words beat one word many times."""
    text = "red red red " + "filler " * 100 + "red lamp " + "filler " * 50
    assert marked(text, "red", "lamp") == ["red", "lamp"]


def test_hit_far_into_a_large_text() -> None:
    """A word is found however late it comes, also a phrase across the pieces of the scan."""
    for filler in range(16_370, 16_390):
        text = "." * filler + " sealed beam " + "." * 100_000
        assert marked(text, "sealed beam") == ["sealed beam"]
    assert marked("filler " * 100_000 + "red", "red") == ["red"]


def test_width_is_kept() -> None:
    """A snippet has about the width asked for, cut at spaces, with signs of the cuts."""
    text = "word " * 200 + "red " + "word " * 200
    snippet = make_snippet(text, clauses("red"))
    assert 140 <= len(snippet) <= 170
    assert snippet.startswith("\u2026word ")
    assert snippet.endswith(" word\u2026")
    assert " **red** " in snippet


def test_short_text_is_shown_whole() -> None:
    """A text that fits is not cut."""
    assert make_snippet("a red lamp", clauses("red")) == "a **red** lamp"


def test_nothing_found_shows_the_beginning() -> None:
    """Without a hit the snippet is the beginning of the text."""
    assert make_snippet("some text", clauses("red")) == "some text"
    assert make_snippet("", clauses("red")) == ""
    assert make_snippet("some text", []) == "some text"


def test_markers_can_be_chosen() -> None:
    """The markers are the caller's."""
    assert make_snippet("a red lamp", clauses("red"), ("\x1b[1m", "\x1b[0m")) == (
        "a \x1b[1mred\x1b[0m lamp"
    )


def test_terminal_sequences_are_disarmed() -> None:
    """Escapes, controls and bidirectional overrides do not pass."""
    hostile = "a\x1b[31m red\x07\x9b2J \u202elamp\u2066\x7f\tb\r\nc\ud800"
    assert printable(hostile) == "a\ufffd[31m red\ufffd\ufffd2J lamp\ufffd b c\ufffd"
    assert make_snippet(hostile, clauses("red")) == (
        "a\ufffd[31m **red**\ufffd\ufffd2J lamp\ufffd b c\ufffd"
    )


@given(st.text())
def test_printable_is_one_harmless_line(text: str) -> None:
    """Whatever the text, no control, surrogate or bidirectional control is left of it."""
    shown = printable(text)
    shown.encode()
    assert shown == " ".join(shown.split())
    assert not any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in shown)
    bidirectional = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    assert not any(unicodedata.bidirectional(char) in bidirectional for char in shown)


@given(
    st.lists(st.sampled_from(["Red", "lamp", "\u00c9", "e\u0301", "\u6771", ", ", " ", "\n"])).map(
        "".join
    ),
    st.sampled_from(["red", "\u00e9", "\u6771", "lamp"]),
)
def test_marked_words_are_the_terms_of_the_text(text: str, term: str) -> None:
    """In a text that fits, exactly the tokens equal to the term are marked."""
    expected = tokenize(text).count(term) if len(text) <= 160 else None
    found = marked(text, term)
    assert all(tokenize(word) == [term] for word in found)
    assert expected in (None, len(found))
