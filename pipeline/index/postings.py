"""Looks terms up in the shards, and matches phrases by their positions.

A term lies in the shard that its hash chooses and, there, in the one row group whose first and
last term (from the manifest) enclose it: one footer and one row group are read for a term, and
one row group only once for all terms of a query.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import numpy as np
from sealedbeam.pipeline.errors import IntegrityError

from .invert import shard_of
from .verified import DamagedRangeError, VerifiedParquet, list_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray
    from sealedbeam.pipeline.manifest import Manifest

    from .losses import Losses
    from .verified import ByteFolder

_SHARD_PATH = re.compile(r"shards/shard-(\d{5,})\.[^/]+")
_POSITION_BITS = 32


@dataclass(frozen=True, slots=True)
class Postings:
    """Where one term occurs: documents ascending, and in each its frequency and positions.

    `positions` are those of all documents end to end, as many for each as its frequency; None
    where they were not asked for.
    """

    doc_ids: NDArray[np.int64]
    tfs: NDArray[np.int32]
    positions: NDArray[np.int32] | None


NOWHERE = Postings(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))


class ShardTable:
    """The shards of one index, found through its manifest alone."""

    def __init__(self, folder: ByteFolder, manifest: Manifest) -> None:
        shards = {}
        for entry in manifest.files:
            if match := _SHARD_PATH.fullmatch(entry.path):
                shards[int(match[1])] = _Shard(VerifiedParquet(folder, entry))
        if sorted(shards) != list(range(manifest.shards)):
            raise IntegrityError(
                f"the manifest names {manifest.shards} shards and the files of {sorted(shards)}"
            )
        self._shards = shards

    def look_up(
        self,
        terms: Collection[str],
        with_positions: Collection[str],
        losses: Losses | None = None,
    ) -> dict[str, Postings]:
        """Return the postings of each of `terms`; a term that occurs nowhere has empty ones.

        A term that cannot be read because of damage has empty ones, too, and is noted in `losses`.

        Raises:
            DamagedRangeError: a row group or footer that is needed is damaged, without `losses`.
            IntegrityError: what is needed is as it was written, and malformed.
        """
        found = dict.fromkeys(terms, NOWHERE)
        wanted = defaultdict(list)
        for term in sorted(found):
            shard = shard_of(term.encode(), len(self._shards))
            group = self._shards[shard].group_of(term)
            if group is not None:
                wanted[shard, group].append(term)
        for (shard, group), group_terms in wanted.items():
            try:
                found |= self._shards[shard].read(group, group_terms, with_positions)
            except DamagedRangeError as error:
                if losses is None:
                    raise
                losses.lose_terms(error, group_terms)
        return found


class _Shard:
    """One shard file and the bounds of its row groups."""

    def __init__(self, file: VerifiedParquet) -> None:
        self._file = file
        groups = [(i, extent) for i, extent in enumerate(file.row_groups) if extent.rows]
        self._groups = [i for i, _ in groups]
        self._firsts = [extent.first or "" for _, extent in groups]
        self._lasts = [extent.last or "" for _, extent in groups]
        bounds = [b for pair in zip(self._firsts, self._lasts, strict=True) for b in pair]
        if bounds != sorted(bounds):
            raise IntegrityError(f"{file.path}: the manifest's bounds of its row groups overlap")

    def group_of(self, term: str) -> int | None:
        """Return the number of the row group that may hold `term`."""
        # Code points and UTF-8 bytes sort alike, so that comparing strings is enough.
        index = bisect_right(self._firsts, term) - 1
        return self._groups[index] if index >= 0 and term <= self._lasts[index] else None

    def read(
        self, group: int, terms: Sequence[str], with_positions: Collection[str]
    ) -> dict[str, Postings]:
        """Return the postings of those of `terms` that the row group holds."""
        projections: list[tuple[str, ...]] = [("term", "doc_ids", "tfs")]
        if any(term in with_positions for term in terms):
            projections.append(("positions",))
        table, *rest = self._file.read_projections(group, projections)
        column = table.column("term").combine_chunks()
        found = {}
        for term in terms:
            row = bisect_left(range(len(column)), term, key=lambda i: column[i].as_py())
            if row < len(column) and column[row].as_py() == term:
                positions = rest[0] if term in with_positions else None
                found[term] = self._postings(term, row, table, positions)
        return found

    def _postings(
        self, term: str, row: int, table: pa.Table, positions_table: pa.Table | None
    ) -> Postings:
        doc_ids = list_of(table.column("doc_ids"), row)
        tfs = list_of(table.column("tfs"), row)
        positions = None
        if positions_table is not None:
            positions = list_of(positions_table.column("positions"), row)
        if (
            len(doc_ids) != len(tfs)
            or (doc_ids[1:] <= doc_ids[:-1]).any()
            or (tfs <= 0).any()
            or (positions is not None and len(positions) != tfs.sum(dtype=np.int64))
        ):
            raise IntegrityError(f"{self._file.path}: the postings of {term!r} are malformed")
        return Postings(doc_ids, tfs, positions)


def match_phrase(phrase: Sequence[Postings]) -> NDArray[np.int64]:
    """Return the documents in which the terms stand at consecutive positions, ascending.

    Each occurrence votes for the place where the phrase would begin: (document, position minus
    offset in the phrase) as one integer. A phrase begins where every term votes.
    """
    if len(phrase) == 1:
        return phrase[0].doc_ids
    by_size = sorted(phrase, key=lambda postings: len(postings.doc_ids))
    documents: NDArray[np.int64] = reduce(_intersect, [postings.doc_ids for postings in by_size])
    # One term at a time, the rarest first: a long phrase of common terms soon has few candidates.
    offsets = sorted(range(len(phrase)), key=lambda offset: int(phrase[offset].tfs.sum()))
    shared = _begins(phrase[offsets[0]], documents, offsets[0])
    for offset in offsets[1:]:
        if not len(shared):
            break
        shared = _intersect(shared, _begins(phrase[offset], documents, offset))
    return documents[np.unique(shared >> _POSITION_BITS)]


def _begins(postings: Postings, documents: NDArray[np.int64], offset: int) -> NDArray[np.int64]:
    assert postings.positions is not None, "phrases need positions"
    rows = np.searchsorted(postings.doc_ids, documents)
    tfs = postings.tfs[rows].astype(np.int64)
    sources = np.cumsum(postings.tfs, dtype=np.int64)[rows] - tfs
    targets = np.cumsum(tfs) - tfs
    chosen = np.repeat(sources - targets, tfs) + np.arange(tfs.sum())
    begins: NDArray[np.int64] = postings.positions[chosen].astype(np.int64) - offset
    ranks = np.repeat(np.arange(len(documents), dtype=np.int64), tfs)
    votes: NDArray[np.int64] = (ranks << _POSITION_BITS) | begins
    return votes[begins >= 0]


def _intersect(few: NDArray[np.int64], many: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what two ascending arrays share; linear in the shorter one but for a logarithm."""
    if not len(many):
        return many
    places = np.minimum(np.searchsorted(many, few), len(many) - 1)
    shared: NDArray[np.int64] = few[many[places] == few]
    return shared
