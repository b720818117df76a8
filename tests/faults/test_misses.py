"""Claims about what codes miss, held against the real CRC-32C: by exhaustion or by sampling."""

from __future__ import annotations

import math

import google_crc32c
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.misses import FOUR_FLIPS_SEEN_BITS, Code, miss_probability
from sealedbeam.pipeline.integrity.syndrome import POLYNOMIAL_REFLECTED

EVEN = 2.0**-31
LENGTH_BITS = 80_000


def syndromes(bits: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    """Return the CRC difference of each of so many positions, the last ones being the CRC's."""
    found, value = np.empty(bits, dtype=np.uint64), 1 << 31
    for place in range(bits):
        found[place] = value
        value = value >> 1 ^ (POLYNOMIAL_REFLECTED if value & 1 else 0)
    return found


def has_equal_pairs(bits: int) -> bool:
    """Whether two different pairs of positions have the same difference: four flips unseen."""
    positions = syndromes(bits)
    one, two = np.triu_indices(bits, 1)
    pairs = np.sort((positions[one] ^ positions[two]).astype(np.uint32))
    return bool((pairs[1:] == pairs[:-1]).any())


def test_four_flips_are_seen_up_to_the_stated_length() -> None:
    """No four flips of 5,275 bits cancel; one bit longer some do."""
    assert not has_equal_pairs(FOUR_FLIPS_SEEN_BITS)
    assert has_equal_pairs(FOUR_FLIPS_SEEN_BITS + 1)


def test_triples_look_like_one_flip_as_often_as_stated() -> None:
    """Of a million triples in 2^18 bits, n / 2^31 have the difference of a single flip, 3 sigma."""
    total, triples = 1 << 18, 1_000_000
    positions = syndromes(total)
    chosen = np.random.default_rng(1).integers(0, total, (3, triples))
    sums = positions[chosen[0]] ^ positions[chosen[1]] ^ positions[chosen[2]]
    different = (chosen[0] != chosen[1]) & (chosen[1] != chosen[2]) & (chosen[0] != chosen[2])
    hits = int(np.isin(sums[different], positions).sum())
    mean = miss_probability(Code.CRC32C_CORRECTING, (1, 2, 300), total - 32) * triples
    assert abs(hits - mean) <= 3 * math.sqrt(mean)


@given(
    st.binary(min_size=40, max_size=400),
    st.sets(st.integers(0, 319), min_size=1, max_size=9),
)
def test_patterns_that_are_never_missed_are_not(data: bytes, bits: set[int]) -> None:
    """Where the probability is 0, the real CRC-32C differs."""
    struck = sorted(bits)
    if miss_probability(Code.CRC32C, struck, 8 * len(data)) == 0:
        damaged = bytearray(data)
        for bit in struck:
            damaged[bit >> 3] ^= 1 << (bit & 7)
        assert google_crc32c.value(bytes(damaged)) != google_crc32c.value(data)


@pytest.mark.parametrize(
    ("bits", "crc32c", "correcting"),
    [
        ((), 0, 0),
        ((5,), 0, 0),
        ((5, 70_000), 0, 0),
        ((5, 6, 70_000), 0, 80_032 * EVEN),
        ((5, 6, 7, 70_000), EVEN, EVEN),
        ((5, 6, 7, 36), 0, 0),
        (tuple(range(0, 500, 100)), 0, 80_032 * EVEN),
    ],
)
def test_each_class_has_its_probability(
    bits: tuple[int, ...], crc32c: float, correcting: float
) -> None:
    """Odd, double and close patterns are seen, correction pays for odd ones, XXH3 is 2^-128."""
    assert miss_probability(Code.NONE, bits, LENGTH_BITS) == (1 if bits else 0)
    assert miss_probability(Code.CRC32C, bits, LENGTH_BITS) == crc32c
    assert miss_probability(Code.CRC32C_CORRECTING, bits, LENGTH_BITS) == correcting
    assert miss_probability(Code.DETECT, bits, LENGTH_BITS) == crc32c * 2.0**-128
    assert miss_probability(Code.CORRECT, bits, LENGTH_BITS) == correcting * 2.0**-128


def test_four_flips_of_a_short_record_are_seen() -> None:
    """Up to 5,275 bits with the CRC four flips anywhere are no risk."""
    bits = (0, 1000, 2000, 5000)
    assert miss_probability(Code.CRC32C, bits, FOUR_FLIPS_SEEN_BITS - 32) == 0
    assert miss_probability(Code.CRC32C, bits, FOUR_FLIPS_SEEN_BITS - 31) == EVEN
