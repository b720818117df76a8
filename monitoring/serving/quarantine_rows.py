"""What a job has set aside, row by row: pages of the list, and pieces of the raw bytes.

Rows are numbered through the committed files in the order of their names. A file's CRC-32C is
compared with its task's ledger entry before anything parses it; the list is read without the raw
bytes, and of these one row is decoded at a time.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.integrity.checksum import crc32c_of_pieces
from sealedbeam.pipeline.manifest import decode_file_entry, format_crc32c
from sealedbeam.pipeline.text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sealedbeam.pipeline.manifest import FileEntry

_FOLDER = "quarantine"
_COLUMNS = (
    *("stage", "reason", "source_file", "source_offset", "source_length"),
    *("task", "attempts", "raw_length"),
)
_RAW = "raw"
_PIECE_BYTES = 1 << 18
_BATCH_BYTES = 8 << 20
DECODED_BYTES_MAX = 256 << 20
"""A file that holds more raw bytes is left to the export."""


@dataclass(frozen=True, slots=True)
class RawBytes:
    """A piece of a row's bytes; `total_bytes` are those that were kept."""

    total_bytes: int
    piece: bytes


class QuarantineRows:
    """The rows of one job, as they were committed when this was made."""

    def __init__(self, root: Path) -> None:
        """Read which files the ledger names.

        Raises:
            IntegrityError: an entry of the ledger is damaged.
        """
        self._root = root
        self._files = _committed_files(root)
        self._proven: set[tuple[str, int, int, int]] = set()
        self._decoding = Lock()  # one row's worth of memory at a time
        self.total = sum(file.rows or 0 for file in self._files)

    def list_rows(self, offset: int, limit: int) -> list[dict[str, Any]]:
        """Return up to `limit` rows from number `offset`.

        Raises:
            IntegrityError: a file is damaged.
        """
        listed: list[dict[str, Any]] = []
        for first, file in self._numbered():
            start, stop = max(offset - first, 0), min(offset + limit - first, file.rows or 0)
            if start < stop:
                with self._decoding, self._opened(file) as table:
                    rows = table.read(columns=list(_COLUMNS), use_threads=False)
                values = rows.slice(start, stop - start).to_pylist()
                listed += (_tell(first + start + n, row) for n, row in enumerate(values))
        return listed

    def read_bytes(self, row: int, offset: int, limit: int) -> RawBytes | None:
        """Return up to `limit` of a row's bytes from `offset`; None when there is no such row.

        Raises:
            IntegrityError: the file is damaged.
            UsageError: the file holds too much to be decoded here.
        """
        for first, file in self._numbered():
            if first <= row < first + (file.rows or 0):
                with self._decoding, self._opened(file) as table:
                    raw = _find_raw(table, row - first, file.path)
                    return RawBytes(len(raw), raw[offset : offset + limit].to_pybytes())
        return None

    def _numbered(self) -> Iterator[tuple[int, FileEntry]]:
        first = 0
        for file in self._files:
            yield first, file
            first += file.rows or 0

    @contextmanager
    def _opened(self, file: FileEntry) -> Iterator[pq.ParquetFile]:
        """Open a file, once its bytes are known to be those that were committed."""
        try:
            descriptor = os.open(self._root / file.path, os.O_RDONLY | os.O_NOFOLLOW)
            with os.fdopen(descriptor, "rb") as stream:
                self._prove(file, stream)
                with pq.ParquetFile(
                    stream, page_checksum_verification=True, pre_buffer=False
                ) as table:
                    yield table
        except (OSError, pa.ArrowException, KeyError, ValueError):
            raise _damaged(file.path) from None

    def _prove(self, file: FileEntry, stream: BinaryIO) -> None:
        found = os.fstat(stream.fileno())
        version = (file.path, found.st_ino, found.st_size, found.st_mtime_ns)
        if version in self._proven:
            return
        if not stat.S_ISREG(found.st_mode) or found.st_size != file.bytes:
            raise _damaged(file.path)
        crc = crc32c_of_pieces(iter(lambda: stream.read(_PIECE_BYTES), b""))
        if format_crc32c(crc) != file.crc32c:
            raise _damaged(file.path)
        stream.seek(0)
        self._proven.add(version)


def _committed_files(root: Path) -> list[FileEntry]:
    """Return the quarantine files that ledger entries name, by path."""
    names = {path.name for path in (root / _FOLDER).glob("*.parquet")}
    files: list[FileEntry] = []
    for task in sorted({name.partition(".")[0] for name in names}):
        path = root / "ledger" / f"{task}.json"
        try:
            entry = json.loads(path.read_bytes())
            own = (value for value in entry["files"] if value["path"].startswith(f"{_FOLDER}/"))
            files += map(decode_file_entry, own)
        except FileNotFoundError:
            continue  # an attempt that has not committed
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise IntegrityError(f"ledger entry {path.name} is damaged; audit tells more") from None
    return sorted(files, key=lambda file: file.path)


def _find_raw(table: pq.ParquetFile, row: int, path: str) -> pa.Buffer:
    """Return the raw bytes of a row, decoding a few rows at a time."""
    column = table.schema_arrow.names.index(_RAW)
    for number in range(table.num_row_groups):
        group = table.metadata.row_group(number)
        if row >= group.num_rows:
            row -= group.num_rows
            continue
        size = group.column(column).total_uncompressed_size
        if size > DECODED_BYTES_MAX:
            raise UsageError(f"{path} holds too much to be shown; use sealedbeam quarantine")
        each = max(1, min(4096, _BATCH_BYTES * group.num_rows // max(1, size)))
        for batch in table.iter_batches(each, [number], [_RAW], use_threads=False):
            if row < batch.num_rows:
                return batch.column(0)[row].as_buffer()
            row -= batch.num_rows
    raise _damaged(path)


def _tell(number: int, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row as the API tells it; its text obeys nothing and turns nothing round."""
    told = {key: harmless(value) if isinstance(value, str) else value for key, value in row.items()}
    return {"row": number, **told, "length_bytes": told.pop("raw_length")}


def _damaged(path: str) -> IntegrityError:
    return IntegrityError(f"{path} is damaged; audit tells what else is")
