"""Bytes that are good in themselves, in the wrong place: swapped, repeated, replayed, torn."""

from __future__ import annotations

from dataclasses import replace

from sealedbeam.pipeline.integrity.block import Block, LossReason, open_block, write_block
from sealedbeam.pipeline.integrity.checksum import crc32c, digest128
from sealedbeam.pipeline.integrity.layout import HEADER_BYTES, Header, Table
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT, NONE, Protection

from tests.support.blocks import (
    BLOCK_ID,
    records_of,
)

PAIR = ((b"key-a", b"12345"), (b"key-b", b"abcde"))


def rebuild(table: Table, frames: bytes, protection: Protection = CORRECT) -> bytes:
    """A block with good seals for its header and table, whatever they say."""
    encoded = table.encode()
    sizes = (len(table.identity_lengths), len(encoded), 0, len(frames))
    seal = (crc32c(encoded), digest128(encoded))
    header = Header(protection.protection_id, 1, *sizes, table.digest_sum(), *seal).encode()
    return header + encoded + frames + encoded + header


def table_of(block: Block, records: tuple[tuple[bytes, bytes], ...]) -> Table:
    return Table(
        block.block_id,
        tuple(len(key) for key, _ in records),
        tuple(len(value) for _, value in records),
        tuple(seal.crc for seal in block.seals),
        b"".join(seal.digest for seal in block.seals),
    )


def test_swapped_frames_are_refused() -> None:
    """Two frames of one length that change places are both lost: each is under the other's seal."""
    block = write_block(BLOCK_ID, PAIR, CORRECT)
    (a, b), (_, c) = block.frame_extent(0), block.frame_extent(1)
    swapped = block.data[:a] + block.data[b:c] + block.data[a:b] + block.data[c:]
    opened = open_block(swapped, BLOCK_ID, CORRECT)
    assert opened.found == []
    assert [loss.reason for loss in opened.losses] == [LossReason.BAD_SEAL] * 2


def test_swapped_fields_are_refused() -> None:
    """An identity and a payload of equal length that change places break the seal."""
    block = write_block(BLOCK_ID, [(b"12345", b"abcde")], CORRECT)
    swapped = block.data.replace(b"12345", b"-----").replace(b"abcde", b"12345")
    swapped = swapped.replace(b"-----", b"abcde")
    opened = open_block(swapped, BLOCK_ID, CORRECT)
    assert swapped != block.data
    assert [loss.reason for loss in opened.losses] == [LossReason.BAD_SEAL]
    assert opened.found == []


def test_bytes_cannot_move_between_fields() -> None:
    """The same bytes, cut elsewhere into identity and payload, have another seal."""
    records = [(b"ab", b"cde"), (b"abc", b"de"), (b"", b"abcde"), (b"abcde", b"")]
    seals = {write_block(BLOCK_ID, [record], CORRECT).seals for record in records}
    assert len(seals) == len(records)


def test_swapped_entries_of_the_table_are_refused() -> None:
    """Two seals of the table that change places break the table's own seal; the mirror serves."""
    block = write_block(BLOCK_ID, PAIR, CORRECT)
    crcs = HEADER_BYTES + 2 + len(BLOCK_ID) + 16
    damaged = bytearray(block.data)
    damaged[crcs : crcs + 8] = block.data[crcs + 4 : crcs + 8] + block.data[crcs : crcs + 4]
    opened = open_block(bytes(damaged), BLOCK_ID, CORRECT)
    assert list(PAIR) == records_of(opened)
    assert opened.repairs != []


def test_duplicate_record_is_taken_once() -> None:
    """Even with good seals all over, the second record of one identity is a loss."""
    block = write_block(BLOCK_ID, PAIR, CORRECT)
    begin, end = block.frame_extent(0)
    double = Block(b"", BLOCK_ID, (), (block.seals[0],) * 2, CORRECT)
    table = table_of(double, (PAIR[0], PAIR[0]))
    opened = open_block(rebuild(table, block.data[begin:end] * 2), BLOCK_ID, CORRECT)
    assert [PAIR[0]] == records_of(opened)
    assert [(loss.reason, loss.index) for loss in opened.losses] == [(LossReason.DUPLICATE, 1)]


def test_another_block_under_this_id_is_refused() -> None:
    """Another block replayed whole, or its head before these frames, gives no record of its own."""
    block, other = (write_block(key, PAIR, CORRECT) for key in (BLOCK_ID, b"other" + BLOCK_ID[5:]))
    opened = open_block(other.data, BLOCK_ID, CORRECT)
    assert opened.found == []
    assert [loss.reason for loss in opened.losses] == [LossReason.FOREIGN_BLOCK]
    begin = block.bounds[0]
    opened = open_block(other.data[:begin] + block.data[begin:], BLOCK_ID, CORRECT)
    assert opened.found == []


def test_header_of_another_block_does_not_pass_for_this_one() -> None:
    """A header with a good seal of its own that describes another table is not believed."""
    block = write_block(BLOCK_ID, PAIR, CORRECT)
    other = write_block(BLOCK_ID, [(b"key-a", b"54321"), (b"key-b", b"abcde")], CORRECT)
    mixed = other.data[:HEADER_BYTES] + block.data[HEADER_BYTES:]
    opened = open_block(mixed, BLOCK_ID, CORRECT)
    assert list(PAIR) == records_of(opened)
    assert opened.repairs != []


def test_code_none_with_a_good_head_is_refused() -> None:
    """A block that says it is unsealed is refused by a reader that was told it is sealed."""
    unsealed = write_block(BLOCK_ID, PAIR, NONE)
    sealed = write_block(BLOCK_ID, PAIR, CORRECT)
    for data, told in ((unsealed.data, CORRECT), (unsealed.data, DETECT), (sealed.data, NONE)):
        opened = open_block(data, BLOCK_ID, told)
        assert opened.found == []
        assert [loss.reason for loss in opened.losses] == [LossReason.UNREADABLE_HEAD]


def test_heads_that_disagree_are_not_believed() -> None:
    """A header with a good seal, but one number that the table belies, is refused."""
    block = write_block(BLOCK_ID, PAIR, CORRECT)
    table = table_of(block, PAIR)
    encoded, frames = table.encode(), block.data[slice(block.bounds[0], block.bounds[-1])]
    seal = (crc32c(encoded), digest128(encoded))
    assert list(PAIR) == records_of(open_block(rebuild(table, frames), BLOCK_ID, CORRECT))
    good = Header(2, 1, 2, len(encoded), 0, len(frames), table.digest_sum(), *seal)
    changes = [
        {"count": 1},
        {"count": 3},
        {"table_bytes": len(encoded) - 1},
        {"parity_bytes": 1},
        {"frames_bytes": len(frames) + 1},
        {"digest_sum": 1},
        {"code_id": 0},
        {"code_id": 2},
    ]
    for change in changes:
        header = replace(good, **change).encode()  # type: ignore[arg-type] # all are numbers
        opened = open_block(header + encoded + frames + encoded + header, BLOCK_ID, CORRECT)
        assert [loss.reason for loss in opened.losses] == [LossReason.UNREADABLE_HEAD], change


def test_torn_block_gives_either_version_or_nothing() -> None:
    """Of a block that was overwritten up to some byte each record is the new one or a loss."""
    old = write_block(BLOCK_ID, PAIR, CORRECT)
    renewed = ((b"key-a", b"54321"), (b"key-b", b"edcba"))
    new = write_block(BLOCK_ID, renewed, CORRECT)
    for length in range(1, len(old.data)):
        torn = new.data[:length] + old.data[length:]
        opened = open_block(torn, BLOCK_ID, CORRECT)
        assert opened.losses or opened.repairs or torn in {old.data, new.data}
        records = set(records_of(opened))
        assert records <= set(renewed) or records <= set(PAIR)
