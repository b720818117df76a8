"""Parquet files that are checked before they are parsed: no byte reaches Arrow unverified.

A flipped bit in a Parquet footer, page header or statistic is seen by no checksum of Parquet's own
and has been seen to give silently wrong answers and a crash. So each range that is needed (the
footer, single row groups) is read whole, compared with the CRC-32C that the manifest keeps for it,
and only then handed to Arrow, from memory: what was checked and what is parsed are the same bytes.
"""

from __future__ import annotations

import io
import os
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.manifest import format_crc32c

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sealedbeam.pipeline.manifest import Extent, FileEntry


class DamagedRangeError(IntegrityError):
    """A range of a file is not what was written, or cannot be read."""

    def __init__(self, path: str, message: str) -> None:
        """Say that the file at `path` is damaged."""
        super().__init__(message)
        self.path = path


class ByteFolder(Protocol):
    """Where an index lies: a folder or the prefix of an object store."""

    @property
    def name(self) -> str:
        """The place in the user's words, for messages."""

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return `length` bytes of the file at `path` from `offset`, fewer where it ends.

        Raises:
            OSError: the file is absent or cannot be read.
        """


class LocalFolder:
    """A `ByteFolder` on a mounted filesystem."""

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)

    @property
    def name(self) -> str:
        """The path of the folder."""
        return str(self._folder)

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return a range of a file; see `ByteFolder.read`."""
        with (self._folder / path).open("rb", buffering=0) as file:
            # The size bounds what is allocated, whatever length was asked for.
            available = max(0, os.fstat(file.fileno()).st_size - offset)
            file.seek(offset)
            return _read_fully(file, available if length is None else min(length, available))


def _read_fully(file: io.FileIO, length: int) -> bytes:
    # One call reads at most 2 GiB on Linux.
    chunks = []
    while length and (chunk := file.read(length)):
        chunks.append(chunk)
        length -= len(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class VerifiedParquet:
    """One Parquet file of an index; each range of it is checked whenever it is read."""

    def __init__(self, folder: ByteFolder, entry: FileEntry) -> None:
        self._folder = folder
        self._entry = entry
        self.row_groups = tuple(part for part in entry.parts if part.kind == "row_group")

    @property
    def path(self) -> str:
        """The path of the file inside the folder."""
        return self._entry.path

    def read(self, group: int, columns: Sequence[str]) -> pa.Table:
        """Return some columns of a row group, all of whose bytes were checked before."""
        return self.read_projections(group, (columns,))[0]

    def read_projections(
        self, group: int, projections: Sequence[Sequence[str]]
    ) -> tuple[pa.Table, ...]:
        """Return one table for each list of columns, from one verified read of the row group."""
        extent = self.row_groups[group]
        metadata = self._metadata  # first: a damaged footer is the better message
        content = self._verified(extent, f"row group {group}")
        source = _SparseFile(self._entry, extent.offset, content)
        try:
            with pq.ParquetFile(source, metadata=metadata, pre_buffer=False) as file:
                # In this thread: one of Arrow's that still held a Python file at exit would abort.
                tables = tuple(
                    file.read_row_group(group, columns=list(columns), use_threads=False)
                    for columns in projections
                )
        except pa.ArrowException as error:
            raise self._malformed(f"row group {group}", extent, error) from error
        for table, columns in zip(tables, projections, strict=True):
            # Arrow leaves out a column that is not there.
            if set(table.column_names) != set(columns):
                reason = f"it has the columns {table.column_names} of {list(columns)}"
                raise self._malformed(f"row group {group}", extent, reason)
        return tables

    @cached_property
    def _metadata(self) -> pq.FileMetaData:
        extent = self._entry.parts[-1]
        content = self._verified(extent, "footer")
        try:
            metadata = pq.read_metadata(pa.BufferReader(content))
        except pa.ArrowException as error:
            raise self._malformed("footer", extent, error) from error
        rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
        if rows != [part.rows for part in self.row_groups]:
            raise self._malformed("footer", extent, "its row groups are not the manifest's")
        return metadata

    def _verified(self, extent: Extent, what: str) -> bytes:
        where = f"{self.path}: {what} at offset {extent.offset}"
        try:
            content = self._folder.read(self.path, extent.offset, extent.length)
        except OSError as error:
            reason = f"cannot be read: {error.strerror or error}"
            raise DamagedRangeError(self.path, f"{where} {reason}") from error
        if len(content) != extent.length:
            reason = f"has {len(content)} bytes instead of {extent.length}"
            raise DamagedRangeError(self.path, f"{where} {reason}")
        found = format_crc32c(crc32c(content))
        if found != extent.crc32c:
            reason = f"is damaged: its CRC-32C is {found} instead of {extent.crc32c}"
            raise DamagedRangeError(self.path, f"{where} {reason}")
        return content

    def _malformed(self, what: str, extent: Extent, reason: object) -> IntegrityError:
        return IntegrityError(
            f"{self.path}: {what} at offset {extent.offset} is as it was written, and malformed:"
            f" {reason}"
        )


class _SparseFile(io.RawIOBase):
    """A file of which one verified range is there; reading anything else is an error."""

    def __init__(self, entry: FileEntry, offset: int, content: bytes) -> None:
        super().__init__()
        self._entry = entry
        self._offset = offset
        self._content = memoryview(content)
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origins = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._entry.bytes}
        self._position = origins[whence] + offset
        return self._position

    def read(self, size: int = -1) -> bytes:
        start = self._position - self._offset
        end = start + size
        if not 0 <= start <= end <= len(self._content):
            raise IntegrityError(
                f"{self._entry.path}: {size} bytes at offset {self._position} lie outside the"
                " verified row group"
            )
        self._position += size
        return bytes(self._content[start:end])


def list_of(column: pa.ChunkedArray, row: int) -> NDArray[Any]:
    """Return one list of a list column of numbers as its own array, so that the column can go."""
    chunk = 0
    while row >= len(column.chunk(chunk)):
        row -= len(column.chunk(chunk))
        chunk += 1
    lists = column.chunk(chunk)
    start, end = lists.offsets[row].as_py(), lists.offsets[row + 1].as_py()
    return _numbers(lists.values.slice(start, end - start))


def numbers_of(column: pa.ChunkedArray) -> NDArray[Any]:
    """Return a column of numbers as one array of its own."""
    return np.concatenate([_numbers(chunk) for chunk in column.chunks])


def _numbers(array: pa.Array) -> NDArray[Any]:
    # By DLPack, because `to_numpy` imports pandas where it is installed: half a second.
    return np.from_dlpack(array).copy()
