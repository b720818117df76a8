"""Arithmetic on ragged arrays: values end to end, and how many belong to each owner.

Postings, positions, terms and links all have this shape; the functions here are the only loops
over them, and they run inside NumPy and Arrow.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sealedbeam.pipeline.errors import Buffer

OFFSET_MAX = 2**31 - 1  # Arrow's 32-bit offsets end here


def offsets_of(counts: NDArray[Any]) -> NDArray[np.int64]:
    """Return where each owner's values start, and behind the last one where all of them end."""
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets


def spread(starts: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.int64]:
    """Return the indices starts[0], starts[0] + 1, ... (counts[0] of them), starts[1], ..."""
    offsets = offsets_of(counts)
    index = np.repeat(starts - offsets[:-1], counts)
    index += np.arange(offsets[-1])
    return index


def cut_into(values: NDArray[Any], counts: Sequence[int]) -> list[NDArray[Any]]:
    """Return each owner's values, as views."""
    return [values[start:stop] for start, stop in pairwise(offsets_of(np.array(counts, int)))]


def sums_of(values: NDArray[Any], counts: NDArray[Any]) -> NDArray[np.int64]:
    """Return the sum of each owner's values; every count is at least 1."""
    if len(counts) == 0:
        return np.zeros(0, np.int64)
    return np.add.reduceat(values, offsets_of(counts)[:-1], dtype=np.int64)


def ascends_within(values: NDArray[Any], counts: NDArray[Any]) -> bool:
    """Tell whether each owner's values ascend strictly; every count is at least 1."""
    rises = values[1:] > values[:-1]
    rises[offsets_of(counts)[1:-1] - 1] = True  # from one owner to the next anything goes
    return bool(rises.all())


def binary_array(data: Buffer, offsets: NDArray[Any]) -> pa.BinaryArray:
    """Return Arrow's view of `data` cut at `offsets`, without a copy of `data`.

    Raises:
        ValueError: `data` is longer than 32-bit offsets reach.
    """
    if len(data) > OFFSET_MAX:
        raise ValueError(f"{len(data)} bytes in one column exceed {OFFSET_MAX}")
    narrow = np.ascontiguousarray(offsets, np.int32)
    buffers = [None, pa.py_buffer(narrow), pa.py_buffer(data)]
    return pa.BinaryArray.from_buffers(pa.binary(), len(narrow) - 1, buffers)


def string_array(data: Buffer, offsets: NDArray[Any]) -> pa.StringArray:
    """Return `binary_array` as strings.

    Raises:
        ValueError: a piece is not UTF-8, or `data` is longer than 32-bit offsets reach.
    """
    return binary_array(data, offsets).cast(pa.string())


def pieces_of(array: pa.BinaryArray) -> tuple[NDArray[np.int32], memoryview]:
    """Return the offsets (from 0) and the bytes of an Arrow binary or string array."""
    _, offsets, data = array.buffers()
    cuts = np.frombuffer(offsets, np.int32)[array.offset : array.offset + len(array) + 1]
    if len(cuts) == 0 or data is None:
        return np.zeros(len(array) + 1, np.int32), memoryview(b"")
    return cuts - cuts[0], memoryview(data)[int(cuts[0]) : int(cuts[-1])]
