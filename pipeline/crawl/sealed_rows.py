"""Rows of plain values as Arrow tables in which each row carries its CRC-32C.

The seal of a row is the CRC-32C of its numbers, each as 8 little-endian bytes in the order of the
layout (a float as its bits), then the lengths of its texts in bytes, likewise, and then its texts
as UTF-8. No two different rows have the same such bytes. Arrow puts them together for whole tables;
only the code itself is called once for each row, which takes about half a microsecond.

A seal is minted when a row is made, and travels with it from shard to shard until it changes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sealedbeam.pipeline.integrity.checksum import active_provider

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

SEAL = "seal"

R = TypeVar("R", bound="tuple[Any, ...]")


@dataclass(frozen=True)
class Layout(Generic[R]):
    """One kind of row.

    Attributes:
        name: of the kind, with its version; it stands in the files.
        kinds: the Arrow types of the fields in order: integers, float64 and string.
        key: the text field that rows are sorted by and that no two rows share.
        group_rows: rows in a row group; what is in memory at once is a few of them.
        revive: makes a row of its values.
        repetitive: the text fields that are better stored as a dictionary.
    """

    name: str
    kinds: Mapping[str, pa.DataType]
    key: str
    group_rows: int
    revive: Callable[[tuple[Any, ...]], R]
    repetitive: tuple[str, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """The schema of tables and files, with the seal last."""
        fields = [pa.field(name, kind, nullable=False) for name, kind in self.kinds.items()]
        fields.append(pa.field(SEAL, pa.int64(), nullable=False))
        return pa.schema(fields, metadata={"sealedbeam": self.name})


def table_of(rows: Sequence[R], layout: Layout[R]) -> pa.Table:
    """Return `rows` as a table, each with its seal.

    Raises:
        ValueError: a value does not fit its field.
    """
    columns = list(zip(*rows, strict=True)) if rows else [()] * len(layout.kinds)
    try:
        arrays = {
            name: pa.array(values, kind)
            for (name, kind), values in zip(layout.kinds.items(), columns, strict=True)
        }
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError, OverflowError) as error:
        raise ValueError(f"a row does not fit {layout.name}: {error}") from error
    missing = [name for name, array in arrays.items() if array.null_count]
    if missing:
        raise ValueError(f"a row does not fit {layout.name}: no value for {missing[0]}")
    arrays[SEAL] = pa.array(np.zeros(len(rows), np.int64))
    table = pa.Table.from_pydict(arrays, schema=layout.schema)
    return table.set_column(
        len(layout.kinds), layout.schema.field(SEAL), pa.array(seals_of(table, layout))
    )


def rows_of(table: pa.Table, layout: Layout[R]) -> list[R]:
    """Return the rows of `table`, whose seals were checked before."""
    columns = [table.column(name).to_pylist() for name in layout.kinds]
    return [layout.revive(values) for values in zip(*columns, strict=True)]


def are_sound(table: pa.Table, layout: Layout[R]) -> NDArray[np.bool_]:
    """Return for each row of `table` whether it is as it was when it was sealed."""
    sound: NDArray[np.bool_] = seals_of(table, layout) == table.column(SEAL).to_numpy()
    return sound


def seals_of(table: pa.Table, layout: Layout[R]) -> NDArray[np.int64]:
    """Return the seal that each row of `table` should have."""
    if len(table) == 0:
        return np.zeros(0, np.int64)
    numbers = []
    texts = []
    for name, kind in layout.kinds.items():
        column = table.column(name).combine_chunks()
        if pa.types.is_string(kind):
            texts.append(column.cast(pa.binary()))
        else:
            numbers.append(_bits(column.to_numpy(zero_copy_only=False)))
    numbers += [pc.binary_length(text).to_numpy() for text in texts]
    matrix = np.column_stack([number.astype("<i8", copy=False) for number in numbers])
    joined = pc.binary_join_element_wise(_as_binary(matrix), *texts, b"")
    if isinstance(joined, pa.ChunkedArray):
        joined = joined.combine_chunks()
    return _seal_pieces(joined)


def _bits(values: NDArray[Any]) -> NDArray[np.int64]:
    return values.view(np.int64) if values.dtype == np.float64 else values


def _as_binary(matrix: NDArray[np.int64]) -> pa.BinaryArray:
    width = matrix.shape[1] * matrix.itemsize
    data = pa.py_buffer(np.ascontiguousarray(matrix))
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(matrix), [None, data]).cast(
        pa.binary()
    )


def _seal_pieces(joined: pa.BinaryArray) -> NDArray[np.int64]:
    _, offsets, data = joined.buffers()
    cuts = np.frombuffer(offsets, np.int32)[joined.offset : joined.offset + len(joined) + 1]
    content = data.to_pybytes()
    compute = active_provider().compute
    pieces = (compute(content[start:stop]) for start, stop in pairwise(cuts.tolist()))
    return np.fromiter(pieces, np.int64, len(joined))
