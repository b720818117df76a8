"""Cuts a snippet out of a document's text: the best window of found words, marked, safe to print.

Words are compared as terms, by the tokeniser itself, so that what is marked is what was found,
whatever its case or normal form. The text is read from its beginning in pieces, and only until a
window holds everything that was asked for, so that the size of a document does not matter.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from .tokens import tokenize

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

MARKERS: Final = ("**", "**")
WIDTH: Final = 160

_PIECE_CHARACTERS = 1 << 12
_SCAN_CHARACTERS = 1 << 15  # a window that is not the best possible is looked for no further
_WORD_CACHE = 1 << 16
_ELLIPSIS = "\u2026"
_REPLACEMENT = "\ufffd"

# Kinds of characters as letters, so that a regular expression finds the tokens: W begins or
# continues a token, M only continues one, S is a token by itself, "-" separates.
_TOKEN = re.compile("W[WM]*|SM*")

# C0, DEL and C1 begin terminal sequences, lone surrogates cannot be printed at all; bidirectional
# controls and invisible characters make text look like other text.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_INVISIBLE = re.compile(
    "[\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)
_SPACES = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class _Token:
    term: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Hit:
    """An occurrence of a clause in the text."""

    clause: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Window:
    """Hits near each other, and how good a snippet they make."""

    value: tuple[int, int]
    hits: tuple[_Hit, ...]


def printable(text: str) -> str:
    """Return `text` on one line, white space collapsed, with nothing that a terminal obeys."""
    return _clean(text).strip()


def make_snippet(
    text: str,
    clauses: Iterable[tuple[str, ...]],
    markers: tuple[str, str] = MARKERS,
    width: int = WIDTH,
) -> str:
    """Return about `width` characters of `text` round what was found, marked.

    Args:
        text: the document as it was indexed.
        clauses: single terms and phrases, as the tokeniser gives them.
        markers: what to put before and after each thing found.
        width: how many characters to show, markers not counted.
    """
    hits = _find_window(text, frozenset(clauses), width).hits
    start, end = _extend(text, hits, width)
    pieces = [_ELLIPSIS if start else ""]
    done = start
    for hit in hits:
        if hit.start >= done:  # else it lies inside a phrase that is marked already
            found = _clean(text[hit.start : hit.end])
            pieces += [_clean(text[done : hit.start]), markers[0], found, markers[1]]
            done = hit.end
    pieces += [_clean(text[done:end]), _ELLIPSIS if end < len(text) else ""]
    return "".join(pieces).strip()


def _clean(text: str) -> str:
    return _CONTROL.sub(_REPLACEMENT, _INVISIBLE.sub("", _SPACES.sub(" ", text)))


def _find_window(text: str, clauses: frozenset[tuple[str, ...]], width: int) -> _Window:
    """Return the best window: most phrases, then most different clauses, then the first."""
    best = _Window((0, 0), ())
    if not clauses:
        return best
    possible = _value(clauses)
    reach = max(map(len, clauses)) - 1  # a phrase may begin that many tokens before a piece
    carried: list[_Token] = []
    for offset, piece in _pieces(text):
        tokens = carried + _tokens(piece, offset)
        best = max(best, *_windows(_hits(tokens, clauses), width), key=lambda w: w.value)
        if best.value == possible or (best.hits and offset + len(piece) >= _SCAN_CHARACTERS):
            break
        carried = tokens[max(0, len(tokens) - reach) :]
    return best


def _value(clauses: Collection[tuple[str, ...]]) -> tuple[int, int]:
    different = set(clauses)
    return sum(len(clause) > 1 for clause in different), len(different)


def _windows(hits: list[_Hit], width: int) -> Iterator[_Window]:
    """Yield for each hit the window that begins with it."""
    yield _Window((0, 0), ())
    end = 0
    for index, first in enumerate(hits):
        end = max(end, index + 1)
        while end < len(hits) and hits[end].end <= first.start + width:
            end += 1
        members = tuple(hits[index:end])
        yield _Window(_value([hit.clause for hit in members]), members)


def _hits(tokens: list[_Token], clauses: frozenset[tuple[str, ...]]) -> list[_Hit]:
    """Return the occurrences of all clauses in text order, the longer first at one place."""
    by_first: dict[str, list[tuple[str, ...]]] = {}
    for clause in sorted(clauses, key=len, reverse=True):
        by_first.setdefault(clause[0], []).append(clause)
    hits = []
    for index, token in enumerate(tokens):
        for clause in by_first.get(token.term, ()):
            stretch = tokens[index : index + len(clause)]
            if clause == tuple(member.term for member in stretch):
                hits.append(_Hit(clause, token.start, stretch[-1].end))
    return hits


def _pieces(text: str) -> Iterator[tuple[int, str]]:
    """Yield the text in pieces that end between tokens, each with its place."""
    start = 0
    while start < len(text):
        end = start + _PIECE_CHARACTERS
        if end < len(text):
            separator = _kinds(text[start:end]).rfind("-")
            end = start + separator + 1 if separator >= 0 else end
        yield start, text[start:end]
        start = end


def _tokens(piece: str, offset: int) -> list[_Token]:
    tokens = []
    for match in _TOKEN.finditer(_kinds(piece)):
        start, end = match.span()
        terms = _terms(piece[start:end])
        tokens += [_Token(term, offset + start, offset + end) for term in terms]
    return tokens


def _kinds(piece: str) -> str:
    return piece.translate({ord(char): _kind(char) for char in set(piece)})


@lru_cache(maxsize=_WORD_CACHE)
def _kind(char: str) -> str:
    # Doubled, a letter is one token of two, and a Han character two tokens.
    tokens = tokenize(char + char)
    if tokens:
        return "W" if len(tokens) == 1 else "S"
    return "M" if unicodedata.category(char).startswith("M") else "-"


@lru_cache(maxsize=_WORD_CACHE)
def _terms(word: str) -> tuple[str, ...]:
    return tuple(tokenize(word))


def _extend(text: str, hits: Sequence[_Hit], width: int) -> tuple[int, int]:
    """Return a range of about `width` characters with `hits` in its middle, whole words at ends."""
    first = hits[0].start if hits else 0
    last = max((hit.end for hit in hits), default=0)
    margin = max(0, width - (last - first)) // 2
    start = max(0, min(first - margin, len(text) - width))
    end = min(len(text), max(last + margin, start + width))
    if 0 < start < first:
        space = _SPACES.search(text, start, first)
        start = space.end() if space else start
    if last < end < len(text):
        words = text[last:end].rstrip().rsplit(None, 1)
        end = last + len(words[0]) if len(words) > 1 else end
    return start, end
