from __future__ import annotations

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index.invert import (
    invert_by_shard,
    shard_of,
)
from sealedbeam.pipeline.index.tokens import tokenize_batch

from tests.support.inverted_oracle import as_dict, corpora, inverted_of, postings_of


@given(corpora)
def test_every_token_stands_at_its_place(corpus: dict[int, str]) -> None:
    """Terms, documents and positions are those of a dict of dicts, and in its order."""
    inverted = inverted_of(corpus)
    expected = postings_of(corpus)
    assert list(expected) == inverted.terms.to_pylist()
    assert expected == as_dict(inverted)
    assert np.int64 == inverted.df.dtype
    arrays = (inverted.documents, inverted.tfs, inverted.positions)
    assert [np.uint32] * 3 == [array.dtype for array in arrays]


@given(corpora, st.integers(1, 4))
def test_batches_are_united(corpus: dict[int, str], size: int) -> None:
    """However documents are divided into batches, they give the same inverted file."""
    documents = sorted(corpus)
    texts = [corpus[document].encode() for document in documents]
    batches = [tokenize_batch(texts[i : i + size]) for i in range(0, len(texts), size)]
    ordinals = np.array(documents, np.uint32)
    assert postings_of(corpus) == as_dict(invert_by_shard(batches, ordinals, 1)[0])


@given(corpora, st.integers(1, 5))
def test_a_shard_has_the_terms_that_its_number_says(corpus: dict[int, str], shards: int) -> None:
    """Each term goes whole to the shard of its hash."""
    documents = sorted(corpus)
    batch = tokenize_batch([corpus[document].encode() for document in documents])
    direct = invert_by_shard(batch, np.array(documents, np.uint32), shards)
    expected = [
        {t: p for t, p in postings_of(corpus).items() if xxhash.xxh3_64_intdigest(t) % shards == s}
        for s in range(shards)
    ]
    assert expected == [as_dict(part) for part in direct]
    assert [list(part) for part in expected] == [part.terms.to_pylist() for part in direct]


def test_the_shard_of_a_term_never_changes() -> None:
    """Files of another day hold a term where today's search looks for it."""
    assert [shard_of(term, 7) for term in (b"lamp", b"beam", "漢".encode())] == [6, 0, 1]


@pytest.mark.parametrize("ordinals", [[1], [2, 1], [1, 1], [1, 2, 3]])
def test_document_numbers_must_fit(ordinals: list[int]) -> None:
    """Numbers that are too few, too many or do not ascend are refused."""
    with pytest.raises(ValueError, match="document numbers"):
        invert_by_shard(tokenize_batch([b"a", b"b"]), np.array(ordinals, np.uint32), 1)


def test_nothing_gives_nothing() -> None:
    """No batch at all, no text and texts without tokens are empty inverted files."""
    none = np.zeros(0, np.uint32)
    for inverted in (
        *invert_by_shard([], none, 1),
        *invert_by_shard(tokenize_batch([]), none, 2),
        *invert_by_shard(tokenize_batch([b"", b" - "]), np.arange(2, dtype=np.uint32), 1),
        *invert_by_shard([], none, 3),
    ):
        assert as_dict(inverted) == {}
