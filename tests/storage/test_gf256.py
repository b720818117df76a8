"""Claims about the field of 256 elements, against multiplication of polynomials bit by bit."""

from __future__ import annotations

from itertools import product as pairs

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.storage import gf256


def multiply_slowly(left: int, right: int) -> int:
    """Multiply as polynomials over GF(2) and take the remainder by x^8 + x^4 + x^3 + x^2 + 1."""
    result = 0
    for bit in range(8):
        if right >> bit & 1:
            result ^= left << bit
    for bit in range(14, 7, -1):
        if result >> bit & 1:
            result ^= 0b1_0001_1101 << (bit - 8)
    return result


def test_products_are_those_of_polynomials() -> None:
    """Every product of two elements is the remainder of the product of two polynomials."""
    for left, right in pairs(range(256), range(0, 256, 3)):
        assert multiply_slowly(left, right) == gf256.multiply(left, right)


def test_division_undoes_multiplication() -> None:
    """Dividing a product by one factor gives the other; nothing is divided by zero."""
    for left, right in pairs(range(0, 256, 3), range(1, 256)):
        assert gf256.divide(gf256.multiply(left, right), right) == left
    with pytest.raises(ZeroDivisionError):
        gf256.divide(1, 0)


@given(st.integers(0, 255), st.integers(0, 255))
def test_masks_multiply(element: int, value: int) -> None:
    """The masks of an element turn a value's bits into the bits of their product."""
    rows = gf256.bit_rows(element)
    found = sum(((row & value).bit_count() & 1) << bit for bit, row in enumerate(rows))
    assert found == multiply_slowly(element, value)
    assert gf256.count_ones(element) == sum(row.bit_count() for row in rows)


@given(
    st.integers(1, 5).flatmap(
        lambda n: st.lists(st.binary(min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_inverse(rows: list[bytes]) -> None:
    """A matrix times its inverse is the identity; what has none sends some vector to zero."""
    matrix = tuple(tuple(row) for row in rows)
    inverse = gf256.inverse(matrix)
    size = len(matrix)
    if inverse is None:
        assert size == 1 or _rank(matrix) < size
        return
    identity = tuple(tuple(int(i == j) for j in range(size)) for i in range(size))
    assert gf256.product(matrix, inverse) == identity
    assert gf256.product(inverse, matrix) == identity


def _rank(matrix: gf256.Matrix) -> int:
    """Count the rows that are left after each is cleared by those before it."""
    basis: list[list[int]] = []
    for row in matrix:
        left = list(row)
        for other in basis:
            lead = next(i for i, value in enumerate(other) if value)
            factor = gf256.divide(left[lead], other[lead])
            left = [a ^ multiply_slowly(factor, b) for a, b in zip(left, other, strict=True)]
        if any(left):
            basis.append(left)
    return len(basis)
