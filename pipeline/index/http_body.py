"""Undoes the transfer and content encodings of an archived HTTP body.

Many archives store the decoded body and leave the headers as they came, so a header is a hint and
the bytes decide: a body that does not begin as the header says is taken as it is. A truncated body
yields what was there before the cut (crawlers truncate on purpose; accidents are found by the
record's digest); a body that breaks its own format is undecodable.
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sealedbeam.pipeline.errors import Buffer

MAX_DECODED_BODY_BYTES = 16 * 2**20

_MAX_CONTENT_CODINGS = 4
_CHUNK_HEADER = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;[^\r\n]{0,4096})?\r?\n")
_LINE_END = re.compile(rb"\r?\n|\Z|\r\Z")
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW_BITS = 16 + zlib.MAX_WBITS
_HTML_START = re.compile(
    rb"(?:\xef\xbb\xbf)?[\t\n\f\r ]*<(?:!--|\?xml[ \t\r\n]|(?:!doctype html|html|head|script|iframe"
    rb"|h1|div|font|table|a|style|title|b|body|br|p|meta|link|span)[\t\n\f\r />])",
    re.IGNORECASE,
)


def looks_like_html(body: Buffer) -> bool:
    """Return whether `body` begins as HTML does, by the patterns that browsers sniff for."""
    return _HTML_START.match(body) is not None


def decode_body(body: Buffer, transfer_encoding: str, content_encoding: str) -> bytes | None:
    """Return the decoded body, cut at `MAX_DECODED_BODY_BYTES`, or None if it cannot be decoded."""
    decoded: Buffer | None = body
    if "chunked" in transfer_encoding.lower():
        decoded = _join_chunks(body)
    codings = [coding.strip().lower() for coding in content_encoding.split(",")]
    if len(codings) > _MAX_CONTENT_CODINGS:
        return None
    for coding in reversed(codings):
        if decoded is None:
            return None
        decoded = _undo_coding(decoded, coding)
    # Slicing before the conversion keeps an oversized buffer from being copied whole.
    return None if decoded is None else bytes(decoded[:MAX_DECODED_BODY_BYTES])


def _join_chunks(body: Buffer) -> Buffer | None:
    """Return the chunks' data end to end, `body` itself if it is not chunked, None if broken."""
    chunks: list[memoryview] = []
    view = memoryview(body)
    start = total_bytes = 0
    while start < len(view) and total_bytes < MAX_DECODED_BODY_BYTES:
        header = _CHUNK_HEADER.match(view, start)
        if header is None:
            return None if chunks else body
        size = int(header[1], 16)
        if size == 0:
            break
        end = header.end() + size
        line_end = _LINE_END.match(view, min(end, len(view)))
        if line_end is None:
            return None if chunks else body
        chunks.append(view[header.end() : end])
        total_bytes += size
        start = line_end.end()
    return b"".join(chunks)


def _undo_coding(data: Buffer, coding: str) -> Buffer | None:
    if coding in ("", "identity", "none"):
        return data
    if coding in ("gzip", "x-gzip"):
        return _gunzip(data) if data[:2] == _GZIP_MAGIC else data
    if coding == "deflate":
        return _inflate_deflate(data)
    # Without a decoder for this coding the body is of use only if it was decoded before.
    return data if looks_like_html(data) else None


def _gunzip(data: Buffer) -> bytes | None:
    """Return the concatenated members of `data`; anything that follows them is ignored."""
    members: list[bytes] = []
    room_bytes = MAX_DECODED_BODY_BYTES
    rest = data
    while room_bytes > 0 and rest[:2] == _GZIP_MAGIC:
        inflated = _inflate(rest, _GZIP_WINDOW_BITS, room_bytes)
        if inflated is None:
            return None
        member, rest = inflated
        members.append(member)
        room_bytes -= len(member)
    return b"".join(members)


def _inflate_deflate(data: Buffer) -> Buffer | None:
    """Return inflated `data`: zlib by the standard, raw deflate from servers that misread it."""
    is_zlib = len(data) > 1 and data[0] & 15 == zlib.DEFLATED and not (data[0] << 8 | data[1]) % 31
    inflated = None
    if is_zlib:
        inflated = _inflate(data, zlib.MAX_WBITS, MAX_DECODED_BODY_BYTES)
    if inflated is None and not looks_like_html(data):
        inflated = _inflate(data, -zlib.MAX_WBITS, MAX_DECODED_BODY_BYTES)
    if inflated is not None:
        return inflated[0]
    return None if is_zlib else data


def _inflate(data: Buffer, window_bits: int, max_bytes: int) -> tuple[bytes, bytes] | None:
    """Return at most `max_bytes` of inflated `data` and what follows its end; None if broken."""
    inflater = zlib.decompressobj(window_bits)
    try:
        return inflater.decompress(data, max_bytes), inflater.unused_data
    except zlib.error:
        return None
