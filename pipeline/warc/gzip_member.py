"""Inflates single gzip members, whole and proven, or says what is wrong with them.

There are two ways, and the fast one only ever shortens the exact one:

* `_inflate_fast` supposes that the member ends where the next gzip magic stands, and lets FastWARC
  (2.2 times zlib's rate) inflate it. FastWARC checks CRC and size but ends without a word when data
  are missing, so an empty member is appended: only if FastWARC reports that it has gone on to that
  one was the member complete, its trailer checked, and its end where it was supposed.
* `inflate_exactly` walks the frame with zlib and finds the end from the deflate data themselves.
  It decides everything else: members without a neighbour, a magic inside compressed data, damage.
"""

from __future__ import annotations

import zlib
from io import BytesIO
from typing import TYPE_CHECKING

from fastwarc.stream_io import GzipReader

from .codec import CodecError, Deflate, Member, inflate_exactly
from .gzip_format import (
    MAGIC,
    MAX_DEFLATE_RATIO,
    MIN_MEMBER_BYTES,
    TRAILER_BYTES,
    header_length,
    trailer_of,
)
from .values import Reason

if TYPE_CHECKING:
    from .codec import Engine
    from .effort import Effort
    from .values import Damage
    from .window import StoredWindow

_EMPTY_MEMBER = zlib.compress(b"", wbits=31)
_FAST_BUFFER_BYTES = 1 << 14  # FastWARC's default of 64 KiB costs a small member more to allocate


class GzipCodec:
    """Gzip members (RFC 1952)."""

    magic = MAGIC
    broken = Reason.BAD_GZIP_MEMBER
    trailer_bytes = TRAILER_BYTES

    def open(self, head: bytes) -> tuple[Engine, int] | None:
        """Return an engine, and where its data begin in `head`."""
        skip = header_length(head)
        return None if skip is None else (Deflate(), skip)

    def may_begin(self, head: bytes, beginnings: tuple[bytes, ...]) -> bool:
        """Return whether the content begins like one of `beginnings`, which are equally long."""
        skip = header_length(head)
        if skip is None:
            return False
        try:
            content = Deflate().decompress(head[skip:], len(beginnings[0]))
        except CodecError:
            return False
        return content in beginnings

    def proves(self, trailer: bytes, crc: int, size: int) -> bool:
        """Return whether a trailer fits the CRC-32 and the size of the content."""
        return trailer == trailer_of(crc, size)

    def skip(self, window: StoredWindow, offset: int) -> int:  # noqa: ARG002 - Codec's interface
        """Return `offset`: every gzip member holds data."""
        return offset

    def inflate(
        self, window: StoredWindow, offset: int, limit_bytes: int, effort: Effort
    ) -> Member | Damage:
        """Return the member that begins at `offset`, if it is intact and within the limit."""
        return _inflate_fast(window, offset, limit_bytes, effort) or inflate_exactly(
            self, window, offset, limit_bytes, effort
        )

    def guess_end(self, window: StoredWindow, offset: int) -> int | None:  # noqa: ARG002 - likewise
        """Return None: only the data tell where a member ends."""
        return None


def _inflate_fast(
    window: StoredWindow, offset: int, limit_bytes: int, effort: Effort
) -> Member | None:
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
    most = min(limit_bytes, (end - start) * MAX_DEFLATE_RATIO, effort.left(offset))
    if size > most:
        return None
    reader = GzipReader(BytesIO(data[start:end] + _EMPTY_MEMBER), _FAST_BUFFER_BYTES)
    try:
        content = reader.read(size + 1)  # one more than there is, so that it must go on
        if len(content) == size and reader.frame_start_position() == end - start:
            return Member(content, offset + end - start)
    except OSError:
        pass
    effort.spend(size + end - start)  # at most: how far it came is not known
    return None
