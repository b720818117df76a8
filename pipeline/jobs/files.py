"""Commits files: CRCs taken in memory before the write, read back after it, the entry last."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError
from sealedbeam.pipeline.index.extents import describe_parquet
from sealedbeam.pipeline.integrity.checksum import crc32c, crc32c_of_pieces
from sealedbeam.pipeline.manifest import FILE_NAME, FileEntry, format_crc32c

from .entry import encode_entry, entry_path
from .quarantine import encode_quarantine
from .store import content_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealedbeam.pipeline.integrity.channel import Transit

    from .entry import Entry
    from .quarantine import Quarantine
    from .store import Store

_WRITES_MAX = 3
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_PARQUET_SUFFIX = ".parquet"


def commit_file(store: Store, entry: Entry, path: str, data: bytes | memoryview) -> FileEntry:
    """Write one object, prove that it can be read back, and note it in `entry`.

    Raises:
        IntegrityError: it came back wrong every time.
    """
    if path.endswith(_PARQUET_SUFFIX):
        file = describe_parquet(path, data)
    else:
        file = FileEntry(path, len(data), format_crc32c(crc32c(data)), None, ())
    for _ in range(_WRITES_MAX):
        store.write(path, data)
        if is_stored(store, file):
            entry.files.append(file)
            return file
    raise IntegrityError(
        f"{store.place(path)} cannot be stored: it read back damaged {_WRITES_MAX} times; "
        "check the disk"
    )


def is_stored(store: Store, file: FileEntry) -> bool:
    """Whether a file lies in the store with the bytes that were committed.

    Raises:
        OSError: this process may open no more files, which says nothing of this one.
    """
    lengths: list[int] = []

    def pieces() -> Iterator[bytes]:
        for piece in store.pieces(file.path):
            lengths.append(len(piece))
            yield piece

    try:
        crc = crc32c_of_pieces(pieces())
    except OSError as error:
        if error.errno in _OUT_OF_DESCRIPTORS:
            raise
        return False
    return format_crc32c(crc) == file.crc32c and sum(lengths) == file.bytes


def commit_task(store: Store, entry: Entry, quarantine: Quarantine, transit: Transit) -> None:
    """Commit what a task set aside and its fault journal, then the entry: now it has happened.

    Raises:
        SealedBeamError: another machine has finished the job meanwhile.
    """
    if quarantine.rows:
        data = encode_quarantine(quarantine.rows)
        commit_file(store, entry, content_name("quarantine", entry.task, "parquet", data), data)
    journal = transit.journal()
    if journal is not None:
        name = entry.task.removeprefix("part-")
        commit_file(store, entry, f"faults/journal-{name}.parquet", journal)
    # Behind a manifest the runs go, so what was read since may have had to be made again. Whoever
    # read them all before it has the same entry as the one that is there.
    if store.shared and store.exists(FILE_NAME):
        raise SealedBeamError(
            f"another run of this job has finished {store.name} meanwhile; "
            "run the same command again: it tells whether all is well"
        )
    store.write(entry_path(entry.task), encode_entry(entry))
