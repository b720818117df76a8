"""Judges a sealed region and corrects one flipped bit: CRC-32C proposes, XXH3-128 decides.

Hypotheses, in this order; the first that is consistent with both codes is the verdict:
1. nothing is damaged;
2. the region is whole and its stored CRC was hit (XXH3-128 agrees as it stands);
3. the region is whole and one bit of its stored XXH3-128 was hit (the CRC agrees);
4. one bit of the region flipped: the syndrome names it, and XXH3-128 agrees once it is put back.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from .checksum import crc32c, digest128
from .syndrome import locate_flip

if TYPE_CHECKING:
    from sealedbeam.pipeline.errors import Buffer


class Method(StrEnum):
    """How damage was corrected; the values are label values of metrics."""

    SYNDROME = "syndrome"
    SEAL = "seal"
    MIRROR = "mirror"
    PARITY = "parity"


class Mended(NamedTuple):
    """A region that agrees with its seal: as it was found (`method` None), or corrected."""

    data: Buffer
    method: Method | None = None
    bits: int = 0


def mend(region: Buffer, stored_crc: int, stored_digest: bytes, *, correct: bool) -> Mended | None:
    """Return `region` proven by its seal, corrected if need be and allowed; None when damaged."""
    digest = digest128(region)
    crc = crc32c(region)
    if digest == stored_digest and crc == stored_crc:
        return Mended(region)
    return _correct(region, (stored_crc, stored_digest), (crc, digest)) if correct else None


def _correct(
    region: Buffer, stored: tuple[int, bytes], computed: tuple[int, bytes]
) -> Mended | None:
    (stored_crc, stored_digest), (crc, digest) = stored, computed
    if digest == stored_digest:
        return Mended(region, Method.SEAL, (crc ^ stored_crc).bit_count())
    if crc == stored_crc:
        bits = (int.from_bytes(digest) ^ int.from_bytes(stored_digest)).bit_count()
        return Mended(region, Method.SEAL, bits) if bits == 1 else None
    position = locate_flip(stored_crc, crc, len(region))
    if position is None:
        return None
    corrected = bytearray(region)
    corrected[position >> 3] ^= 1 << (position & 7)
    if digest128(corrected) != stored_digest:
        return None
    return Mended(bytes(corrected), Method.SYNDROME, 1)
