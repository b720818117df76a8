"""The byte layout of a sealed block: header and table, as FORMAT.md states them.

    header | table | frames | parity | table | header

The second pair stands in sealed blocks only, the parity in those of a preset that has it.

Rule: nothing that was read is believed, and nothing is allocated by it, before its own check has
passed and its numbers have been compared with the bytes that are really there.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .checksum import CRC32C_XXH3, DIGEST_MODULUS, NO_CODE, crc32c, digest128
from .correction import Mended, mend
from .parity import parity_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.errors import Buffer

    from .protection import Protection

MAGIC = b"SBLK\r\n\x1a\n"
VERSION = 1
HEADER_BYTES = 88
BLOCK_ID_BYTES_MAX = 65_535
_BODY = struct.Struct("<8sHBBIIIQ16sI16s")  # all of the header but its own seal
_SEAL = struct.Struct("<I16s")
FRAME_OVERHEAD_BYTES = 8  # the two lengths inside a frame


@dataclass(frozen=True, slots=True)
class Header:
    """The fields of a header; `digest_sum` is the sum of the records' XXH3-128 modulo 2^128."""

    protection_id: int
    code_id: int
    count: int
    table_bytes: int
    parity_bytes: int
    frames_bytes: int
    digest_sum: int
    table_crc: int
    table_digest: bytes

    @property
    def body_bytes(self) -> int:
        """Size of the first head and all frames: what the parity is of."""
        return HEADER_BYTES + self.table_bytes + self.frames_bytes

    @property
    def block_bytes(self) -> int:
        """Size of the whole block, if it is a sealed one."""
        return self.body_bytes + self.parity_bytes + self.table_bytes + HEADER_BYTES

    def encode(self) -> bytes:
        """Return the 88 bytes of the header; unsealed blocks have a seal of zeros."""
        body = _BODY.pack(
            MAGIC,
            VERSION,
            self.protection_id,
            self.code_id,
            self.count,
            self.table_bytes,
            self.parity_bytes,
            self.frames_bytes,
            self.digest_sum.to_bytes(16),
            self.table_crc,
            self.table_digest,
        )
        if self.code_id == NO_CODE.code_id:
            return body + bytes(_SEAL.size)
        return body + _SEAL.pack(crc32c(body), digest128(body))


@dataclass(frozen=True, slots=True)
class Table:
    """What the block says of its records, in order: lengths in bytes, CRC-32C, XXH3-128."""

    block_id: bytes
    identity_lengths: tuple[int, ...]
    payload_lengths: tuple[int, ...]
    crcs: tuple[int, ...] = ()
    digests: bytes = b""

    def encode(self) -> bytes:
        """Return the table's bytes."""
        columns = (*self.identity_lengths, *self.payload_lengths, *self.crcs)
        head = struct.pack("<H", len(self.block_id)) + self.block_id
        return head + struct.pack(f"<{len(columns)}I", *columns) + self.digests

    def frame_bounds(self) -> list[int]:
        """Return the n + 1 offsets, from the first frame's start, that bound the n frames."""
        bounds, end = [0], 0
        for identity, payload in zip(self.identity_lengths, self.payload_lengths, strict=True):
            end += FRAME_OVERHEAD_BYTES + identity + payload
            bounds.append(end)
        return bounds

    def digest_sum(self) -> int:
        """Return the sum of the records' digests modulo 2^128."""
        digests = self.digests
        parts = (int.from_bytes(digests[i : i + 16]) for i in range(0, len(digests), 16))
        return sum(parts) % DIGEST_MODULUS


def frame_prefix(identity: bytes, payload_bytes: int) -> bytes:
    """Return what stands before the payload in a frame: both lengths and the identity."""
    return struct.pack(f"<I{len(identity)}sI", len(identity), identity, payload_bytes)


def build_head(protection: Protection, table: Table, frames_bytes: int) -> tuple[bytes, bytes]:
    """Return the encoded header and table of a block."""
    encoded = table.encode()
    sealed = protection.seals
    header = Header(
        protection.protection_id,
        protection.code.code_id,
        len(table.identity_lengths),
        len(encoded),
        parity_bytes(HEADER_BYTES + len(encoded) + frames_bytes) if protection.parity else 0,
        frames_bytes,
        table.digest_sum(),
        crc32c(encoded) if sealed else 0,
        digest128(encoded) if sealed else bytes(16),
    )
    return header.encode(), encoded


def decode_header(
    data: Buffer, *, sealed: bool, correct: bool, parity: bool | None = None
) -> tuple[Header, Mended] | None:
    """Return a proven header and how it was proven, or None.

    A sealed header is proven by its seal. An unsealed one has only its magic and version; the
    caller says which it expects, so that a flip in the header cannot turn the checks off.

    Args:
        data: begins with the header.
        sealed: whether it must have a seal.
        correct: whether one flipped bit may be put back.
        parity: whether the block must have parity; None takes both.
    """
    if len(data) < HEADER_BYTES:
        return None
    mended = Mended(data[: _BODY.size])
    if sealed:
        seal_crc, seal_digest = _SEAL.unpack_from(data, _BODY.size)
        proven = mend(data[: _BODY.size], seal_crc, seal_digest, correct=correct)
        if proven is None:
            return None
        mended = proven
    magic, version, protection_id, code_id, *sizes, total, crc, digest = _BODY.unpack(mended.data)
    count, table, parity_size, frames = sizes
    header = Header(
        *(protection_id, code_id, count, table, parity_size, frames),
        int.from_bytes(total),
        crc,
        digest,
    )
    expected_code = CRC32C_XXH3 if sealed else NO_CODE
    has_parity = header.parity_bytes > 0 if parity is None else parity
    known = (
        magic == MAGIC
        and version == VERSION
        and code_id == expected_code.code_id
        and header.parity_bytes == (parity_bytes(header.body_bytes) if has_parity else 0)
    )
    return (header, mended) if known else None


def decode_table(data: Buffer, header: Header, *, correct: bool) -> tuple[Table, Mended] | None:
    """Return the proven table that `header` describes, and how it was proven, or None."""
    sealed = header.code_id != NO_CODE.code_id
    if len(data) != header.table_bytes or len(data) < 2:  # noqa: PLR2004 - the id's own length
        return None
    mended = Mended(data)
    if sealed:
        proven = mend(data, header.table_crc, header.table_digest, correct=correct)
        if proven is None:
            return None
        mended = proven
    table = _parse_table(mended.data, header.count, sealed=sealed)
    if table is None or table.frame_bounds()[-1] != header.frames_bytes:
        return None
    if sealed and table.digest_sum() != header.digest_sum:
        return None
    return table, mended


def _parse_table(data: Buffer, count: int, *, sealed: bool) -> Table | None:
    (id_bytes,) = struct.unpack_from("<H", data)
    start = 2 + id_bytes
    per_record = 28 if sealed else 8
    if len(data) != start + count * per_record:
        return None
    columns: Sequence[int] = struct.unpack_from(f"<{count * (3 if sealed else 2)}I", data, start)
    return Table(
        bytes(data[2:start]),
        tuple(columns[:count]),
        tuple(columns[count : 2 * count]),
        tuple(columns[2 * count :]),
        bytes(data[start + 12 * count :]) if sealed else b"",
    )
