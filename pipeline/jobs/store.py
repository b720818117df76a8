"""Writes, reads and removes the objects of an output folder, durably and whole or not at all.

No step of a job relies on a listing or on the order of renames: an object is written under a name
that only its attempt uses, made durable, and then appears under its own name, which carries the
digest of its content. Two attempts at one task therefore produce the same objects.
"""

from __future__ import annotations

import errno
import os
import uuid
from contextlib import contextmanager
from typing import TYPE_CHECKING

import xxhash
from sealedbeam.pipeline.errors import SealedBeamError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

TEMPORARY_SUFFIX = ".attempt"
_PIECE_BYTES = 1 << 18
_REMEDIES = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "raise the limit on the size of files (ulimit -f)",
    errno.EMFILE: "raise the limit on open files (ulimit -n)",
    errno.ENFILE: "raise the system's limit on open files",
    errno.ENOENT: "put back what was moved or removed while the job ran",
    errno.EACCES: "allow access to it",
    errno.EPERM: "allow access to it",
    errno.EROFS: "make its file system writable",
    errno.EIO: "check the disk",
}


class Store:
    """An output folder on a local or shared file system; see `object_store` for the other kind.

    Attributes:
        root: the folder of this machine that holds lock and log, and here all objects too.
        shared: whether jobs of other machines may write here that the lock knows nothing of.
    """

    shared = False

    def __init__(self, root: Path) -> None:
        """Use `root`, which need not exist yet."""
        self.root = root
        self._attempt = uuid.uuid4().hex[:12]

    @property
    def name(self) -> str:
        """The place in the user's words."""
        return str(self.root)

    def place(self, path: str) -> str:
        """Return where an object lies, in the user's words."""
        return str(self.root / path)

    def make_root(self) -> None:
        """Make the root, unless it is there; raises OSError."""
        self.root.mkdir(parents=True, exist_ok=True)

    def write(self, path: str, data: bytes | memoryview) -> None:
        """Make `data` the content of `path`, durably; an earlier object of that name goes.

        The root is not made: one that was removed under a running job must not come back in part.
        """
        with self.writing(path) as file:
            file.write(data)

    @contextmanager
    def writing(self, path: str) -> Iterator[BinaryIO]:
        """Yield a file that becomes `path` when the context ends well; as `write` does it."""
        target = self.root / path
        with naming(target):
            if target.parent != self.root and not target.parent.is_dir():
                target.parent.mkdir(exist_ok=True)
                sync_folder(target.parent.parent)
            temporary = target.with_name(f".{target.name}.{self._attempt}{TEMPORARY_SUFFIX}")
            try:
                with temporary.open("wb") as file:
                    yield file
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            sync_folder(target.parent)

    def create(self, path: str, data: bytes) -> None:
        """Make `data` the content of `path`, which the holder of the lock knows not to be there."""
        self.write(path, data)

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

    def names(self, folder: str) -> list[str]:
        """Return the paths of all that lies in `folder`, sorted."""
        return [f"{folder}/{path.name}" for path in sorted((self.root / folder).glob("*"))]

    def is_empty(self) -> bool:
        """Whether there is nothing but what a claim leaves that was killed before it was done."""
        return not any(
            file.is_file() and file.suffix != TEMPORARY_SUFFIX for file in self.root.rglob("*")
        )

    def fetch_log(self, name: str) -> None:
        """Take over the log `name` of earlier runs: here it lies in its place already."""

    def store_log(self, name: str) -> None:
        """Store the log `name`: here it lies in its place already."""

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


@contextmanager
def naming(target: Path) -> Iterator[None]:
    """Say in an OSError which object it was: some calls name its attempt, some nothing."""
    try:
        yield
    except OSError as error:
        error.filename = str(target)
        raise


def storage_error(error: OSError) -> SealedBeamError:
    """Return what the user is told when the system refuses a file: which, why, and what to do."""
    if error.errno is None:
        return SealedBeamError(str(error))
    named = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    remedy = _REMEDIES.get(error.errno, "put that right")
    return SealedBeamError(f"{named}{error.strerror}; {remedy} and run the same command again")


def sync_folder(folder: Path) -> None:
    """Make durable which files a folder has."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def content_name(folder: str, stem: str, suffix: str, data: bytes | memoryview) -> str:
    """Return the path of an object: its stem, then the XXH3-64 of its content."""
    return f"{folder}/{stem}.{xxhash.xxh3_64_hexdigest(data)}.{suffix}"
