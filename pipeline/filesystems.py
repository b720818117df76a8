"""Finds and opens input files, and names outputs: on this machine, or elsewhere by a scheme."""

from __future__ import annotations

import glob
import os
import stat
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .errors import SealedBeamError, UsageError
from .objects import (
    WRITABLE,
    Objects,
    as_url,
    foreign_size,
    match_foreign,
    match_objects,
    read_foreign,
    scheme_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER = "a folder"
_SLASHES_OF_BUCKET = 2
ARCHIVE_SUFFIXES = (".warc", ".warc.gz", ".warc.zst", ".warc.lz4")


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
class ObjectSource:
    """An object on s3:// or gs://; safe to share between threads."""

    path: str
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end of the object."""
        return _objects(scheme_of(self.path)).read(self.path, offset, length)


@dataclass(frozen=True, slots=True)
class RemoteSource:
    """A file on any other of Beam's filesystems."""

    path: str
    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`, fewer only at the end of the file."""
        return read_foreign(self.path, offset, length)


@cache
def _objects(scheme: str) -> Objects:
    """Return this process's objects of a scheme: a client is dear, and keeps its connections."""
    return Objects(scheme)


def name_other_kind(mode: int) -> str:
    """Return what a path of this mode is if it is no regular file; empty if it is one."""
    kinds = {
        stat.S_ISDIR: FOLDER,
        stat.S_ISFIFO: "a pipe",
        stat.S_ISSOCK: "a socket",
        stat.S_ISCHR: "a device",
        stat.S_ISBLK: "a device",
    }
    return next((kind for test, kind in kinds.items() if test(mode)), "")


def is_remote(path: str) -> bool:
    """Whether `path` names another filesystem by a scheme."""
    return "://" in path and not path.startswith("file://")


def output_place(path: Path) -> Path:
    """Return where an index is written: an absolute path, or a URL (short of a slash, as a Path).

    Raises:
        UsageError: nothing can be written there.
    """
    scheme = scheme_of(str(path))
    if not scheme:
        return local_folder(path)
    if scheme not in WRITABLE:
        raise UsageError(
            f"--output {as_url(str(path))}: an index is written to a folder, s3:// or gs://"
        )
    return path


def name_of(path: Path) -> str:
    """Return how an output is named: an absolute path, or a URL."""
    return as_url(str(path)) if scheme_of(str(path)) else str(path.absolute())


def local_folder(path: Path) -> Path:
    """Return the absolute path of an output folder; raises UsageError when it cannot be local."""
    if scheme_of(str(path)):
        raise UsageError(f"--output {as_url(str(path))}: give a folder of this machine")
    try:
        return path.absolute()
    except FileNotFoundError:
        raise UsageError("the current folder is gone; change to one that is there") from None


def open_source(path: str) -> LocalSource | ObjectSource | RemoteSource:
    """Return the file at `path`; raises UsageError when it is not there or cannot be read."""
    try:
        if not is_remote(path):
            return _open_local(path)
        if scheme_of(path) in WRITABLE:
            return ObjectSource(path, _objects(scheme_of(path)).size(path))
        return RemoteSource(path, foreign_size(path))
    except OSError as error:
        raise UsageError(f"cannot open input {path}: {error.strerror or error}") from None
    except UsageError:
        raise
    except (ValueError, IndexError, SealedBeamError) as error:
        raise UsageError(f"cannot open input {path}: {error}") from None


def _open_local(path: str) -> LocalSource:
    # Opening a pipe would wait for somebody to write into it, and a device may never end.
    if kind := name_other_kind(Path(path).stat().st_mode):
        raise ValueError(f"it is {kind}; an archive is read more than once, so save it to a file")
    with Path(path).open("rb") as file:
        return LocalSource(path, os.fstat(file.fileno()).st_size)


def expand_inputs(patterns: Iterable[str]) -> list[str]:
    """Return the files that `patterns` (paths, globs, folders) name, in order, each once.

    A folder stands for the archives in it and below; files of one pattern come sorted by name. A
    file that is named in several ways is taken under its first name.

    Raises:
        UsageError: a pattern matches nothing, or a folder cannot be read.
    """
    found: dict[str, str] = {}
    for pattern in patterns:
        remote = is_remote(pattern)
        try:
            matches = _expand_remote(pattern) if remote else _expand_local(pattern)
        except OSError as error:
            place = error.filename or pattern
            raise UsageError(f"cannot read input {place}: {error.strerror or error}") from None
        if not matches:
            raise UsageError(f"input {pattern or 'of no name'} {_explain_absence(pattern)}")
        for name in matches:
            found.setdefault(name if remote else os.path.realpath(name), name)
    return list(found.values())


def _explain_absence(pattern: str) -> str:
    """Return why nothing was found under `pattern`, and what to give instead."""
    archives = " or ".join("*" + suffix for suffix in ARCHIVE_SUFFIXES)
    path = Path(pattern.removeprefix("file://"))
    if pattern and path.is_dir():
        return f"matches no file: in this folder and below is no {archives}"
    near: list[str] = []
    if path.parent.is_dir() and os.access(path.parent, os.R_OK):
        near = get_close_matches(path.name, (file.name for file in path.parent.iterdir()), 1, 0.8)
    hint = f"did you mean {path.parent / near[0]}?" if near else ""
    hint = hint or f"give a WARC file, a glob, or a folder that holds {archives}"
    return f"matches no file; {hint}"


def _expand_local(pattern: str) -> list[str]:
    pattern = pattern.removeprefix("file://")
    if not pattern:
        return []
    found = os.path.lexists(pattern) or Path(pattern).exists()
    # Path.glob refuses absolute patterns.
    names = [pattern] if found else sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207
    matches = []
    for name in names:
        matches += sorted(_archives_below(name)) if Path(name).is_dir() else [name]
    return matches


def _archives_below(folder: str) -> Iterator[str]:
    """Yield the archives in a folder and below; raises OSError where a folder cannot be read."""

    def refuse(error: OSError) -> NoReturn:
        raise error

    for place, _, names in os.walk(folder, onerror=refuse):
        for name in names:
            if name.endswith(ARCHIVE_SUFFIXES):
                yield str(Path(place, name))


def _expand_remote(pattern: str) -> list[str]:
    if pattern.startswith(("http://", "https://")):
        raise UsageError(f"input {pattern} is an address: download it, and give the file")
    try:
        if scheme_of(pattern) not in WRITABLE:
            return match_foreign(pattern)
        objects = _objects(scheme_of(pattern))
        named = pattern.rstrip("/").count("/") > _SLASHES_OF_BUCKET and objects.exists(pattern)
        found = [pattern] if named else match_objects(pattern, objects)
        below = [] if found else objects.list(f"{pattern.rstrip('/')}/")
        return found or [path for path in below if path.endswith(ARCHIVE_SUFFIXES)]
    except UsageError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(f"cannot look up input {pattern}: {reason}") from None
    except Exception as error:  # noqa: BLE001 - each filesystem raises errors of its own
        raise UsageError(f"cannot look up input {pattern}: {error}") from None
