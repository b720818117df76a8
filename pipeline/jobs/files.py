"""Commits files: content-addressed names, CRCs taken in memory before the write, entry last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.manifest import Extent, FileEntry, format_crc32c

from .entry import encode_entry, entry_path
from .quarantine import encode_quarantine
from .store import content_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.index.shards import ParquetFile

    from sealedbeam.pipeline.integrity.channel import Transit

    from .entry import Entry
    from .quarantine import Quarantine
    from .store import Store

_WRITES_MAX = 3
HEAD_BYTES = 4  # the magic number of a Parquet file


def commit_file(
    store: Store, entry: Entry, path_parts: tuple[str, str, str], data: bytes | memoryview
) -> FileEntry:
    """Write one object as folder, stem, suffix say, and note it in `entry`."""
    folder, stem, suffix = path_parts
    path = content_name(folder, stem, suffix, data)
    file = FileEntry(path, len(data), format_crc32c(crc32c(data)), None, ())
    write_proven(store, path, data, file.crc32c)
    entry.files.append(file)
    return file


def commit_parquet(
    store: Store,
    entry: Entry,
    path_parts: tuple[str, str],
    data: bytes | memoryview,
    shape: ParquetFile,
    bounds: Sequence[tuple[str | None, str | None]],
) -> FileEntry:
    """Write a Parquet file, its extents noted with a CRC each; `bounds` is by row group."""
    folder, stem = path_parts
    path = content_name(folder, stem, "parquet", data)
    file = FileEntry(
        path,
        len(data),
        format_crc32c(crc32c(data)),
        shape.rows,
        _extents(memoryview(data), shape, bounds),
    )
    write_proven(store, path, data, file.crc32c)
    entry.files.append(file)
    return file


def write_proven(store: Store, path: str, data: bytes | memoryview, crc: str) -> None:
    """Write `data` and read it back, again if it came back wrong.

    Raises:
        IntegrityError: it came back wrong every time.
    """
    for _ in range(_WRITES_MAX):
        store.write(path, data)
        if format_crc32c(crc32c(store.read(path))) == crc:
            return
    raise IntegrityError(
        f"{store.root / path} cannot be stored: it read back damaged {_WRITES_MAX} times; "
        "check the disk"
    )


def _extents(
    data: memoryview, shape: ParquetFile, bounds: Sequence[tuple[str | None, str | None]]
) -> tuple[Extent, ...]:
    def extent(
        kind: str, offset: int, length: int, rows: int, first: str | None, last: str | None
    ) -> Extent:
        crc = format_crc32c(crc32c(data[offset : offset + length]))
        return Extent(kind, offset, length, crc, rows, first, last)

    footer_bytes = len(data) - shape.footer_offset
    return (
        extent("head", 0, HEAD_BYTES, 0, None, None),
        *(
            extent("row_group", group.offset, group.length, group.rows, first, last)
            for group, (first, last) in zip(shape.row_groups, bounds, strict=True)
        ),
        extent("footer", shape.footer_offset, footer_bytes, 0, None, None),
    )


def commit_task(store: Store, entry: Entry, quarantine: Quarantine, transit: Transit) -> None:
    """Commit what a task set aside and its fault journal, then the entry: now it has happened."""
    if quarantine.rows:
        data = encode_quarantine(quarantine.rows)
        commit_file(store, entry, ("quarantine", entry.task, "parquet"), data)
    journal = transit.journal()
    if journal is not None:
        path = f"faults/journal-{entry.task.removeprefix('part-')}.parquet"
        crc = format_crc32c(crc32c(journal))
        entry.files.append(FileEntry(path, len(journal), crc, None, ()))
        write_proven(store, path, journal, crc)
    store.write(entry_path(entry.task), encode_entry(entry))
