"""Answers queries from a finished index, reading and checking only what a query needs.

Opening reads the manifest, which proves itself. A query then reads the row groups that its terms
can lie in, the lengths of the documents that match, and the text of those that are shown; each
footer and row group is compared with the manifest before it is parsed. Damage in what is needed
raises; damage elsewhere does not matter to the answer, which is right.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.manifest import FILE_NAME, Manifest, decode_manifest

from .catalogue import Catalogue
from .postings import ShardTable
from .query import parse_query
from .scoring import Collection, score_clauses, top_hits
from .snippets import MARKERS, make_snippet, printable
from .verified import LocalFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .catalogue import StoredDocument
    from .postings import Postings
    from .query import Clause
    from .verified import ByteFolder


@dataclass(frozen=True, slots=True)
class Hit:
    """One document of an answer; its strings are safe to print."""

    rank: int
    doc_id: int
    score: float
    url: str
    title: str
    snippet: str


@dataclass(frozen=True, slots=True)
class Results:
    """The answer to a query: `total` documents match, the best of them are `hits`."""

    query: str
    total: int
    hits: tuple[Hit, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain JSON values."""
        return asdict(self)


class Index:
    """A finished index, opened once and queried any number of times."""

    def __init__(self, folder: ByteFolder, manifest: Manifest) -> None:
        self._shards = ShardTable(folder, manifest)
        self._catalogue = Catalogue(folder, manifest)
        totals = manifest.totals
        self._collection = Collection(totals.documents, totals.tokens, self._catalogue.lengths)

    @classmethod
    def open(cls, folder: ByteFolder | str | os.PathLike[str]) -> Index:
        """Return the index in `folder`, its manifest verified.

        Raises:
            UsageError: there is no manifest, because no job finished here.
            IntegrityError: the manifest is damaged.
        """
        place = LocalFolder(folder) if isinstance(folder, str | os.PathLike) else folder
        try:
            data = place.read(FILE_NAME)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UsageError(
                f"no finished index here: {place.name} has no {FILE_NAME}"
                " (it is written last, by a job that succeeds)"
            ) from error
        except OSError as error:
            raise UsageError(
                f"{place.name}/{FILE_NAME} cannot be read: {error.strerror or error}"
            ) from error
        return cls(place, decode_manifest(data))

    def search(self, query: str, top: int = 10, markers: tuple[str, str] = MARKERS) -> Results:
        """Return the `top` best documents for `query`; see `query` for how it is read.

        Args:
            query: words, and phrases in quotation marks.
            top: how many hits to return at most.
            markers: what to put before and after each found word in a snippet.

        Raises:
            UsageError: `top` is not positive.
            IntegrityError: stored bytes that this query needs are damaged.
        """
        if top < 1:
            raise UsageError(f"top is {top}: ask for at least one hit")
        clauses = parse_query(query)
        scored = score_clauses(clauses, self._postings(clauses), self._collection)
        best = top_hits(scored, top)
        documents = self._catalogue.fetch([doc_id for doc_id, _ in best])
        hits = tuple(
            _hit(rank, score, document, scored.clauses_of(document.doc_id), markers)
            for rank, ((_, score), document) in enumerate(zip(best, documents, strict=True), 1)
        )
        return Results(query, len(scored.doc_ids), hits)

    def _postings(self, clauses: Sequence[Clause]) -> dict[str, Postings]:
        terms = {term for clause in clauses for term in clause.terms}
        in_phrases = {term for clause in clauses if len(clause.terms) > 1 for term in clause.terms}
        return self._shards.look_up(terms, in_phrases)


def _hit(
    rank: int,
    score: float,
    document: StoredDocument,
    clauses: Sequence[Clause],
    markers: tuple[str, str],
) -> Hit:
    return Hit(
        rank=rank,
        doc_id=document.doc_id,
        score=score,
        url=printable(document.url),
        title=printable(document.title),
        snippet=make_snippet(document.text, [clause.terms for clause in clauses], markers),
    )
