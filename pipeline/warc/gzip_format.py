"""The frame of a gzip member (RFC 1952): header and trailer, without the deflate data between."""

from __future__ import annotations

import zlib
from typing import Final

MAGIC: Final = b"\x1f\x8b\x08"  # identification and the only compression method in use
FIXED_HEADER_BYTES: Final = 10
TRAILER_BYTES: Final = 8
MIN_MEMBER_BYTES: Final = FIXED_HEADER_BYTES + 2 + TRAILER_BYTES
MAX_DEFLATE_RATIO: Final = 1040  # deflate expands one stored byte to at most 1032

_HEADER_CRC, _EXTRA, _NAME, _COMMENT, _RESERVED = 0x02, 0x04, 0x08, 0x10, 0xE0


def header_length(head: bytes) -> int | None:
    """Return how long the member header is that `head` begins with; None if it is no header.

    The optional header checksum is checked: without it, junk whose flags announce long optional
    fields could swallow the header of the member behind it.
    """
    if len(head) < FIXED_HEADER_BYTES or head[:3] != MAGIC or head[3] & _RESERVED:
        return None
    flags = head[3]
    end = FIXED_HEADER_BYTES
    if flags & _EXTRA:
        end += 2 + int.from_bytes(head[end : end + 2], "little")
    for flag in (_NAME, _COMMENT):
        if flags & flag:
            end = head.find(b"\0", end) + 1
            if end == 0:
                return None
    if flags & _HEADER_CRC:
        if head[end : end + 2] != (zlib.crc32(head[:end]) & 0xFFFF).to_bytes(2, "little"):
            return None
        end += 2
    return end if end <= len(head) else None


def trailer_of(crc: int, inflated_bytes: int) -> bytes:
    """Return the trailer of a member with these contents: CRC-32 and size modulo 2^32."""
    return crc.to_bytes(4, "little") + (inflated_bytes & 0xFFFFFFFF).to_bytes(4, "little")
