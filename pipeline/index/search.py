"""Answers queries from a finished index, reading and checking only what a query needs.

Opening reads the manifest, which proves itself. A query then reads the row groups that its terms
can lie in, the lengths of the documents that match, and the text of those that are shown; each
footer and row group is compared with the manifest before it is parsed. Damage in what is needed
raises, or is told with an answer from the rest, as the caller wishes; damage elsewhere does not
matter to the answer, which is right.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError, UsageError
from sealedbeam.pipeline.manifest import COPY_NAME, FILE_NAME, Manifest, decode_manifest

from .catalogue import Catalogue
from .losses import Damage, Losses
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
    """The answer to a query: `total` documents match, the best of them are `hits`.

    With `damage` this is the answer from what is left; each hit is one of the true answer.
    """

    query: str
    total: int
    hits: tuple[Hit, ...]
    damage: tuple[Damage, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the answer as plain JSON values; `damage` is there only if there is some."""
        return {key: value for key, value in asdict(self).items() if key != "damage" or value}


class Index:
    """A finished index, opened once and queried any number of times."""

    def __init__(
        self, folder: ByteFolder, manifest: Manifest, damage: tuple[Damage, ...] = ()
    ) -> None:
        self._damage = damage
        self._shards = ShardTable(folder, manifest)
        self._catalogue = Catalogue(folder, manifest)
        totals = manifest.totals
        self._collection = Collection(totals.documents, totals.tokens, self._catalogue.lengths)

    @classmethod
    def open(cls, folder: ByteFolder | str | os.PathLike[str]) -> Index:
        """Return the index in `folder`, its manifest verified; its copy does, if there is one.

        Raises:
            UsageError: there is no manifest, because no job finished here.
            IntegrityError: the manifest is damaged.
        """
        place = LocalFolder(folder) if isinstance(folder, str | os.PathLike) else folder
        try:
            return cls(place, _read_manifest(place))
        except SealedBeamError as error:
            try:
                manifest = decode_manifest(place.read(COPY_NAME))
            except (OSError, IntegrityError):
                raise error from None
            return cls(
                place, manifest, (Damage(FILE_NAME, str(error), "nothing: its copy was read"),)
            )

    def search(
        self,
        query: str,
        top: int = 10,
        markers: tuple[str, str] = MARKERS,
        *,
        partial: bool = False,
    ) -> Results:
        """Return the `top` best documents for `query`; see `query` for how it is read.

        Args:
            query: words, and phrases in quotation marks.
            top: how many hits to return at most.
            markers: what to put before and after each found word in a snippet.
            partial: whether to answer from what is left where stored bytes are damaged.

        Raises:
            UsageError: `top` is not positive.
            IntegrityError: stored bytes that this query needs are damaged.
        """
        if top < 1:
            raise UsageError(f"top is {top}: ask for at least one hit")
        clauses = parse_query(query)
        losses = Losses() if partial else None
        postings = self._postings(clauses, losses)
        while True:
            scored = score_clauses(clauses, postings, self._collect(losses))
            best = top_hits(scored, top)
            documents = self._catalogue.fetch([doc_id for doc_id, _ in best], losses)
            if len(documents) == len(best):  # else without those whose text has just been lost
                break
        hits = tuple(
            _hit(rank, score, document, scored.clauses_of(document.doc_id), markers)
            for rank, ((_, score), document) in enumerate(zip(best, documents, strict=True), 1)
        )
        damage = () if losses is None else (*self._damage, *losses.damage)
        return Results(query, len(scored.doc_ids), hits, damage)

    def _collect(self, losses: Losses | None) -> Collection:
        if losses is None:
            return self._collection
        return replace(
            self._collection, readable=lambda doc_ids: self._catalogue.readable(doc_ids, losses)
        )

    def _postings(self, clauses: Sequence[Clause], losses: Losses | None) -> dict[str, Postings]:
        terms = {term for clause in clauses for term in clause.terms}
        in_phrases = {term for clause in clauses if len(clause.terms) > 1 for term in clause.terms}
        return self._shards.look_up(terms, in_phrases, losses)


def _read_manifest(place: ByteFolder) -> Manifest:
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
    return decode_manifest(data)


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
