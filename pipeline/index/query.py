"""Reads a query: which terms are searched, which of them stand together, and what is required.

How a query is read:

1. `"two words"`: a phrase. Every phrase is required: a document matches only if it has the terms
   of the phrase at consecutive positions.
2. Bare words: any of them makes a match when the query has no phrase, and adds to the score in
   any case.
3. Phrases and words are taken apart by the tokeniser of the index. A bare word that is several
   tokens (`foo-bar`) is several words; a bare run of characters of a script that is written
   without spaces, each of which is a token of its own, is an optional phrase, because its
   characters apart mean something else.
4. A quotation mark without a partner is text: what follows it is bare.
5. What is said twice counts twice. Text without a letter or digit says nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .tokens import tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator

_QUOTED = re.compile(r'"([^"]*)"')
_HAN_RUN = re.compile("([\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+)")


@dataclass(frozen=True, slots=True)
class Clause:
    """Terms at consecutive positions, or one term; `required` in every document that matches."""

    terms: tuple[str, ...]
    required: bool


def parse_query(query: str) -> list[Clause]:
    """Return the clauses of `query` in the order in which they are written."""
    clauses: list[Clause] = []
    # Every second piece was between quotation marks.
    for index, piece in enumerate(_QUOTED.split(query)):
        if index % 2 == 0:
            clauses += _bare(piece)
        elif terms := tokenize(piece):
            clauses.append(Clause(tuple(terms), required=True))
    return clauses


def _bare(text: str) -> Iterator[Clause]:
    for index, piece in enumerate(_HAN_RUN.split(text)):
        terms = tokenize(piece)
        if index % 2 == 0:
            yield from (Clause((term,), required=False) for term in terms)
        elif terms:
            yield Clause(tuple(terms), required=False)
