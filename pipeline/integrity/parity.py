"""Lane parity: corrects one flipped bit in each of the 64 bit lanes of a region.

The region is cut into 64-bit words, the last one filled up with zeros. The words stand in rows of
`c`, a power of two; word i has the number c + i, so that its low bits are its column and its high
bits its row, counted from 1. For each bit k of the numbers the parity keeps the XOR of the words
whose number has bit k, and the XOR of all words beside: in each of the 64 lanes (bit 0 of all
words, bit 1, ...) that is an extended Hamming code. So

* one flip in each lane is put right, wherever it is: any burst within 64 adjacent bits, too;
* a flip in a parity word alone leaves the lane's overall parity as it was, and is left alone;
* two flips in one lane are noticed, or look like a hit in a parity word, and nothing is done;
* three and more in one lane may be "corrected" to something else.

The check words are stored with their bytes turned so that they go on where the region ends: the
lane of a bit follows from its offset, and 64 adjacent bits never hold two of one lane, not even
where the region meets its parity.

Therefore nothing that comes out is believed before a seal has confirmed it.

The XOR of all columns and the XOR of all rows are two passes over the region; the rest happens on
what is left of it, c words and 1 / c of all: 10 GB/s for a mebibyte, where folding in halves
reached 7.5 and XORing each bit's words apart would read the region nine times.

After R. W. Hamming, "Error detecting and error correcting codes" (1950), once for each lane.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .checksum import crc32c
from .syndrome import locate_flip

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sealedbeam.pipeline.errors import Buffer

    Words = NDArray[np.uint64]

WORD_BYTES = 8
LANES = 64
_CRC_BYTES = 4
_COLUMN_BITS_MAX = 10  # rows of 8 KiB: what lies beside each other is read together
_MASKS_CACHED = 64
_ALL_ONES = (1 << LANES) - 1


class Flip(NamedTuple):
    """A bit that was put back: the byte of the region, and the bit in it, 0 the least."""

    offset: int
    bit: int


class Corrected(NamedTuple):
    """A region after correction, and what was changed; believed by nobody yet."""

    region: bytes
    flips: tuple[Flip, ...]


class _Shape(NamedTuple):
    """How many words a region has, and how its words are numbered."""

    words: int
    column_bits: int
    row_bits: int

    @classmethod
    def of(cls, region_bytes: int) -> _Shape:
        words = -(-region_bytes // WORD_BYTES)
        column_bits = min(_COLUMN_BITS_MAX, (words.bit_length() + 1) // 2)
        rows = -(-words // (1 << column_bits))
        return cls(words, column_bits, rows.bit_length())

    @property
    def checks(self) -> int:
        """Words of parity, the XOR of all included."""
        return self.column_bits + self.row_bits + 1


def parity_bytes(region_bytes: int) -> int:
    """Return the size of the parity of a region: its words, and a CRC-32C of them."""
    return WORD_BYTES * _Shape.of(region_bytes).checks + _CRC_BYTES if region_bytes else 0


def encode_parity(region: Buffer) -> bytes:
    """Return the parity of a region: check words by bit number, all words, their CRC-32C."""
    if not len(region):
        return b""
    encoded = _turn(_checks(region, _Shape.of(len(region))), -len(region))
    return encoded + crc32c(encoded).to_bytes(_CRC_BYTES, "little")


def is_whole(parity: Buffer) -> bool:
    """Return whether parity agrees with its own CRC-32C."""
    view = memoryview(parity)
    return int.from_bytes(view[-_CRC_BYTES:], "little") == crc32c(view[:-_CRC_BYTES])


def correct_lanes(region: Buffer, parity: Buffer) -> Corrected | None:
    """Return `region` with one bit put back in each lane that the parity says is hit.

    None where it shows no flip that could be put back. One flip in the parity itself is put right
    by its own CRC-32C before.

    Args:
        region: as it arrived, in its whole length.
        parity: as it arrived, `parity_bytes(len(region))` long.
    """
    shape = _Shape.of(len(region))
    if not len(region) or len(parity) != parity_bytes(len(region)):
        return None
    words = np.frombuffer(_mend_parity(bytes(parity)), "<u8")
    stored = np.frombuffer(_turn(words, len(region)), "<u8")
    flips = tuple(_find_flips(_checks(region, shape) ^ stored, shape, len(region)))
    if not flips:
        return None
    corrected = bytearray(region)
    for flip in flips:
        corrected[flip.offset] ^= 1 << flip.bit
    return Corrected(bytes(corrected), flips)


def _turn(words: Words, places: int) -> bytes:
    """Return the bytes of words, little-endian, those of each word turned by so many places."""
    in_bytes = words.astype("<u8").view(np.uint8).reshape(-1, WORD_BYTES)
    return np.roll(in_bytes, places, axis=1).tobytes()


def _mend_parity(parity: bytes) -> bytes:
    """Return the check words; where one bit of them, or of their CRC, was hit: as they were."""
    words, crc = parity[:-_CRC_BYTES], int.from_bytes(parity[-_CRC_BYTES:], "little")
    position = locate_flip(crc, crc32c(words), len(words))
    if position is None:
        return words
    mended = bytearray(words)
    mended[position >> 3] ^= 1 << (position & 7)
    return bytes(mended)


def _find_flips(syndromes: Words, shape: _Shape, region_bytes: int) -> list[Flip]:
    """Return the flip in each lane whose overall parity is odd and whose number is a word's."""
    if not syndromes.any():
        return []
    lanes = np.unpackbits(
        syndromes.astype("<u8").view(np.uint8).reshape(-1, WORD_BYTES), axis=1, bitorder="little"
    )  # of shape (checks, lanes)
    weights = np.int64(1) << np.arange(shape.checks - 1, dtype=np.int64)
    words = weights @ lanes[:-1].astype(np.int64) - (1 << shape.column_bits)
    hit = (lanes[-1] == 1) & (words >= 0)
    flips = []
    for lane in np.flatnonzero(hit).tolist():
        offset = WORD_BYTES * int(words[lane]) + lane // 8
        if offset < region_bytes:
            flips.append(Flip(offset, lane % 8))
    return flips


def _checks(region: Buffer, shape: _Shape) -> Words:
    """Return the check words of a region by bit number, and the XOR of all its words."""
    columns = 1 << shape.column_bits
    row_bytes = WORD_BYTES * columns
    whole_rows = len(region) // row_bytes
    rows = -(-shape.words // columns)
    of_columns = np.zeros(columns, np.uint64)
    of_rows = np.zeros(rows, np.uint64)
    if whole_rows:
        grid = np.frombuffer(region, "<u8", whole_rows * columns).reshape(whole_rows, columns)
        np.bitwise_xor.reduce(grid, axis=0, out=of_columns)
        np.bitwise_xor.reduce(grid, axis=1, out=of_rows[:whole_rows])
    if rows > whole_rows:
        rest = bytes(memoryview(region)[whole_rows * row_bytes :])
        last = np.frombuffer(rest.ljust(row_bytes, b"\0"), "<u8")
        of_columns ^= last
        of_rows[-1] = np.bitwise_xor.reduce(last)
    checks = np.empty(shape.checks, np.uint64)
    column_masks, row_masks = _masks(columns, shape.column_bits, 0), _masks(rows, shape.row_bits, 1)
    np.bitwise_xor.reduce(column_masks & of_columns, axis=1, out=checks[: shape.column_bits])
    np.bitwise_xor.reduce(row_masks & of_rows, axis=1, out=checks[shape.column_bits : -1])
    checks[-1] = np.bitwise_xor.reduce(of_rows)
    return checks


@lru_cache(maxsize=_MASKS_CACHED)
def _masks(count: int, bits: int, first: int) -> Words:
    """Return for each bit which of `count` numbers from `first` on have it: all ones or zero."""
    numbers = np.arange(first, first + count, dtype=np.uint64)
    shifts = np.arange(bits, dtype=np.uint64)[:, np.newaxis]
    return ((numbers >> shifts) & np.uint64(1)) * np.uint64(_ALL_ONES)
