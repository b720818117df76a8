"""Objects of s3:// and gs://, through the clients that Beam's filesystems make.

The clients are Beam's, with its options and the vendor's environment (AWS_ENDPOINT_URL and others);
what is asked of them is less: Beam's own files take three requests for a write, begin every read
at an offset and end it by breaking the connection, and wait for minutes for a store that is not
there. An object that is missing is an OSError as of a file. A store that refuses or cannot be
reached ends the job instead: taken for damage, it would be worked around.

Rules:

1. An object is written by one request, with a CRC-32C that the store compares: it appears whole, or
   not at all, and replaces an earlier one of its name in one instant.
2. Offsets are of the stored bytes: nothing is decompressed on the way.
"""

from __future__ import annotations

import errno
import logging
import re
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from .errors import SealedBeamError, UsageError
from .text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator

WRITABLE = ("s3", "gs")
"""The schemes that an output can have."""

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]+):/+")
_GLOB = re.compile(r"[*?\[]")
_EXTRAS = {"s3": "s3", "gs": "gcs"}
_NOT_FOUND = 404
_PRECONDITION_FAILED = 412


def scheme_of(path: str) -> str:
    """Return the scheme of a path, also of one that lost a slash as a Path; empty without any."""
    found = _SCHEME.match(path)
    return found[1] if found and found[1] != "file" else ""


def as_url(path: str) -> str:
    """Return a path that has a scheme with both of its slashes, and none at its end."""
    return _SCHEME.sub(r"\1://", path).rstrip("/")


class Client(Protocol):
    """What is asked of a store; each call is one request, or as many as a list has pages."""

    def read(self, bucket: str, key: str, offset: int, length: int | None) -> bytes:
        """Return a range of an object, empty behind its end; the whole by default."""

    def size(self, bucket: str, key: str) -> int:
        """Return the size of an object in bytes."""

    def write(self, bucket: str, key: str, data: bytes, *, only_new: bool) -> None:
        """Make `data` an object; `only_new` unless there is one of that name."""

    def remove(self, bucket: str, key: str) -> None:
        """Remove an object."""

    def list(self, bucket: str, prefix: str) -> Iterator[str]:
        """Yield the keys that begin with `prefix`."""


class Objects:
    """The objects of one store, by their URLs; safe to share between threads."""

    def __init__(self, scheme: str) -> None:
        """Open a client for `scheme`.

        Raises:
            UsageError: what it takes is not installed.
        """
        self._client = _open_client(scheme)

    def read(self, url: str, offset: int = 0, length: int | None = None) -> bytes:
        """Return `length` bytes of an object from `offset`, fewer where it ends; all by default.

        Raises:
            OSError: there is no such object.
            SealedBeamError: the store refuses, or cannot be reached.
        """
        if length == 0:
            return b""
        with _translated(url):
            return self._client.read(*_parse(url), offset, length)

    def size(self, url: str) -> int:
        """Return the size of an object in bytes; raises like `read`."""
        with _translated(url):
            return self._client.size(*_parse(url))

    def exists(self, url: str) -> bool:
        """Whether there is such an object; raises SealedBeamError like `read`."""
        try:
            self.size(url)
        except FileNotFoundError:
            return False
        return True

    def write(self, url: str, data: bytes | memoryview, *, only_new: bool = False) -> bool:
        """Make `data` an object, whole or not at all; raises like `read`.

        An earlier one of that name goes, unless `only_new`; return whether it was written.
        """
        try:
            with _translated(url):
                self._client.write(*_parse(url), bytes(data), only_new=only_new)
        except FileExistsError:
            return False
        return True

    def remove(self, url: str) -> None:
        """Remove an object, if it is there; raises SealedBeamError like `read`."""
        with suppress(FileNotFoundError), _translated(url):
            self._client.remove(*_parse(url))

    def list(self, prefix: str) -> list[str]:
        """Return the URLs of all objects that begin with `prefix`, sorted."""
        bucket, beginning = _parse(prefix)
        with _translated(prefix):
            keys = sorted(self._client.list(bucket, beginning))
        place = prefix.removesuffix(beginning)
        return [place + key for key in keys]


def _parse(url: str) -> tuple[str, str]:
    """Return bucket and key of a URL."""
    bucket, _, key = url.partition("://")[2].partition("/")
    return bucket, key


def _open_client(scheme: str) -> Client:
    with hushed():
        try:
            if scheme == "s3":
                from .objects_s3 import open_s3  # noqa: PLC0415 - an extra

                return open_s3()
            from .objects_gs import open_gs  # noqa: PLC0415 - an extra

            return open_gs()
        except ImportError:
            raise UsageError(
                f"{scheme}:// needs packages that are not installed: "
                f"pip install 'sealedbeam[{_EXTRAS[scheme]}]'"
            ) from None


def _status_of(error: Exception) -> int | None:
    """Return the HTTP status in an error of boto3 or of Google's client."""
    answer = getattr(error, "response", None)
    if isinstance(answer, dict):
        code = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
    else:
        code = getattr(error, "code", None)
    return int(code) if isinstance(code, int) else None


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """Raise what a client raises as an OSError of the object, or as the end of the job."""
    try:
        yield
    except (MemoryError, UsageError):
        raise
    except Exception as error:
        code = _status_of(error)
        if code == _PRECONDITION_FAILED:
            raise FileExistsError(errno.EEXIST, "There is such an object", url) from None
        if code == _NOT_FOUND:
            raise FileNotFoundError(errno.ENOENT, "No such bucket or object", url) from None
        raise SealedBeamError(
            f"{url} cannot be used ({one_line(str(error) or type(error).__name__)}); "
            "put that right and run the same command again"
        ) from error


def match_objects(pattern: str, objects: Objects) -> list[str]:
    """Return the objects that a glob names, sorted; in it * and ? stand for no slash."""
    with hushed():
        from apache_beam.io.filesystem import FileSystem  # noqa: PLC0415 - slow
    fixed = _GLOB.split(pattern, maxsplit=1)[0]
    named = re.compile(FileSystem.translate_pattern(pattern))
    return [url for url in objects.list(fixed) if named.fullmatch(url)]


def match_foreign(pattern: str) -> list[str]:
    """Return the files of any of Beam's filesystems that a glob names, sorted."""
    found = _filesystems().match([pattern])
    return sorted(file.path for match in found for file in match.metadata_list)


def foreign_size(path: str) -> int:
    """Return the size in bytes of a file of any of Beam's filesystems."""
    (match,) = _filesystems().match([path])
    return int(match.metadata_list[0].size_in_bytes)


def read_foreign(path: str, offset: int, length: int) -> bytes:
    """Return bytes of a file of any of Beam's filesystems."""
    with hushed():
        from apache_beam.io.filesystem import CompressionTypes  # noqa: PLC0415 - slow
    raw = CompressionTypes.UNCOMPRESSED
    with _filesystems().open(path, compression_type=raw) as file:
        file.seek(offset)
        return bytes(file.read(length))


def _filesystems() -> Any:
    with hushed():
        from apache_beam.io.filesystems import FileSystems  # noqa: PLC0415 - 0.4 s

    return FileSystems


@contextmanager
def hushed() -> Iterator[None]:
    """Keep back what Beam logs while it is loaded: warnings of clouds that nobody asked for."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
