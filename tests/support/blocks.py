"""Small sealed blocks for tests: fixed samples, damage done to bytes, and what must never happen.

`check_no_wrong_record` is the claim that all integrity tests share. It knows the true records and
compares bytes with bytes; it uses no code of the package but the reader's own answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.integrity.block import open_block, write_block
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT, NONE, PARITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sealedbeam.pipeline.integrity.block import Block, Opened
    from sealedbeam.pipeline.integrity.protection import Protection

BLOCK_ID = b"part-00000/pages/000000"


class Sample(NamedTuple):
    """A block to be written: id, records and protection."""

    block_id: bytes
    records: tuple[tuple[bytes, bytes], ...]
    protection: Protection

    def write(self) -> Block:
        """Return the block."""
        return write_block(self.block_id, self.records, self.protection)


SEVERAL = ((b"id-1", b"first payload"), (b"id-22", b""), (b"", b"no identity"), (b"i", b"\0\xff"))

SAMPLES: Mapping[str, Sample] = {
    "correct_one": Sample(b"block", ((b"id", b"payload"),), CORRECT),
    "correct_several": Sample(BLOCK_ID, SEVERAL, CORRECT),
    "detect_several": Sample(BLOCK_ID, SEVERAL, DETECT),
    "none_several": Sample(BLOCK_ID, SEVERAL, NONE),
    "correct_empty_payload": Sample(BLOCK_ID, ((b"id", b""),), CORRECT),
    "correct_empty_identity": Sample(BLOCK_ID, ((b"", b"payload"),), CORRECT),
    "correct_no_record": Sample(b"", (), CORRECT),
    "parity_several": Sample(BLOCK_ID, SEVERAL, PARITY),
}
"""Every kind of block that the format knows, by the name of its golden file."""


def flip(data: bytes, *bits: int) -> bytes:
    """Return `data` with these bits flipped; bit 0 is the least significant of the first byte."""
    damaged = bytearray(data)
    for bit in bits:
        damaged[bit >> 3] ^= 1 << (bit & 7)
    return bytes(damaged)


def every_flip(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield each bit's number and `data` with that bit flipped."""
    for bit in range(8 * len(data)):
        yield bit, flip(data, bit)


def records_of(opened: Opened) -> list[tuple[bytes, bytes]]:
    """Return the identity and payload of each record that a reader accepted."""
    return [(found.identity, bytes(found.payload)) for found in opened.found]


def check_no_wrong_record(opened: Opened, records: Sequence[tuple[bytes, bytes]]) -> None:
    """Assert that whatever was accepted was written, at the place where it is said to be, once."""
    for found in opened.found:
        assert records[found.number] == (found.identity, bytes(found.payload))
    indices = [found.number for found in opened.found]
    assert sorted(set(indices)) == indices


def reopen(sample: Sample, data: bytes | None) -> Opened:
    """Return what a reader that knows the block's id gets out of `data`."""
    return open_block(data, sample.block_id, sample.protection)
