"""Parquet reader of an index: gives the very rows that were written, or raises IntegrityError.

The input is edits to a file whose extents and checksums are known.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.index.extents import describe_parquet
from sealedbeam.pipeline.index.verified import VerifiedParquet

from tests.fuzz.cursor import Cursor, edited
from tests.fuzz.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

_COLUMNS = ("key", "numbers")
_GROUP_ROWS = 2
_ROWS = 5


class _Memory:
    """A folder of one file."""

    name = "memory"

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return a range of the file, as a folder does."""
        assert path == "file.parquet"
        return self._data[offset:] if length is None else self._data[offset : offset + length]


@cache
def _written() -> tuple[bytes, tuple[pa.Table, ...]]:
    """Return the bytes of a small file and its row groups."""
    keys = [f"key {row}" for row in range(_ROWS)]
    numbers = [[row, 300 * row] for row in range(_ROWS)]
    table = pa.table({"key": keys, "numbers": pa.array(numbers, pa.list_(pa.int32()))})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=_GROUP_ROWS, write_page_checksum=True)
    groups = tuple(table.slice(start, _GROUP_ROWS) for start in range(0, _ROWS, _GROUP_ROWS))
    return sink.getvalue().to_pybytes(), groups


def check(data: bytes) -> None:
    """Damage the file and read all of it."""
    stored, groups = _written()
    entry = describe_parquet("file.parquet", stored)
    damaged = edited(stored, Cursor(data))
    file = VerifiedParquet(_Memory(damaged), entry)
    for number, group in enumerate(groups):
        try:
            table = file.read(number, _COLUMNS)
        except IntegrityError:
            assert damaged != stored
            continue
        assert table.equals(group)


def seeds() -> Iterator[bytes]:
    """Yield no damage, and some to the head, to a row group and to the footer."""
    size = len(_written()[0])
    yield b""
    for place in (0, 9, size // 2, size - 60, size - 6):
        yield b"\0" + place.to_bytes(2, "little") + b"\3"
    yield b"\2\x20\0\4\3\x20\0\4four"


TARGET = Target(check, seeds, ("sealedbeam.pipeline.index.verified",), max_bytes=256)
