# ruff: noqa: RUF001 - characters that look like others are what is tested here
from __future__ import annotations

import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sealedbeam.pipeline.index.tokens import (
    MARKS_MAX,
    TOKEN_BYTES_MAX,
    TokenBatch,
    tokenize,
    tokenize_batch,
)

SAMPLES = {
    "Latin and digits": "The quick_brown Fox, 42 times: don't stop!",
    "Greek final sigma": "ΟΔΥΣΣΕΥΣ οδυσσευς Ὀδυσσεύς",
    "Cyrillic": "Съешь ещё этих мягких французских булок",
    "Arabic": "العَرَبِيَّة ١٢٣، نعم؟",
    "Hebrew": "שָׁלוֹם עולם״",
    "Devanagari": "हिन्दी क्षत्रिय।",
    "Devanagari with joiners": "क्\u200dष क्\u200cष",
    "Thai": "ภาษาไทย ไม่มีช่องว่าง",
    "Hangul": "한국어 텍스트",
    "Han": "漢字、簡体字。豈\U00020000々〇",
    "kana": "ひらがなとカタカナとらーめん ｶﾞ",
    "emoji": "go 👩‍👩‍👧 ❤️ 1️⃣ 🇩🇪 go",
    "soft hyphen": "exam\u00adple",
    "curly quotes and dashes": "“don’t”—said…he\u00a0now‿then",
    "dotless i": "İstanbul ISPARTA ısparta",
    "sharp s": "STRASSE straße STRAẞE",
    "ligatures": "ﬁne oﬃce ŉ ǰ",
    "astral letters": "𝔘𝔫𝔦 𐐀𐐨 𞤀",
    "compositions": "café cafe\u0301 e\u0323\u0301 e\u0301\u0323 か\u3099 \u1112\u1161\u11ab",
    "marks without a word": "=\u0338 \u0301a «\u0301b ¨\u0301 漢\U000e0100字 \u2adc",
    "iota subscript": "ᾳ α\u0345\u0301 α\u0301\u0345",
    "numbers": "½ x² ① Ⅷ 3.14",
    "replacement": "a\ufffdb",
}


def oracle(text: str) -> list[str]:
    """Cut by names and categories of single characters, with nothing shared with the module."""
    tokens, current, marks = [], "", 0
    limited = ""
    for char in text:
        marks = marks + 1 if unicodedata.category(char)[0] == "M" else 0
        limited += char if marks <= 30 else ""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", limited).casefold())
    for char in folded + " ":
        major = unicodedata.category(char)[0]
        if (current and major == "M") or ((major in "LN" or char == "_") and not is_single(char)):
            current += char
        else:
            tokens.append(current)
            tokens.append(char if is_single(char) else "")
            current = ""
    return [token for token in tokens if 0 < len(token.encode()) <= 255]


def is_single(char: str) -> bool:
    scripts = ("CJK UNIFIED IDEOGRAPH", "CJK COMPATIBILITY IDEOGRAPH", "HIRAGANA ", "HENTAIGANA")
    others = ("IDEOGRAPHIC ITERATION", "IDEOGRAPHIC NUMBER", "HANGZHOU", "VERTICAL IDEOGRAPHIC")
    name = unicodedata.name(char, "")
    return unicodedata.category(char)[0] in "LN" and name.startswith(scripts + others)


def batch_tokens(texts: list[str]) -> list[list[str]]:
    return texts_of(tokenize_batch([text.encode() for text in texts]))


def texts_of(batch: TokenBatch) -> list[list[str]]:
    terms = [term.decode() for term in batch.vocabulary.to_pylist()]
    tokens = [terms[code] for code in batch.codes]
    ends = np.cumsum(batch.lengths).tolist()
    assert len(tokens) == (ends[-1] if ends else 0)
    return [tokens[end - length : end] for end, length in zip(ends, batch.lengths, strict=True)]


text_pieces = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12),
    st.sampled_from(
        list("aAzZ09_ -=<>~\n\u0301\u0338\u0345\u3099\u0307İIiſßﬁΣςかは漢ー᾽¨·’“—\u200d")
    ),
    st.sampled_from(sorted(SAMPLES.values())),
)
any_text = st.lists(text_pieces, max_size=12).map("".join)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_every_script_is_cut_like_the_oracle(name: str) -> None:
    """One text at a time and as part of a batch, each script gives the oracle's tokens."""
    expected = oracle(SAMPLES[name])
    assert expected == tokenize(SAMPLES[name])
    assert [expected, expected] == batch_tokens([SAMPLES[name]] * 2)


def test_tokens_read_as_the_rule_says() -> None:
    """Folding, runs, single characters and separators, spelt out."""
    expected = [
        "straße".casefold(),
        "οδυσσευσ",
        "café",
        "漢",
        "字",
        "か",
        "カナ",
        "don",
        "t",
        "x_1",
    ]
    assert expected == tokenize("STRAẞE ΟΔΥΣΣΕΥΣ cafe\u0301, 漢字かカナ don’t =\u0338 ❤\ufe0f X_1")


@given(st.lists(any_text, max_size=6))
@example(["", "", "a", ""])
@example(["\u0301a", "\u0301", "a\u0301"])
@example(["a" * 255 + " " + "b" * 256, "é" * 127 + "b " + "é" * 128, "漢" * 300])
@example(["a" + "\u0301\u0323" * 40 + "b c"])
def test_batches_agree_with_the_oracle(texts: list[str]) -> None:
    """However texts are joined into a batch, each has its own tokens."""
    expected = [oracle(text) for text in texts]
    assert expected == [tokenize(text) for text in texts]
    assert expected == batch_tokens(texts)


def test_every_code_point_between_letters_is_cut_like_the_oracle() -> None:
    """No character, alone, in a word, or after another, is classified differently in bulk."""
    points = [p for p in range(1, sys.maxunicode + 1, 1) if not 0xD800 <= p < 0xE000]
    texts = [f"a{chr(p)}B {chr(p)}\u0338 {chr(p)}" for p in points if p < 0x32400 or p % 97 == 0]
    assert [oracle(text) for text in texts] == batch_tokens(texts)


@given(any_text.filter(lambda text: sum(map(is_mark, text)) < MARKS_MAX))
def test_equivalent_texts_have_equal_tokens(text: str) -> None:
    """Composed and decomposed forms of a text give the same tokens."""
    composed = unicodedata.normalize("NFC", text)
    decomposed = unicodedata.normalize("NFD", text)
    assert batch_tokens([composed]) == batch_tokens([decomposed])


def is_mark(char: str) -> bool:
    return any(unicodedata.category(c)[0] == "M" for c in unicodedata.normalize("NFD", char))


@given(st.lists(any_text, max_size=6))
def test_the_vocabulary_is_distinct_and_used(texts: list[str]) -> None:
    """A vocabulary holds each term once, none longer than the limit, and none that is not used."""
    batch = tokenize_batch([text.encode() for text in texts])
    terms = batch.vocabulary.to_pylist()
    assert len(terms) == len(set(terms))
    assert set(range(len(terms))) == set(batch.codes.tolist())
    assert all(0 < len(term) <= TOKEN_BYTES_MAX for term in terms)
    assert (batch.codes.dtype, batch.lengths.dtype) == (np.dtype(np.int32), np.dtype(np.int64))


def test_half_a_surrogate_pair_separates() -> None:
    """A command line may hand over what is not Unicode; it is no word."""
    assert tokenize("Ä\udc80B\udcff") == ["ä", "b"]


def test_texts_may_be_views() -> None:
    """Any buffer will do, and none is altered."""
    text = bytearray(b"Some Text")
    assert texts_of(tokenize_batch([memoryview(text)[5:]])) == [["text"]]
    assert text == b"Some Text"


def test_a_row_of_marks_costs_linear_time() -> None:
    """A megabyte of marks in alternating classes ends as one word with thirty of them."""
    text = "a" + "\u0301\u0323" * 250_000
    assert [[oracle("a" + "\u0301\u0323" * 15)[0]]] == batch_tokens([text])
