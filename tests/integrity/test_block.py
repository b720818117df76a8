from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.integrity.block import (
    LossReason,
    Seal,
    open_block,
    seal_record,
    write_block,
)
from sealedbeam.pipeline.integrity.checksum import crc32c, digest128
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT, NONE, PROTECTIONS, Protection

from tests.support.blocks import BLOCK_ID, SAMPLES, SEVERAL, Sample, records_of, reopen

each_protection = pytest.mark.parametrize(
    "protection", PROTECTIONS.values(), ids=lambda value: value.name
)
RECORDS = st.lists(
    st.tuples(st.binary(max_size=12), st.binary(max_size=60)),
    max_size=8,
    unique_by=lambda record: record[0],
)


def frame_of(identity: bytes, payload: bytes) -> bytes:
    """A frame as FORMAT.md states it, written out once more."""
    lengths = (struct.pack("<I", len(part)) + part for part in (identity, payload))
    return b"".join(lengths)


@given(st.binary(max_size=20), RECORDS, st.sampled_from(list(PROTECTIONS.values())))
def test_what_is_written_is_read(
    block_id: bytes, records: list[tuple[bytes, bytes]], protection: Protection
) -> None:
    """Any records come back in order from an undamaged block, and nothing is reported."""
    sample = Sample(block_id, tuple(records), protection)
    block = sample.write()
    opened = reopen(sample, block.data)
    assert records == records_of(opened)
    assert (opened.losses, opened.repairs) == ([], [])
    assert [found.number for found in opened.found] == list(range(len(records)))
    assert block.seals == tuple(found.seal for found in opened.found)


@given(RECORDS)
def test_seals_are_those_of_the_frames(records: list[tuple[bytes, bytes]]) -> None:
    """Each seal is both codes in one pass over the frame; the sums add them up modulo 2^128."""
    block = write_block(BLOCK_ID, records, CORRECT)
    frames = [frame_of(*record) for record in records]
    assert block.seals == tuple(Seal(crc32c(frame), digest128(frame)) for frame in frames)
    assert block.seals == tuple(seal_record(*record) for record in records)
    total = sum(int.from_bytes(digest128(frame)) for frame in frames) % 2**128
    assert total == block.digest_sum()
    assert [block.data[slice(*block.frame_extent(i))] for i in range(len(frames))] == frames


@each_protection
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_any_buffer_is_read_and_written(protection: Protection, kind: type) -> None:
    """Payloads and blocks may be bytes, a bytearray or a view of either."""
    block = write_block(BLOCK_ID, [(key, kind(value)) for key, value in SEVERAL], protection)
    assert Sample(BLOCK_ID, SEVERAL, protection).write() == block
    opened = open_block(kind(block.data), BLOCK_ID, protection)
    assert list(SEVERAL) == records_of(opened)
    assert all(found.frame.readonly for found in opened.found)


def test_repeated_identity_is_refused_by_the_writer() -> None:
    """A block in which two records have one identity is never written."""
    with pytest.raises(ValueError, match="identities repeat"):
        write_block(BLOCK_ID, [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")], CORRECT)


def test_long_block_id_is_refused_by_the_writer() -> None:
    """65,535 bytes of block id come back; one more is refused."""
    longest = Sample(b"i" * 65_535, SEVERAL, CORRECT)
    assert list(SEVERAL) == records_of(reopen(longest, longest.write().data))
    with pytest.raises(ValueError, match="too long"):
        write_block(b"i" * 65_536, SEVERAL, CORRECT)


def test_view_of_wider_items_is_refused_by_the_writer() -> None:
    """A payload whose length is not its size in bytes would be cut, so it is refused."""
    wide = np.arange(4, dtype=np.int32).data
    with pytest.raises(ValueError, match="not bytes"):
        write_block(BLOCK_ID, [(b"", wide)], CORRECT)
    with pytest.raises(ValueError, match="view"):
        seal_record(b"", wide)


@pytest.mark.parametrize("count", [0, 3, 5])
def test_seals_must_be_as_many_as_records(count: int) -> None:
    """Seals taken earlier are written only if there is one for each record."""
    with pytest.raises(ValueError, match="one seal"):
        write_block(BLOCK_ID, SEVERAL, CORRECT, [Seal()] * count)


def test_earlier_seals_show_what_storage_changed() -> None:
    """Bytes that come back damaged do not pass under the seal that was taken before storage."""
    seals = SAMPLES["correct_several"].write().seals
    stored = [(key, value.replace(b"first", b"worst")) for key, value in SEVERAL]
    block = write_block(BLOCK_ID, stored, CORRECT, seals)
    opened = open_block(block.data, BLOCK_ID, CORRECT)
    assert list(SEVERAL[1:]) == records_of(opened)
    assert [(loss.reason, loss.index) for loss in opened.losses] == [(LossReason.BAD_SEAL, 0)]


def test_unsealed_block_needs_no_codes() -> None:
    """Under `none` a record costs 16 bytes and a block 90 and its id; seals are zeros."""
    block = SAMPLES["none_several"].write()
    content = sum(len(key) + len(value) for key, value in SEVERAL)
    assert len(block.data) == 90 + len(BLOCK_ID) + 16 * len(SEVERAL) + content
    assert block.seals == (Seal(),) * len(SEVERAL)
    assert block.digest_sum() == 0


def test_sealed_overhead_is_as_stated() -> None:
    """A sealed record costs 64 bytes, a sealed block 180 and twice its id."""
    content = sum(len(key) + len(value) for key, value in SEVERAL)
    for name in ("correct_several", "detect_several"):
        expected = 180 + 2 * len(BLOCK_ID) + 64 * len(SEVERAL) + content
        assert expected == len(SAMPLES[name].write().data)


def test_nothing_delivered_is_a_lost_block() -> None:
    """Where no bytes arrive the reader says so."""
    for protection in (NONE, DETECT, CORRECT):
        opened = open_block(None, BLOCK_ID, protection)
        assert [loss.reason for loss in opened.losses] == [LossReason.LOST_BLOCK]
        assert opened.found == []


def test_unknown_id_is_not_compared() -> None:
    """A reader that cannot know the id takes any proven block."""
    block = SAMPLES["correct_several"].write()
    assert list(SEVERAL) == records_of(open_block(block.data, None, CORRECT))
