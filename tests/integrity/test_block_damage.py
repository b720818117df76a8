"""A block under damage: never a wrong record, never silence, and everything that can be saved."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.integrity.block import Block, LossReason, open_block, write_block
from sealedbeam.pipeline.integrity.checksum import crc32c, digest128
from sealedbeam.pipeline.integrity.layout import HEADER_BYTES, Header
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT, NONE, PROTECTIONS, Protection

from tests.support.blocks import (
    BLOCK_ID,
    SAMPLES,
    SEVERAL,
    Sample,
    check_no_wrong_record,
    every_flip,
    flip,
    records_of,
    reopen,
)

if TYPE_CHECKING:
    from sealedbeam.pipeline.integrity.block import Opened

each_sealed = pytest.mark.parametrize("name", sorted(set(SAMPLES) - {"none_several"}))
PAIR = ((b"key-a", b"12345"), (b"key-b", b"abcde"))


def frames_begin(block: Block) -> int:
    return block.bounds[0]


def frames_end(block: Block) -> int:
    return block.bounds[-1]


def noticed(opened: Opened) -> bool:
    """Whether a reader reported anything at all."""
    return bool(
        opened.losses or opened.repairs or any(found.method is not None for found in opened.found)
    )


@each_sealed
def test_every_single_flip_is_corrected_or_detected(name: str) -> None:
    """Each bit of a sealed block flipped alone: no wrong record, no silence, all others there.

    Under `correct` it costs no record at all, under `detect` at most the record that it hits.
    """
    sample = SAMPLES[name]
    block = sample.write()
    for bit, damaged in every_flip(block.data):
        opened = reopen(sample, damaged)
        check_no_wrong_record(opened, sample.records)
        assert noticed(opened), bit
        hit = [
            index
            for index in range(len(sample.records))
            if block.bounds[index] <= bit >> 3 < block.bounds[index + 1]
        ]
        lost = hit if sample.protection is DETECT else []
        assert lost == [loss.index for loss in opened.losses], bit
        assert len(sample.records) - len(lost) == len(opened.found), bit
        mended = [found.number for found in opened.found if found.method is not None]
        assert mended == (hit if sample.protection.corrects else []), bit
        assert bool(opened.repairs) == (not hit), bit


def test_double_flips_of_a_small_block_are_never_wrong() -> None:
    """Two flips within 17 bits of each other, everywhere: no wrong record and no silence."""
    sample = SAMPLES["correct_one"]
    data = sample.write().data
    for first in range(8 * len(data)):
        for second in range(first + 1, min(first + 17, 8 * len(data))):
            opened = reopen(sample, flip(data, first, second))
            check_no_wrong_record(opened, sample.records)
            assert noticed(opened), (first, second)
            assert opened.losses or len(opened.found) == 1


@each_sealed
def test_every_truncation_is_noticed(name: str) -> None:
    """Cut at any length, a block gives no wrong record, says so, and keeps all that is whole."""
    sample = SAMPLES[name]
    block = sample.write()
    for length in range(len(block.data)):
        opened = reopen(sample, block.data[:length])
        check_no_wrong_record(opened, sample.records)
        assert noticed(opened), length
        if length >= frames_begin(block):
            whole = [i for i in range(len(sample.records)) if block.bounds[i + 1] <= length]
            assert whole == [found.number for found in opened.found], length
            assert len(sample.records) == len(opened.found) + len(opened.losses)
            assert {LossReason.TRUNCATED} >= {loss.reason for loss in opened.losses}


@each_sealed
def test_every_lost_beginning_is_noticed(name: str) -> None:
    """A block whose first bytes are missing gives no wrong record and says so."""
    sample = SAMPLES[name]
    data = sample.write().data
    for length in range(1, len(data)):
        opened = reopen(sample, data[length:])
        check_no_wrong_record(opened, sample.records)
        assert noticed(opened), length


@pytest.mark.parametrize("name", ["correct_several", "detect_several"])
def test_missing_or_added_bytes_cost_only_what_they_touch(name: str) -> None:
    """Bytes cut out or put in at any one place: all records beside it come back."""
    sample = SAMPLES[name]
    block = sample.write()
    extents = list(enumerate(pairwise(block.bounds)))
    for size in (0, 1, 2, 13):
        for begin in range(frames_end(block) - size):
            end = begin + size
            spared = {index for index, (lower, upper) in extents if end <= lower or upper <= begin}
            for insertion in (b"", bytes(7)):
                opened = reopen(sample, block.data[:begin] + insertion + block.data[end:])
                check_no_wrong_record(opened, sample.records)
                assert spared <= {found.number for found in opened.found}, (begin, size)
                assert noticed(opened) == bool(size or insertion), (begin, size)


@given(st.sampled_from([SAMPLES["correct_several"], SAMPLES["detect_several"]]), st.data())
def test_either_head_suffices(sample: Sample, draw: st.DataObject) -> None:
    """Whatever bytes replace the first head, or the mirror, every record comes back."""
    block = sample.write()
    begin, end = frames_begin(block), frames_end(block)
    if draw.draw(st.booleans()):
        damaged = draw.draw(st.binary(min_size=begin, max_size=begin)) + block.data[begin:]
    else:
        size = len(block.data) - end
        damaged = block.data[:end] + draw.draw(st.binary(min_size=size, max_size=size))
    opened = reopen(sample, damaged)
    assert list(sample.records) == records_of(opened)
    assert opened.losses == []
    assert noticed(opened) == (damaged != block.data)


def test_damage_to_both_heads_is_survived_while_one_bit_each() -> None:
    """One flip in each of header, table and every frame, and the mirror gone: nothing is lost."""
    sample = SAMPLES["correct_several"]
    block = sample.write()
    bits = [8 * at + 3 for at in (20, 95, *block.bounds[:-1])]
    damaged = flip(block.data[: frames_end(block)], *bits)
    opened = reopen(sample, damaged)
    assert list(sample.records) == records_of(opened)
    assert [found.corrected_bits for found in opened.found] == [1, 1, 1, 1]
    assert len(opened.repairs) == 2


@given(st.sampled_from(list(PROTECTIONS.values())), st.data())
def test_damage_to_frames_costs_no_other_record(
    protection: Protection, draw: st.DataObject
) -> None:
    """Random bytes within some frames: those records are lost or right, the others are right."""
    sample = Sample(BLOCK_ID, SEVERAL, protection)
    block = sample.write()
    damaged = bytearray(block.data)
    size = len(block.data) - 1
    spots = draw.draw(st.lists(st.tuples(st.integers(0, size), st.integers(0, 255)), max_size=12))
    hit = set()
    for place, byte in spots:
        if frames_begin(block) <= place < frames_end(block) and damaged[place] != byte:
            damaged[place] = byte
            hit.add(sum(bound <= place for bound in block.bounds) - 1)
    opened = reopen(sample, bytes(damaged))
    found = {item.number: (item.identity, bytes(item.payload)) for item in opened.found}
    for index, record in enumerate(SEVERAL):
        if index not in hit:
            assert record == found[index]
    if protection.seals:
        check_no_wrong_record(opened, SEVERAL)
        assert len(SEVERAL) == len(opened.found) + len(opened.losses)


@given(st.sampled_from(["correct_several", "detect_several", "correct_one"]), st.data())
def test_random_damage_is_never_a_wrong_record(name: str, draw: st.DataObject) -> None:
    """Overwritten, inserted, removed, repeated and moved bytes: no wrong record, no silence."""
    sample = SAMPLES[name]
    original = data = sample.write().data
    place = st.integers(0, len(data))
    for _ in range(draw.draw(st.integers(1, 3))):
        a, b, c = sorted((draw.draw(place), draw.draw(place), draw.draw(place)))
        noise = draw.draw(st.binary(max_size=8))
        data = draw.draw(
            st.sampled_from(
                [
                    data[:a] + noise + data[a + len(noise) :],
                    data[:a] + noise + data[a:],
                    data[:a] + data[b:],
                    data[:b] + data[a:],
                    data[:a] + data[b:c] + data[a:b] + data[c:],
                ]
            )
        )
    opened = reopen(sample, data)
    check_no_wrong_record(opened, sample.records)
    if data != original:
        assert noticed(opened)


@given(st.binary(max_size=300), st.sampled_from(list(PROTECTIONS.values())), st.integers(0, 90))
def test_arbitrary_bytes_never_raise(data: bytes, protection: Protection, good: int) -> None:
    """Any bytes, even after a good beginning, are opened without an error and prove nothing."""
    head = Sample(BLOCK_ID, SEVERAL, protection).write().data[:good]
    opened = open_block(head + data, None, protection)
    if protection.seals:
        assert opened.found == []
        assert opened.losses != []


@given(st.data())
def test_unsealed_blocks_never_raise(draw: st.DataObject) -> None:
    """An unsealed block with any bytes changed is opened within its bounds, whatever it says."""
    data = bytearray(SAMPLES["none_several"].write().data)
    for _ in range(draw.draw(st.integers(1, 6))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    opened = open_block(bytes(data), BLOCK_ID, NONE)
    assert sum(len(found.frame) for found in opened.found) <= len(data)


@given(
    st.lists(
        st.tuples(st.binary(max_size=8), st.binary(max_size=20), st.booleans()),
        max_size=6,
        unique_by=lambda record: record[0],
    )
)
def test_unsealed_frames_of_zeros_are_nobodys_record(
    records: list[tuple[bytes, bytes, bool]],
) -> None:
    """Erased frames are losses, each at its place, and cost no other; oracle: those not erased."""
    block = write_block(BLOCK_ID, [(key, value) for key, value, _ in records], NONE)
    data = bytearray(block.data)
    kept, erased = [], []
    for number, (key, value, erase) in enumerate(records):
        begin, end = block.frame_extent(number)
        if erase and (key or value):  # a record without any byte is zeros as it is written
            data[begin:end] = bytes(end - begin)
            erased.append((LossReason.BAD_SEAL, begin, end - begin, number))
        else:
            kept.append((key, value))
    opened = open_block(bytes(data), BLOCK_ID, NONE)
    assert kept == records_of(opened)
    lost = [(loss.reason, loss.offset, loss.length, loss.index) for loss in opened.losses]
    assert erased == lost


def test_huge_numbers_allocate_nothing() -> None:
    """A header that claims 2^32 records, tables and frames costs no memory before it is refused."""
    sizes = (0xFFFFFFFF, 0xFFFFFFFF, 0, 2**63)
    unsealed = Header(0, 0, *sizes, 0, 0, bytes(16)).encode() + bytes(100)
    sealed = Header(2, 1, *sizes, 0, crc32c(bytes(100)), digest128(bytes(100))).encode()
    bound = Header(2, 1, 0xFFFFFFFF, 100, 0, 2**63, 0, crc32c(bytes(100)), digest128(bytes(100)))
    hostile = [
        (unsealed, NONE),
        (sealed + bytes(100), CORRECT),
        (bound.encode() + bytes(100), CORRECT),
    ]
    tracemalloc.start()
    try:
        for data, protection in hostile:
            opened = open_block(data, None, protection)
            assert [loss.reason for loss in opened.losses] == [LossReason.UNREADABLE_HEAD]
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("protection", [DETECT, CORRECT], ids=lambda value: value.name)
def test_no_byte_of_the_header_turns_checks_off(protection: Protection) -> None:
    """Whatever value any header byte takes, damaged frames are refused still."""
    block = write_block(BLOCK_ID, PAIR, protection)
    begin = frames_begin(block)
    for place in range(HEADER_BYTES):
        for byte in range(256):
            damaged = bytearray(block.data)
            damaged[place] = byte
            damaged[begin + 9 : begin + 12] = b"BAD"
            opened = open_block(bytes(damaged), BLOCK_ID, protection)
            assert [PAIR[1]] == records_of(opened), (place, byte)


def test_sampled_flips_of_a_large_block_are_never_wrong() -> None:
    """One to five flips in a block of 20 records: no wrong record, and no silence."""
    generator = np.random.default_rng(11)
    records = tuple((b"id-%d" % i, generator.bytes(200 + 37 * i)) for i in range(20))
    sample = Sample(BLOCK_ID, records, CORRECT)
    data = sample.write().data
    for width in range(1, 6):
        for bits in generator.integers(0, 8 * len(data), (400, width)).tolist():
            if len(set(bits)) == width:
                opened = reopen(sample, flip(data, *bits))
                check_no_wrong_record(opened, records)
                assert noticed(opened)
                assert len(records) - len(opened.found) <= width // 2


def test_damage_that_the_crc_cannot_see_is_refused() -> None:
    """Damage that leaves the CRC as it is, alone or with one more flip, is seen by XXH3-128."""
    polynomial = 0x11EDC6F41
    codeword = [place for place in range(33) if polynomial >> (32 - place) & 1]
    sample = SAMPLES["correct_one"]
    data = sample.write().data
    spaces = bytes(16)
    assert crc32c(spaces) == crc32c(flip(spaces, *(40 + place for place in codeword)))
    for start in range(8 * len(data) - 33):
        damaged = flip(data, *(start + place for place in codeword))
        for twice in (damaged, flip(damaged, start + 1), flip(damaged, 8 * len(data) - 1 - start)):
            opened = reopen(sample, twice)
            check_no_wrong_record(opened, sample.records)
            assert noticed(opened), start
