"""Reads where things lie in a block on its way: its table, its records' frames and seals."""

from __future__ import annotations

from typing import NamedTuple

from sealedbeam.pipeline.integrity.layout import (
    FRAME_OVERHEAD_BYTES,
    HEADER_BYTES,
    decode_header,
    decode_table,
)

_IDENTITY_START = 4
_LENGTH_BYTES = 4
_CRC_BYTES = 4
_DIGEST_BYTES = 16


class Frame(NamedTuple):
    """One record's frame inside a block: whose it is, its first byte, its length."""

    identity: bytes
    start: int
    length: int


class Outline(NamedTuple):
    """A block's parts.

    Attributes:
        block_id: what the table calls it.
        table: first byte of the table, and the first after it.
        frames: of its records, in order.
        crcs: first byte of the records' CRCs, 4 bytes each; None in a block without seals.
        parity: first byte of the parity, and the first after it; the same in a block without.
    """

    block_id: bytes
    table: tuple[int, int]
    frames: list[Frame]
    crcs: int | None
    parity: tuple[int, int]

    def seal_bytes(self, number: int) -> list[int]:
        """Return the bytes of the seal of one record, none without seals."""
        if self.crcs is None:
            return []
        crc = self.crcs + _CRC_BYTES * number
        return [*range(crc, crc + _CRC_BYTES), *self._digest_bytes(self.crcs, number)]

    def digest(self, data: bytes, number: int) -> bytes | None:
        """Return the XXH3-128 that the table of `data` states for a record, None without seals."""
        if self.crcs is None:
            return None
        place = self._digest_bytes(self.crcs, number)
        return data[place.start : place.stop]

    def _digest_bytes(self, crcs: int, number: int) -> range:
        start = crcs + _CRC_BYTES * len(self.frames) + _DIGEST_BYTES * number
        return range(start, start + _DIGEST_BYTES)


def read_outline(data: bytes) -> Outline | None:
    """Return the outline of a block, sealed or not; None of one that cannot be read."""
    view = memoryview(data)
    sealed = decode_header(view, sealed=True, correct=False)
    header = sealed or decode_header(view, sealed=False, correct=False)
    if header is None:
        return None
    start = HEADER_BYTES + header[0].table_bytes
    read = decode_table(view[HEADER_BYTES:start], header[0], correct=False)
    if read is None or start + header[0].frames_bytes > len(view):
        return None
    table = read[0]
    crcs = HEADER_BYTES + 2 + len(table.block_id) + 2 * _LENGTH_BYTES * header[0].count
    frames = []
    end = start
    for identity_length, payload_length in zip(
        table.identity_lengths, table.payload_lengths, strict=True
    ):
        length = FRAME_OVERHEAD_BYTES + identity_length + payload_length
        begin = end + _IDENTITY_START
        frames.append(Frame(data[begin : begin + identity_length], end, length))
        end += length
    parity = end, end + header[0].parity_bytes
    extent = HEADER_BYTES, start
    return Outline(table.block_id, extent, frames, crcs if sealed else None, parity)
