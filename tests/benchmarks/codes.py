"""The codes that are compared: our presets, and what one would otherwise put around a record.

A code turns data into all that is stored, and stored bytes, damaged or not, back into data: None
where it notices that it cannot. What it returns wrongly without noticing is for others to find.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import reedsolo
import zfec
from sealedbeam.faults.ecc import hsiao_columns
from sealedbeam.pipeline.integrity.block import open_block, write_block
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT, PARITY

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from sealedbeam.pipeline.integrity.protection import Protection

    Bytes2d = NDArray[np.uint8]

_WORD_BYTES = 8
_RS_CHECK_BYTES = 32  # of each 255: the (255, 223) code, which puts 16 bytes right
_SHARES, _SHARES_ALL = 10, 12
_CRC_BYTES = 4
_BLOCK_ID = b"block"


class Code(NamedTuple):
    """A code by name; `recover` is told how many bytes the data had."""

    name: str
    protect: Callable[[bytes], bytes]
    recover: Callable[[bytes, int], bytes | None]


def _preset(protection: Protection) -> Code:
    """Return the code of one of our presets: the data as the one record of a block."""

    def protect(data: bytes) -> bytes:
        return write_block(_BLOCK_ID, [(b"", data)], protection).data

    def recover(stored: bytes, _: int) -> bytes | None:
        found = open_block(stored, _BLOCK_ID, protection).found
        return bytes(found[0].payload) if found else None

    return Code(protection.name, protect, recover)


@cache
def _hsiao_tables() -> Bytes2d:
    """Return for each byte of a word, and each value it may have, its part of the check byte."""
    columns = np.array(hsiao_columns()[:64], np.uint8).reshape(_WORD_BYTES, 8)
    bits = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
    tables: Bytes2d = np.bitwise_xor.reduce(columns[:, None, :] * bits[None, :, :], axis=2)
    return tables


@cache
def _hsiao_places() -> NDArray[np.int16]:
    """Return what each syndrome means: a bit of the word, -1 nothing to do, -2 beyond repair."""
    places = np.full(256, -2, np.int16)
    places[[0, *(1 << bit for bit in range(8))]] = -1
    places[list(hsiao_columns()[:64])] = np.arange(64)
    return places


def _hsiao_checks(words: Bytes2d) -> NDArray[np.uint8]:
    checks = np.zeros(len(words), np.uint8)
    for byte, table in enumerate(_hsiao_tables()):
        checks ^= table[words[:, byte]]
    return checks


def _protect_secded(data: bytes) -> bytes:
    padded = data + bytes(-len(data) % _WORD_BYTES)
    words = np.frombuffer(padded, np.uint8).reshape(-1, _WORD_BYTES)
    return padded + _hsiao_checks(words).tobytes()


def _recover_secded(stored: bytes, length_bytes: int) -> bytes | None:
    count = len(stored) // (_WORD_BYTES + 1)
    everything = np.frombuffer(stored, np.uint8)
    words = everything[: count * _WORD_BYTES].reshape(-1, _WORD_BYTES)
    places = _hsiao_places()[_hsiao_checks(words) ^ everything[count * _WORD_BYTES :]]
    if (places == -2).any():
        return None
    (hit,) = np.nonzero(places >= 0)
    if len(hit):
        words = words.copy()
        bits = places[hit]
        words[hit, bits >> 3] ^= np.left_shift(1, bits & 7).astype(np.uint8)
    return words.tobytes()[:length_bytes]


@cache
def _reed_solomon() -> reedsolo.RSCodec:
    return reedsolo.RSCodec(_RS_CHECK_BYTES)


def _protect_rs(data: bytes) -> bytes:
    return bytes(_reed_solomon().encode(data))


def _recover_rs(stored: bytes, _: int) -> bytes | None:
    try:
        return bytes(_reed_solomon().decode(stored)[0])
    except reedsolo.ReedSolomonError:
        return None


def _protect_shares(data: bytes) -> bytes:
    size = -(-len(data) // _SHARES)
    padded = data.ljust(size * _SHARES, b"\0")
    shares = [padded[size * number :][:size] for number in range(_SHARES)]
    encoded = zfec.Encoder(_SHARES, _SHARES_ALL).encode(shares)
    sealed = (
        bytes(share) + crc32c(bytes(share)).to_bytes(_CRC_BYTES, "little") for share in encoded
    )
    return b"".join(sealed)


def _recover_shares(stored: bytes, length_bytes: int) -> bytes | None:
    size = len(stored) // _SHARES_ALL
    shares, numbers = [], []
    for number in range(_SHARES_ALL):
        share, crc = np.split(np.frombuffer(stored, np.uint8, size, number * size), [-_CRC_BYTES])
        if crc32c(share.tobytes()) == int.from_bytes(crc.tobytes(), "little"):
            shares.append(share.tobytes())
            numbers.append(number)
    if len(shares) < _SHARES:
        return None
    decoder = zfec.Decoder(_SHARES, _SHARES_ALL)
    decoded = decoder.decode(shares[:_SHARES], numbers[:_SHARES])
    return b"".join(map(bytes, decoded))[:length_bytes]


CODES = (
    _preset(DETECT),
    _preset(CORRECT),
    _preset(PARITY),
    Code("SEC-DED(72,64)", _protect_secded, _recover_secded),
    Code("Reed-Solomon(255,223)", _protect_rs, _recover_rs),
    Code("zfec 10+2", _protect_shares, _recover_shares),
)
"""Space and speed of each are measured with the data as a record of its own."""
