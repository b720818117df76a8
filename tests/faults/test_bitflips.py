"""Claims about which bits flip: as often as planned, anywhere, and the same each time."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.bitflips import (
    HopRates,
    Kind,
    Shape,
    apply_flips,
    find_flips,
    find_strikes,
)
from sealedbeam.faults.draws import draw, stream_key, to_index, to_unit

RATES = HopRates(
    {
        "hot": ((Kind.SINGLE_BIT, 3e-4), (Kind.DOUBLE_BIT, 1e-4)),
        "cold": ((Kind.SINGLE_BIT, 1e-4),),
    },
    4e-4,
)


def identity(number: int) -> bytes:
    return b"record %08d" % number


def count_kinds(seed: int, cluster: str, frames: int, length_bits: int) -> Counter[Kind]:
    strike_key, shape_key = stream_key(seed, "strikes"), stream_key(seed, "shapes")
    counts: Counter[Kind] = Counter()
    for number in range(frames):
        name = identity(number)
        strikes = find_strikes(name, strike_key, length_bits, RATES.highest)
        shape = Shape(name, shape_key, length_bits)
        counts.update(flip.kind for flip in find_flips(strikes, shape, RATES, cluster))
    return counts


@pytest.mark.parametrize("cluster", ["hot", "cold", "unnamed"])
def test_each_kind_has_its_rate_in_each_cluster(cluster: str) -> None:
    """Over eight seeds the faults of each kind lie within 3 sigma of what is expected."""
    frames, length_bits, seeds = 500, 4000, 8
    total: Counter[Kind] = Counter()
    for seed in range(seeds):
        total += count_kinds(seed, cluster, frames, length_bits)
    rates = dict(RATES.by_cluster.get(cluster, ()))
    for kind in Kind:
        mean = rates.get(kind, 0.0) * frames * length_bits * seeds
        assert abs(total[kind] - mean) <= 3 * math.sqrt(mean)


def test_number_of_strikes_is_poisson() -> None:
    """Frames with 0, 1, 2 strikes are as many as Poisson says, within 3 sigma; so is the variance.

    A generator whose numbers depend on each other would clump or spread.
    """
    frames, mean = 20_000, 0.8
    key = stream_key(1, "strikes")
    counts = [len(find_strikes(identity(n), key, 800, mean / 800)) for n in range(frames)]
    for strikes in range(3):
        share = math.exp(-mean) * mean**strikes / math.factorial(strikes)
        sigma = math.sqrt(frames * share * (1 - share))
        assert abs(counts.count(strikes) - frames * share) <= 3 * sigma


def test_positions_are_uniform() -> None:
    """Each eighth of a frame gets its share of the strikes: chi-square under the 0.1 % point."""
    key, eighths = stream_key(2, "strikes"), [0] * 8
    for number in range(4000):
        for position in find_strikes(identity(number), key, 800, 2 / 800):
            eighths[position // 100] += 1
    mean = sum(eighths) / 8
    assert sum((found - mean) ** 2 / mean for found in eighths) < 24.3


@given(st.binary(min_size=1, max_size=40), st.integers(8, 2000), st.floats(1e-5, 0.2))
def test_flips_lie_inside_the_frame(name: bytes, length_bytes: int, rate: float) -> None:
    """Positions ascend inside the frame; a double flip hits two bits of one 64-bit word."""
    length_bits = 8 * length_bytes
    strikes = find_strikes(name, 5, length_bits, rate)
    assert strikes == sorted(strikes)
    rates = HopRates({"a": ((Kind.DOUBLE_BIT, rate),)}, rate)
    flips = find_flips(strikes, Shape(name, 6, length_bits), rates, "a")
    assert len(flips) == len(strikes)
    for flip in flips:
        first, second = flip.bits
        assert 0 <= first < second < length_bits
        assert first // 64 == second // 64


def test_longer_frame_keeps_the_strikes_of_a_shorter_one() -> None:
    """What strikes the beginning of a frame does not depend on how long the frame is."""
    short = find_strikes(b"x", 7, 1000, 0.01)
    long = find_strikes(b"x", 7, 2000, 0.01)
    assert short == [position for position in long if position < 1000]


@given(st.binary(min_size=8, max_size=64), st.data())
def test_applying_twice_restores(data: bytes, draws: st.DataObject) -> None:
    """A flip is its own inverse, and touches the named bit alone."""
    bits = draws.draw(st.sets(st.integers(0, 8 * (len(data) - 2) - 1), min_size=1))
    damaged = bytearray(data)
    apply_flips(damaged, 2, bits)
    distance = int.from_bytes(damaged, "little") ^ int.from_bytes(data, "little")
    assert distance == sum(1 << (16 + bit) for bit in bits)
    apply_flips(damaged, 2, bits)
    assert data == damaged


def test_draws_depend_on_key_identity_and_number() -> None:
    """Each argument alone changes a number; nothing else does."""
    key, other = stream_key(0, "a", 1), stream_key(0, "a", 2)
    numbers = [draw(b"x", key), draw(b"y", key), draw(b"x", other), draw(b"x", key, 1)]
    assert len(set(numbers)) == 4
    assert numbers[0] == draw(b"x", key)
    assert stream_key(1, "a") != stream_key(0, "a")


def test_draws_stay_in_range() -> None:
    """The smallest and the largest word are a fraction above 0 and at most 1, and an index."""
    for word in (0, 2**64 - 1):
        assert 0 < to_unit(word) <= 1
        assert 0 <= to_index(word, 7) < 7
