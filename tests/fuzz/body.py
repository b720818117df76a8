"""HTTP body decoder: a body within the limit, or None, in time that does not explode.

An input is a byte of encodings, two of a number of repetitions and one of where the repeated bytes
end: a body of many equal pieces is how a decoder that looks at the rest again and again shows.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from sealedbeam.pipeline.index.http_body import Body, decode_body, looks_like_html
from sealedbeam.pipeline.index.limits import MAX_DECODED_BODY_BYTES

from tests.fuzz.cursor import Cursor
from tests.fuzz.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

_TRANSFER = ("", "chunked", "gzip, chunked", "identity")
_CONTENT = ("", "gzip", "deflate", "br", "zstd", "gzip, deflate", "deflate, gzip, x-gzip", "none")
_BODY_BYTES_MAX = 1 << 22


def check(data: bytes) -> None:
    """Decode the bytes as the body of a page."""
    cursor = Cursor(data)
    choice, times, length = cursor.number(), cursor.number(2), cursor.number()
    piece = cursor.take(length)
    body = (piece * min(times, _BODY_BYTES_MAX // max(len(piece), 1))) + cursor.rest()
    transfer, content = _TRANSFER[choice % 4], _CONTENT[choice // 4 % 8]
    looks_like_html(body)
    decoded = decode_body(memoryview(body), transfer, content)
    assert decoded is None or len(decoded.data) <= MAX_DECODED_BODY_BYTES
    if transfer in ("", "identity") and content in ("", "none"):
        assert decoded == Body(body[:MAX_DECODED_BODY_BYTES], len(body) > MAX_DECODED_BODY_BYTES)


def seeds() -> Iterator[bytes]:
    """Yield bodies of each encoding, once and many times."""
    page = b"<html><p>some text, some text</html>"
    gzipped, deflated = zlib.compress(page, wbits=31), zlib.compress(page)
    chunked = b"24\r\n" + page + b"\r\n"
    for times in (0, 1, 9):
        head = bytes([times, 0, 0])
        yield b"\0" + head + page
        yield b"\4" + head[:2] + bytes([len(gzipped)]) + gzipped + b"tail"
        yield bytes([8]) + head[:2] + b"\0" + deflated
        yield bytes([8]) + head[:2] + b"\0" + deflated[2:-4]
        yield b"\1" + head[:2] + bytes([len(chunked)]) + chunked + b"0\r\n\r\n"
        yield bytes([5]) + head[:2] + b"\0" + b"%x\r\n" % len(gzipped) + gzipped + b"\r\n0\r\n\r\n"
    yield bytes([16]) + bytes(3) + zlib.compress(gzipped)


TARGET = Target(
    check,
    seeds,
    ("sealedbeam.pipeline.index.http_body",),
    tokens=(b"\x1f\x8b\x08\0\0\0\0\0\0\3", b"\r\n0\r\n\r\n", b"1\r\nx\r\n", b";a=b", b"\x78\x9c"),
)
