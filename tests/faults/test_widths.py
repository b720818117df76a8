"""Claims about what one fault flips: the patterns keep their bounds, the presets their shares."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.draws import draw, stream_key, to_index
from sealedbeam.faults.widths import (
    PRESETS,
    Shape,
    Width,
    bits_that_flip,
    choose_width,
    make_damage,
)

SPANS = {
    Width.SINGLE_BIT: (1, 1, 1),
    Width.STUCK_BIT: (1, 1, 1),
    Width.DOUBLE_BIT: (2, 2, 64),
    Width.WORD_BITS: (3, 8, 64),
    Width.BYTE_BITS: (2, 7, 8),
    Width.BYTE_INVERTED: (8, 8, 8),
    Width.WORD_INVERTED: (64, 64, 64),
    Width.CHIP_WORD: (2, 4, 4),
}
"""Least and most bits of patterns within one aligned unit, and the unit."""


def is_plausible(counts: Counter[int], expected: dict[int, float]) -> bool:
    """Whether counts fit their expectation: chi-square within 4 sigma of its mean."""
    assert set(counts) <= set(expected)
    square = sum((counts[key] - mean) ** 2 / mean for key, mean in expected.items())
    freedom = len(expected) - 1
    return square <= freedom + 4 * math.sqrt(2 * freedom)


shapes = st.builds(
    Shape,
    st.binary(min_size=1, max_size=8),
    st.integers(0, (1 << 64) - 1),
    st.integers(8, 3000).map(lambda length_bytes: 8 * length_bytes),
)


@given(st.sampled_from(Width), shapes, st.integers(0, 9), st.floats(0, 1, exclude_max=True))
def test_pattern_lies_in_its_frame(width: Width, shape: Shape, number: int, place: float) -> None:
    """Bits are ascending, different, within the frame, some at least, and the same each time."""
    position = int(place * shape.length_bits)
    damage = make_damage(width, shape, number, position)
    assert damage == make_damage(width, shape, number, position)
    assert list(damage.bits) == sorted(set(damage.bits))
    assert damage.bits
    assert damage.bits[0] >= 0
    assert damage.bits[-1] < shape.length_bits
    assert (damage.stuck_at in {0, 1}) == (width is Width.STUCK_BIT)


@given(st.sampled_from(sorted(SPANS)), shapes, st.floats(0, 1, exclude_max=True))
def test_pattern_keeps_to_its_unit(width: Width, shape: Shape, place: float) -> None:
    """A pattern within a bit, a nibble, a byte or a word has as many bits as it should there."""
    position = int(place * shape.length_bits)
    fewest, most, unit = SPANS[width]
    bits = make_damage(width, shape, 0, position).bits
    assert {bit // unit for bit in bits} == {position // unit}
    whole = min(unit, shape.length_bits - position // unit * unit)
    assert min(fewest, whole) <= len(bits) <= most


@given(shapes, st.floats(0, 1, exclude_max=True))
def test_burst_spans_64_bits_at_most(shape: Shape, place: float) -> None:
    """A burst's ends flip, and all of it lies within 64 adjacent bits."""
    bits = make_damage(Width.BURST, shape, 0, int(place * shape.length_bits)).bits
    assert 2 <= bits[-1] - bits[0] + 1 <= 64


@given(shapes, st.floats(0, 1, exclude_max=True))
def test_chip_patterns_keep_to_one_chip(shape: Shape, place: float) -> None:
    """Row and bank strike one nibble of each line, a column one bit of each entry."""
    position = int(place * shape.length_bits)
    for width in (Width.ROW, Width.BANK):
        bits = make_damage(width, shape, 0, position).bits
        assert {bit % 128 // 4 for bit in bits} == {position % 128 // 4}
    bits = make_damage(Width.COLUMN, shape, 0, position).bits
    assert {bit % 256 for bit in bits} == {position % 256}


def test_broad_patterns_are_broad() -> None:
    """In a long frame they strike two units at least, and sometimes a hundred."""
    shape = Shape(b"record", 7, 8 << 20)
    for width in (Width.COLUMN, Width.ROW, Width.BANK, Width.RANK, Width.SEVERAL_WORDS):
        breadths = [
            len({bit // 128 for bit in make_damage(width, shape, number, 64).bits})
            for number in range(100)
        ]
        assert max(breadths) > 100
        assert min(breadths) >= (1 if width is Width.BANK else 2)


def test_stuck_bit_flips_only_what_differs() -> None:
    """A cell stuck at 1 changes zeros alone, one stuck at 0 ones alone; either value occurs."""
    shape, values = Shape(b"record", 7, 64), set()
    for number in range(40):
        damage = make_damage(Width.STUCK_BIT, shape, number, 9)
        values.add(damage.stuck_at)
        assert bits_that_flip(damage, b"--" + bytes(8), 2) == ((9,) if damage.stuck_at else ())
        assert bits_that_flip(damage, b"\xff" * 8, 0) == (() if damage.stuck_at else (9,))
    assert values == {0, 1}


def test_flipping_patterns_flip_all_their_bits() -> None:
    """What is not stuck changes whatever it strikes."""
    damage = make_damage(Width.WORD_INVERTED, Shape(b"record", 7, 128), 0, 70)
    assert bits_that_flip(damage, bytes(16), 0) == tuple(range(64, 128))


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_preset_has_its_shares(name: str) -> None:
    """Shares sum to 1, and 20,000 draws fit them."""
    shares: dict[int, float] = {}
    for width, share in PRESETS[name]:
        key = list(Width).index(width)
        shares[key] = shares.get(key, 0) + share
    assert sum(shares.values()) == pytest.approx(1)
    key, draws = stream_key(3, name), 20_000
    counts = Counter(
        list(Width).index(choose_width(PRESETS[name], draw(number.to_bytes(4), key)))
        for number in range(draws)
    )
    assert is_plausible(counts, {each: share * draws for each, share in shares.items()})


def test_published_shares_come_out() -> None:
    """HBM2: 65 % single bits, 31.5 % several bits of a word, 28 % in several entries."""
    shares = dict(PRESETS["dram_hbm2"])
    broad = shares[Width.SEVERAL_WORDS] + shares[Width.COLUMN]
    assert shares[Width.SINGLE_BIT] == 0.65
    assert broad == pytest.approx(0.28)
    assert 1 - shares[Width.SINGLE_BIT] - shares[Width.COLUMN] == pytest.approx(0.315)
    assert 1 - dict(PRESETS["ddr4"])[Width.SINGLE_BIT] > 0.45


@pytest.mark.parametrize("width", [Width.DOUBLE_BIT, Width.BURST, Width.BYTE_BITS])
def test_no_place_is_favoured(width: Width) -> None:
    """Over 20,000 faults each bit of a word is struck as often as any other.

    The bits of one fault depend on each other, so each fault gives one of its bits.
    """
    key, counts, faults = stream_key(5, "place"), Counter[int](), 20_000
    for number in range(faults):
        identity = number.to_bytes(4)
        position = 512 + to_index(draw(identity, key), 64)
        bits = make_damage(width, Shape(identity, key, 2048), 1, position).bits
        counts[bits[to_index(draw(identity, key, 99), len(bits))] % 64] += 1
    assert is_plausible(counts, dict.fromkeys(range(64), faults / 64))


def test_byte_patterns_are_all_possible() -> None:
    """The 246 patterns of two to seven bits are equally likely."""
    key, counts, faults = stream_key(6, "bytes"), Counter[int](), 20_000
    for number in range(faults):
        bits = make_damage(Width.BYTE_BITS, Shape(number.to_bytes(4), key, 64), 0, 3).bits
        counts[sum(1 << bit for bit in bits)] += 1
    masks = [mask for mask in range(256) if 2 <= mask.bit_count() <= 7]
    assert is_plausible(counts, dict.fromkeys(masks, faults / len(masks)))
