"""Claims about the erasure code: what is lost comes back, computed as slowly as can be beside."""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.storage.erasure import (
    WIDTH_UNIT_BYTES,
    cauchy_matrix,
    combine,
    plan_recovery,
)
from sealedbeam.pipeline.storage.gf256 import Matrix, count_ones, divide, inverse, multiply

from tests.support.stored_output import some_bytes

SCHEMES = [(1, 1), (1, 3), (2, 2), (3, 2), (4, 3), (5, 4), (6, 2)]


def elements_of(strip: bytes, width: int) -> list[int]:
    """Read a strip as the format says: bit b of element n is bit n of packet b."""
    padded = strip.ljust(width, b"\0")
    size = width // 8
    packets = [int.from_bytes(padded[b * size : (b + 1) * size], "little") for b in range(8)]
    return [sum((packets[b] >> n & 1) << b for b in range(8)) for n in range(8 * size)]


def combine_slowly(matrix: Matrix, strips: list[bytes], width: int) -> list[list[int]]:
    """Multiply and add element by element."""
    read = [elements_of(strip, width) for strip in strips]
    results = []
    for row in matrix:
        sums = [0] * width
        for coefficient, elements in zip(row, read, strict=True):
            for place, element in enumerate(elements):
                sums[place] ^= multiply(coefficient, element)
        results.append(sums)
    return results


@given(
    st.sampled_from(SCHEMES),
    st.integers(1, 3),
    st.integers(0, 1 << 30),
    st.data(),
)
def test_strips_are_combined_as_the_format_says(
    scheme: tuple[int, int], units: int, seed: int, data: st.DataObject
) -> None:
    """XORs of packets give what multiplying the elements one by one gives; ends are zeros."""
    width = units * WIDTH_UNIT_BYTES
    lengths = data.draw(st.lists(st.integers(0, width), min_size=scheme[0], max_size=scheme[0]))
    strips = [some_bytes(length, seed + i) for i, length in enumerate(lengths)]
    matrix = cauchy_matrix(*scheme)
    found = [elements_of(strip, width) for strip in combine(matrix, strips, width)]
    assert combine_slowly(matrix, strips, width) == found


@pytest.mark.parametrize("scheme", SCHEMES)
def test_whatever_is_lost_comes_back(scheme: tuple[int, int]) -> None:
    """Of each way to lose at most m of k + m strips none is beyond recovery, of m + 1 each is."""
    data, parity = scheme
    width = WIDTH_UNIT_BYTES
    matrix = cauchy_matrix(data, parity)
    strips = [some_bytes(width, i) for i in range(data)]
    strips += combine(matrix, strips, width)
    for count in range(1, parity + 1):
        for missing in combinations(range(data + parity), count):
            plan = plan_recovery(matrix, missing)
            assert plan is not None
            assert len(plan.sources) == data
            assert not set(plan.sources) & set(missing)
            found = combine(plan.coefficients, [strips[i] for i in plan.sources], width)
            assert [strips[i] for i in missing] == found
    for missing in combinations(range(data + parity), parity + 1):
        if any(i < data for i in missing):
            assert plan_recovery(matrix, missing) is None


@pytest.mark.parametrize("scheme", [(10, 2), (10, 4), (3, 5), (40, 3), (253, 3)])
def test_every_square_part_can_be_inverted(scheme: tuple[int, int]) -> None:
    """Rows and columns are scaled so that the code is cheap, and it still loses nothing."""
    matrix = cauchy_matrix(*scheme)
    assert set(matrix[0]) == {1}
    for size in range(1, min(scheme[1], 3) + 1):
        for rows in combinations(range(scheme[1]), size):
            for columns in list(combinations(range(scheme[0]), size))[:: 1 + scheme[0] ** 2 // 99]:
                part = [tuple(matrix[i][j] for j in columns) for i in rows]
                assert inverse(part) is not None


def test_no_scaling_is_cheaper() -> None:
    """Of all ways to scale a row the one with the fewest XORs is taken."""
    for row in cauchy_matrix(10, 3)[1:]:
        costs = [sum(count_ones(divide(value, scale)) for value in row) for scale in row]
        assert sum(map(count_ones, row)) <= min(costs)
        assert 1 in row


@pytest.mark.parametrize("scheme", [(0, 1), (1, 0), (255, 2)])
def test_impossible_schemes_are_refused(scheme: tuple[int, int]) -> None:
    """A group has data and parity, and no more strips than the field has elements."""
    with pytest.raises(ValueError, match="at least 1 of each"):
        cauchy_matrix(*scheme)


def test_a_matrix_that_cannot_be_inverted_is_no_plan() -> None:
    """Rows that say the same recover one strip and not two."""
    matrix = ((1, 1, 1), (1, 1, 1))
    assert plan_recovery(matrix, (0,)) is not None
    assert plan_recovery(matrix, (0, 1)) is None
