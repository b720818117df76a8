"""Finds and opens input files: local ones directly, all others through Beam's filesystems.

Offsets are always of the stored bytes: no filesystem may decompress behind our back.
"""

from __future__ import annotations

import glob
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

ARCHIVE_SUFFIXES = (".warc", ".warc.gz")


@dataclass(frozen=True, slots=True)
class LocalSource:
    """A local file, read by position; safe to share between threads."""

    path: str
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end of the file."""
        with Path(self.path).open("rb", buffering=0) as file:
            pieces = []
            while length > 0 and (piece := os.pread(file.fileno(), length, offset)):
                pieces.append(piece)
                offset += len(piece)
                length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """A file on one of Beam's filesystems, such as gs:// or s3://."""

    path: str
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end of the file."""
        filesystems, uncompressed = _beam()
        with filesystems.open(self.path, compression_type=uncompressed) as file:
            file.seek(offset)
            return bytes(file.read(length))


def is_remote(path: str) -> bool:
    """Whether `path` names another filesystem by a scheme."""
    return "://" in path and not path.startswith("file://")


def open_source(path: str) -> LocalSource | RemoteSource:
    """Return the file at `path`; raises UsageError when it is not there or cannot be read."""
    try:
        if not is_remote(path):
            with Path(path).open("rb") as file:
                return LocalSource(path, os.fstat(file.fileno()).st_size)
        filesystems, _ = _beam()
        (match,) = filesystems.match([path])
        return RemoteSource(path, match.metadata_list[0].size_in_bytes)
    except (OSError, ValueError, IndexError) as error:
        raise UsageError(f"cannot open input {path}: {error}") from None


def expand_inputs(patterns: Iterable[str]) -> list[str]:
    """Return the files that `patterns` (paths, globs, folders) name, in order, each once.

    A folder stands for the archives in it and below; files of one pattern come sorted by name.

    Raises:
        UsageError: a pattern matches nothing.
    """
    found: dict[str, None] = {}
    for pattern in patterns:
        matches = _expand_remote(pattern) if is_remote(pattern) else _expand_local(pattern)
        if not matches:
            raise UsageError(
                f"input {pattern} matches no file; give a WARC file, a glob, or a folder that "
                f"holds {' or '.join('*' + suffix for suffix in ARCHIVE_SUFFIXES)}"
            )
        found.update(dict.fromkeys(matches))
    return list(found)


def _expand_local(pattern: str) -> list[str]:
    pattern = pattern.removeprefix("file://")
    found = Path(pattern).exists()
    # Path.glob refuses absolute patterns.
    names = [pattern] if found else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
    matches = []
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = (str(file) for file in path.rglob("*") if file.is_file())
            matches += sorted(file for file in inside if file.endswith(ARCHIVE_SUFFIXES))
        else:
            matches.append(name)
    return matches


def _expand_remote(pattern: str) -> list[str]:
    filesystems, _ = _beam()
    try:
        results = filesystems.match([pattern])
    except Exception as error:  # noqa: BLE001 - each filesystem raises errors of its own
        raise UsageError(f"cannot look up input {pattern}: {error}") from None
    return sorted(metadata.path for result in results for metadata in result.metadata_list)


def _beam() -> tuple[Any, str]:
    from apache_beam.io.filesystem import CompressionTypes  # noqa: PLC0415 - 0.4 s, remote only
    from apache_beam.io.filesystems import FileSystems  # noqa: PLC0415 - likewise

    return FileSystems, CompressionTypes.UNCOMPRESSED
