"""Simulated memory protection of a machine: what it corrects, reports or misses before we look.

Each protection reads a frame in units from its start, decodes the flipped bits of each unit by real
arithmetic, and leaves what the software would see. Check bits of the memory itself are not struck:
a hit there alone is corrected or reported and changes no data.

* `none`: nothing is seen.
* `parity`: one bit for each byte, as in old memory modules: an odd number of flips is reported.
* `secded`: Hsiao's (72,64) code (IBM J. R&D 1970): 64 columns of odd weight, here all 56 of weight
  3 and the 8 rotations of five ones. One flip is corrected, two are reported. Three or more may
  look like one other flip, and then a right bit is "corrected" too, or may cancel out and be
  missed: the syndrome is computed, no share is assumed. Which column belongs to which bit differs
  between controllers; here they are in ascending order.
* `chipkill`: 32 data and 4 check chips of 4 bits in lockstep, 128 bits to the unit. The columns are
  points of an elliptic quadric over GF(16), no three of which are dependent, so that one chip is
  corrected whatever it does and any two are reported. Three or more may be taken for one.

Hsiao's and the ovoid's properties hold by computation in the tests; that real machines use codes
like these is common knowledge, recalled.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cache, lru_cache
from itertools import groupby, product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_BYTE = 8
_WORD = 64
_LINE = 128
_NIBBLE = 4
_CHECK_BITS = 8
_HSIAO_WEIGHT = 3
_FIVE_ONES = 0b11111
_FIELD = 16
_FIELD_POLYNOMIAL = 0b10011
_CHIPS = 32


class Hardware(StrEnum):
    """The protections; the values stand in the files of clusters and in reports."""

    NONE = "none"
    PARITY = "parity"
    SECDED = "secded"
    CHIPKILL = "chipkill"


class Verdict(StrEnum):
    """What a memory controller makes of a unit in which bits flipped."""

    CORRECTED = "corrected"
    REPORTED = "reported"
    MISSED = "missed"


class Shielded(NamedTuple):
    """What is left of a fault behind a protection.

    Attributes:
        bits: the frame's bits that software sees flipped, ascending. Miscorrection adds bits.
        corrected: units in which all was put right.
        reported: units that the hardware knows to be wrong and could not mend.
        missed: units that are wrong and pass for right.
    """

    bits: tuple[int, ...]
    corrected: int
    reported: int
    missed: int

    @property
    def verdict(self) -> Verdict:
        """What becomes of the fault as a whole: one unit that is reported gives it away."""
        if self.reported:
            return Verdict.REPORTED
        return Verdict.MISSED if self.missed else Verdict.CORRECTED


class _Decoded(NamedTuple):
    """A unit's verdict, and the places of the unit that the controller flips."""

    verdict: Verdict
    mended: frozenset[int] = frozenset()


_UNIT_BITS = {
    Hardware.PARITY: _BYTE,
    Hardware.SECDED: _WORD,
    Hardware.CHIPKILL: _LINE,
}


def shield(hardware: Hardware, bits: Sequence[int], length_bits: int) -> Shielded:
    """Return what is left of flipped bits.

    Args:
        hardware: the machine's protection.
        bits: the frame's bits that flipped, ascending, each once.
        length_bits: of the frame; what a controller flips past it is nobody's.
    """
    if hardware is Hardware.NONE:
        return Shielded(tuple(bits), 0, 0, len({bit // _BYTE for bit in bits}))
    unit_bits = _UNIT_BITS[hardware]
    left: list[int] = []
    counts = dict.fromkeys(Verdict, 0)
    for unit, group in groupby(bits, lambda bit: bit // unit_bits):
        start = unit * unit_bits
        struck = frozenset(bit - start for bit in group)
        decoded = _decode(hardware, struck)
        counts[decoded.verdict] += 1
        left += [start + place for place in sorted(struck ^ decoded.mended)]
    return Shielded(
        tuple(bit for bit in left if bit < length_bits),
        counts[Verdict.CORRECTED],
        counts[Verdict.REPORTED],
        counts[Verdict.MISSED],
    )


@lru_cache(maxsize=1 << 16)
def _decode(hardware: Hardware, struck: frozenset[int]) -> _Decoded:
    if hardware is Hardware.SECDED:
        return _decode_hsiao(struck)
    if hardware is Hardware.CHIPKILL:
        return _decode_chips(struck)
    return _Decoded(Verdict.REPORTED if len(struck) % 2 else Verdict.MISSED)


@cache
def hsiao_columns() -> tuple[int, ...]:
    """Return the 8-bit syndrome of each of a word's 64 bits."""
    heavy = [
        (_FIVE_ONES << turn | _FIVE_ONES >> (_CHECK_BITS - turn)) & 0xFF
        for turn in range(_CHECK_BITS)
    ]
    light = [value for value in range(256) if value.bit_count() == _HSIAO_WEIGHT]
    return tuple(sorted(light + heavy))


@cache
def _hsiao_places() -> dict[int, int]:
    return {column: place for place, column in enumerate(hsiao_columns())}


def _decode_hsiao(struck: frozenset[int]) -> _Decoded:
    columns = hsiao_columns()
    syndrome = 0
    for place in struck:
        syndrome ^= columns[place]
    if syndrome == 0:
        return _Decoded(Verdict.MISSED)
    place_found = _hsiao_places().get(syndrome)
    if place_found is not None:
        mended = frozenset((place_found,))
        return _Decoded(Verdict.CORRECTED if mended == struck else Verdict.MISSED, mended)
    if syndrome.bit_count() == 1:  # taken for a flipped check bit: the data pass as they are
        return _Decoded(Verdict.MISSED)
    return _Decoded(Verdict.REPORTED)


def _decode_chips(struck: frozenset[int]) -> _Decoded:
    errors: dict[int, int] = {}
    for place in struck:
        chip = place // _NIBBLE
        errors[chip] = errors.get(chip, 0) | 1 << place % _NIBBLE
    syndrome = [0, 0, 0, 0]
    for chip, error in errors.items():
        for row, entry in enumerate(_chip_columns()[chip]):
            syndrome[row] ^= _multiply(error, entry)
    if not any(syndrome):
        return _Decoded(Verdict.MISSED)
    guess = _find_chip(tuple(syndrome))
    if guess is None:
        return _Decoded(Verdict.REPORTED)
    chip, error = guess
    if chip >= _CHIPS:
        return _Decoded(Verdict.MISSED)
    mended = frozenset(chip * _NIBBLE + place for place in range(_NIBBLE) if error >> place & 1)
    return _Decoded(Verdict.CORRECTED if mended == struck else Verdict.MISSED, mended)


def _find_chip(syndrome: tuple[int, ...]) -> tuple[int, int] | None:
    """Return the chip, and its error, that alone would give this syndrome."""
    error = syndrome[0] or syndrome[3]
    if not error:
        return None
    inverse = next(value for value in range(1, _FIELD) if _multiply(value, error) == 1)
    chip = _chips().get(tuple(_multiply(inverse, part) for part in syndrome))
    return None if chip is None else (chip, error)


@cache
def _chip_columns() -> tuple[tuple[int, int, int, int], ...]:
    """Return 36 points of an elliptic quadric: 32 data chips, then 4 independent check chips."""
    shift = next(value for value in range(_FIELD) if _is_irreducible(value))

    def point(x: int, y: int) -> tuple[int, int, int, int]:
        form = _multiply(x, x) ^ _multiply(x, y) ^ _multiply(shift, _multiply(y, y))
        return 1, x, y, form

    data = [point(x, y) for x, y in product(range(2), range(_FIELD))]
    return (*data, point(2, 0), point(2, 1), point(3, 0), (0, 0, 0, 1))


@cache
def _chips() -> dict[tuple[int, ...], int]:
    return {column: chip for chip, column in enumerate(_chip_columns())}


def _is_irreducible(constant: int) -> bool:
    """Whether t^2 + t + constant has no root in the field."""
    return all(_multiply(root, root) ^ root ^ constant for root in range(_FIELD))


@cache
def _multiply(left: int, right: int) -> int:
    """Return a product in GF(16)."""
    result = 0
    for place in range(_NIBBLE):
        if right >> place & 1:
            result ^= left << place
    for place in range(2 * _NIBBLE - 2, _NIBBLE - 1, -1):
        if result >> place & 1:
            result ^= _FIELD_POLYNOMIAL << (place - _NIBBLE)
    return result
