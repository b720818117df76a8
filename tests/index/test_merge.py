from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index.merge import merge_runs

from tests.support.inverted_oracle import as_dict, corpora, inverted_of, postings_of

if TYPE_CHECKING:
    from random import Random

NONE = np.zeros(0, np.int64)


@given(st.lists(corpora, max_size=4), st.integers(1, 60), st.randoms())
def test_merged_runs_are_one_inverted_file(
    corpus_of_part: list[dict[int, str]], postings_max: int, random: Random
) -> None:
    """All parts together give what one inversion of all documents, less the dropped, gives."""
    whole = {
        (part << 32) + document: text
        for part, corpus in enumerate(corpus_of_part)
        for document, text in corpus.items()
    }
    dropped = {doc_id for doc_id in whole if random.random() < 0.3}
    absent = {doc_id + 1 for doc_id in whole if random.random() < 0.1} - set(whole)
    runs = [(part << 32, inverted_of(corpus)) for part, corpus in enumerate(corpus_of_part)]
    leave_out = np.array(sorted(dropped | absent), np.int64)
    ranges = list(merge_runs(runs, leave_out, postings_max))
    expected = postings_of({d: text for d, text in whole.items() if d not in dropped})
    parts = [as_dict(part) for part in ranges]
    assert list(expected) == [term for part in parts for term in part]
    assert expected == {term: postings for part in parts for term, postings in part.items()}
    for part in ranges:
        cf = [sum(map(len, documents.values())) for documents in as_dict(part).values()]
        assert cf == part.cf.tolist()
        assert len(part.terms) == 1 or len(part.positions) <= postings_max


@given(corpora, st.integers(0, 8))
def test_runs_may_share_a_part(corpus: dict[int, str], cut: int) -> None:
    """Two runs of one part unite when the documents of the second come after the first's."""
    documents = sorted(corpus)
    halves = [{d: corpus[d] for d in half} for half in (documents[:cut], documents[cut:])]
    merged: dict[bytes, dict[int, list[int]]] = defaultdict(dict)
    for part in merge_runs([(0, inverted_of(half)) for half in halves], NONE):
        merged.update(as_dict(part))
    assert postings_of(corpus) == merged


def test_the_last_number_of_a_part_can_be_dropped() -> None:
    """A part's numbers take all 32 bits, and the next part's first one is not among them."""
    last = (1 << 32) - 1
    runs = [(0, inverted_of({0: "a", last: "a b"})), (1 << 32, inverted_of({0: "a"}))]
    (part,) = merge_runs(runs, np.array([last]))
    assert as_dict(part) == {b"a": {0: [0], last + 1: [0]}}


def test_runs_out_of_order_are_refused() -> None:
    """A run given twice, or parts in descending order, would be a silently wrong index."""
    run = inverted_of({3: "a"})
    for runs in ([(0, run), (0, run)], [(1 << 32, run), (0, run)]):
        with pytest.raises(ValueError, match="ascend"):
            list(merge_runs(runs, NONE))


def test_types_are_those_of_the_file() -> None:
    """Document ids take 64 bits; frequencies and positions 32, signed as Parquet has them."""
    (part,) = merge_runs([(5 << 32, inverted_of({1: "a a"}))], NONE)
    assert [np.int64, np.int32, np.int32] == [
        array.dtype for array in (part.doc_ids, part.tfs, part.positions)
    ]
    assert as_dict(part) == {b"a": {(5 << 32) + 1: [0, 1]}}


def test_nothing_gives_no_range() -> None:
    """No run, empty runs and runs whose documents are all dropped yield nothing."""
    assert list(merge_runs([], NONE)) == []
    assert list(merge_runs([(0, inverted_of({}))], NONE)) == []
    assert list(merge_runs([(0, inverted_of({1: "a"}))], np.array([1]))) == []
