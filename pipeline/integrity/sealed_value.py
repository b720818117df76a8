"""One value under its own seal, bound to an identity that travels beside it: pure functions.

    CRC-32C u32 | XXH3-128, 16 bytes | payload        (little-endian)

The codes are those of a record (FORMAT.md): over both lengths, identity and payload. The identity
is not stored. Whoever opens the value says under which one he found it, so that a value that was
swapped to another identity does not open.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from .block import LossReason
from .checksum import active_provider, digest128
from .correction import Method, mend

if TYPE_CHECKING:
    from .protection import Protection

_SEAL = struct.Struct("<I16s")
_LENGTH = struct.Struct("<I")
VALUE_OVERHEAD_BYTES = _SEAL.size


def seal_value(identity: bytes, payload: bytes, protection: Protection) -> bytes:
    """Return `payload` behind the seal that binds it to `identity`; as it is under `none`."""
    if not protection.seals:
        return payload
    frame = b"".join((_prefix(identity, len(payload)), payload))
    return _SEAL.pack(active_provider().of_bytes(frame), digest128(frame)) + payload


def _prefix(identity: bytes, payload_bytes: int) -> bytes:
    """Return what `layout.frame_prefix` returns; values come one by one, so each call counts."""
    return _LENGTH.pack(len(identity)) + identity + _LENGTH.pack(payload_bytes)


def sealed_digest(data: bytes, protection: Protection) -> bytes:
    """Return the XXH3-128 that stands in a sealed value, unproven; zeros where there is none."""
    known = protection.seals and len(data) >= VALUE_OVERHEAD_BYTES
    return data[4:VALUE_OVERHEAD_BYTES] if known else bytes(16)


def open_value(
    identity: bytes, data: bytes, protection: Protection
) -> tuple[bytes, Method | None] | LossReason:
    """Return the payload and how it was corrected (None: it was intact), or why there is none."""
    if not protection.seals:
        return data, None
    if len(data) < VALUE_OVERHEAD_BYTES:
        return LossReason.TRUNCATED
    crc, digest = _SEAL.unpack_from(data)
    prefix = _prefix(identity, len(data) - VALUE_OVERHEAD_BYTES)
    payload = data[VALUE_OVERHEAD_BYTES:]
    frame = prefix + payload
    if digest128(frame) == digest and active_provider().of_bytes(frame) == crc:
        return payload, None
    mended = mend(frame, crc, digest, correct=protection.corrects)
    # A flip that is put back in the prefix would mean another identity than the one it has.
    if mended is None or mended.data[: len(prefix)] != prefix:
        return LossReason.BAD_SEAL
    return bytes(mended.data[len(prefix) :]), mended.method
