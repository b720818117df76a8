"""Claims about which faults strike: as often as planned, anywhere, and the same each time."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.draws import draw, stream_key, to_index, to_unit
from sealedbeam.faults.strikes import HopRates, Stream, find_positions, thin
from sealedbeam.faults.widths import Width

PHYSICAL = ((Width.SINGLE_BIT, 5e-5), (Width.WORD_INVERTED, 5e-5))
RATES = HopRates(
    {
        "hot": ((Width.SINGLE_BIT, 3e-4), (Width.DOUBLE_BIT, 1e-4)),
        "cold": ((Width.SINGLE_BIT, 1e-4),),
    },
    PHYSICAL,
    6e-4,
)


def identity(number: int) -> bytes:
    return b"record %08d" % number


def count_widths(
    seed: int, cluster: str, factor: float, frames: int, length_bits: int
) -> Counter[tuple[Width, bool]]:
    strike_key, width_key = stream_key(seed, "strikes"), stream_key(seed, "widths")
    counts: Counter[tuple[Width, bool]] = Counter()
    for number in range(frames):
        name = identity(number)
        positions = find_positions(name, strike_key, length_bits, RATES.highest)
        strikes = thin(positions, Stream(name, width_key), RATES, cluster, factor)
        counts.update((strike.width, strike.physical) for strike in strikes)
    return counts


@pytest.mark.parametrize("factor", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("cluster", ["hot", "cold", "unnamed"])
def test_each_pattern_has_its_rate_in_each_place(cluster: str, factor: float) -> None:
    """Over eight seeds the faults of each pattern lie within 3 sigma of what is expected.

    Stated rates are the cluster's own, physical ones grow with the factor.
    """
    frames, length_bits, seeds = 400, 4000, 8
    total: Counter[tuple[Width, bool]] = Counter()
    for seed in range(seeds):
        total += count_widths(seed, cluster, factor, frames, length_bits)
    rates = {(width, False): rate for width, rate in RATES.stated.get(cluster, ())}
    rates |= {(width, True): rate * factor for width, rate in PHYSICAL}
    for width in Width:
        for physical in (False, True):
            mean = rates.get((width, physical), 0.0) * frames * length_bits * seeds
            assert abs(total[width, physical] - mean) <= 3 * math.sqrt(mean)


def test_number_of_strikes_is_poisson() -> None:
    """Frames with 0, 1, 2 strikes are as many as Poisson says, within 3 sigma; so is the variance.

    A generator whose numbers depend on each other would clump or spread.
    """
    frames, mean = 20_000, 0.8
    key = stream_key(1, "strikes")
    counts = [len(find_positions(identity(n), key, 800, mean / 800)) for n in range(frames)]
    for strikes in range(3):
        share = math.exp(-mean) * mean**strikes / math.factorial(strikes)
        sigma = math.sqrt(frames * share * (1 - share))
        assert abs(counts.count(strikes) - frames * share) <= 3 * sigma


def test_positions_are_uniform() -> None:
    """Each eighth of a frame gets its share of the strikes: chi-square under the 0.1 % point."""
    key, eighths = stream_key(2, "strikes"), [0] * 8
    for number in range(4000):
        for position in find_positions(identity(number), key, 800, 2 / 800):
            eighths[position // 100] += 1
    mean = sum(eighths) / 8
    assert sum((found - mean) ** 2 / mean for found in eighths) < 24.3


@given(st.binary(min_size=1, max_size=40), st.integers(8, 2000), st.floats(1e-5, 0.2))
def test_positions_lie_inside_the_frame(name: bytes, length_bytes: int, rate: float) -> None:
    """Positions ascend inside the frame, and a rate that is the highest thins none of them."""
    length_bits = 8 * length_bytes
    positions = find_positions(name, 5, length_bits, rate)
    assert positions == sorted(positions)
    assert all(0 <= position < length_bits for position in positions)
    rates = HopRates({"a": ((Width.DOUBLE_BIT, rate),)}, (), rate)
    strikes = thin(positions, Stream(name, 6), rates, "a", 0.0)
    assert positions == [strike.position for strike in strikes]


def test_longer_frame_keeps_the_strikes_of_a_shorter_one() -> None:
    """What strikes the beginning of a frame does not depend on how long the frame is."""
    short = find_positions(b"x", 7, 1000, 0.01)
    long = find_positions(b"x", 7, 2000, 0.01)
    assert short == [position for position in long if position < 1000]


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
