"""Finds documents by number in the documents files: their lengths for scores, their text for hits.

The manifest gives the first and last document number of each row group, so only row groups that
hold a document of the answer are read. Lengths stay in memory once read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sealedbeam.pipeline.errors import IntegrityError

from .verified import DamagedRangeError, VerifiedParquet, numbers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sealedbeam.pipeline.manifest import Manifest

    from .losses import Losses
    from .verified import ByteFolder

_DOCUMENTS_PATH = re.compile(r"documents/[^/]+\.parquet")


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """What a hit shows of a document, as it was stored."""

    doc_id: int
    url: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class _Group:
    file: VerifiedParquet
    number: int
    first: int
    last: int
    rows: int


class Catalogue:
    """The documents of one index in the order of their numbers; a row is a place in that order."""

    def __init__(self, folder: ByteFolder, manifest: Manifest) -> None:
        groups = []
        for entry in manifest.files:
            if _DOCUMENTS_PATH.fullmatch(entry.path):
                groups += _groups(VerifiedParquet(folder, entry))
        self._groups = sorted(groups, key=lambda group: group.first)
        firsts = [group.first for group in self._groups]
        bounds = [bound for group in self._groups for bound in (group.first, group.last)]
        if bounds != sorted(bounds) or len(set(firsts)) != len(firsts):
            raise IntegrityError("the manifest's bounds of the documents' row groups overlap")
        rows = [group.rows for group in self._groups]
        self._firsts = np.array(firsts, np.int64)
        self._starts = np.concatenate(([0], np.cumsum(rows, dtype=np.int64)))
        self._loaded = np.zeros(len(groups), np.bool_)
        # A row group that was not read yet repeats its first number: the whole stays sorted.
        self._doc_ids = np.repeat(self._firsts, rows)
        self._lengths = np.zeros(len(self._doc_ids), np.int64)

    def lengths(self, doc_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the length in tokens of each of `doc_ids`, which ascend.

        Raises:
            IntegrityError: a row group that is needed is damaged, or has no such document.
        """
        return self._lengths[self._rows(doc_ids)]

    def readable(self, doc_ids: NDArray[np.int64], losses: Losses) -> NDArray[np.int64]:
        """Return those of `doc_ids` whose row groups can be read; others are noted in `losses`."""
        indexes = np.searchsorted(self._firsts, doc_ids, side="right") - 1
        for index in np.unique(indexes[indexes >= 0]).tolist():
            if not self._loaded[index] and index not in losses.groups:
                try:
                    self._load(index)
                except DamagedRangeError as error:
                    losses.lose_documents(error, index)
        kept: NDArray[np.int64] = doc_ids[~np.isin(indexes, list(losses.groups))]
        return kept

    def fetch(self, doc_ids: Sequence[int], losses: Losses | None = None) -> list[StoredDocument]:
        """Return the documents of these numbers, in their order; raises like `lengths`.

        With `losses` those whose row group is damaged are left out, and noted there.
        """
        wanted = defaultdict(list)
        for doc_id in doc_ids:
            row = int(self._rows(np.array([doc_id], np.int64))[0])
            index = int(np.searchsorted(self._starts, row, side="right")) - 1
            wanted[index].append((doc_id, row - int(self._starts[index])))
        found = {}
        for index, members in wanted.items():
            group = self._groups[index]
            try:
                table = group.file.read(group.number, ("url", "title", "text"))
            except DamagedRangeError as error:
                if losses is None:
                    raise
                losses.lose_documents(error, index)
                continue
            for doc_id, row in members:
                fields = {name: table.column(name)[row].as_py() for name in table.column_names}
                found[doc_id] = StoredDocument(doc_id, **fields)
        return [found[doc_id] for doc_id in doc_ids if doc_id in found]

    def _rows(self, doc_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        indexes = np.unique(np.searchsorted(self._firsts, doc_ids, side="right") - 1)
        for index in indexes[indexes >= 0].tolist():
            if not self._loaded[index]:
                self._load(index)
        rows = np.searchsorted(self._doc_ids, doc_ids)
        known = np.append(self._doc_ids, -1)[rows] == doc_ids
        if not known.all():
            missing = int(doc_ids[~known][0])
            raise IntegrityError(f"document {missing} is in the shards and in no documents file")
        return rows

    def _load(self, index: int) -> None:
        group = self._groups[index]
        table = group.file.read(group.number, ("doc_id", "length"))
        doc_ids = numbers_of(table.column("doc_id"))
        lengths = numbers_of(table.column("length"))
        if (
            (doc_ids[1:] <= doc_ids[:-1]).any()
            or (doc_ids[0], doc_ids[-1]) != (group.first, group.last)
            or (lengths < 0).any()
        ):
            raise IntegrityError(
                f"{group.file.path}: the numbers or lengths of row group {group.number} are"
                " malformed"
            )
        rows = slice(self._starts[index], self._starts[index + 1])
        self._doc_ids[rows] = doc_ids
        self._lengths[rows] = lengths
        self._loaded[index] = True


def _groups(file: VerifiedParquet) -> list[_Group]:
    groups = []
    for number, extent in enumerate(file.row_groups):
        if not extent.rows:
            continue
        try:
            first, last = int(extent.first or ""), int(extent.last or "")
        except ValueError as error:
            raise IntegrityError(
                f"{file.path}: the manifest does not bound the documents of row group {number}"
            ) from error
        groups.append(_Group(file, number, first, last, extent.rows))
    return groups
