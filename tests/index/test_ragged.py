from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index.ragged import (
    ascends_within,
    binary_array,
    offsets_of,
    pieces_of,
    spread,
    string_array,
    sums_of,
)

rows = st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=4), max_size=6)
spans = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 4)), max_size=6)


@given(spans)
def test_spread_enumerates_each_span(pairs: list[tuple[int, int]]) -> None:
    """The indices of all spans stand one after the other, empty spans included."""
    starts = np.array([start for start, _ in pairs], np.int64)
    counts = np.array([count for _, count in pairs], np.int64)
    expected = [index for start, count in pairs for index in range(start, start + count)]
    assert expected == spread(starts, counts).tolist()


@given(rows)
def test_sums_and_ascents_are_those_of_each_row(lists: list[list[int]]) -> None:
    """Each owner's values are summed and compared by themselves."""
    values = np.array([value for row in lists for value in row], np.uint8)
    counts = np.array([len(row) for row in lists], np.int64)
    assert [sum(row) for row in lists] == sums_of(values, counts).tolist()
    expected = all(a < b for row in lists for a, b in pairwise(row))
    assert expected == ascends_within(values, counts)


@given(st.lists(st.binary(max_size=5), max_size=6), st.integers(0, 6))
def test_pieces_of_a_slice_are_its_own(terms: list[bytes], start: int) -> None:
    """A slice of an Arrow array gives the offsets and bytes of the slice alone."""
    lengths = np.array([len(term) for term in terms], np.int64)
    array = binary_array(b"".join(terms), offsets_of(lengths))
    assert terms == array.to_pylist()
    offsets, data = pieces_of(array[start:])
    assert (offsets_of(lengths[start:]).tolist(), b"".join(terms[start:])) == (
        offsets.tolist(),
        bytes(data),
    )


def test_pieces_of_an_array_without_buffers_are_none() -> None:
    """Arrow may leave the buffers of an empty array out."""
    offsets, data = pieces_of(pa.array([], pa.binary()))
    assert (offsets.tolist(), bytes(data)) == ([0], b"")


def test_strings_are_utf8() -> None:
    """A piece that is not UTF-8 by itself is refused, even if the whole is."""
    with pytest.raises(ValueError, match="UTF"):
        string_array("é".encode(), np.array([0, 1, 2]))
