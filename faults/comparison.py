"""Compares an index with the fault-free one: documents, terms, postings; in Arrow and NumPy.

A difference is *named* when the job itself says it: a missing document whose record is in the
quarantine, postings of such a document, postings of a run or row group that is there, and a
duplicate that stands in for an original that is there. All other differences are silent.

What this does not compare: the ledger, the quarantine, metrics and reports, which differ rightly.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from filecmp import cmp
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.parquet import read_checked

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from sealedbeam.pipeline.jobs.quarantine import Quarantined

    Wholes = NDArray[np.int64]

DUPLICATES = "duplicates.parquet"
_FOLDERS = ("documents", "shards")
_RUN = re.compile(r"part-\d+/(?P<kind>[a-z]+)/\d+/(?P<shard>\d+)")
_SHARD = re.compile(r"shard-(?P<shard>\d+)\b")
_STRINGS = pa.list_(pa.string())  # the kernel knows no fields that are never null
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MIX_AGAIN = np.uint64(0xBF58476D1CE4E5B9)


@dataclass(frozen=True, slots=True)
class Difference:
    """How an index differs from the fault-free one.

    Attributes:
        byte_identical: whether documents, shards and duplicates are the same files.
        documents_missing: parsed there, absent here.
        documents_extra: the other way round.
        documents_altered: in both, some field differs.
        terms_missing: in the shards there, not here.
        terms_extra: the other way round.
        terms_wrong_df: in both, in another number of documents.
        postings_missing: pairs of term and document there, not here.
        postings_extra: the other way round.
        postings_altered: in both, with another frequency or other positions.
        silent: differences of documents and postings that the job does not name.
    """

    byte_identical: bool = True
    documents_missing: int = 0
    documents_extra: int = 0
    documents_altered: int = 0
    terms_missing: int = 0
    terms_extra: int = 0
    terms_wrong_df: int = 0
    postings_missing: int = 0
    postings_extra: int = 0
    postings_altered: int = 0
    silent: int = 0

    def plus(self, **counts: int) -> Difference:
        """Return the difference with these counts added."""
        return replace(self, **{name: getattr(self, name) + n for name, n in counts.items()})


@dataclass(frozen=True, slots=True)
class Named:
    """What a job says is missing: documents by number, shards that lack some of their terms.

    `digests` says that what finds duplicates lacks something, too.
    """

    documents: Wholes = field(default_factory=lambda: np.empty(0, np.int64))
    shards: frozenset[int] = frozenset()
    digests: bool = False


def name_losses(rows: Iterable[Quarantined]) -> Named:
    """Return what the rows of a quarantine name."""
    documents, shards, digests = [], set(), False
    for row in rows:
        identity = bytes.fromhex(row.identity)
        if row.source_file and identity:
            documents.append(Origin.decode(identity).doc_id)
            continue
        text = identity.decode("ascii", "replace")
        run = _RUN.match(text)
        piece = run or _SHARD.match(text)
        if run is not None and run["kind"] == "digests":
            digests = True
        elif piece is not None:
            shards.add(int(piece["shard"]))
    numbers = np.unique(np.array(documents, np.int64))
    return Named(numbers, frozenset(shards), digests)


def compare_indexes(reference: Path, other: Path, named: Named) -> Difference:
    """Return how the index in `other` differs from that in `reference`.

    Args:
        reference: folder of the fault-free index.
        other: folder of the one under faults; it need not have finished well.
        named: what the latter's job says is missing.

    Raises:
        IntegrityError: a file cannot be read.
    """
    if _same_files(reference, other):
        return Difference()
    try:
        difference = _compare_documents(reference, other, named)
        stands_in = _find_stand_ins(reference, other, named)
        for number, (ours, theirs) in _pair(reference, other, "shards").items():
            difference = _add_shard(difference, number, (ours, theirs), named, stands_in)
    except (pa.ArrowException, OSError, KeyError, ValueError) as error:
        raise IntegrityError(f"{other} cannot be compared: {error}") from None
    return replace(difference, byte_identical=False)


def _same_files(reference: Path, other: Path) -> bool:
    names = [
        sorted(path.relative_to(root).as_posix() for path in _files(root))
        for root in (reference, other)
    ]
    if names[0] != names[1]:
        return False
    return all(cmp(reference / name, other / name, shallow=False) for name in names[0])


def _files(root: Path) -> list[Path]:
    found = [path for folder in _FOLDERS for path in (root / folder).glob("*.parquet")]
    return [*found, *root.glob(DUPLICATES)]


def _pair(
    reference: Path, other: Path, folder: str
) -> dict[int, tuple[Sequence[Path], Sequence[Path]]]:
    """Return the files of each part or shard that is not the same in both folders."""
    pairs: dict[int, tuple[list[Path], list[Path]]] = defaultdict(lambda: ([], []))
    for side, root in enumerate((reference, other)):
        for path in sorted((root / folder).glob("*.parquet")):
            pairs[int(path.name.partition(".")[0].rpartition("-")[2])][side].append(path)
    return {
        number: (ours, theirs)
        for number, (ours, theirs) in sorted(pairs.items())
        if [path.name for path in ours] != [path.name for path in theirs]
    }


def _read(paths: Sequence[Path], columns: Sequence[str] | None = None) -> pa.Table | None:
    tables = [read_checked(path.read_bytes(), columns) for path in paths]
    return pa.concat_tables(tables).combine_chunks() if tables else None


def _numbers(column: pa.ChunkedArray | pa.Array) -> Wholes:
    numbers: Wholes = np.asarray(column.to_numpy(zero_copy_only=False), np.int64)
    return numbers


# Documents.


def _compare_documents(reference: Path, other: Path, named: Named) -> Difference:
    difference = Difference()
    for ours, theirs in _pair(reference, other, "documents").values():
        left, right = _read(ours), _read(theirs)
        ids_left = _ids(left, "doc_id")
        ids_right = _ids(right, "doc_id")
        missing = np.setdiff1d(ids_left, ids_right)
        extra = np.setdiff1d(ids_right, ids_left)
        altered = 0
        _, rows_left, rows_right = np.intersect1d(ids_left, ids_right, return_indices=True)
        if left is not None and right is not None:
            altered = _count_altered(left.take(rows_left), right.take(rows_right))
        unnamed = int((~np.isin(missing, named.documents)).sum())
        difference = difference.plus(
            documents_missing=len(missing),
            documents_extra=len(extra),
            documents_altered=altered,
            silent=unnamed + len(extra) + altered,
        )
    return difference


def _ids(table: pa.Table | None, column: str) -> Wholes:
    return np.empty(0, np.int64) if table is None else _numbers(table.column(column))


def _count_altered(left: pa.Table, right: pa.Table) -> int:
    """Return how many rows of two tables of equal length differ in any column."""
    differs = np.zeros(len(left), np.bool_)
    for name in left.column_names:
        pair = [table.column(name) for table in (left, right)]
        if pa.types.is_list(pair[0].type):
            differs |= _numbers(pc.list_value_length(pair[0])) != _numbers(
                pc.list_value_length(pair[1])
            )
            pair = [pc.binary_join(column.cast(_STRINGS), "\n") for column in pair]
        differs |= pc.not_equal(*pair).to_numpy(zero_copy_only=False).astype(np.bool_)
    return int(differs.sum())


def _find_stand_ins(reference: Path, other: Path, named: Named) -> Wholes:
    """Return the duplicates that are indexed in `other` because their original is known lost."""
    tables = []
    for root in (reference, other):
        path = root / DUPLICATES
        tables.append(_read([path], ("doc_id", "duplicate_of")) if path.exists() else None)
    duplicates, originals = _ids(tables[0], "doc_id"), _ids(tables[0], "duplicate_of")
    explained = np.isin(originals, named.documents) | named.digests
    return np.setdiff1d(duplicates[explained], _ids(tables[1], "doc_id"))


# Shards.


class _Postings(NamedTuple):
    """The postings of a shard: the row of each one's term, its document, its frequency, its places.

    `positions` has one number for the positions of each.
    """

    rows: Wholes
    doc_ids: Wholes
    tfs: Wholes
    positions: NDArray[np.uint64]

    @classmethod
    def of(cls, table: pa.Table | None) -> _Postings:
        """Take the postings out of a shard's table."""
        if table is None or not len(table):
            nothing = np.empty(0, np.int64)
            return cls(nothing, nothing, nothing, nothing.astype(np.uint64))
        doc_ids, tfs, positions = (
            _numbers(table.column(name).combine_chunks().flatten())
            for name in ("doc_ids", "tfs", "positions")
        )
        lengths = _numbers(pc.list_value_length(table.column("doc_ids")))
        if len(doc_ids) != len(tfs) or tfs.sum() != len(positions) or (tfs <= 0).any():
            raise IntegrityError("the postings of a shard are malformed")
        rows = np.repeat(np.arange(len(table), dtype=np.int64), lengths)
        return cls(rows, doc_ids, tfs, _digest_positions(tfs, positions))


def _digest_positions(tfs: Wholes, positions: Wholes) -> NDArray[np.uint64]:
    """Return one number for the positions of each posting, in their order."""
    starts = np.cumsum(tfs) - tfs
    ordinals = np.arange(len(positions), dtype=np.int64) - np.repeat(starts, tfs)
    mixed = (positions + (ordinals << 32)).astype(np.uint64) * _MIX
    mixed = (mixed ^ (mixed >> np.uint64(31))) * _MIX_AGAIN
    digests: NDArray[np.uint64] = np.add.reduceat(mixed ^ (mixed >> np.uint64(29)), starts)
    return digests


def _add_shard(
    difference: Difference,
    number: int,
    files: tuple[Sequence[Path], Sequence[Path]],
    named: Named,
    stands_in: Wholes,
) -> Difference:
    """Return `difference` with that of one shard added."""
    left, right = _read(files[0]), _read(files[1])
    terms_left, terms_right = (
        pa.array([], pa.string()) if table is None else table.column("term").combine_chunks()
        for table in (left, right)
    )
    found = pc.index_in(terms_right, value_set=terms_left)
    known = _numbers(pc.fill_null(found, -1))
    in_both = known >= 0
    wrong = 0
    if left is not None and right is not None:
        frequencies = _numbers(left.column("df"))[known[in_both]]
        wrong = int((frequencies != _numbers(right.column("df"))[in_both]).sum())
    codes = np.where(in_both, known, len(terms_left) + np.arange(len(known)))
    missing, extra, altered = _match(_Postings.of(left), _Postings.of(right), codes)
    named_documents = missing if number in named.shards else named.documents
    unnamed = missing[~np.isin(missing, named_documents)]
    return difference.plus(
        terms_missing=len(terms_left) - int(in_both.sum()),
        terms_extra=int((~in_both).sum()),
        terms_wrong_df=wrong,
        postings_missing=len(missing),
        postings_extra=len(extra),
        postings_altered=altered,
        silent=len(unnamed) + int((~np.isin(extra, stands_in)).sum()) + altered,
    )


def _match(left: _Postings, right: _Postings, codes: Wholes) -> tuple[Wholes, Wholes, int]:
    """Return the documents of the postings on one side alone, and how many in both differ.

    `codes` gives each term of the right side its row on the left one, or a number beyond.
    """
    documents = np.unique(np.concatenate([left.doc_ids, right.doc_ids]))
    keys_left = left.rows * len(documents) + np.searchsorted(documents, left.doc_ids)
    terms_right = codes[right.rows] if len(right.rows) else right.rows
    keys_right = terms_right * len(documents) + np.searchsorted(documents, right.doc_ids)
    common, at_left, at_right = np.intersect1d(
        keys_left, keys_right, assume_unique=True, return_indices=True
    )
    differs = left.tfs[at_left] != right.tfs[at_right]
    differs |= left.positions[at_left] != right.positions[at_right]
    alone_left = left.doc_ids[~np.isin(keys_left, common, assume_unique=True)]
    alone_right = right.doc_ids[~np.isin(keys_right, common, assume_unique=True)]
    return alone_left, alone_right, int(differs.sum())
