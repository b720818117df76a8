"""Inflates single Zstandard (RFC 8878) and LZ4 frames.

Both kinds may carry a checksum over the content, and then it is checked; where a writer left it
out, a flipped bit can go unseen, and only a record's own digest tells. Their blocks say how long
they are, so that the end of a damaged frame is mostly known. Frames that hold no data are skipped:
a Zstandard archive may begin with one that holds the dictionary of all others (WARC-zstd).
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Final

import lz4.frame

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from .codec import SHORT_HEAD_BYTES, CodecError, inflate_exactly
from .values import Reason

if TYPE_CHECKING:
    from .codec import Engine, Member
    from .effort import Effort
    from .source import ByteSource
    from .values import Damage
    from .window import StoredWindow

ZSTD_MAGIC: Final = b"\x28\xb5\x2f\xfd"
LZ4_MAGIC: Final = b"\x04\x22\x4d\x18"
_DICTIONARY_MAGIC: Final = b"\x5d\x2a\x4d\x18"
_MADE_DICTIONARY: Final = b"\x37\xa4\x30\xec"  # others are raw content
_MAX_DICTIONARY_BYTES: Final = 16 << 20
_SKIPPABLE: Final = frozenset(bytes((low, 0x2A, 0x4D, 0x18)) for low in range(0x50, 0x60))
_SKIP_HEADER_BYTES: Final = 8
_MAX_SKIPPED_FRAMES: Final = 1 << 10  # at one place; more of them are damage
_MAX_BLOCKS: Final = 1 << 14  # followed to the end of a damaged frame
_ZSTD_BLOCK_BYTES: Final = 128 << 10
_LZ4_BLOCK_BYTES: Final = 4 << 20
_ZSTD_BLOCK_HEADER_BYTES: Final = 3
_RLE, _RESERVED = 1, 3  # kinds of Zstandard blocks


class _FrameEngine:
    """An engine of either library; both are made like those of the standard library."""

    def __init__(self, engine: zstd.ZstdDecompressor | lz4.frame.LZ4FrameDecompressor) -> None:
        self._engine = engine

    @property
    def eof(self) -> bool:
        """Whether the end of the frame was reached."""
        return bool(self._engine.eof)

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out before more goes in."""
        return bool(self._engine.needs_input)

    @property
    def unused_data(self) -> bytes:
        """What was put in behind the end."""
        return self._engine.unused_data or b""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return up to `max_length` more bytes; raises CodecError."""
        try:
            return bytes(self._engine.decompress(data, max_length))
        except (zstd.ZstdError, RuntimeError) as error:
            raise CodecError from error


class _FrameCodec(ABC):
    """What both kinds of frames have in common."""

    magic = b""
    broken = Reason.BAD_FRAME
    trailer_bytes = 0

    def open(self, head: bytes) -> tuple[Engine, int] | None:
        """Return an engine, and where its data begin in `head`."""
        return (self._engine(), 0) if head.startswith(self.magic) else None

    @abstractmethod
    def _engine(self) -> Engine:
        """Return what inflates one frame."""

    def may_begin(self, head: bytes, beginnings: tuple[bytes, ...]) -> bool:  # noqa: ARG002
        """Return whether a frame may begin so; content only comes in whole blocks."""
        return head.startswith(self.magic)

    def proves(self, trailer: bytes, crc: int, size: int) -> bool:  # noqa: ARG002 - Codec's
        """Return True: the engine has checked the frame's own checksum."""
        return True

    def skip(self, window: StoredWindow, offset: int) -> int:
        """Return the first offset from `offset` on where no frame lies that holds no data."""
        for _ in range(_MAX_SKIPPED_FRAMES):
            head = window.peek(offset, _SKIP_HEADER_BYTES)
            if len(head) < _SKIP_HEADER_BYTES or head[:4] not in _SKIPPABLE:
                break
            end = offset + _SKIP_HEADER_BYTES + int.from_bytes(head[4:], "little")
            if end > window.size:
                break
            offset = end
        return offset

    def inflate(
        self, window: StoredWindow, offset: int, limit_bytes: int, effort: Effort
    ) -> Member | Damage:
        """Return the frame that begins at `offset`, if it is intact and within the limit."""
        window.at(offset, SHORT_HEAD_BYTES)  # what follows only peeks, past the window if need be
        return inflate_exactly(self, window, offset, limit_bytes, effort)

    @abstractmethod
    def guess_end(self, window: StoredWindow, offset: int) -> int | None:
        """Return where a frame ends by the lengths of its blocks."""


class ZstdCodec(_FrameCodec):
    """Zstandard frames."""

    magic = ZSTD_MAGIC

    def __init__(self, source: ByteSource | None = None) -> None:
        """Take the dictionary from the beginning of `source`, if there is one."""
        self._dictionary = None if source is None else _read_dictionary(source)

    def may_begin(self, head: bytes, beginnings: tuple[bytes, ...]) -> bool:  # noqa: ARG002
        """Return whether a frame header and the header of a first block stand there."""
        if not head.startswith(ZSTD_MAGIC):
            return False
        start = _zstd_header_length(head[len(ZSTD_MAGIC) :])
        if start is None:
            return False
        return _zstd_block(head[start : start + _ZSTD_BLOCK_HEADER_BYTES]) is not None

    def _engine(self) -> Engine:
        return _FrameEngine(zstd.ZstdDecompressor(self._dictionary))

    def guess_end(self, window: StoredWindow, offset: int) -> int | None:
        """Return where a frame ends by the lengths of its blocks."""
        head = window.peek(offset + len(ZSTD_MAGIC), 1)
        start = _zstd_header_length(head)
        if start is None:
            return None
        position = offset + start
        for _ in range(_MAX_BLOCKS):
            block = _zstd_block(window.peek(position, _ZSTD_BLOCK_HEADER_BYTES))
            if block is None:
                return None
            length, is_last = block
            position += _ZSTD_BLOCK_HEADER_BYTES + length
            if is_last:
                return position + (head[0] & 4)
        return None


def _zstd_header_length(after_magic: bytes) -> int | None:
    """Return how long a frame header is, its magic included."""
    if not after_magic:
        return None
    flags = after_magic[0]
    single_segment = flags >> 5 & 1
    length = len(ZSTD_MAGIC) + 1 + (0 if single_segment else 1)
    return length + (0, 1, 2, 4)[flags & 3] + (single_segment, 2, 4, 8)[flags >> 6]


def _zstd_block(header: bytes) -> tuple[int, bool] | None:
    """Return the stored length of a block, and whether it is the last one of its frame."""
    if len(header) < _ZSTD_BLOCK_HEADER_BYTES:
        return None
    number = int.from_bytes(header, "little")
    kind, size = number >> 1 & 3, number >> 3
    if kind == _RESERVED or size > _ZSTD_BLOCK_BYTES:
        return None
    return 1 if kind == _RLE else size, bool(number & 1)


class Lz4Codec(_FrameCodec):
    """LZ4 frames."""

    magic = LZ4_MAGIC

    def _engine(self) -> Engine:
        return _FrameEngine(lz4.frame.LZ4FrameDecompressor())

    def guess_end(self, window: StoredWindow, offset: int) -> int | None:
        """Return where a frame ends by the lengths of its blocks."""
        descriptor = window.peek(offset + len(LZ4_MAGIC), 1)
        if not descriptor:
            return None
        flags = descriptor[0]
        position = offset + len(LZ4_MAGIC) + 3 + (flags & 8) + (4 if flags & 1 else 0)
        checksum_bytes = 4 if flags & 0x10 else 0
        for _ in range(_MAX_BLOCKS):
            size = int.from_bytes(window.peek(position, 4), "little") & 0x7FFFFFFF
            if size > _LZ4_BLOCK_BYTES or position >= window.size:
                return None
            position += 4
            if size == 0:
                return position + (4 if flags & 4 else 0)
            position += size + checksum_bytes
        return None


def _read_dictionary(source: ByteSource) -> zstd.ZstdDict | None:
    """Return the dictionary in the frame that a WARC-zstd archive begins with, if it does."""
    head = source.read(0, _SKIP_HEADER_BYTES)
    length = int.from_bytes(head[4:], "little")
    if head[:4] != _DICTIONARY_MAGIC or length > _MAX_DICTIONARY_BYTES:
        return None
    content = source.read(_SKIP_HEADER_BYTES, length)
    try:
        if content.startswith(ZSTD_MAGIC):
            content = zstd.ZstdDecompressor().decompress(content, _MAX_DICTIONARY_BYTES)
        return zstd.ZstdDict(content, is_raw=not content.startswith(_MADE_DICTIONARY))
    except (zstd.ZstdError, ValueError):
        return None  # then the frames that need it do not decode, and are named
