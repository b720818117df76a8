"""The erasure code over files: any `parity` of the strips of a stripe can be lost and made again.

A stripe is k data strips and m parity strips of one width. Each strip is 8 packets end to end; the
bits at one place of the 8 packets are an element of GF(256), bit b from packet b. Parity strip i is
the sum over j of a(i, j) times data strip j. The coefficients are a Cauchy matrix,

    a(i, j) = 1 / (x(i) + y(j)),   x(i) = i,   y(j) = m + j,

every square part of which can be inverted, so that whatever is lost, up to m strips, follows from
the others. Columns and rows may be scaled: column j is divided by a(0, j), which makes parity 0 the
XOR of all data, and each further row by that of its elements which makes it cheapest.

A product with a constant is linear in the bits: an 8 x 8 matrix of them, which says what packets
are XORed to make each packet. So the code runs on XORs of packets of 8 KiB and never multiplies a
byte; the matrix is stored with the parity, and a reader relies on nothing but the rule above.

After J. Blömer et al., "An XOR-based erasure-resilient coding scheme" (ICSI TR-95-048, 1995), and
J. S. Plank and L. Xu on cheap matrices (NCA 2006).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np

from .gf256 import (
    ELEMENT_BITS,
    ELEMENTS,
    Matrix,
    Row,
    bit_rows,
    count_ones,
    divide,
    inverse,
    product,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sealedbeam.pipeline.errors import Buffer

    Words: TypeAlias = NDArray[np.uint64]

STRIPS_MAX: Final = ELEMENTS
WIDTH_UNIT_BYTES: Final = 64  # 8 packets of one word
_PLANS_CACHED = 64
_RECOVERIES_CACHED = 256

_Packet: TypeAlias = tuple[int, int]  # which strip, which packet of it


class Recovery(NamedTuple):
    """How missing strips follow from others: missing = coefficients x sources."""

    missing: tuple[int, ...]
    sources: tuple[int, ...]
    coefficients: Matrix


def cauchy_matrix(data: int, parity: int) -> Matrix:
    """Return the coefficients of `parity` parity strips over `data` data strips.

    Raises:
        ValueError: there is none of either, or more than the field has room for.
    """
    if data < 1 or parity < 1 or data + parity > STRIPS_MAX:
        raise ValueError(f"{data} + {parity} strips: at least 1 of each, {STRIPS_MAX} in all")
    # 1 / (x(i) + y(j)) divided by the first row's 1 / (0 + y(j)).
    scaled = [[divide(parity + j, i ^ (parity + j)) for j in range(data)] for i in range(parity)]
    return tuple(_cheapest(row) for row in scaled)


def _cheapest(row: Sequence[int]) -> Row:
    ways = [tuple(divide(value, scale) for value in row) for scale in dict.fromkeys(row)]
    return min(ways, key=lambda way: sum(map(count_ones, way)))


@lru_cache(_RECOVERIES_CACHED)
def plan_recovery(matrix: Matrix, missing: tuple[int, ...]) -> Recovery | None:
    """Return how the missing strips of a stripe follow from others; None if they do not.

    Args:
        matrix: one row for each parity strip, one column for each data strip.
        missing: ascending numbers of strips: data from 0, parity behind.
    """
    count = len(matrix[0])
    lost = [number for number in missing if number < count]
    kept = tuple(number for number in range(count) if number not in missing)
    rows = [i for i in range(len(matrix)) if count + i not in missing][: len(lost)]
    if len(rows) < len(lost):
        return None
    solved = inverse([tuple(matrix[i][j] for j in lost) for i in rows])
    if solved is None:
        return None
    # lost = solved x (the chosen parity + what the kept data put into it)
    sources = (*kept, *(count + i for i in rows))
    known = tuple(
        (*(matrix[i][j] for j in kept), *(int(i == other) for other in rows)) for i in rows
    )
    of_lost = product(solved, known) if lost else ()
    # Each data strip over the sources, and from that each parity strip.
    data = dict(zip(lost, of_lost, strict=True))
    data |= {number: tuple(int(number == s) for s in sources) for number in kept}
    everything = tuple(data[number] for number in range(count))
    of_parity = product(matrix, everything) if missing[-1:] >= (count,) else ()
    coefficients = tuple(
        data[number] if number < count else of_parity[number - count] for number in missing
    )
    return Recovery(missing, sources, coefficients)


def combine(coefficients: Matrix, strips: Sequence[Buffer], width: int) -> list[bytes]:
    """Return one strip of `width` bytes for each row of `coefficients`: its sum over `strips`.

    Args:
        coefficients: rows as long as `strips`.
        strips: each at most `width` bytes, and zeros behind.
        width: in bytes, a multiple of WIDTH_UNIT_BYTES.
    """
    filled = tuple(bool(len(strip)) for strip in strips)
    packets = [_packets(strip, width) for strip in strips]
    results = np.empty((len(coefficients), ELEMENT_BITS, width // WIDTH_UNIT_BYTES), np.uint64)
    for (target, row), terms in _plan(coefficients, filled):
        result = results[target, row]
        parts = [packets[strip][packet] for strip, packet in terms]
        if len(parts) > 1:
            np.bitwise_xor(parts[0], parts[1], out=result)
            for part in parts[2:]:
                np.bitwise_xor(result, part, out=result)
        else:
            result[:] = parts[0] if parts else 0
    return [strip.tobytes() for strip in results]


def _packets(strip: Buffer, width: int) -> Words:
    """Return a strip as 8 rows of words; one that is empty, which nobody reads, as none."""
    if len(strip) not in (0, width):
        strip = bytes(strip).ljust(width, b"\0")
    return np.frombuffer(strip, np.uint64).reshape(ELEMENT_BITS, -1)


@lru_cache(_PLANS_CACHED)
def _plan(
    coefficients: Matrix, filled: tuple[bool, ...]
) -> tuple[tuple[_Packet, tuple[_Packet, ...]], ...]:
    """Return what is XORed to make each packet; strips that are not filled add nothing."""
    plan = []
    for target, elements in enumerate(coefficients):
        rows = [bit_rows(element) for element in elements]
        for row in range(ELEMENT_BITS):
            terms = tuple(
                (strip, packet)
                for strip, bits in enumerate(rows)
                if filled[strip]
                for packet in range(ELEMENT_BITS)
                if bits[row] >> packet & 1
            )
            plan.append(((target, row), terms))
    return tuple(plan)
