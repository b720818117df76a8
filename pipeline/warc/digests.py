"""Compares a record with the digests its own header declares: good, absent or bad.

A payload digest is tried first, because more archives have one than a block digest. Writers differ
on what they hash: the body as stored, with its chunks joined, or decoded as well; each counts, and
so does a block digest that fits. One hash is computed in the good case. An unknown algorithm or a
malformed value is absent: it says nothing about the bytes.
"""

from __future__ import annotations

import binascii
import hashlib
import re
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

from .values import Digest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sealedbeam.pipeline.errors import Buffer

_ALGORITHMS: Final = {
    b"md5": (hashlib.md5, 16),
    b"sha1": (hashlib.sha1, 20),
    b"sha256": (hashlib.sha256, 32),
    b"sha384": (hashlib.sha384, 48),
    b"sha512": (hashlib.sha512, 64),
}
_BASE32_DIGITS: Final = bytes.maketrans(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz234567",
    b"0123456789abcdefghijklmnop0123456789abcdefghijklmnopqrstuv",
)
_BASE32: Final = re.compile(rb"([A-Za-z2-7]+)=*")
_HEXADECIMAL: Final = re.compile(rb"[0-9A-Fa-f]+")
_CHUNK_HEAD: Final = re.compile(rb"\s{0,16}([0-9A-Fa-f]{1,12})[^\r\n]{0,4096}\r?\n")
_MAX_DECODED_BYTES: Final = 256 << 20
_MAX_CHUNKS: Final = 1 << 18  # a chunk costs a microsecond, however short it is
_PIECE_BYTES: Final = 1 << 20


class Encodings(NamedTuple):
    """The encodings of an HTTP body, as their headers name them; empty where there are none."""

    transfer: str
    content: str


class _Declared(NamedTuple):
    algorithm: Callable[..., hashlib._Hash]
    value: bytes

    def fits(self, pieces: Iterator[Buffer]) -> bool:
        hasher = self.algorithm(usedforsecurity=False)
        for piece in pieces:
            hasher.update(piece)
        return hasher.digest() == self.value


def check_digests(
    payload_digest: bytes,
    block_digest: bytes,
    payload: memoryview,
    block: memoryview,
    encodings: Encodings,
) -> Digest:
    """Return what the declared digests, empty where missing, say about a record's bytes.

    Args:
        payload_digest: the value of WARC-Payload-Digest, if it is about `payload`.
        block_digest: the value of WARC-Block-Digest.
        payload: the HTTP body as stored, or the whole block of a record without HTTP.
        block: everything after the record's header.
        encodings: how `payload` is encoded, in case the digest was taken of it decoded.
    """
    answer = Digest.ABSENT
    if declared := _parse(payload_digest):
        if declared.fits(iter((payload,))) or _fits_decoded(declared, payload, encodings):
            return Digest.GOOD
        answer = Digest.BAD
    if declared := _parse(block_digest):
        return Digest.GOOD if declared.fits(iter((block,))) else Digest.BAD
    return answer


def _parse(field: bytes) -> _Declared | None:
    label, _, value = field.partition(b":")
    known = _ALGORITHMS.get(label.strip().lower().replace(b"-", b""))
    if known is None:
        return None
    algorithm, size = known
    digest = _decode(value.strip(), size)
    return _Declared(algorithm, digest) if digest else None


def _decode(value: bytes, size: int) -> bytes | None:
    """Return the `size` bytes that `value` spells in hexadecimal or base32, if it does."""
    if len(value) == 2 * size and _HEXADECIMAL.fullmatch(value):
        return binascii.unhexlify(value)
    spelled = _BASE32.fullmatch(value)
    padding_bits = 5 * len(spelled[1]) - 8 * size if spelled else -1
    if spelled is None or not 0 <= padding_bits < 5:  # noqa: PLR2004 - a base32 digit has 5 bits
        return None
    # b32decode of the standard library takes 4 us, a fifth of what hashing a page takes
    number = int(spelled[1].translate(_BASE32_DIGITS), 32)
    return (number >> padding_bits).to_bytes(size, "big")


def _fits_decoded(declared: _Declared, payload: memoryview, encodings: Encodings) -> bool:
    joined: list[Buffer] = [payload]
    if "chunked" in encodings.transfer.lower():
        joined = list(_chunks(payload))
        if declared.fits(iter(joined)):
            return True
    inflate = _INFLATERS.get(encodings.content.strip().lower())
    return inflate is not None and declared.fits(_inflated(joined, inflate()))


def _chunks(body: memoryview) -> Iterator[memoryview]:
    """Yield the chunks of a chunked body as far as it is well formed, up to a fixed number."""
    position = 0
    for _ in range(_MAX_CHUNKS):
        head = _CHUNK_HEAD.match(body, position)
        if head is None:
            return
        length = int(head[1], 16)
        if length == 0 or length > len(body) - head.end():
            return
        yield body[head.end() : head.end() + length]
        position = head.end() + length


def _inflated(pieces: list[Buffer], engine: zlib._Decompress) -> Iterator[bytes]:
    """Yield the pieces decoded, as far as they can be and no further than a fixed bound."""
    decoded_bytes = 0
    for piece in _cut_small(pieces):
        rest: Buffer = piece
        while rest and not engine.eof and decoded_bytes < _MAX_DECODED_BYTES:
            try:
                decoded = engine.decompress(rest, _PIECE_BYTES)
            except zlib.error:
                return
            decoded_bytes += len(decoded)
            yield decoded
            rest = engine.unconsumed_tail
    if decoded_bytes < _MAX_DECODED_BYTES:  # it would decode all that is left
        yield engine.flush()


def _cut_small(pieces: list[Buffer]) -> Iterator[Buffer]:
    """Yield the pieces in smaller ones: an engine copies all that it could not take yet."""
    for piece in pieces:
        for start in range(0, len(piece), _PIECE_BYTES):
            yield piece[start : start + _PIECE_BYTES]


def _gzip_inflater() -> zlib._Decompress:
    return zlib.decompressobj(zlib.MAX_WBITS | 16)


_INFLATERS: Final = {
    "gzip": _gzip_inflater,
    "x-gzip": _gzip_inflater,
    "deflate": zlib.decompressobj,
}
