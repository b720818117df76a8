"""Files in strips: what is read, checked and repaired apart from the rest of its file.

Strips of a large file have 64 KiB, of smaller ones less, down to the 4 KiB that a disk loses at a
time. Each strip has an XXH3-128, so that damage is known to the strip, and damage in more files
than there are parities can still be repaired where it lies in different stripes. The last strip of
a file is shorter; in a stripe it counts as filled up with zeros that nobody stores.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Self

from sealedbeam.pipeline.integrity.checksum import DIGEST_BYTES, digest128

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

STRIP_BYTES_MIN: Final = 1 << 12
STRIP_BYTES_MAX: Final = 1 << 16
_STRIPS_WANTED = 128
_OUT_OF_DESCRIPTORS = (errno.EMFILE, errno.ENFILE)
_BEHIND_BYTES = 1 << 23  # how much of what was read is let go of at a time


def choose_strip_bytes(size: int) -> int:
    """Return how long the strips of files of up to `size` bytes are, a power of two."""
    wanted = 1 << max(0, size // _STRIPS_WANTED - 1).bit_length()
    return min(max(wanted, STRIP_BYTES_MIN), STRIP_BYTES_MAX)


def count_strips(size: int, strip_bytes: int) -> int:
    """Return how many strips a file of `size` bytes has."""
    return -(-size // strip_bytes)


def strip_length(size: int, strip: int, strip_bytes: int) -> int:
    """Return the length of a strip of a file of `size` bytes; 0 behind its end."""
    return max(0, min(strip_bytes, size - strip * strip_bytes))


def digest_of(digests: bytes, strip: int) -> bytes:
    """Return the digest of one strip from those of all."""
    return digests[strip * DIGEST_BYTES : (strip + 1) * DIGEST_BYTES]


class StripFile:
    """A file that is read strip by strip from the disk; a context manager.

    What cannot be read, for whatever reason, is empty: to who repairs it is the same as damaged.
    Pages that the system has in memory are dropped first: they would hide what the disk has.
    """

    def __init__(self, path: Path) -> None:
        """Open `path`, if it is there and can be read; `refusal` says why not.

        Raises:
            OSError: this process may open no more files, which says nothing of this one.
        """
        self.refusal = ""
        self.size = 0
        self._descriptor: int | None = None
        try:
            # Without blocking: opening a pipe would wait for somebody to write into it.
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            self.size = os.fstat(self._descriptor).st_size
            os.pread(self._descriptor, 0, 0)  # a folder can be opened, and not read
        except OSError as error:
            if error.errno in _OUT_OF_DESCRIPTORS:
                raise
            self.refusal = error.strerror or str(error)
        self._advise(0, 0, os.POSIX_FADV_DONTNEED)

    def read(self, offset: int, length: int) -> bytes:
        """Return a range, what there is of it where the file ends, nothing if it is unreadable."""
        if self._descriptor is None:
            return b""
        if offset and not offset % _BEHIND_BYTES:
            self._advise(offset - _BEHIND_BYTES, _BEHIND_BYTES, os.POSIX_FADV_DONTNEED)
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError as error:
            self.refusal = error.strerror or str(error)
            return b""

    def read_proven(self, offset: int, length: int, digest: bytes) -> bytes | None:
        """Return a strip that agrees with its digest, None if it does not."""
        data = self.read(offset, length)
        return data if len(data) == length and digest128(data) == digest else None

    def _advise(self, offset: int, length: int, advice: int) -> None:
        if self._descriptor is not None:
            with suppress(OSError):  # advice: some file systems take none
                os.posix_fadvise(self._descriptor, offset, length, advice)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._advise(0, 0, os.POSIX_FADV_DONTNEED)
        if self._descriptor is not None:
            os.close(self._descriptor)
