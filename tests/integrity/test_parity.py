from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.integrity.parity import (
    LANES,
    WORD_BYTES,
    Flip,
    correct_lanes,
    encode_parity,
    is_whole,
    parity_bytes,
)

regions = st.binary(min_size=1, max_size=700)
sizes = st.integers(min_value=1, max_value=40_000)


def encode_slowly(region: bytes) -> bytes:
    """The definition, bit by bit: number c + i, one check word for each bit of the numbers."""
    padded = region + bytes(-len(region) % WORD_BYTES)
    words = [
        int.from_bytes(padded[at : at + WORD_BYTES], "little")
        for at in range(0, len(padded), WORD_BYTES)
    ]
    column_bits = min(10, (len(words).bit_length() + 1) // 2)
    first = 1 << column_bits
    rows = -(-len(words) // first)
    checks = [0] * (column_bits + rows.bit_length() + 1)
    for number, word in enumerate(words, first):
        checks[-1] ^= word
        for bit in range(len(checks) - 1):
            if number >> bit & 1:
                checks[bit] ^= word
    turn = len(region) % WORD_BYTES
    stored = [check.to_bytes(WORD_BYTES, "little") for check in checks]
    encoded = b"".join(word[turn:] + word[:turn] for word in stored)
    return encoded + crc32c(encoded).to_bytes(4, "little")


def make_region(size: int) -> bytes:
    return bytes((31 * at + (at >> 8)) & 255 for at in range(size))


def flip(data: bytes, *positions: int) -> bytes:
    flipped = bytearray(data)
    for position in positions:
        flipped[position >> 3] ^= 1 << (position & 7)
    return bytes(flipped)


@given(regions)
def test_encoding_is_the_definition(region: bytes) -> None:
    """The two passes over rows and columns give what the definition gives word by word."""
    assert encode_slowly(region) == encode_parity(region)


@pytest.mark.parametrize("size", [8 * 1024, 8 * 1024 + 1, 8 * 1024 * 3, 8 * 1024 * 3 - 5, 40_000])
def test_encoding_of_whole_and_broken_rows(size: int) -> None:
    """Rows that are whole, a word over, or a byte short make no difference to the definition."""
    region = make_region(size)
    assert encode_slowly(region) == encode_parity(region)


@pytest.mark.parametrize("size", [1, 7, 8, 9, 64, 65, 200])
def test_every_single_flip_is_put_back(size: int) -> None:
    """Each flip of the region is located; each flip of the parity leaves the region alone."""
    region = make_region(size)
    parity = encode_parity(region)
    for position in range(8 * size):
        corrected = correct_lanes(flip(region, position), parity)
        assert corrected is not None
        assert (region, (Flip(position >> 3, position & 7),)) == corrected
    for position in range(8 * len(parity)):
        assert correct_lanes(region, flip(parity, position)) is None


@given(sizes, st.data())
def test_one_flip_in_each_lane_is_put_back(size: int, data: st.DataObject) -> None:
    """Up to 64 flips, no two of them in one lane, are all put back, wherever they are."""
    region = make_region(size)
    words = size // WORD_BYTES
    lanes = data.draw(st.sets(st.integers(0, LANES - 1)) if words else st.just(set()))
    hits = {LANES * data.draw(st.integers(0, words - 1)) + lane for lane in lanes}
    corrected = correct_lanes(flip(region, *hits), encode_parity(region))
    if not hits:
        assert corrected is None
        return
    assert corrected is not None
    assert region == corrected.region
    assert hits == {8 * found.offset + found.bit for found in corrected.flips}


@given(sizes, st.data())
def test_a_burst_of_64_bits_is_put_back(size: int, data: st.DataObject) -> None:
    """Any pattern within 64 adjacent bits of region and parity together leaves the region whole."""
    region = make_region(size)
    both = region + encode_parity(region)
    first = data.draw(st.integers(0, 8 * len(both) - LANES))
    hits = data.draw(st.sets(st.integers(first, first + LANES - 1)))
    arrived = flip(both, *hits)
    corrected = correct_lanes(arrived[:size], arrived[size:])
    assert region == (arrived[:size] if corrected is None else corrected.region)


@pytest.mark.parametrize("size", range(96, 104))
def test_a_burst_across_the_end_of_the_region(size: int) -> None:
    """64 flipped bits in a row, partly of the region and partly of its parity, cost nothing."""
    region = make_region(size)
    both = region + encode_parity(region)
    for first in range(8 * size - LANES, 8 * size):
        arrived = flip(both, *range(first, first + LANES))
        corrected = correct_lanes(arrived[:size], arrived[size:])
        assert corrected is not None
        assert region == corrected.region


def test_a_flip_in_the_parity_beside_one_in_the_region() -> None:
    """One flipped bit of the parity is put right first, also in the lane that is hit elsewhere."""
    region = make_region(400)
    parity = encode_parity(region)
    for at, position in product(range(8 * len(parity)), (0, 64 * 17, 64 * 49 + 63)):
        corrected = correct_lanes(flip(region, position), flip(parity, at))
        assert corrected is not None
        assert region == corrected.region


@given(st.integers(1, 3000), st.data())
def test_two_flips_in_one_lane_change_nothing_there(size: int, data: st.DataObject) -> None:
    """A double flip within a lane is never taken for a single one: no bit is changed for it."""
    words = size // WORD_BYTES
    if words < 2:
        return
    lane = data.draw(st.integers(0, LANES - 1))
    first, second = data.draw(st.permutations(range(words)))[:2]
    region = make_region(size)
    struck = flip(region, LANES * first + lane, LANES * second + lane)
    assert correct_lanes(struck, encode_parity(region)) is None


def test_parity_of_another_size_is_refused() -> None:
    """Parity that cannot be this region's is no parity, and an empty region has none."""
    region = make_region(100)
    parity = encode_parity(region)
    assert correct_lanes(flip(region, 3), parity[:-1]) is None
    assert correct_lanes(flip(region, 3), parity + b"\0") is None
    assert correct_lanes(b"", b"") is None
    assert (encode_parity(b""), parity_bytes(0)) == (b"", 0)


def test_damage_of_the_parity_shows() -> None:
    """Parity proves itself: every flip in it is noticed."""
    parity = encode_parity(make_region(5000))
    assert is_whole(parity)
    assert not any(is_whole(flip(parity, at)) for at in range(8 * len(parity)))


@pytest.mark.parametrize(("size", "share"), [(10 << 10, 0.01), (1 << 20, 0.0002)])
def test_parity_is_small(size: int, share: float) -> None:
    """Parity takes at most 1 % of 10 KiB and 0.02 % of a mebibyte."""
    assert parity_bytes(size) <= share * size
    assert parity_bytes(size) == len(encode_parity(bytes(size)))
