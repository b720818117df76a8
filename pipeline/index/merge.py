"""Merges the runs of one shard into ranges of whole terms, in bounded memory.

A *group* is one term's postings in one run; groups are few and are the only things that are
ordered. Terms ascend in every run, so what a range of terms needs of a run is one slice: a range
concatenates these slices and puts the groups in order by one gather.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .invert import Inverted
from .ragged import ascends_within, cut_into, offsets_of, spread, sums_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

POSTINGS_MAX = 2_000_000
_ROW_COST = 8  # a term by itself costs about as many bytes as this many positions


@dataclass(frozen=True, slots=True)
class PostingRange:
    """The postings of consecutive terms.

    Like `Inverted`, but over all documents: `doc_ids` ascend within a term, `cf` is how often the
    term occurs in all of them.
    """

    terms: pa.BinaryArray
    df: NDArray[np.int64]
    cf: NDArray[np.int64]
    doc_ids: NDArray[np.int64]
    tfs: NDArray[np.int32]
    positions: NDArray[np.int32]


def merge_runs(
    runs: Sequence[tuple[int, Inverted]],
    dropped: NDArray[np.int64],
    postings_max: int = POSTINGS_MAX,
) -> Iterator[PostingRange]:
    """Yield all terms of `runs` in ascending order, each once and whole.

    Args:
        runs: first doc id of the part, and its run, in ascending order; several runs may share a
            part when their documents ascend from run to run.
        dropped: ascending doc ids to leave out; a term without other documents vanishes.
        postings_max: about how many positions a range holds; a single term may exceed it.

    Raises:
        ValueError: the documents of a term do not ascend from run to run.
    """
    parts = [_Part.of(base, _without(run, base, dropped)) for base, run in runs]
    united = pa.concat_arrays([part.run.terms for part in parts] or [pa.array([], pa.binary())])
    united = united.dictionary_encode()
    order = np.asarray(pc.array_sort_indices(united.dictionary))
    terms = united.dictionary.take(pa.array(order))
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    by_part = cut_into(ranks[np.asarray(united.indices)], [len(part.run.terms) for part in parts])
    bounds = _range_bounds(len(terms), parts, by_part, postings_max)
    edges = [np.searchsorted(part_ranks, bounds) for part_ranks in by_part]
    for i in range(len(bounds) - 1):
        slices = [
            part.slice(part_ranks, int(edge[i]), int(edge[i + 1]))
            for part, part_ranks, edge in zip(parts, by_part, edges, strict=True)
            if edge[i] < edge[i + 1]
        ]
        yield _range_of(terms[bounds[i] : bounds[i + 1]], int(bounds[i]), slices)


@dataclass(frozen=True, slots=True)
class _Part:
    """A run with the places where the postings and the positions of its terms start."""

    base: int
    run: Inverted
    postings: NDArray[np.int64]
    positions: NDArray[np.int64]

    @classmethod
    def of(cls, base: int, run: Inverted) -> Self:
        postings = offsets_of(run.df)
        return cls(base, run, postings, offsets_of(sums_of(run.tfs, run.df)))

    def slice(self, ranks: NDArray[np.int64], start: int, stop: int) -> _Slice:
        """Return the terms from `start` to `stop` of this run."""
        postings = slice(self.postings[start], self.postings[stop])
        positions = slice(self.positions[start], self.positions[stop])
        return _Slice(
            ranks[start:stop],
            self.run.df[start:stop],
            np.diff(self.positions[start : stop + 1]),
            self.run.documents[postings] + np.int64(self.base),
            self.run.tfs[postings],
            self.run.positions[positions],
        )


@dataclass(frozen=True, slots=True)
class _Slice:
    """Groups, by the rank of their terms, and their postings; `_range_of` joins field by field."""

    ranks: NDArray[np.int64]
    df: NDArray[np.int64]
    cf: NDArray[np.int64]
    doc_ids: NDArray[np.int64]
    tfs: NDArray[np.uint32]
    positions: NDArray[np.uint32]


def _without(run: Inverted, base: int, dropped: NDArray[np.int64]) -> Inverted:
    """Return `run` without the documents whose ids are `dropped`."""
    near = dropped[np.searchsorted(dropped, base) : np.searchsorted(dropped, base + 2**32)]
    if len(near) == 0 or len(run.documents) == 0:
        return run
    kept = np.isin(run.documents, (near - base).astype(np.uint32), invert=True)
    if kept.all():
        return run
    df = sums_of(kept, run.df)
    return Inverted(
        run.terms.filter(pa.array(df > 0)),
        df[df > 0],
        run.documents[kept],
        run.tfs[kept],
        run.positions[np.repeat(kept, run.tfs)],
    )


def _range_bounds(
    terms: int,
    parts: Sequence[_Part],
    by_part: Sequence[NDArray[np.int64]],
    postings_max: int,
) -> NDArray[np.int64]:
    """Return the ranks at which ranges begin, and the number of terms."""
    costs = np.full(terms, _ROW_COST, np.int64)
    for part, ranks in zip(parts, by_part, strict=True):
        costs[ranks] += np.diff(part.positions)
    ends = np.cumsum(costs)
    bounds = [0]
    while bounds[-1] < terms:
        spent = ends[bounds[-1] - 1] if bounds[-1] else 0
        stop = int(np.searchsorted(ends, spent + postings_max, side="right"))
        bounds.append(max(stop, bounds[-1] + 1))
    return np.array(bounds)


def _range_of(terms: pa.BinaryArray, first_rank: int, slices: Sequence[_Slice]) -> PostingRange:
    """Put the groups of all slices into the order of `terms`, runs in their order below that."""
    ranks, df, cf = (_joined(slices, name) for name in ("ranks", "df", "cf"))
    order = np.argsort(ranks, kind="stable")
    postings = spread(offsets_of(df)[:-1][order], df[order])
    positions = spread(offsets_of(cf)[:-1][order], cf[order])
    groups = np.bincount(ranks - first_rank, minlength=len(terms))
    total_df = sums_of(df[order], groups)
    doc_ids = _joined(slices, "doc_ids")[postings]
    if not ascends_within(doc_ids, total_df):
        raise ValueError("the documents of a term do not ascend from run to run")
    return PostingRange(
        terms,
        total_df,
        sums_of(cf[order], groups),
        doc_ids,
        _joined(slices, "tfs")[postings].view(np.int32),
        _joined(slices, "positions")[positions].view(np.int32),
    )


def _joined(slices: Sequence[_Slice], name: str) -> NDArray[Any]:
    return np.concatenate([getattr(part, name) for part in slices])
