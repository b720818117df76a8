"""An output on s3:// or gs://: the same store of objects, without folders and without a rename.

Rules:

1. Objects appear whole, under their own names, at once: nothing is written aside and renamed.
2. A store has no lock that a killed process lets go of. Lock, log of operations and views are kept
   in a folder of this machine, named after the URL: here a second job is refused. A job on another
   machine is not seen: it writes the same objects, as every late attempt does, and once a manifest
   is there no entry follows it (see `commit_task`).
3. The log is stored when the job ends, whatever its end; one that was killed leaves it to the next.
"""

from __future__ import annotations

import os
import stat
import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.filesystems import name_of
from sealedbeam.pipeline.objects import WRITABLE, Objects, scheme_of

from .store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

_PIECE_BYTES = 8 << 20


class ObjectStore(Store):
    """The objects below a URL; `root` is where this machine keeps lock, log and views of it."""

    shared = True

    def __init__(self, url: str) -> None:
        """Use what lies below `url`; there need not be anything yet."""
        super().__init__(_folder_of(url))
        self._url = url

    @cached_property
    def _objects(self) -> Objects:
        return Objects(scheme_of(self._url))

    @property
    def name(self) -> str:
        """The URL."""
        return self._url

    def make_root(self) -> None:
        """Make the folder for the lock; raises UsageError where another user holds its name."""
        above = self.root.parent
        above.mkdir(mode=stat.S_IRWXU, exist_ok=True)
        found = above.lstat()
        if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
            raise UsageError(f"{above} is not a folder of yours; set TMPDIR to one that is")
        self.root.mkdir(exist_ok=True)

    def write(self, path: str, data: bytes | memoryview) -> None:
        """Make `data` the object `path`, whole or not at all; an earlier one of that name goes."""
        self._objects.write(self.place(path), data)

    def create(self, path: str, data: bytes) -> None:
        """Make `data` the object `path`, unless there is one already."""
        self._objects.write(self.place(path), data, only_new=True)

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return the bytes of `path`, or `length` of them from `offset`; raises OSError."""
        return self._objects.read(self.place(path), offset, length)

    def pieces(self, path: str) -> Iterator[bytes]:
        """Yield the bytes of `path` in pieces; raises OSError."""
        offset, piece = 0, bytes(_PIECE_BYTES)
        while len(piece) == _PIECE_BYTES:
            piece = self.read(path, offset, _PIECE_BYTES)
            yield piece
            offset += len(piece)

    def size(self, path: str) -> int:
        """Return the size of `path` in bytes; raises OSError."""
        return self._objects.size(self.place(path))

    def exists(self, path: str) -> bool:
        """Whether an object of that name is there."""
        return self._objects.exists(self.place(path))

    def remove(self, path: str) -> None:
        """Remove an object, if it is there."""
        self._objects.remove(self.place(path))

    def names(self, folder: str) -> list[str]:
        """Return the paths of all objects in `folder`, sorted."""
        start = len(self._url) + 1
        return [url[start:] for url in self._objects.list(self.place(f"{folder}/"))]

    def is_empty(self) -> bool:
        """Whether no object lies below the URL."""
        return not self._objects.list(self.place(""))

    def sweep(self, keep: set[str], folders: tuple[str, ...]) -> None:
        """Remove what earlier attempts left: in `folders` all but the objects in `keep`."""
        for folder in folders:
            for path in self.names(folder):
                if path not in keep:
                    self.remove(path)

    def fetch_log(self, name: str) -> None:
        """Take over the log `name` of earlier runs, unless this machine has a later one."""
        if not (self.root / name).exists() and self.exists(name):
            (self.root / name).write_bytes(self.read(name))

    def store_log(self, name: str) -> None:
        """Store the log `name`, and leave nothing of it on this machine."""
        log = self.root / name
        if log.exists():
            self.write(name, log.read_bytes())
            log.unlink()

    def place(self, path: str) -> str:
        """Return the URL of an object."""
        return f"{self._url}/{path}"


def _folder_of(url: str) -> Path:
    """Return the folder on this machine that belongs to an output elsewhere."""
    folder = Path(tempfile.gettempdir(), f"sealedbeam-{os.getuid()}")
    return folder / xxhash.xxh3_64_hexdigest(url.encode())


def open_store(place: str | os.PathLike[str]) -> Store:
    """Return the store at a folder or URL; a Path may have lost one of the URL's slashes."""
    path = Path(place)
    return ObjectStore(name_of(path)) if scheme_of(str(path)) in WRITABLE else Store(path)
