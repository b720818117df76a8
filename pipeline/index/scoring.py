"""BM25: which documents match the clauses of a query, and how well.

    score(d) = sum over terms t of  idf(t) * tf * (k1 + 1) / (tf + k1 * (1 - b + b * |d| / mean))
    idf(t)   = ln(1 + (N - df + 0.5) / (df + 0.5))

with k1 = 1.2 and b = 0.75; N and the mean length are those of the indexed documents. A term of a
phrase counts in documents that have the phrase, with its whole frequency there.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Final

import numpy as np

from .postings import match_phrase

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from .postings import Postings
    from .query import Clause

K1: Final = 1.2
B: Final = 0.75


@dataclass(frozen=True, slots=True)
class Scored:
    """The documents that match, ascending, their scores, and which of them have each clause."""

    doc_ids: NDArray[np.int64]
    scores: NDArray[np.float64]
    matches: Mapping[Clause, NDArray[np.int64]]

    def clauses_of(self, doc_id: int) -> list[Clause]:
        """Return the clauses that one document has."""
        return [clause for clause, found in self.matches.items() if _contains(found, doc_id)]


@dataclass(frozen=True, slots=True)
class Collection:
    """What scores need to know of the whole index.

    Attributes:
        documents: how many are indexed.
        tokens: how many these have.
        lengths: maps documents to tokens.
        readable: those of some documents that can be had, ascending; all of them, or it raises.
    """

    documents: int
    tokens: int
    lengths: Callable[[NDArray[np.int64]], NDArray[np.int64]]
    readable: Callable[[NDArray[np.int64]], NDArray[np.int64]] = lambda doc_ids: doc_ids


def score_clauses(
    clauses: Sequence[Clause], postings: Mapping[str, Postings], collection: Collection
) -> Scored:
    """Return every document that matches `clauses` and can be had, with its score."""
    # A clause said n times is computed once and weighs n; a Counter keeps the order.
    weights = Counter(clauses)
    matches = {
        clause: match_phrase([postings[term] for term in clause.terms]) for clause in weights
    }
    doc_ids = collection.readable(_matching(matches))
    scores = np.zeros(len(doc_ids))
    if not len(doc_ids):
        return Scored(doc_ids, scores, matches)
    relative = collection.lengths(doc_ids) * (collection.documents / collection.tokens)
    norms = K1 * (1 - B + B * relative)
    for clause, weight in weights.items():
        places = _places(matches[clause], doc_ids)
        for term in clause.terms:
            found = postings[term]
            tfs = found.tfs[np.searchsorted(found.doc_ids, doc_ids[places])]
            idf = inverse_document_frequency(collection.documents, len(found.doc_ids))
            scores[places] += weight * idf * (K1 + 1) * tfs / (tfs + norms[places])
    return Scored(doc_ids, scores, matches)


def inverse_document_frequency(documents: int, df: int) -> float:
    """Return the weight of a term that `df` of `documents` contain."""
    return math.log1p((documents - df + 0.5) / (df + 0.5))


def top_hits(scored: Scored, top: int) -> list[tuple[int, float]]:
    """Return the `top` best (document, score); equal scores by ascending document."""
    doc_ids, scores = scored.doc_ids, scored.scores
    if top < len(scores):
        # Everything at the threshold stays, so that ties are broken by the sort below.
        threshold = np.partition(scores, -top)[-top]
        kept = scores >= threshold
        doc_ids, scores = doc_ids[kept], scores[kept]
    order = np.lexsort((doc_ids, -scores))[:top]
    return list(zip(doc_ids[order].tolist(), scores[order].tolist(), strict=True))


def _matching(matches: Mapping[Clause, NDArray[np.int64]]) -> NDArray[np.int64]:
    required = [doc_ids for clause, doc_ids in matches.items() if clause.required]
    if required:
        return reduce(lambda left, right: np.intersect1d(left, right, assume_unique=True), required)
    return np.unique(np.concatenate([np.empty(0, np.int64), *matches.values()]))


def _contains(doc_ids: NDArray[np.int64], doc_id: int) -> bool:
    place = int(np.searchsorted(doc_ids, doc_id))
    return place < len(doc_ids) and int(doc_ids[place]) == doc_id


def _places(members: NDArray[np.int64], doc_ids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where in `doc_ids` those documents stand that are in `members` too; both ascend."""
    places = np.searchsorted(doc_ids, members)
    inside: NDArray[np.int64] = places[np.append(doc_ids, -1)[places] == members]
    return inside
