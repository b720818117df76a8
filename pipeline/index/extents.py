"""Describes a Parquet file for the manifest: its extents, their checksums, and what they hold.

The extents tile the file: 4 magic bytes, the row groups one after the other, and as footer all
the rest. The bounds of a row group are those of its first column, from the statistics that Arrow
wrote a moment ago: the terms of a shard, the document numbers of a documents file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.manifest import Extent, FileEntry, format_crc32c

if TYPE_CHECKING:
    from sealedbeam.pipeline.errors import Buffer

_MAGIC_BYTES: Final = 4
_TAIL_BYTES: Final = 8  # the footer ends with its length, in 4 bytes, and the magic bytes


def describe_parquet(path: str, data: Buffer) -> FileEntry:
    """Return the manifest's entry for the file at `path`, whose bytes are still in memory.

    Raises:
        ValueError: `data` is not Parquet, or its column chunks and footer do not tile it.
    """
    view = memoryview(data)
    metadata = pq.read_metadata(pa.BufferReader(data))
    parts = [_extent(view, "head", 0, _MAGIC_BYTES)]
    end = _MAGIC_BYTES
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        length = _length(path, group, end)
        first, last = _bounds(group.column(0).statistics)
        extent = _extent(view, "row_group", end, length)
        parts.append(replace(extent, rows=group.num_rows, first=first, last=last))
        end += length
    footer_bytes = int.from_bytes(view[-_TAIL_BYTES:-_MAGIC_BYTES], "little") + _TAIL_BYTES
    if end + footer_bytes != len(view):
        start = len(view) - footer_bytes
        raise ValueError(f"{path}: row groups end at {end}, the footer begins at {start}")
    parts.append(_extent(view, "footer", end, len(view) - end))
    return FileEntry(path, len(view), _checksum(view), metadata.num_rows, tuple(parts))


def _length(path: str, group: pq.RowGroupMetaData, start: int) -> int:
    """Return the length of a row group whose column chunks must follow each other from `start`."""
    end = start
    for number in range(group.num_columns):
        chunk = group.column(number)
        if not group.num_rows:  # an empty one names no place, whatever its size
            end += chunk.total_compressed_size
            continue
        first_page = chunk.dictionary_page_offset or chunk.data_page_offset
        if min(first_page, chunk.data_page_offset) != end:
            raise ValueError(f"{path}: a column chunk begins at {first_page} instead of {end}")
        end += chunk.total_compressed_size
    return end - start


def _extent(view: memoryview, kind: str, offset: int, length: int) -> Extent:
    checksum = _checksum(view[offset : offset + length])
    return Extent(kind, offset, length, checksum, rows=0, first=None, last=None)


def _bounds(statistics: pq.Statistics | None) -> tuple[str | None, str | None]:
    if statistics is None or not statistics.has_min_max:
        return None, None
    return str(statistics.min), str(statistics.max)


def _checksum(view: memoryview) -> str:
    return format_crc32c(crc32c(view))
