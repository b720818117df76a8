"""Writes, reads and removes the objects of an output folder, durably and whole or not at all.

No step of a job relies on a listing or on the order of renames: an object is written under a name
that only its attempt uses, made durable, and then appears under its own name, which carries the
digest of its content. Two attempts at one task therefore produce the same objects.
"""

from __future__ import annotations

import os
import uuid
from typing import TYPE_CHECKING

import xxhash

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEMPORARY_SUFFIX = ".attempt"
_PIECE_BYTES = 1 << 18


class Store:
    """An output folder on a local or shared file system."""

    def __init__(self, root: Path) -> None:
        """Use `root`, which need not exist yet."""
        self.root = root
        self._attempt = uuid.uuid4().hex[:12]

    def write(self, path: str, data: bytes | memoryview) -> None:
        """Make `data` the content of `path`, durably; an earlier object of that name goes."""
        target = self.root / path
        if not target.parent.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            _sync_folder(target.parent.parent)
        temporary = target.with_name(f".{target.name}.{self._attempt}{TEMPORARY_SUFFIX}")
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of `path`, or `length` of them from `offset`; raises OSError."""
        with (self.root / path).open("rb") as file:
            file.seek(offset)
            return file.read() if length is None else file.read(length)

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of `path` in pieces that stay in the cache; raises OSError."""
        with (self.root / path).open("rb", buffering=0) as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def size(self, path: str) -> int:
        """Return the size of `path` in bytes; raises OSError."""
        return (self.root / path).stat().st_size

    def exists(self, path: str) -> bool:
        """Whether an object of that name is there."""
        return (self.root / path).is_file()

    def remove(self, path: str) -> None:
        """Remove an object, if it is there."""
        (self.root / path).unlink(missing_ok=True)

    def sweep(self, keep: set[str], folders: tuple[str, ...]) -> None:
        """Remove what earlier attempts left: in `folders` all but the objects in `keep`."""
        for file in self.root.glob(f".*{TEMPORARY_SUFFIX}"):
            file.unlink()
        for folder in folders:
            for file in sorted((self.root / folder).glob("*")):
                if file.is_file() and f"{folder}/{file.name}" not in keep:
                    file.unlink()
            if (self.root / folder).is_dir() and not any((self.root / folder).iterdir()):
                (self.root / folder).rmdir()


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def content_name(folder: str, stem: str, suffix: str, data: bytes | memoryview) -> str:
    """Return the path of an object: its stem, then the XXH3-64 of its content."""
    return f"{folder}/{stem}.{xxhash.xxh3_64_hexdigest(data)}.{suffix}"
