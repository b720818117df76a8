"""Undoes the transfer and content encodings of an archived HTTP body.

Many archives store the decoded body and leave the headers as they came, so a header is a hint and
the bytes decide: a body that does not begin as the header says is taken as it is. A truncated body
yields what was there before the cut (crawlers truncate on purpose; accidents are found by the
record's digest); a body that breaks its own format is undecodable. Nothing is ever inflated much
past the limit, and what the limit cost is told.
"""

from __future__ import annotations

import re
import sys
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import brotli

from .limits import MAX_DECODED_BODY_BYTES, MAX_STORED_BODY_BYTES

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

    from sealedbeam.pipeline.errors import Buffer

_MAX_CONTENT_CODINGS = 4
_MAX_CHUNKS = 2**18  # of 64 bytes on average; a chunk costs more to find than its bytes
_MAX_MEMBERS = 2**14  # gzip members or zstd frames; each needs a decoder of its own
_CHUNK_HEADER = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]{0,4096})?\r?\n")
_LINE_END = re.compile(rb"\r?\n|\Z|\r\Z")
_GZIP_START = re.compile(rb"\x1f\x8b")
_ZSTD_START = re.compile(rb"\x28\xb5\x2f\xfd|[\x50-\x5f]\x2a\x4d\x18")  # or a skippable frame
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
# RFC 9659: no more than 8 MiB, so that a decoder's memory is bounded.
_ZSTD_OPTIONS: dict[int, int] = {zstd.DecompressionParameter.window_log_max: 23}
_FIRST_PIECE_BYTES = 2**12  # a decoder copies what is left of a piece behind its end
_MAX_PIECE_BYTES = 2**20
_HTML_START = re.compile(
    rb"(?:\xef\xbb\xbf)?[\t\n\f\r ]*<(?:!--|\?xml[ \t\r\n]|(?:!doctype html|html|head|script|iframe"
    rb"|h1|div|font|table|a|style|title|b|body|br|p|meta|link|span)[\t\n\f\r />])",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Body:
    """A decoded body; `is_cut` where a limit kept the rest from being looked at."""

    data: bytes
    is_cut: bool = False


class _Layer(NamedTuple):
    """A body with some of its encodings undone."""

    data: Buffer
    is_cut: bool = False


class _Decoder(Protocol):
    """What zlib, brotli and zstd have in common once they are wrapped."""

    @property
    def unused_data(self) -> bytes:
        """What followed the end in the last piece."""
        ...

    @property
    def eof(self) -> bool:
        """Whether the end was reached."""
        ...

    def decompress(self, data: Buffer, max_length: int, /) -> bytes:
        """Decode one more piece, or if it is empty, what is left of the last one."""
        ...


class _BrotliDecoder:
    """Brotli with the interface of the others; a stream has no end that data could follow."""

    unused_data = b""

    def __init__(self) -> None:
        self._engine = brotli.Decompressor()

    @property
    def eof(self) -> bool:
        return bool(self._engine.is_finished())

    def decompress(self, data: Buffer, max_length: int, /) -> bytes:
        """Decode one more piece; the result may be longer than `max_length` by less than that."""
        decoded: bytes = self._engine.process(data, output_buffer_limit=max_length)
        return decoded


def looks_like_html(body: Buffer) -> bool:
    """Return whether `body` begins as HTML does, by the patterns that browsers sniff for."""
    return _HTML_START.match(body) is not None


def decode_body(body: Buffer, transfer_encoding: str, content_encoding: str) -> Body | None:
    """Return the decoded body, cut at `MAX_DECODED_BODY_BYTES`, or None if it cannot be decoded."""
    is_cut = len(body) > MAX_STORED_BODY_BYTES
    body = body[:MAX_STORED_BODY_BYTES]
    layer: _Layer | None = _Layer(body)
    if "chunked" in transfer_encoding.lower():
        layer = _join_chunks(body)
    codings = [coding.strip().lower() for coding in content_encoding.split(",")]
    if len(codings) > _MAX_CONTENT_CODINGS:
        return None
    for coding in reversed(codings):
        if layer is None:
            return None
        is_cut |= layer.is_cut
        layer = _undo_coding(layer.data, coding)
    if layer is None:
        return None
    is_cut |= layer.is_cut or len(layer.data) > MAX_DECODED_BODY_BYTES
    # Slicing before the conversion keeps an oversized buffer from being copied whole.
    return Body(bytes(layer.data[:MAX_DECODED_BODY_BYTES]), is_cut)


def _join_chunks(body: Buffer) -> _Layer | None:
    """Return the chunks' data end to end, `body` itself if it is not chunked, None if broken."""
    joined = bytearray()
    view = memoryview(body)
    start = chunks = 0
    while start < len(view):
        if len(joined) > MAX_DECODED_BODY_BYTES or chunks == _MAX_CHUNKS:
            return _Layer(joined, is_cut=True)
        header = _CHUNK_HEADER.match(view, start)
        if header is None:
            return None if chunks else _Layer(body)
        size = int(header[1], 16)
        if size == 0:
            break
        end = header.end() + size
        line_end = _LINE_END.match(view, min(end, len(view)))
        if line_end is None:
            return None if chunks else _Layer(body)
        joined += view[header.end() : min(end, header.end() + MAX_DECODED_BODY_BYTES + 1)]
        chunks += 1
        start = line_end.end()
    return _Layer(joined)


def _undo_coding(data: Buffer, coding: str) -> _Layer | None:
    if coding in ("", "identity", "none"):
        return _Layer(data)
    if coding in ("gzip", "x-gzip"):
        return _expand_from(_GZIP_START, data, _gzip_decoder)
    if coding == "zstd":
        return _expand_from(_ZSTD_START, data, _zstd_decoder)
    if coding == "deflate":
        return _inflate_deflate(data)
    if looks_like_html(data):
        return _Layer(data)
    # Without a decoder for this coding the body is of use only if it was decoded before.
    return _expand(data, _BrotliDecoder) if coding == "br" else None


def _inflate_deflate(data: Buffer) -> _Layer | None:
    """Return inflated `data`: zlib by the standard, raw deflate from servers that misread it."""
    is_zlib = len(data) > 1 and data[0] & 15 == zlib.DEFLATED and not (data[0] << 8 | data[1]) % 31
    inflated = _expand(data, zlib.decompressobj) if is_zlib else None
    if inflated is None and not looks_like_html(data):
        inflated = _expand(data, _raw_deflate_decoder)
    if inflated is not None:
        return inflated
    return None if is_zlib else _Layer(data)


def _expand_from(
    start: re.Pattern[bytes], data: Buffer, new_decoder: Callable[[], _Decoder]
) -> _Layer | None:
    """Return `data` decoded if it begins with `start`, otherwise as it is."""
    return _expand(data, new_decoder, start) if start.match(data) else _Layer(data)


def _expand(
    data: Buffer, new_decoder: Callable[[], _Decoder], start: re.Pattern[bytes] | None = None
) -> _Layer | None:
    """Return `data` decoded as far as the limits allow, None if broken.

    Args:
        data: the encoded bytes; anything that follows the end of their encoding is ignored.
        new_decoder: makes the decoder of one stream.
        start: what each further stream begins with, where one can follow another.
    """
    view = memoryview(data)
    pieces: list[bytes] = []
    room_bytes = MAX_DECODED_BODY_BYTES + 1
    position = members = 0
    while members == 0 or (start is not None and start.match(view, position)):
        if room_bytes <= 0 or members == _MAX_MEMBERS:
            return _Layer(b"".join(pieces), is_cut=True)
        decoder = new_decoder()
        piece_bytes = _FIRST_PIECE_BYTES
        try:
            while room_bytes > 0 and position < len(view) and not decoder.eof:
                piece = view[position : position + piece_bytes]
                pieces.append(decoder.decompress(piece, room_bytes))
                room_bytes -= len(pieces[-1])
                position += len(piece)
                piece_bytes = min(2 * piece_bytes, _MAX_PIECE_BYTES)
        except (zlib.error, brotli.error, zstd.ZstdError):
            return None
        position -= len(decoder.unused_data)
        members += 1
    return _Layer(b"".join(pieces))


def _gzip_decoder() -> _Decoder:
    return zlib.decompressobj(_GZIP_WINDOW_BITS)


def _raw_deflate_decoder() -> _Decoder:
    return zlib.decompressobj(-zlib.MAX_WBITS)


def _zstd_decoder() -> _Decoder:
    return zstd.ZstdDecompressor(options=_ZSTD_OPTIONS)
