"""Claims about simulated memory protection: what the codes promise, by exhaustion."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.ecc import Hardware, Shielded, Verdict, hsiao_columns, shield
from sealedbeam.faults.rates import FIELD_CLASSES
from sealedbeam.faults.widths import Shape, Width, make_damage

FRAMES = st.integers(8, 300).map(lambda length_bytes: 8 * length_bytes)
FIELD_WIDTHS = (
    Width.SINGLE_BIT,
    Width.CHIP_WORD,
    Width.COLUMN,
    Width.ROW,
    Width.BANK,
    Width.BANK,
    Width.RANK,
)


@given(st.data(), FRAMES, st.sampled_from(Hardware))
def test_shield_hands_over_bits_of_the_frame(
    data: st.DataObject, length_bits: int, hardware: Hardware
) -> None:
    """What is left is ascending, different and within the frame; nothing struck is nothing left."""
    struck = sorted(data.draw(st.sets(st.integers(0, length_bits - 1), max_size=12)))
    left = shield(hardware, struck, length_bits)
    assert list(left.bits) == sorted(set(left.bits))
    assert all(0 <= bit < length_bits for bit in left.bits)
    assert (left.corrected + left.reported + left.missed > 0) == bool(struck)
    if hardware in {Hardware.NONE, Hardware.PARITY}:
        assert list(left.bits) == struck


def test_hsiao_columns_are_a_code() -> None:
    """64 different columns of odd weight, none of a single check bit."""
    columns = hsiao_columns()
    assert len(set(columns)) == 64
    assert all(column.bit_count() in {3, 5} for column in columns)


def test_secded_corrects_one_and_reports_two() -> None:
    """Every single flip is put right, every pair is reported and left as it was."""
    for bit in range(128):
        assert shield(Hardware.SECDED, (bit,), 128) == Shielded((), 1, 0, 0)
    for pair in combinations(range(64), 2):
        assert shield(Hardware.SECDED, pair, 64) == Shielded(pair, 0, 1, 0)


def test_secded_takes_over_half_of_triples_for_one_flip() -> None:
    """Of all 41,664 triples of a word 55.2 % are missed, most with a fourth bit flipped."""
    counts = Counter(
        (left.verdict, len(left.bits))
        for left in (shield(Hardware.SECDED, bits, 64) for bits in combinations(range(64), 3))
    )
    missed = counts[Verdict.MISSED, 3] + counts[Verdict.MISSED, 4]
    assert missed == 23_008
    assert counts[Verdict.REPORTED, 3] == 41_664 - missed
    assert counts[Verdict.MISSED, 4] > counts[Verdict.MISSED, 3]


def test_words_are_decoded_each_by_itself() -> None:
    """One flip in each of many words is no more than one flip."""
    bits = tuple(range(5, 640, 64))
    assert shield(Hardware.SECDED, bits, 640) == Shielded((), 10, 0, 0)
    mixed = shield(Hardware.SECDED, (3, 70, 71), 640)
    assert mixed == Shielded((70, 71), 1, 1, 0)
    assert mixed.verdict is Verdict.REPORTED


def test_parity_sees_odd_bytes() -> None:
    """One flip in a byte is reported, two are missed, and a neighbour byte is another matter."""
    assert shield(Hardware.PARITY, (3,), 64) == Shielded((3,), 0, 1, 0)
    assert shield(Hardware.PARITY, (3, 4), 64) == Shielded((3, 4), 0, 0, 1)
    assert shield(Hardware.PARITY, (7, 8), 64) == Shielded((7, 8), 0, 2, 0)


def test_chipkill_corrects_any_chip() -> None:
    """Whatever one chip does to its 4 bits of a line is put right, in each line by itself."""
    for chip, error in product(range(32), range(1, 16)):
        bits = tuple(4 * chip + place for place in range(4) if error >> place & 1)
        both = (*bits, *(128 + bit for bit in bits))
        assert shield(Hardware.CHIPKILL, both, 256) == Shielded((), 2, 0, 0)


def test_chipkill_reports_any_two_chips() -> None:
    """All 111,600 errors of two chips are reported: none is missed, none corrected wrongly."""
    for one, two in combinations(range(32), 2):
        for first, second in product(range(1, 16), range(1, 16)):
            bits = [4 * one + place for place in range(4) if first >> place & 1]
            bits += [4 * two + place for place in range(4) if second >> place & 1]
            assert shield(Hardware.CHIPKILL, bits, 128).verdict is Verdict.REPORTED


@pytest.mark.parametrize(
    ("name", "width"),
    [(each.name, width) for each, width in zip(FIELD_CLASSES, FIELD_WIDTHS, strict=True)],
)
def test_field_classes_have_the_outcome_of_the_table(name: str, width: Width) -> None:
    """Each class of DRAM faults ends as the table of rates says: always under chipkill.

    Under SEC-DED what is corrected always is, and nine in ten of what the table calls reported
    are, but for several bits of one word, of which a third are triples, mostly missed.
    """
    told = next(each for each in FIELD_CLASSES if each.name == name)
    length_bits = 80 * 1024
    counts: Counter[tuple[Hardware, Verdict]] = Counter()
    for number in range(100):
        bits = make_damage(width, Shape(b"record", 9, length_bits), number, 64 * number).bits
        for hardware in (Hardware.SECDED, Hardware.CHIPKILL):
            counts[hardware, shield(hardware, bits, length_bits).verdict] += 1
    assert counts[Hardware.CHIPKILL, Verdict(told.chipkill)] == 100
    always = told.secded == Verdict.CORRECTED
    least = 100 if always else 60 if width is Width.CHIP_WORD else 90
    assert counts[Hardware.SECDED, Verdict(told.secded)] >= least
