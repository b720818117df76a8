"""What came from elsewhere steers no terminal, on many lines or on one."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.text import LINE_CHARACTERS_MAX, harmless, one_line


@given(st.text(st.characters(codec=None)))
def test_line_is_printable(text: str) -> None:
    """No line break, escape, or byte of a name that is not UTF-8 comes through."""
    line = one_line(text)
    assert line.isprintable()
    assert len(line) <= LINE_CHARACTERS_MAX + 5
    assert one_line(line) == line


def test_plain_text_stays_as_it_is() -> None:
    """Letters of any script stand; white space becomes one blank."""
    assert one_line("naïve 東京, 'a'") == "naïve 東京, 'a'"
    assert one_line("a\n\tb\x1b[31mc") == "a b\ufffd[31mc"


def test_long_text_keeps_both_ends() -> None:
    """Of a long name the beginning and the end tell which it is."""
    line = one_line(f"begin{'x' * 10_000}end")
    assert line.startswith("beginxxx")
    assert line.endswith("xxxend")
    assert "x ... x" in line


@given(st.text(st.characters(codec=None)))
def test_lines_keep_what_can_be_shown(text: str) -> None:
    """Of many lines only characters that a terminal obeys are replaced, one by one."""
    shown = harmless(text)

    assert len(shown) == len(text)
    for before, after in zip(text, shown, strict=True):
        kind = unicodedata.category(before)
        if kind in ("Cc", "Cs", "Zl", "Zp") and before not in "\n\t":
            assert after == "\ufffd"
        elif kind != "Cf":
            assert after == before


def test_text_cannot_be_turned_round() -> None:
    """All bidirectional controls are replaced; joiners, which scripts need, stand."""
    controls = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"

    assert harmless(f"a{controls}b") == f"a{chr(0xFFFD) * len(controls)}b"
    assert harmless("\u0915\u094d\u200d\u0937\nb\tc") == "\u0915\u094d\u200d\u0937\nb\tc"
