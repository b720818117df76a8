"""Damages many rows of bytes at once: flips at random places, and bursts.

A row is one region; columns are its bytes. Each function changes rows in place, every row on its
own; a row may come out unchanged when strokes cancel, and the caller counts those that did not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes2d = NDArray[np.uint8]

FLIPS = (1, 2, 3, 4, 5, 6, 8, 16, 32, 64)
BURST_BITS = (2, 3, 8, 9, 16, 32, 33, 64, 65, 128, 256, 512)
_BYTE_BITS = 8


def strike(rows: Bytes2d, random: np.random.Generator) -> str:
    """Damage all rows in one way, drawn at random; return its name."""
    bits = _BYTE_BITS * rows.shape[1]
    fitting = [width for width in BURST_BITS if width <= bits]
    if fitting and random.random() < 0.5:
        width = int(random.choice(fitting))
        burst(rows, width, random)
        return f"burst of {width} bits"
    count = int(random.choice(FLIPS))
    flip(rows, count, random)
    return f"{count} flips"


def flip(rows: Bytes2d, count: int, random: np.random.Generator) -> None:
    """Flip `count` bits of each row, anywhere in it."""
    numbers = np.arange(len(rows))
    positions = random.integers(0, _BYTE_BITS * rows.shape[1], (count, len(rows)))
    for position in positions:
        masks = np.left_shift(1, position & 7).astype(np.uint8)
        rows[numbers, position >> 3] ^= masks


def burst(rows: Bytes2d, width_bits: int, random: np.random.Generator) -> None:
    """Flip at random within `width_bits` adjacent bits of each row, the first and last surely.

    Where in a byte the burst begins is drawn once for all rows, in which byte for each.
    """
    numbers = np.arange(len(rows))
    room = _BYTE_BITS * rows.shape[1] - width_bits
    shift = int(random.integers(min(_BYTE_BITS, room + 1)))
    begins = random.integers(0, (room - shift) // _BYTE_BITS + 1, len(rows))
    end = shift + width_bits
    inside, ends = np.zeros((2, -(-end // _BYTE_BITS) * _BYTE_BITS), np.uint8)
    inside[shift:end] = 1
    ends[[shift, end - 1]] = 1
    allowed, forced = (np.packbits(bits, bitorder="little") for bits in (inside, ends))
    noise = np.frombuffer(random.bytes(len(rows) * len(allowed)), np.uint8)
    masks = noise.reshape(len(rows), -1) & allowed | forced
    for byte in range(len(allowed)):
        rows[numbers, begins + byte] ^= masks[:, byte]
