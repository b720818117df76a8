"""Arithmetic in the field of 256 elements, for small matrices; bulk data never comes through here.

An element is a byte: a polynomial over GF(2), modulo x^8 + x^4 + x^3 + x^2 + 1 (0x11D), of which x
(that is 2) is a generator. Addition is XOR. Products and inverses go by logarithms.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ELEMENTS: Final = 256
ELEMENT_BITS: Final = 8
_POLYNOMIAL: Final = 0x11D
_ORDER: Final = ELEMENTS - 1  # of the multiplicative group

Row: TypeAlias = tuple[int, ...]
Matrix: TypeAlias = tuple[Row, ...]


def _tables() -> tuple[list[int], list[int]]:
    powers, logarithms, element = [0] * _ORDER, [0] * ELEMENTS, 1
    for exponent in range(_ORDER):
        powers[exponent], logarithms[element] = element, exponent
        element <<= 1
        if element & ELEMENTS:
            element ^= _POLYNOMIAL
    return powers, logarithms


_POWERS, _LOGARITHMS = _tables()


def multiply(left: int, right: int) -> int:
    """Return the product of two elements."""
    if not left or not right:
        return 0
    return _POWERS[(_LOGARITHMS[left] + _LOGARITHMS[right]) % _ORDER]


def divide(left: int, right: int) -> int:
    """Return `left` / `right`; raises ZeroDivisionError."""
    if not right:
        raise ZeroDivisionError("division by zero in GF(256)")
    return left and _POWERS[(_LOGARITHMS[left] - _LOGARITHMS[right]) % _ORDER]


def dot(left: Iterable[int], right: Iterable[int]) -> int:
    """Return the sum of the products of two vectors, element by element."""
    total = 0
    for one, other in zip(left, right, strict=True):
        total ^= multiply(one, other)
    return total


def product(left: Matrix, right: Matrix) -> Matrix:
    """Return the product of two matrices."""
    columns = tuple(zip(*right, strict=True))
    return tuple(tuple(dot(row, column) for column in columns) for row in left)


def inverse(matrix: Sequence[Row]) -> Matrix | None:
    """Return the inverse of a square matrix by Gauss-Jordan elimination, None if it has none."""
    size = len(matrix)
    rows = [[*row, *(int(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = next((i for i in range(column, size) if rows[i][column]), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        scale = rows[column][column]
        rows[column] = [divide(value, scale) for value in rows[column]]
        for i, row in enumerate(rows):
            factor = row[column]
            if i != column and factor:
                rows[i] = [a ^ multiply(factor, b) for a, b in zip(row, rows[column], strict=True)]
    return tuple(tuple(row[size:]) for row in rows)


@cache
def bit_rows(element: int) -> tuple[int, ...]:
    """Return multiplication by an element as 8 masks: which input bits make up each output bit."""
    columns = [multiply(element, 1 << bit) for bit in range(ELEMENT_BITS)]
    return tuple(
        sum((column >> row & 1) << bit for bit, column in enumerate(columns))
        for row in range(ELEMENT_BITS)
    )


@cache
def count_ones(element: int) -> int:
    """Return how many XORs of bits a multiplication by an element is made of."""
    return sum(row.bit_count() for row in bit_rows(element))
