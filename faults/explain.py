"""Says what each check saw of a delivery: header, table, CRC-32C, syndrome, XXH3-128, identity.

The checks are asked again one by one, with the pipeline's own functions. What the ladder did with
their answers is the outcome of the replay, not of this module.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from sealedbeam.pipeline.integrity.block import open_block
from sealedbeam.pipeline.integrity.checksum import crc32c, digest128
from sealedbeam.pipeline.integrity.layout import HEADER_BYTES, decode_header, decode_table
from sealedbeam.pipeline.integrity.syndrome import locate_flip

from .outline import read_outline

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealedbeam.pipeline.integrity.block import Opened
    from sealedbeam.pipeline.integrity.correction import Mended
    from sealedbeam.pipeline.integrity.layout import Table
    from sealedbeam.pipeline.integrity.protection import Protection

    from .outline import Frame, Outline

ROW_BYTES = 16
ROWS_MAX = 8
_RECORDS_MAX = 8


class Change(NamedTuple):
    """A row of bytes that changed: its offset, both versions, and which bits flipped."""

    offset: int
    before: bytes
    after: bytes
    bits: tuple[int, ...]


class Changes(NamedTuple):
    """What changed of some bytes: how many bits, the first rows, and how many there are."""

    bits: int
    rows: tuple[Change, ...]
    rows_in_all: int

    def to_json(self) -> dict[str, Any]:
        """Return the changes as values."""
        rows = [
            {"offset": row.offset, "before": row.before.hex(), "after": row.after.hex()}
            | {"bits": list(row.bits)}
            for row in self.rows
        ]
        return {"bits": self.bits, "rows": rows, "rows_in_all": self.rows_in_all}


def compare_bytes(before: bytes, after: bytes) -> Changes:
    """Return which bytes differ, as far as both go."""
    length = min(len(before), len(after))
    left, right = (np.frombuffer(data, np.uint8, length) for data in (before, after))
    differs = left ^ right
    rows = np.unique(np.flatnonzero(differs) // ROW_BYTES)
    shown = tuple(_row(before, after, int(row)) for row in rows[:ROWS_MAX])
    return Changes(int(np.unpackbits(differs).sum()), shown, len(rows))


def _row(before: bytes, after: bytes, number: int) -> Change:
    start = number * ROW_BYTES
    pair = before[start : start + ROW_BYTES], after[start : start + ROW_BYTES]
    bits = tuple(
        8 * (start + at) + bit
        for at, (one, other) in enumerate(zip(*pair, strict=False))
        for bit in range(8)
        if (one ^ other) >> bit & 1
    )
    return Change(start, *pair, bits)


def list_checks(
    before: bytes, after: bytes | None, identity: bytes | None, protection: Protection
) -> list[str]:
    """Return what each check says of a delivery, in the order in which they are asked.

    Args:
        before: the block that was handed over.
        after: what arrived, None for nothing.
        identity: the record that it is about; None for all that are not as they were.
        protection: the preset that the block was written with.
    """
    outline = read_outline(before)
    if outline is None:
        return ["the block that was handed over cannot be read"]
    if after is None:
        return ["nothing arrived: lost_block"]
    if not protection.seals:
        return ["no seals: nothing is checked but that lengths stay within the block"]
    return list(_check_block(outline, after, identity, protection))


def _check_block(
    outline: Outline, after: bytes, identity: bytes | None, protection: Protection
) -> Iterator[str]:
    view = memoryview(after)
    yield f"{len(after):,} bytes arrived"
    header = decode_header(view, sealed=True, correct=protection.corrects)
    yield f"header: {_describe(header and header[1])}"
    table = None
    if header is not None:
        data = view[HEADER_BYTES : HEADER_BYTES + header[0].table_bytes]
        table = decode_table(data, header[0], correct=protection.corrects)
        yield f"table: {_describe(table and table[1])}"
    if table is None:
        yield "the mirror of header and table at the block's end is tried"
    elif table[0].block_id != outline.block_id:
        yield f"block id: {table[0].block_id!r} instead of {outline.block_id!r}: foreign_block"
        return
    opened = open_block(after, outline.block_id, protection)
    whole = [loss for loss in opened.losses if loss.index is None]
    if whole:
        yield f"the whole block is refused: {whole[0].reason}"
        return
    yield from _check_records(outline, opened, table and table[0], view, identity)


def _check_records(
    outline: Outline,
    opened: Opened,
    table: Table | None,
    view: memoryview,
    identity: bytes | None,
) -> Iterator[str]:
    """Yield what the seals say of one record, or of all that are not as they were."""
    reasons = {loss.index: loss.reason for loss in opened.losses}
    methods = {found.number: found.method for found in opened.found}
    touched = [
        (number, frame)
        for number, frame in enumerate(outline.frames)
        if (identity is None and (number in reasons or methods.get(number)))
        or frame.identity == identity
    ]
    for number, frame in touched[:_RECORDS_MAX]:
        prefix = "" if identity is not None else f"record {number}: "
        if table is not None:
            yield from (prefix + line for line in _check_record(frame, number, table, view))
        method = methods.get(number)
        how = "as it arrived" if method is None else f"corrected by {method}"
        refused = number in reasons
        yield prefix + (f"refused: {reasons[number]}" if refused else f"accepted, {how}")
    if identity is None:
        intact = len(outline.frames) - len(touched)
        yield f"{intact:,} of {len(outline.frames):,} records are intact"


def _describe(mended: Mended | None) -> str:
    if mended is None:
        return "refused, its seal does not agree"
    return "intact" if mended.method is None else f"corrected by {mended.method}"


def _check_record(frame: Frame, number: int, table: Table, view: memoryview) -> Iterator[str]:
    """Yield what the seal says of one record where it should lie."""
    data = view[frame.start : frame.start + frame.length]
    if len(data) < frame.length:
        yield f"frame: {len(data):,} of {frame.length:,} bytes are there"
        return
    stored, computed = table.crcs[number], crc32c(data)
    agrees = "agrees" if stored == computed else "does not agree"
    yield f"CRC-32C: stored {stored:08x}, computed {computed:08x}: {agrees}"
    digest = table.digests[16 * number : 16 * number + 16]
    same = digest128(data) == digest
    yield f"XXH3-128: {'agrees' if same else 'does not agree'}"
    if stored == computed:
        return
    bit = locate_flip(stored, computed, len(data))
    if bit is None:
        yield "syndrome: that of no single flipped bit"
        return
    mended = bytearray(data)
    mended[bit >> 3] ^= 1 << (bit & 7)
    proven = (
        "agrees" if digest128(mended) == digest else "does not agree: more than one bit flipped"
    )
    yield f"syndrome: names bit {bit:,}; with it put back XXH3-128 {proven}"
