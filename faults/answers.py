"""A fixed set of queries, and what an index answers: what a user of a damaged index would see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.index.query import parse_query
from sealedbeam.pipeline.index.search import Index
from sealedbeam.pipeline.parquet import read_checked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

QUERIES = 32
_FREQUENT_SHARE = 0.25
"""Queries are made of the most frequent quarter of the terms: rare ones find one page or none."""

Answer = Any
"""What a user sees of a result; None where the index gave an error instead."""


def choose_queries(index: Path) -> list[str]:
    """Return queries for a finished index: one word and two by turns, frequent to rare.

    They are a function of the index alone.
    """
    frequencies: list[tuple[int, str]] = []
    for path in sorted((index / "shards").glob("*.parquet")):
        table = read_checked(path.read_bytes(), ("term", "df"))
        terms, numbers = (table.column(name).to_pylist() for name in ("term", "df"))
        frequencies += [(-number, term) for number, term in zip(numbers, terms, strict=True)]
    frequencies.sort()
    frequent = frequencies[: max(QUERIES * 2, int(len(frequencies) * _FREQUENT_SHARE))]
    step = max(1, len(frequent) // (QUERIES * 3 // 2))
    words = [term for _, term in frequent[::step]]
    queries: list[str] = []
    while words and len(queries) < QUERIES:
        size = 1 + len(queries) % 2
        queries.append(" ".join(words[:size]))
        words = words[size:]
    return [query for query in queries if parse_query(query)]


def ask(index: Path, queries: Sequence[str]) -> list[Answer] | None:
    """Return the answer to each query, None when the index cannot be opened at all.

    Scores are left out: one page less changes all of them a little.
    """
    try:
        opened = Index.open(index)
    except (IntegrityError, UsageError):
        return None
    return [_ask(opened, query) for query in queries]


def _ask(index: Index, query: str) -> Answer:
    try:
        results = index.search(query)
    except (IntegrityError, pa.ArrowException):
        return None
    return [results.total] + [(hit.doc_id, hit.url, hit.title, hit.snippet) for hit in results.hits]


def count_changed(expected: Sequence[Answer], actual: Sequence[Answer]) -> int:
    """Return how many answers are not as expected."""
    return sum(one != other for one, other in zip(expected, actual, strict=True))
