"""Small inverted files as plain dicts: the slow and obviously right side of the index tests."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st
from sealedbeam.pipeline.index.invert import Inverted, invert_by_shard
from sealedbeam.pipeline.index.tokens import tokenize, tokenize_batch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealedbeam.pipeline.index.merge import PostingRange

    Postings = dict[bytes, dict[int, list[int]]]  # term, document, positions

texts = st.lists(st.sampled_from(["a", "b", "ab", "é", "z", "漢", "-", "B"]), max_size=12).map(
    " ".join
)
corpora = st.dictionaries(st.integers(0, 70_000), texts, max_size=8)


def postings_of(corpus: Mapping[int, str]) -> Postings:
    """Return what an inverted file of `corpus`, texts by document number, has to say."""
    postings: Postings = defaultdict(lambda: defaultdict(list))
    for document in sorted(corpus):
        for position, token in enumerate(tokenize(corpus[document])):
            postings[token.encode()][document].append(position)
    return {term: dict(postings[term]) for term in sorted(postings)}


def inverted_of(corpus: Mapping[int, str]) -> Inverted:
    """Return `corpus` inverted by the code under test."""
    documents = sorted(corpus)
    batch = tokenize_batch([corpus[document].encode() for document in documents])
    return invert_by_shard(batch, np.array(documents, np.uint32), 1)[0]


def as_dict(inverted: Inverted | PostingRange) -> Postings:
    """Return an inverted file as dicts; terms and documents keep their order."""
    ids = inverted.documents if isinstance(inverted, Inverted) else inverted.doc_ids
    documents, tfs = iter(ids.tolist()), iter(inverted.tfs.tolist())
    positions = iter(inverted.positions.tolist())
    result = {
        term: {next(documents): [next(positions) for _ in range(next(tfs))] for _ in range(df)}
        for term, df in zip(inverted.terms.to_pylist(), inverted.df.tolist(), strict=True)
    }
    assert [*documents, *tfs, *positions] == []
    return result


def inverted_from(postings: Postings) -> Inverted:
    """Return `postings` as arrays."""
    rows = [row for term in postings.values() for row in term.items()]
    return Inverted(
        pa.array(list(postings), pa.binary()),
        np.array([len(term) for term in postings.values()], np.int64),
        np.array([document for document, _ in rows], np.uint32),
        np.array([len(positions) for _, positions in rows], np.uint32),
        np.array([place for _, positions in rows for place in positions], np.uint32),
    )
