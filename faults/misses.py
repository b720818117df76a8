"""How likely each of the pipeline's codes is to take altered bytes for right ones.

Theory, with n the bits of the record and its CRC-32C together, k the flipped bits:

* `none`: 1.
* `crc32c`: the polynomial has the factor x + 1, so an odd k is always seen. So is k = 2 up to
  2^31 - 1 bits, any burst of up to 32 bits, and k = 4 while n is at most 5,275 (computed here from
  all pairs of positions; the tests do it again). All other even patterns are missed by one
  in 2^31: an even pattern's CRC difference is even, too, so one of 32 bits is fixed.
* `crc32c_correcting` also mends what looks like one flipped bit. One flip is mended rightly. An
  odd k from 3 on looks like one of the n single flips in n / 2^31 of all cases, and is then mended
  wrongly and accepted.
* `detect` and `correct` are these two with XXH3-128 over the same bytes, which stops all but one in
  2^128, taken for a random function. They are what the pipeline's protections use.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CRC_BITS = 32
FOUR_FLIPS_SEEN_BITS = 5275
_EVEN_MISS = 2.0**-31
_HASH_MISS = 2.0**-128
_FOUR = 4


class Code(StrEnum):
    """The codes, cheapest first; the values stand in reports."""

    NONE = "none"
    CRC32C = "crc32c"
    CRC32C_CORRECTING = "crc32c_correcting"
    DETECT = "detect"
    CORRECT = "correct"


def miss_probability(code: Code, bits: Sequence[int], length_bits: int) -> float:
    """Return how likely a record with these bits flipped is accepted as right.

    Args:
        code: what guards it.
        bits: the record's bits that flipped, ascending, each once.
        length_bits: of the record without its CRC.
    """
    if not bits:
        return 0.0
    if code is Code.NONE:
        return 1.0
    corrects = code in {Code.CRC32C_CORRECTING, Code.CORRECT}
    missed = _crc_miss(bits, length_bits + CRC_BITS, corrects=corrects)
    return missed * (_HASH_MISS if code in {Code.DETECT, Code.CORRECT} else 1.0)


def _crc_miss(bits: Sequence[int], total_bits: int, *, corrects: bool) -> float:
    flips = len(bits)
    if flips % 2:
        return min(1.0, total_bits * _EVEN_MISS) if corrects and flips > 1 else 0.0
    if bits[-1] - bits[0] < CRC_BITS:
        return 0.0
    four_seen = flips == _FOUR and total_bits <= FOUR_FLIPS_SEEN_BITS
    return 0.0 if flips < _FOUR or four_seen else _EVEN_MISS
