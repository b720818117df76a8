from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.integrity.block import LossReason, open_block, write_block
from sealedbeam.pipeline.integrity.correction import Method
from sealedbeam.pipeline.integrity.layout import HEADER_BYTES
from sealedbeam.pipeline.integrity.parity import LANES, parity_bytes
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT, PARITY

from tests.support.blocks import check_no_wrong_record, every_flip, flip, records_of

BLOCK_ID = b"block"
RECORDS = [(b"id-%d" % number, bytes([number]) * (37 * number)) for number in range(12)]
BLOCK = write_block(BLOCK_ID, RECORDS, PARITY).data
BODY_BYTES = len(write_block(BLOCK_ID, RECORDS, CORRECT).data) - (
    HEADER_BYTES + 2 + len(BLOCK_ID) + 28 * len(RECORDS)
)
PARITY_START = BODY_BYTES


def lane_hits(data: st.DataObject) -> set[int]:
    words = BODY_BYTES // 8
    lanes = data.draw(st.sets(st.integers(0, LANES - 1), min_size=1))
    return {LANES * data.draw(st.integers(0, words - 1)) + lane for lane in lanes}


def test_every_single_flip_costs_nothing_and_is_told() -> None:
    """One flipped bit anywhere in a block with parity costs no record and never goes unreported."""
    for bit, damaged in every_flip(BLOCK):
        opened = open_block(damaged, BLOCK_ID, PARITY)
        assert (records_of(opened), opened.losses) == (RECORDS, []), bit
        assert opened.repairs or any(found.method for found in opened.found), bit


@given(st.data())
def test_one_flip_in_each_lane_costs_nothing(data: st.DataObject) -> None:
    """Flips in heads and frames, no two of them in one lane, cost no record."""
    opened = open_block(flip(BLOCK, *lane_hits(data)), BLOCK_ID, PARITY)
    assert (records_of(opened), opened.losses) == (RECORDS, [])


@given(st.integers(0, 8 * len(BLOCK) - LANES), st.data())
def test_a_burst_of_64_bits_costs_nothing(first: int, data: st.DataObject) -> None:
    """Any pattern within 64 adjacent bits of the whole block, parity and mirror included."""
    hits = data.draw(st.sets(st.integers(first, first + LANES - 1), min_size=1))
    opened = open_block(flip(BLOCK, *hits), BLOCK_ID, PARITY)
    assert (records_of(opened), opened.losses) == (RECORDS, [])


@given(st.lists(st.integers(0, 8 * len(BLOCK) - 1), max_size=300, unique=True))
def test_no_number_of_flips_makes_a_wrong_record(hits: list[int]) -> None:
    """Whatever is flipped, what is accepted was written, and what is not is a loss."""
    opened = open_block(flip(BLOCK, *hits), BLOCK_ID, PARITY)
    check_no_wrong_record(opened, RECORDS)
    if all(loss.index is not None for loss in opened.losses):
        numbers = [found.number for found in opened.found]
        numbers += [loss.index for loss in opened.losses if loss.index is not None]
        assert sorted(numbers) == list(range(len(RECORDS)))


def test_corrections_make_room_for_others() -> None:
    """Two flips in one lane are put back when the syndrome of one of the records finds its own."""
    frame = BLOCK.index(RECORDS[11][1])
    other = BLOCK.index(RECORDS[10][1])
    one = 8 * (frame - frame % 8 + 16)
    burst = [8 * (other - other % 8 + 16) + at for at in range(3)]
    opened = open_block(flip(BLOCK, one, *burst), BLOCK_ID, PARITY)
    assert (records_of(opened), opened.losses) == (RECORDS, [])
    methods = {found.number: (found.method, found.corrected_bits) for found in opened.found}
    assert methods[11] == (Method.SYNDROME, 1)
    assert methods[10] == (Method.PARITY, 3)


def test_without_its_parity_a_block_is_as_under_correct() -> None:
    """Parity that is destroyed costs no record that the seals alone can prove, and is told."""
    size = parity_bytes(BODY_BYTES)
    destroyed = bytes(0xFF ^ byte for byte in BLOCK[PARITY_START : PARITY_START + size])
    damaged = BLOCK[:PARITY_START] + destroyed + BLOCK[PARITY_START + size :]
    opened = open_block(damaged, BLOCK_ID, PARITY)
    assert (records_of(opened), opened.repairs) == (RECORDS, [(Method.PARITY, 0)])
    frame = BLOCK.index(RECORDS[9][1])
    opened = open_block(flip(damaged, 8 * frame, 8 * frame + 1), BLOCK_ID, PARITY)
    assert [(loss.reason, loss.index) for loss in opened.losses] == [(LossReason.BAD_SEAL, 9)]


def test_the_preset_says_whether_there_is_parity() -> None:
    """A block with parity is no block of `correct`, nor the other way round."""
    without = write_block(BLOCK_ID, RECORDS, CORRECT).data
    for data, protection in ((BLOCK, CORRECT), (BLOCK, DETECT), (without, PARITY)):
        (loss,) = open_block(data, BLOCK_ID, protection).losses
        assert loss.reason is LossReason.UNREADABLE_HEAD
