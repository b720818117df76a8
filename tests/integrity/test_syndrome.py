"""What the algebra promises, and the figures of what it does not: sampled, with exact look-ups.

The syndrome of a set of flips is the XOR of the syndromes of its bits, so millions of double and
triple flips are judged by XOR and a sorted array. Each alias found so is then made real, in a frame
with a seal, and must be refused by the second code.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.integrity.checksum import crc32c, digest128
from sealedbeam.pipeline.integrity.correction import Method, mend
from sealedbeam.pipeline.integrity.syndrome import (
    MESSAGE_BITS_MAX,
    POLYNOMIAL_REFLECTED,
    locate_flip,
    logarithm,
    multiply,
    power_of_x,
)

from tests.support.blocks import flip

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME_BYTES = 10_240
SAMPLED = 20_000_000
CHUNK = 1 << 20


@cache
def frame() -> bytes:
    return np.random.default_rng(5).bytes(FRAME_BYTES)


@cache
def syndromes() -> NDArray[np.uint32]:
    """The syndrome of each single flip in a frame, by shifting: no code of the package."""
    table = np.empty(8 * FRAME_BYTES, np.uint32)
    word = 1 << 31
    for _ in range(32):
        word = word >> 1 ^ (POLYNOMIAL_REFLECTED if word & 1 else 0)
    for bit in range(len(table) - 1, -1, -1):
        table[bit] = word
        word = word >> 1 ^ (POLYNOMIAL_REFLECTED if word & 1 else 0)
    return table


def sample_aliases(width: int, seed: int, sampled: int) -> tuple[int, NDArray[np.int64]]:
    """Return how many random flips of `width` bits were judged, and those that alias.

    A set of flips aliases when its syndrome is that of a single flip in the frame. Only the flips
    of really different bits count.
    """
    table = syndromes()
    known = np.zeros(1 << 24, np.bool_)  # a filter on 24 of the 32 bits, then the exact look-up
    known[table >> 8] = True
    rows, judged = [], 0
    generator = np.random.default_rng(seed)
    while judged < sampled:
        bits = generator.integers(0, len(table), (width, CHUNK), np.int32)
        distinct = np.ones(CHUNK, np.bool_)
        for left, right in combinations(range(width), 2):
            distinct &= bits[left] != bits[right]
        syndrome = np.bitwise_xor.reduce(table[bits], axis=0)
        candidates = np.flatnonzero(known[syndrome >> 8] & distinct)
        hits = candidates[np.isin(syndrome[candidates], table)]
        rows.append(bits[:, hits].T)
        judged += int(distinct.sum())
    return judged, np.concatenate(rows).astype(np.int64)


def test_table_of_syndromes_is_that_of_the_crc() -> None:
    """The oracle's syndromes are what flipping a bit really does to the CRC."""
    data, table = frame(), syndromes()
    for bit in (0, 1, 7, 8, 12_345, 8 * FRAME_BYTES - 9, 8 * FRAME_BYTES - 1):
        assert int(table[bit]) == crc32c(data) ^ crc32c(flip(data, bit))
    assert len(table) == len(np.unique(table))


@pytest.mark.parametrize("size", [0, 1, 2, 3, 17, 64])
def test_every_single_flip_is_located(size: int) -> None:
    """In small messages every flip is located: exhaustively, by flipping and summing again."""
    data = bytes(range(size))
    for bit in range(8 * size):
        assert bit == locate_flip(crc32c(data), crc32c(flip(data, bit)), size)
    assert locate_flip(crc32c(data), crc32c(data), size) is None


@pytest.mark.parametrize("size", [1, 2, 5])
def test_no_double_flip_is_located(size: int) -> None:
    """In small messages no double flip at all is taken for a single one."""
    data = bytes(range(size))
    for pair in combinations(range(8 * size), 2):
        assert locate_flip(crc32c(data), crc32c(flip(data, *pair)), size) is None


def test_flip_in_the_stored_crc_is_not_in_the_message() -> None:
    """A flipped bit of the stored CRC itself is never located inside the message."""
    data = frame()[:100]
    for bit in range(32):
        assert locate_flip(crc32c(data) ^ 1 << bit, crc32c(data), len(data)) is None


@given(st.integers(1, 1 << 20), st.data())
def test_flips_are_located_in_large_messages(size: int, data: st.DataObject) -> None:
    """A flip anywhere in up to a megabyte is located."""
    bit = data.draw(st.integers(0, 8 * size - 1))
    zeros = bytes(size)
    assert bit == locate_flip(crc32c(zeros), crc32c(flip(zeros, bit)), size)


def test_first_and_last_bit_of_a_megabyte_are_located() -> None:
    """The longest and the shortest way of the search both end at the right bit."""
    data = np.random.default_rng(3).bytes(1 << 20)
    for bit in (0, 8 * len(data) - 1, 4096, 4095, 8 * len(data) - 4096):
        assert bit == locate_flip(crc32c(data), crc32c(flip(data, bit)), len(data))


def test_messages_beyond_the_order_are_left_alone() -> None:
    """Past 2^31 - 33 bits two flips could share a syndrome, so nothing is located there."""
    size = MESSAGE_BITS_MAX // 8
    assert MESSAGE_BITS_MAX == 2**31 - 33
    assert locate_flip(power_of_x(32), 0, size) == 8 * size - 1
    assert locate_flip(power_of_x(32), 0, size + 1) is None


@given(st.integers(0, 1 << 33), st.integers(0, 1 << 33))
def test_powers_multiply(left: int, right: int) -> None:
    """x^a times x^b is x^(a + b), whatever the order of the factors."""
    product = multiply(power_of_x(left), power_of_x(right))
    assert power_of_x(left + right) == product
    assert product == multiply(power_of_x(right), power_of_x(left))


@given(st.integers(0, 200_000), st.integers(0, 200_000))
def test_logarithm_inverts_the_power(exponent: int, limit: int) -> None:
    """The logarithm of x^e is e, and there is none below e."""
    expected = exponent if exponent <= limit else None
    assert expected == logarithm(power_of_x(exponent), limit)


def test_order_of_x_is_prime() -> None:
    """The order of x is 2^31 - 1, a prime: so the powers below it are all different."""
    order, one = 2**31 - 1, 1 << 31
    assert power_of_x(order - 1) != one
    assert multiply(power_of_x(order - 1), power_of_x(1)) == one
    assert all(order % factor for factor in range(2, int(order**0.5) + 1))


def test_sampled_double_flips_never_alias() -> None:
    """Of twenty million random double flips in 10 KB none has the syndrome of a single one."""
    judged, aliases = sample_aliases(2, 20, SAMPLED)
    assert judged >= SAMPLED
    assert len(aliases) == 0


def test_sampled_triple_flips_that_alias_are_refused() -> None:
    """Triple flips alias at n / 2^31 as theory has it, and the second code refuses every one."""
    data = frame()
    crc, digest = crc32c(data), digest128(data)
    judged, aliases = sample_aliases(3, 30, SAMPLED)
    expected = judged * 8 * FRAME_BYTES / 2**31
    assert judged >= SAMPLED
    assert abs(len(aliases) - expected) < 6 * expected**0.5
    for row in aliases:
        damaged = flip(data, *map(int, row))
        assert locate_flip(crc, crc32c(damaged), FRAME_BYTES) is not None
        assert mend(damaged, crc, digest, correct=True) is None


def test_broken_table_shows_in_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were the code not SEC-DED, the sample would tell: an alias planted in the table is found."""
    planted = syndromes().copy()
    planted[0] = planted[1] ^ planted[2]
    monkeypatch.setitem(globals(), "FRAME_BYTES", 4)
    monkeypatch.setitem(globals(), "syndromes", lambda: planted[:32])
    _, aliases = sample_aliases(2, 20, CHUNK)
    assert len(aliases) > 0


@given(st.binary(min_size=1, max_size=64), st.data())
def test_mend_returns_the_original_or_nothing(data: bytes, draw: st.DataObject) -> None:
    """Whatever few bits flip in a region or its seal, what is mended is the original."""
    crc, digest = crc32c(data), digest128(data)
    bits = draw.draw(st.sets(st.integers(0, 8 * len(data) - 1), max_size=4))
    crc_bits = draw.draw(st.sets(st.integers(0, 31), max_size=2))
    digest_bits = draw.draw(st.sets(st.integers(0, 127), max_size=2))
    stored_crc = crc ^ sum(1 << bit for bit in crc_bits)
    stored_digest = flip(digest, *digest_bits)
    mended = mend(flip(data, *bits), stored_crc, stored_digest, correct=True)
    if mended is not None:
        assert data == bytes(mended.data)
        assert mended.bits == len(bits) + len(crc_bits) + len(digest_bits)
    if not (bits or crc_bits or digest_bits):
        assert mended is not None
        assert mended.method is None


def test_each_hypothesis_is_recognised() -> None:
    """Each single cause is named for what it is: nothing, the region, its CRC, its digest."""
    data = frame()[:50]
    crc, digest = crc32c(data), digest128(data)
    outcomes = [
        mend(data, crc, digest, correct=True),
        mend(flip(data, 77), crc, digest, correct=True),
        mend(data, crc ^ 0xF0, digest, correct=True),
        mend(data, crc, flip(digest, 5), correct=True),
    ]
    expected = [(None, 0), (Method.SYNDROME, 1), (Method.SEAL, 4), (Method.SEAL, 1)]
    assert expected == [(mended.method, mended.bits) for mended in outcomes if mended]
    assert mend(data, crc, flip(digest, 5, 6), correct=True) is None
    assert mend(flip(data, 77), crc, digest, correct=False) is None
    assert mend(data, crc ^ 1, digest, correct=False) is None
