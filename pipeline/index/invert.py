"""Turns tokens in text order into postings in term order, by one sort.

The key of a token is the rank of its term, and below that the token's number in the batch; since
tokens are numbered through the documents in order, sorting these integers puts documents and
positions into order too. (np.sort on such keys takes 7 ns a token with vector instructions; a
stable argsort of the ranks takes six times that.) Ranks are by shard first and by the term's bytes
within it, so that the part of each shard is a slice of the result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import xxhash

from .ragged import cut_into, offsets_of
from .tokens import TokenBatch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Inverted:
    """An inverted file in memory.

    `terms` are distinct and ascend in byte order; `df` says in how many documents each occurs.
    `documents` and `tfs` have one entry for each posting, terms end to end, documents ascending;
    `positions` are the ordinals of the tokens in their document, ascending, postings end to end.
    """

    terms: pa.BinaryArray
    df: NDArray[np.int64]
    documents: NDArray[np.uint32]
    tfs: NDArray[np.uint32]
    positions: NDArray[np.uint32]


def invert_by_shard(
    batches: TokenBatch | Sequence[TokenBatch], ordinals: NDArray[np.uint32], shards: int
) -> list[Inverted]:
    """Return the inverted file of the texts in `batches`, one part for each shard.

    Args:
        batches: the tokens of the texts, in the order of the documents.
        ordinals: the document number of each text, ascending.
        shards: number of shards; a term belongs to the one that `shard_of` names.

    Raises:
        ValueError: `ordinals` are not as many as the texts, or do not ascend.
    """
    batches = [batches] if isinstance(batches, TokenBatch) else batches
    lengths = np.concatenate([batch.lengths for batch in batches] or [np.zeros(0, np.int64)])
    if len(lengths) != len(ordinals):
        raise ValueError(f"{len(ordinals)} document numbers for {len(lengths)} texts")
    if not (ordinals[1:] > ordinals[:-1]).all():
        raise ValueError("document numbers do not ascend")
    terms, bounds, ranks = _ranked_terms(batches, shards)
    keys, number_bits = _sorted_keys(batches, ranks)
    whole = _postings(terms, keys, number_bits, lengths, ordinals)
    return _slices(whole, bounds)


def shard_of(term: bytes, shards: int) -> int:
    """Return the shard that holds `term`: a choice that no process or machine changes."""
    return xxhash.xxh3_64_intdigest(term) % shards


def _ranked_terms(
    batches: Sequence[TokenBatch], shards: int
) -> tuple[pa.BinaryArray, NDArray[np.int64], list[NDArray[np.int64]]]:
    """Unite the vocabularies: all terms by rank, each shard's first rank, each code's rank."""
    vocabularies = [batch.vocabulary for batch in batches]
    united = pa.concat_arrays(vocabularies or [pa.array([], pa.binary())]).dictionary_encode()
    ascending = np.asarray(pc.array_sort_indices(united.dictionary)).astype(np.int64)
    order, bounds = _shard_order(united.dictionary, ascending, shards)
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    by_code = ranks[np.asarray(united.indices)]
    by_batch = cut_into(by_code, [len(vocabulary) for vocabulary in vocabularies])
    return united.dictionary.take(pa.array(order)), bounds, by_batch


def _shard_order(
    terms: pa.BinaryArray, order: NDArray[np.int64], shards: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Reorder `order`, stably, by the shard of its terms; return each shard's first rank too."""
    if shards == 1:
        return order, np.array([0, len(order)])
    hashes = map(xxhash.xxh3_64_intdigest, terms.to_numpy(zero_copy_only=False))
    shard_ids = (np.fromiter(hashes, np.uint64, len(terms)) % np.uint64(shards))[order]
    by_shard = np.argsort(shard_ids, kind="stable")
    bounds = np.searchsorted(shard_ids[by_shard], np.arange(shards + 1, dtype=np.uint64))
    return order[by_shard], bounds


def _sorted_keys(
    batches: Sequence[TokenBatch], ranks: Sequence[NDArray[np.int64]]
) -> tuple[NDArray[np.int64], int]:
    """Return the sorted keys of all tokens, and how many low bits hold a token's number."""
    cuts = offsets_of(np.array([len(batch.codes) for batch in batches], np.int64))
    number_bits = int(cuts[-1]).bit_length()  # ranks are fewer than tokens: below 2^31 both fit
    keys = np.empty(cuts[-1], np.int64)
    for batch, rank, start, stop in zip(batches, ranks, cuts[:-1], cuts[1:], strict=True):
        np.take(rank << number_bits, batch.codes, out=keys[start:stop], mode="clip")
    keys |= np.arange(len(keys))
    keys.sort()
    return keys, number_bits


def _postings(
    terms: pa.BinaryArray,
    keys: NDArray[np.int64],
    number_bits: int,
    lengths: NDArray[np.int64],
    ordinals: NDArray[np.uint32],
) -> Inverted:
    """Cut sorted keys into postings; `terms` are by rank."""
    documents = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    numbers = keys & ((1 << number_bits) - 1)
    documents = documents[numbers]
    ranks = keys
    ranks >>= number_bits
    begins = np.ones(len(keys), np.bool_)
    new_term = ranks[1:] != ranks[:-1]
    np.logical_or(new_term, documents[1:] != documents[:-1], out=begins[1:])
    starts = np.flatnonzero(begins)
    numbers -= offsets_of(lengths)[documents]
    term_starts = np.searchsorted(starts, np.flatnonzero(new_term) + 1)
    edges = np.concatenate(([0], term_starts, [len(starts)])) if len(keys) else np.zeros(1, int)
    return Inverted(
        terms,
        np.diff(edges),
        ordinals[documents[starts]].astype(np.uint32, copy=False),
        np.diff(starts, append=len(keys)).astype(np.uint32),
        numbers.astype(np.uint32),
    )


def _slices(whole: Inverted, bounds: NDArray[np.int64]) -> list[Inverted]:
    """Cut an inverted file into rows of terms; `bounds` are their first terms and the end."""
    postings = offsets_of(whole.df)[bounds]
    positions = offsets_of(whole.tfs)[postings]
    return [
        Inverted(
            whole.terms[bounds[i] : bounds[i + 1]],
            whole.df[bounds[i] : bounds[i + 1]],
            whole.documents[postings[i] : postings[i + 1]],
            whole.tfs[postings[i] : postings[i + 1]],
            whole.positions[positions[i] : positions[i + 1]],
        )
        for i in range(len(bounds) - 1)
    ]
