"""Inflates single gzip members, whole and proven, or says what is wrong with them.

There are two ways, and the fast one only ever shortens the exact one:

* `_inflate_fast` supposes that the member ends where the next gzip magic stands, and lets FastWARC
  (2.2 times zlib's rate) inflate it. FastWARC checks CRC and size but ends without a word when data
  are missing, so an empty member is appended: only if FastWARC reports that it has gone on to that
  one was the member complete, its trailer checked, and its end where it was supposed.
* `_inflate_exactly` walks the frame with zlib and finds the end from the deflate data themselves.
  It decides everything else: members without a neighbour, a magic inside compressed data, damage.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from fastwarc.stream_io import GzipReader

from .gzip_format import (
    FIXED_HEADER_BYTES,
    MAGIC,
    MAX_DEFLATE_RATIO,
    MIN_MEMBER_BYTES,
    TRAILER_BYTES,
    header_length,
    trailer_of,
)
from .values import MAX_HEADER_BYTES, Damage, Reason

if TYPE_CHECKING:
    from .window import StoredWindow

_EMPTY_MEMBER = zlib.compress(b"", wbits=31)
_FAST_BUFFER_BYTES = 1 << 14  # FastWARC's default of 64 KiB costs a small member more to allocate
_CHUNK_BYTES = 1 << 18
_DISCARD_FACTOR = 16  # how far past the limit a member is followed only to find its end


@dataclass(frozen=True, slots=True)
class Member:
    """A complete member: its content, and the stored offset just after it."""

    content: bytes
    end: int


def inflate_member(window: StoredWindow, offset: int, limit_bytes: int) -> Member | Damage:
    """Return the member that begins at `offset`, if it is intact and within the limit.

    Args:
        window: the stored bytes.
        offset: where the member begins.
        limit_bytes: the most that it may hold inflated; no more is ever kept.
    """
    return _inflate_fast(window, offset, limit_bytes) or _inflate_exactly(
        window, offset, limit_bytes
    )


def inflate_prefix(head: bytes, length: int) -> bytes:
    """Return up to `length` bytes of the content of the member that `head` begins with."""
    skip = header_length(head)
    if skip is None:
        return b""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(head[skip:], length)
    except zlib.error:
        return b""


def _inflate_fast(window: StoredWindow, offset: int, limit_bytes: int) -> Member | None:
    data, start = window.at(offset, MIN_MEMBER_BYTES)
    end = data.find(MAGIC, start + MIN_MEMBER_BYTES)
    if end < 0:
        data, start = window.at(offset, window.chunk_bytes)
        end = data.find(MAGIC, start + MIN_MEMBER_BYTES)
        if end < 0:
            if offset + len(data) - start < window.size:
                return None
            end = len(data)
    if end - start < MIN_MEMBER_BYTES:
        return None  # with nothing before it the empty member would prove itself
    size = int.from_bytes(data[end - 4 : end], "little")
    if size > limit_bytes or size > (end - start) * MAX_DEFLATE_RATIO:
        return None
    reader = GzipReader(BytesIO(data[start:end] + _EMPTY_MEMBER), _FAST_BUFFER_BYTES)
    try:
        content = reader.read(size + 1)  # one more than there is, so that it must go on
        if len(content) != size or reader.frame_start_position() != end - start:
            return None
    except OSError:
        return None
    return Member(content, offset + end - start)


def _inflate_exactly(window: StoredWindow, offset: int, limit_bytes: int) -> Member | Damage:
    head = window.peek(offset, MAX_HEADER_BYTES)
    skip = header_length(head)
    if skip is None:
        return Damage(_why_no_header(head))
    inflater = _Inflater(limit_bytes)
    end = inflater.run(window, offset + skip)
    if isinstance(end, Damage):
        return end
    trailer = window.peek(end, TRAILER_BYTES)
    end += TRAILER_BYTES
    if len(trailer) < TRAILER_BYTES:
        return Damage(Reason.TRUNCATED)
    if trailer != trailer_of(inflater.crc, inflater.size):
        return Damage(Reason.BAD_GZIP_MEMBER, end)
    if inflater.size > limit_bytes:
        return Damage(Reason.TOO_LARGE, end, certain=True)
    return Member(b"".join(inflater.pieces), end)


def _why_no_header(head: bytes) -> Reason:
    if len(head) < FIXED_HEADER_BYTES and head[: len(MAGIC)] == MAGIC[: len(head)]:
        return Reason.TRUNCATED
    return Reason.BAD_GZIP_MEMBER if head.startswith(MAGIC) else Reason.JUNK


class _Inflater:
    """Inflates raw deflate data to their end, keeping the content only up to a limit."""

    def __init__(self, limit_bytes: int) -> None:
        self.crc = 0
        self.size = 0
        self.pieces: list[bytes] = []
        self._limit_bytes = limit_bytes

    def run(self, window: StoredWindow, offset: int) -> int | Damage:
        """Return the offset just after the deflate data, or why there is none."""
        engine = zlib.decompressobj(-zlib.MAX_WBITS)
        while not engine.eof:
            chunk = engine.unconsumed_tail
            if not chunk:
                chunk = window.peek(offset, _CHUNK_BYTES)
                offset += len(chunk)
            try:
                piece = engine.decompress(chunk, _CHUNK_BYTES)
            except zlib.error:
                return Damage(Reason.BAD_GZIP_MEMBER)
            if not chunk and not piece:
                return Damage(Reason.TRUNCATED)
            self._take(piece)
            if self.size > self._limit_bytes * _DISCARD_FACTOR:
                return Damage(Reason.TOO_LARGE)
        return offset - len(engine.unused_data)

    def _take(self, piece: bytes) -> None:
        self.crc = zlib.crc32(piece, self.crc)
        self.size += len(piece)
        if self.size <= self._limit_bytes:
            self.pieces.append(piece)
        else:
            self.pieces.clear()
