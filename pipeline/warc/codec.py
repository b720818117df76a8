"""Inflates one compressed member or frame, proven complete, whatever the compression.

A `Codec` says how a member of its kind is framed; `inflate_exactly` walks one to its end, which is
where the compressed data themselves say that it is. What an attempt costs that gives nothing is
charged to an `Effort`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from .values import MAX_HEADER_BYTES, Damage, Reason

if TYPE_CHECKING:
    from .effort import Effort
    from .window import StoredWindow

DISCARD_FACTOR: Final = 4  # how far past the limit a member is followed only to find its end
SHORT_HEAD_BYTES: Final = 1 << 10
_FIXED_HEAD_BYTES: Final = 10  # of a gzip member, the longest
_FIRST_CHUNK_BYTES: Final = 1 << 12
_CHUNK_BYTES: Final = 1 << 18
_SALVAGE_STEP_BYTES: Final = 64


class CodecError(Exception):
    """Compressed data that do not decode; never leaves this package."""


class Engine(Protocol):
    """Inflates the data of one member, piece by piece."""

    @property
    def eof(self) -> bool:
        """Whether the end of the member's data was reached."""
        ...

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out before more goes in."""
        ...

    @property
    def unused_data(self) -> bytes:
        """What was put in behind the end."""
        ...

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return up to `max_length` more bytes; raises CodecError."""
        ...


class Codec(Protocol):
    """One kind of compressed members."""

    @property
    def magic(self) -> bytes:
        """What every member begins with."""
        ...

    @property
    def broken(self) -> Reason:
        """The reason for a member that does not decode."""
        ...

    @property
    def trailer_bytes(self) -> int:
        """How many bytes behind the data belong to the member."""
        ...

    def open(self, head: bytes) -> tuple[Engine, int] | None:
        """Return an engine, and where its data begin in `head`; None if no member begins so."""
        ...

    def may_begin(self, head: bytes, beginnings: tuple[bytes, ...]) -> bool:
        """Return whether a member that begins with `head` may hold what begins like one of these.

        Only a cheap look, for a search that would otherwise inflate at every magic.
        """
        ...

    def proves(self, trailer: bytes, crc: int, size: int) -> bool:
        """Return whether a trailer fits the CRC-32 and the size of the content."""
        ...

    def skip(self, window: StoredWindow, offset: int) -> int:
        """Return the first offset from `offset` on where no frame lies that holds no data."""
        ...

    def inflate(
        self, window: StoredWindow, offset: int, limit_bytes: int, effort: Effort
    ) -> Member | Damage:
        """Return the member that begins at `offset`, if it is intact and within the limit.

        Args:
            window: the stored bytes.
            offset: where the member begins.
            limit_bytes: the most that it may hold inflated; no more is ever kept.
            effort: what an attempt may cost, and is charged with if it fails.
        """
        ...

    def guess_end(self, window: StoredWindow, offset: int) -> int | None:
        """Return where a member that does not decode ends by its frame alone, if that tells."""
        ...


@dataclass(frozen=True, slots=True)
class Member:
    """A complete member: its content, and the stored offset just after it."""

    content: bytes
    end: int


class Deflate:
    """The engine of raw deflate data."""

    def __init__(self) -> None:
        self._engine = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def eof(self) -> bool:
        """Whether the end of the data was reached."""
        return self._engine.eof

    @property
    def needs_input(self) -> bool:
        """Whether nothing more comes out before more goes in."""
        return not self._engine.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        """What was put in behind the end."""
        return self._engine.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """Return up to `max_length` more bytes; raises CodecError."""
        try:
            return self._engine.decompress(data or self._engine.unconsumed_tail, max_length)
        except zlib.error as error:
            raise CodecError from error


def inflate_exactly(
    codec: Codec, window: StoredWindow, offset: int, limit_bytes: int, effort: Effort
) -> Member | Damage:
    """Return the member at `offset`, its end found from its data; see `Codec.inflate`."""
    opened = _open(codec, window, offset)
    if isinstance(opened, Damage):
        return opened
    engine, skip = opened
    allowance = effort.left(offset)
    if not allowance:
        return Damage(Reason.TOO_COSTLY)
    inflater = _Inflater(engine, limit_bytes, allowance)
    end = inflater.run(window, offset + skip, codec.broken)
    if isinstance(end, Damage):
        effort.spend(inflater.work_bytes)
        return end
    trailer = window.peek(end, codec.trailer_bytes)
    end += codec.trailer_bytes
    if len(trailer) == codec.trailer_bytes and codec.proves(trailer, inflater.crc, inflater.size):
        if inflater.size <= limit_bytes:
            return Member(b"".join(inflater.pieces), end)
        damage = Damage(Reason.TOO_LARGE, end, certain=True)
    elif len(trailer) < codec.trailer_bytes:
        damage = Damage(Reason.TRUNCATED)
    else:
        damage = Damage(codec.broken, end)
    effort.spend(inflater.work_bytes)
    return damage


def _open(codec: Codec, window: StoredWindow, offset: int) -> tuple[Engine, int] | Damage:
    head = window.peek(offset, SHORT_HEAD_BYTES)
    opened = codec.open(head)
    if opened is None and head.startswith(codec.magic) and len(head) == SHORT_HEAD_BYTES:
        head = window.peek(offset, MAX_HEADER_BYTES)
        opened = codec.open(head)
    return opened or Damage(_why_no_header(codec, head))


def _why_no_header(codec: Codec, head: bytes) -> Reason:
    if len(head) < _FIXED_HEAD_BYTES and codec.magic.startswith(head[: len(codec.magic)]):
        return Reason.TRUNCATED
    return codec.broken if head.startswith(codec.magic) else Reason.JUNK


def salvage_prefix(codec: Codec, head: bytes, length: int) -> bytes:
    """Return about `length` bytes of the member that `head` begins with, or what can be had.

    Where not even its first bytes decode, the content may still lie there as it is: compressors
    store what they cannot compress.
    """
    opened = codec.open(head)
    content = b""
    if opened is not None:
        engine, position = opened
        try:
            while position < len(head) and len(content) < length and not engine.eof:
                content += engine.decompress(
                    head[position : position + _SALVAGE_STEP_BYTES], length
                )
                position += _SALVAGE_STEP_BYTES
        except CodecError:
            pass
    return content or head


class _Inflater:
    """Inflates the data of one member to their end, keeping the content only up to a limit."""

    def __init__(self, engine: Engine, limit_bytes: int, allowance_bytes: int) -> None:
        self.crc = 0
        self.size = 0
        self.pieces: list[bytes] = []
        self._engine = engine
        self._consumed_bytes = 0
        self._limit_bytes = limit_bytes
        self._allowance_bytes = allowance_bytes

    @property
    def work_bytes(self) -> int:
        """What this has cost."""
        return self.size + self._consumed_bytes

    def run(self, window: StoredWindow, offset: int, broken: Reason) -> int | Damage:
        """Return the offset just after the data, or why there is none."""
        engine = self._engine
        start, step = offset, _FIRST_CHUNK_BYTES
        while not engine.eof:
            chunk = b""
            if engine.needs_input:
                chunk = window.peek(offset, step)
                offset += len(chunk)
                step = min(2 * step, _CHUNK_BYTES)
                self._consumed_bytes = offset - start
            try:
                most = max(1, min(_CHUNK_BYTES, self._allowance_bytes - self.work_bytes))
                piece = engine.decompress(chunk, most)
            except CodecError:
                return Damage(broken)
            if not chunk and not piece and engine.needs_input and not engine.eof:
                return Damage(Reason.TRUNCATED)
            self._take(piece)
            if self.size > self._limit_bytes * DISCARD_FACTOR:
                return Damage(Reason.TOO_LARGE)
            if self.work_bytes > self._allowance_bytes:
                return Damage(Reason.TOO_COSTLY)
        return offset - len(engine.unused_data)

    def _take(self, piece: bytes) -> None:
        self.crc = zlib.crc32(piece, self.crc)
        self.size += len(piece)
        if self.size <= self._limit_bytes:
            self.pieces.append(piece)
        else:
            self.pieces.clear()
