"""Packs a fixed number of byte strings into one payload, and takes them apart again.

The layout is one little-endian u32 length per field, then the fields end to end. The number of
fields is known to both sides, so a payload of another shape is refused before anything is read.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .errors import Buffer


@lru_cache(maxsize=64)
def _lengths(count: int) -> struct.Struct:
    return struct.Struct(f"<{count}I")


def pack_fields(fields: Sequence[Buffer]) -> bytes:
    """Return `fields` as one payload; each is at most 2^32 - 1 bytes."""
    return b"".join((_lengths(len(fields)).pack(*map(len, fields)), *fields))


def unpack_fields(payload: Buffer, count: int) -> list[memoryview]:
    """Return the `count` fields of `payload` without copying them.

    Raises:
        ValueError: the lengths do not add up to the size of the payload.
    """
    view = memoryview(payload)
    start = 4 * count
    if len(view) < start:
        raise ValueError(f"payload of {len(view)} bytes is too short for {count} lengths")
    lengths = _lengths(count).unpack_from(view)
    if start + sum(lengths) != len(view):
        raise ValueError(f"{count} fields need {start + sum(lengths)} bytes, got {len(view)}")
    fields = []
    for length in lengths:
        fields.append(view[start : start + length])
        start += length
    return fields
