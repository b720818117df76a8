"""Compares an index with the fault-free one: documents, terms, postings; in Arrow and NumPy.

A difference is *named* when the job itself says it, as `losses` reads it. All others are silent,
and so is a file of other bytes in which nothing is found to differ.

What this does not compare: the ledger, the quarantine, metrics and reports, which differ rightly;
and of a lost run or row group how much it held.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from filecmp import cmp
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.parquet import read_checked

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from .losses import Named

    Wholes = NDArray[np.int64]
    Files = tuple[Sequence[Path], Sequence[Path]]

DUPLICATES = "duplicates.parquet"
_FOLDERS = ("documents", "shards")
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
        terms_misstated: their numbers of documents or places are not those of their postings.
        duplicates_missing: told to be one there, not here.
        duplicates_extra: the other way round.
        duplicates_altered: in both, of another original.
        silent: differences that the job does not name.
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
    terms_misstated: int = 0
    duplicates_missing: int = 0
    duplicates_extra: int = 0
    duplicates_altered: int = 0
    silent: int = 0

    def plus_file(self, counts: Counter[str]) -> Difference:
        """Return the difference with that of a file added; one that shows nothing is silent."""
        found = counts if counts.total() else {"silent": 1}
        return replace(self, **{name: getattr(self, name) + n for name, n in found.items()})


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
        difference, stands_in = _compare_duplicates(reference, other, named)
        for files in _pair(reference, other, "documents").values():
            difference = difference.plus_file(_compare_documents(files, named))
        for number, files in _pair(reference, other, "shards").items():
            difference = difference.plus_file(_compare_shard(number, files, named, stands_in))
    except (pa.ArrowException, OSError, KeyError, ValueError, IndexError) as error:
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


def _pair(reference: Path, other: Path, folder: str) -> dict[int, Files]:
    """Return the files of each part or shard that is not the same in both folders.

    Raises:
        IntegrityError: two files have one name, which is that of their bytes, and other bytes.
    """
    pairs: dict[int, tuple[list[Path], list[Path]]] = defaultdict(lambda: ([], []))
    for side, root in enumerate((reference, other)):
        for path in sorted((root / folder).glob("*.parquet")):
            pairs[int(path.name.partition(".")[0].rpartition("-")[2])][side].append(path)
    return {
        number: (ours, theirs)
        for number, (ours, theirs) in sorted(pairs.items())
        if not _is_same(ours, theirs)
    }


def _is_same(ours: Sequence[Path], theirs: Sequence[Path]) -> bool:
    if [path.name for path in ours] != [path.name for path in theirs]:
        return False
    for our, their in zip(ours, theirs, strict=True):
        if not cmp(our, their, shallow=False):
            raise IntegrityError(
                f"{our} or {their} was damaged after it had been written: the names are those of "
                "the bytes, and equal; audit tells which. Remove its job's folder"
            )
    return True


def _read(paths: Sequence[Path], columns: Sequence[str] | None = None) -> pa.Table | None:
    tables = [read_checked(path.read_bytes(), columns) for path in paths]
    return pa.concat_tables(tables).combine_chunks() if tables else None


def _numbers(column: pa.ChunkedArray | pa.Array) -> Wholes:
    numbers: Wholes = np.asarray(column.to_numpy(zero_copy_only=False), np.int64)
    return numbers


# Documents.


def _compare_documents(files: Files, named: Named) -> Counter[str]:
    left, right = (_read(paths) for paths in files)
    ids_left, ids_right = _ids(left, "doc_id"), _ids(right, "doc_id")
    missing = np.setdiff1d(ids_left, ids_right)
    extra = len(ids_right) - len(np.intersect1d(ids_left, ids_right))  # one that is twice counts
    altered = 0
    _, rows_left, rows_right = np.intersect1d(ids_left, ids_right, return_indices=True)
    if left is not None and right is not None:
        altered = _count_altered(left.take(rows_left), right.take(rows_right))
    unnamed = int((~named.has_documents(missing)).sum())
    return Counter(
        documents_missing=len(missing),
        documents_extra=extra,
        documents_altered=altered,
        silent=unnamed + extra + altered,
    )


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


# Duplicates.


def _compare_duplicates(reference: Path, other: Path, named: Named) -> tuple[Difference, Wholes]:
    """Return how the duplicates differ, and those that rightly stand in for their original."""
    paths = [root / DUPLICATES for root in (reference, other)]
    if all(path.exists() for path in paths) and cmp(paths[0], paths[1], shallow=False):
        return Difference(), np.empty(0, np.int64)
    tables = [_read([path]) if path.exists() else None for path in paths]
    (ids_left, originals_left), (ids_right, originals_right) = (
        (_ids(table, "doc_id"), _ids(table, "duplicate_of")) for table in tables
    )
    explained = named.has_digests(ids_left) | named.has_digests(originals_left)
    missing = ~np.isin(ids_left, ids_right)
    common, at_left, at_right = np.intersect1d(ids_left, ids_right, return_indices=True)
    altered = np.zeros(len(ids_left), np.bool_)
    altered[at_left] = originals_left[at_left] != originals_right[at_right]
    extra = len(ids_right) - len(common)
    counts = Counter(
        duplicates_missing=int(missing.sum()),
        duplicates_extra=extra,
        duplicates_altered=int(altered.sum()),
        silent=int(((missing | altered) & ~explained).sum()) + extra,
    )
    return Difference().plus_file(counts), ids_left[missing & explained]


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


def _compare_shard(number: int, files: Files, named: Named, stands_in: Wholes) -> Counter[str]:
    left, right = (_read(paths) for paths in files)
    terms_left, terms_right = (
        pa.array([], pa.string()) if table is None else table.column("term").combine_chunks()
        for table in (left, right)
    )
    known = _numbers(pc.fill_null(pc.index_in(terms_right, value_set=terms_left), -1))
    in_both = known >= 0
    wrong = 0
    if left is not None and right is not None:
        frequencies = _numbers(left.column("df"))[known[in_both]]
        wrong = int((frequencies != _numbers(right.column("df"))[in_both]).sum())
    codes = np.where(in_both, known, len(terms_left) + np.arange(len(known)))
    postings_left, postings_right = _Postings.of(left), _Postings.of(right)
    missing, extra, altered = _match(postings_left, postings_right, codes)
    named_missing = named.has_postings(postings_left.doc_ids[missing], number)
    if number in named.shards:  # a row group takes whole terms with it
        named_missing |= ~np.isin(postings_left.rows[missing], known)
    misstated = _count_misstated(right)
    silent = int((~named_missing).sum()) + int((~np.isin(extra, stands_in)).sum())
    return Counter(
        terms_missing=len(terms_left) - len(np.unique(known[in_both])),
        terms_extra=int((~in_both).sum()),
        terms_wrong_df=wrong,
        terms_misstated=misstated,
        postings_missing=len(missing),
        postings_extra=len(extra),
        postings_altered=altered,
        silent=silent + altered + misstated,
    )


def _count_misstated(table: pa.Table | None) -> int:
    """Return how many terms of a shard have other postings or places than their numbers say."""
    if table is None:
        return 0
    pairs = [("df", "doc_ids"), ("cf", "positions")]
    wrong = [
        _numbers(table.column(number)) != _numbers(pc.list_value_length(table.column(places)))
        for number, places in pairs
    ]
    return int((wrong[0] | wrong[1]).sum())


def _match(left: _Postings, right: _Postings, codes: Wholes) -> tuple[Wholes, Wholes, int]:
    """Return which postings of the left side the right one lacks, and how the latter differs.

    Args:
        left: of the reference: no term has a document twice.
        right: what is compared; what it has twice is there once too often.
        codes: gives each term of the right side its row on the left one, or a number beyond.

    Returns:
        The rows of `left` that are missing, the documents of the postings that are too many, and
        how many on both sides differ.
    """
    documents = np.unique(np.concatenate([left.doc_ids, right.doc_ids]))
    keys_left = left.rows * len(documents) + np.searchsorted(documents, left.doc_ids)
    terms_right = codes[right.rows] if len(right.rows) else right.rows
    keys_right = terms_right * len(documents) + np.searchsorted(documents, right.doc_ids)
    _, at_left, at_right = np.intersect1d(keys_left, keys_right, return_indices=True)
    differs = left.tfs[at_left] != right.tfs[at_right]
    differs |= left.positions[at_left] != right.positions[at_right]
    missing = np.setdiff1d(np.arange(len(keys_left)), at_left, assume_unique=True)
    extra = np.setdiff1d(np.arange(len(keys_right)), at_right, assume_unique=True)
    return missing, right.doc_ids[extra], int(differs.sum())
