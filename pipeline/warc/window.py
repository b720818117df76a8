"""Bounded views of long byte streams: random access to stored bytes, forward access to inflated.

Both answer `at(offset, want)` with a buffer and an index into it, such that at least `want` bytes
follow the index unless the stream ends. A call may let go of all bytes before its offset.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from .codec import CodecError
from .values import MAX_HEADER_BYTES, Reason

if TYPE_CHECKING:
    from .codec import Codec, Engine
    from .source import ByteSource

WINDOW_BYTES = 4 << 20
SCAN_BYTES = 1 << 18
_STORED_CHUNK_BYTES = 1 << 18
_INFLATED_CHUNK_BYTES = 1 << 20

Bytes: TypeAlias = bytes | bytearray


class Window(Protocol):
    """A bounded view of a byte stream."""

    @property
    def damage(self) -> Reason | None:
        """Damage of the stream as a whole, known once its end was reached."""
        ...

    @property
    def random_access(self) -> bool:
        """Whether bytes far ahead can be had without reading all before them."""
        ...

    def at(self, offset: int, want: int) -> tuple[Bytes, int]:
        """Return a buffer and the index of `offset` in it; see the module's docstring."""
        ...

    def peek(self, offset: int, length: int) -> Bytes:
        """Return up to `length` bytes at `offset` without letting go of any."""
        ...

    def reaches(self, offset: int) -> bool:
        """Return whether no bytes are missing before `offset`, once they were asked for."""
        ...


class StoredWindow:
    """A window on a source; any order of offsets works, ascending ones are cheap."""

    damage: Reason | None = None
    random_access = True

    def __init__(self, source: ByteSource, chunk_bytes: int = WINDOW_BYTES) -> None:
        self._source = source
        self.chunk_bytes = chunk_bytes
        self._base = 0
        self._data = b""

    @property
    def size(self) -> int:
        """Number of stored bytes."""
        return self._source.size

    def at(self, offset: int, want: int) -> tuple[bytes, int]:
        """Return a buffer that holds `want` bytes from `offset` on, and the index of `offset`."""
        index = offset - self._base
        if index < 0 or index + want > len(self._data):
            end = self._base + len(self._data)
            if index < 0 or index > len(self._data) or end < self._source.size:
                self._data = self._source.read(offset, max(want, self.chunk_bytes))
                self._base = offset
                index = 0
        return self._data, index

    def peek(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes at `offset`."""
        index = offset - self._base
        if index >= 0 and index + length <= len(self._data):
            return self._data[index : index + length]
        return self._source.read(offset, length)

    def reaches(self, offset: int) -> bool:
        """Return whether there are at least `offset` stored bytes."""
        return offset <= self._source.size


class FirstMember(NamedTuple):
    """Where the first member of an inflated stream ended."""

    inflated_bytes: int
    stored_end: int


class InflatedWindow:
    """A window on the inflated stream of one or more members; offsets only ascend.

    A failed check at the end of a member is remembered and reading goes on; data that cannot be
    inflated end the stream.
    """

    random_access = False

    def __init__(self, source: ByteSource, codec: Codec, stored_start: int = 0) -> None:
        """Inflate what begins at the stored offset `stored_start`."""
        self.damage: Reason | None = None
        self.first_member: FirstMember | None = None
        self._source = source
        self._codec = codec
        self._stored = StoredWindow(source, _STORED_CHUNK_BYTES)
        self._stored_offset = stored_start
        self._base = 0
        self._data = bytearray()
        self._engine: Engine | None = None
        self._crc = 0
        self._member_bytes = 0
        self._ended = False

    def at(self, offset: int, want: int) -> tuple[bytearray, int]:
        """Return a buffer that holds `want` bytes from `offset` on, and the index of `offset`."""
        if offset < self._base:
            raise ValueError(f"offset {offset} lies before the window at {self._base}")
        while offset - self._base + want > len(self._data) and not self._ended:
            drop = min(offset - self._base, len(self._data))
            del self._data[:drop]
            self._base += drop
            self._inflate_more()
        return self._data, min(offset - self._base, len(self._data))

    def peek(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes at `offset`; everything up to there is kept."""
        while offset - self._base + length > len(self._data) and not self._ended:
            self._inflate_more()
        index = offset - self._base
        return bytes(self._data[index : index + length])

    def reaches(self, offset: int) -> bool:
        """Return whether the stream was inflated up to `offset`."""
        return offset <= self._base + len(self._data)

    def _inflate_more(self) -> None:
        engine = self._engine or self._open_member()
        if engine is None:
            return
        chunk = b""
        if engine.needs_input:
            chunk = self._source.read(self._stored_offset, _STORED_CHUNK_BYTES)
            self._stored_offset += len(chunk)
        try:
            inflated = engine.decompress(chunk, _INFLATED_CHUNK_BYTES)
        except CodecError:
            self._stop(self._codec.broken)
            return
        self._crc = zlib.crc32(inflated, self._crc)
        self._member_bytes += len(inflated)
        self._data += inflated
        if engine.eof:
            self._close_member(len(engine.unused_data))
        elif not chunk and not inflated and engine.needs_input:
            self._stop(Reason.TRUNCATED)

    def _open_member(self) -> Engine | None:
        self._stored_offset = self._codec.skip(self._stored, self._stored_offset)
        head = self._source.read(self._stored_offset, MAX_HEADER_BYTES)
        opened = self._codec.open(head)
        if opened is None:
            self._stop(Reason.JUNK if head else None)
            return None
        self._engine, skip = opened
        self._stored_offset += skip
        self._crc = self._member_bytes = 0
        return self._engine

    def _close_member(self, unused: int) -> None:
        self._engine = None
        trailer_bytes = self._codec.trailer_bytes
        trailer = self._source.read(self._stored_offset - unused, trailer_bytes)
        self._stored_offset += len(trailer) - unused
        self.first_member = self.first_member or FirstMember(
            self._member_bytes, self._stored_offset
        )
        if len(trailer) < trailer_bytes:
            self._stop(Reason.TRUNCATED)
        elif not self._codec.proves(trailer, self._crc, self._member_bytes):
            self.damage = self._codec.broken

    def _stop(self, damage: Reason | None) -> None:
        self._ended = True
        self.damage = self.damage or damage
