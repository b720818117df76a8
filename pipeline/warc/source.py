"""Where stored bytes come from: the one seam between the reader and files, stores or memory."""

from __future__ import annotations

from typing import Protocol


class ByteSource(Protocol):
    """Random access to the stored bytes of one input, compressed as they lie there."""

    @property
    def size(self) -> int:
        """Number of stored bytes."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """Return exactly the bytes [offset, offset + length), fewer only at the end of the file."""
        ...


class BytesSource:
    """A source that is held in memory."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @property
    def size(self) -> int:
        """Number of stored bytes."""
        return len(self._data)

    def read(self, offset: int, length: int) -> bytes:
        """Return the bytes [offset, offset + length), fewer only at the end."""
        return self._data[offset : offset + length]
