"""Claims about the outline of a block: its parts lie where the writer put them."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.outline import read_outline
from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.layout import HEADER_BYTES
from sealedbeam.pipeline.integrity.protection import PROTECTIONS

RECORDS = st.dictionaries(st.binary(max_size=30), st.binary(max_size=200), max_size=12)


@given(RECORDS, st.binary(max_size=40), st.sampled_from(sorted(PROTECTIONS)))
def test_frames_and_seals_are_found(
    records: dict[bytes, bytes], block_id: bytes, protection: str
) -> None:
    """Each record's frame, its CRC and its digest are the bytes that the writer made of it."""
    block = write_block(block_id, records.items(), PROTECTIONS[protection])
    outline = read_outline(block.data)
    assert outline is not None
    assert outline.block_id == block_id
    assert outline.table[0] == HEADER_BYTES
    assert [frame.identity for frame in outline.frames] == list(records)
    for number, frame in enumerate(outline.frames):
        assert block.frame_extent(number) == (frame.start, frame.start + frame.length)
        if protection == "none":
            assert outline.digest(block.data, number) is None
            assert outline.seal_bytes(number) == []
            continue
        seal = block.seals[number]
        assert seal.digest == outline.digest(block.data, number)
        stored = bytes(block.data[place] for place in outline.seal_bytes(number))
        assert stored == struct.pack("<I", seal.crc) + seal.digest


@given(RECORDS, st.sampled_from(sorted(PROTECTIONS)), st.data())
def test_cut_block_has_no_outline_past_its_end(
    records: dict[bytes, bytes], protection: str, data: st.DataObject
) -> None:
    """Of a block that is cut there is no outline, or one that lies within it."""
    block = write_block(b"id", records.items(), PROTECTIONS[protection]).data
    cut = block[: data.draw(st.integers(0, len(block)))]
    outline = read_outline(cut)
    if outline is not None:
        assert all(frame.start + frame.length <= len(cut) for frame in outline.frames)


@pytest.mark.parametrize("data", [b"", b"SBLK", bytes(88), bytes(500)])
def test_what_is_no_block_has_no_outline(data: bytes) -> None:
    """Anything else is read as nothing."""
    assert read_outline(data) is None
