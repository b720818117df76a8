"""The payload of one run: what one part has to say to one shard.

Layout, little-endian, without padding:

    offset  size  field
    0       4     t, number of terms
    4       4     p, number of postings (the sum of df)
    8       8     q, number of positions (the sum of tfs)
    16      8     b, bytes of all terms
    24      1     width in bytes of a term length: 1, 2 or 4
    25      1     width of a df
    26      1     width of a document number
    27      1     width of a tf
    28      1     width of a position
    29      3     zero
    32            term lengths (t), df (t), documents (p), tfs (p), positions (q), terms (b bytes)

Each array has the narrowest width that holds its largest value, since these bytes go through
storage; one form only is valid, so that equal runs are equal bytes. The seal around a payload
finds flipped bits; the checks here keep a payload that was made wrongly, or is somebody
else's, from becoming a crash or a silently wrong index.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .invert import Inverted
from .ragged import OFFSET_MAX, ascends_within, offsets_of, pieces_of, string_array

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sealedbeam.pipeline.errors import Buffer

_HEAD = struct.Struct("<IIQQ5B3x")
_WIDTHS: dict[int, np.dtype[Any]] = {1: np.dtype("<u1"), 2: np.dtype("<u2"), 4: np.dtype("<u4")}


def encode_run(inverted: Inverted) -> bytes:
    """Return the payload of `inverted`."""
    offsets, data = pieces_of(inverted.terms)
    arrays = [
        _narrow(np.diff(offsets)),
        _narrow(inverted.df),
        _narrow(inverted.documents),
        _narrow(inverted.tfs),
        _narrow(inverted.positions),
    ]
    head = _HEAD.pack(
        len(inverted.terms),
        len(inverted.documents),
        len(inverted.positions),
        len(data),
        *(array.itemsize for array in arrays),
    )
    return b"".join((head, *(array.data for array in arrays), data))


def decode_run(payload: Buffer) -> Inverted:
    """Return the run that `encode_run` made `payload` of.

    Raises:
        ValueError: `payload` is anything else.
    """
    lengths, df, documents, tfs, positions, data = _arrays_of(memoryview(payload).cast("B"))
    if int(lengths.sum()) != len(data):
        raise ValueError(f"term lengths do not add up to {len(data)} bytes")
    _check_counts("df", df, len(documents))
    _check_counts("tf", tfs, len(positions))
    if not ascends_within(documents, df):
        raise ValueError("documents of a term do not ascend")
    if max(_highest_of(tfs), _highest_of(positions)) > OFFSET_MAX:
        raise ValueError("a document has more than 2^31 tokens")
    if not ascends_within(positions, tfs):
        raise ValueError("positions in a document do not ascend")
    return Inverted(
        _terms_of(data, lengths),
        df.astype(np.int64),
        documents.astype(np.uint32),
        tfs.astype(np.uint32),
        positions.astype(np.uint32),
    )


def _narrow(values: NDArray[Any]) -> NDArray[Any]:
    """Return `values` in the narrowest width that holds them."""
    return np.ascontiguousarray(values, _WIDTHS[_width_of(values)])


def _width_of(values: NDArray[Any]) -> int:
    highest = _highest_of(values)
    return 1 if highest < 1 << 8 else 2 if highest < 1 << 16 else 4


def _highest_of(values: NDArray[Any]) -> int:
    return int(values.max()) if len(values) else 0


def _arrays_of(payload: memoryview) -> tuple[Any, ...]:
    """Return views of the five arrays and of the terms; nothing is copied or allocated."""
    if len(payload) < _HEAD.size:
        raise ValueError(f"a run of {len(payload)} bytes has no head")
    terms, postings, positions, term_bytes, *widths = _HEAD.unpack_from(payload)
    counts = (terms, terms, postings, postings, positions)
    if any(width not in _WIDTHS for width in widths) or any(payload[29:32]):
        raise ValueError("the head of a run names a width that does not exist")
    need = _HEAD.size + sum(c * w for c, w in zip(counts, widths, strict=True)) + term_bytes
    if need != len(payload):
        raise ValueError(f"a run of {len(payload)} bytes should have {need}")
    parts: list[Any] = []
    start = _HEAD.size
    for count, width in zip(counts, widths, strict=True):
        part = np.frombuffer(payload, _WIDTHS[width], count, start)
        if _width_of(part) != width:
            raise ValueError(f"an array of a run is {width} bytes wide without need")
        parts.append(part)
        start += count * width
    return *parts, payload[start:]


def _check_counts(name: str, counts: NDArray[Any], total: int) -> None:
    if len(counts) and int(counts.min()) == 0:
        raise ValueError(f"a {name} is 0")
    if int(counts.sum(dtype=np.uint64)) != total:
        raise ValueError(f"the sum of {name} is not {total}")


def _terms_of(data: memoryview, lengths: NDArray[Any]) -> pa.BinaryArray:
    terms = string_array(data, offsets_of(lengths)).cast(pa.binary())
    if not pc.all(pc.less(terms[:-1], terms[1:])).as_py() and len(terms) > 1:
        raise ValueError("terms do not ascend")
    return terms
