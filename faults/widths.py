"""What one fault flips: patterns of bits within a frame, and published shares of each pattern.

Bit b of a frame is bit b mod 8, counted from the least significant, of byte b // 8. Words have 64
bits and lines 128, counted from the frame's start; a nibble is 4 bits, what one x4 chip holds of
each line. Patterns end at the frame's end. Frames are whole bytes. Every
pattern is a pure function of (shape, number, position).

Sources of the presets (shares are published unless they are called ours):
* `sram_nominal`, `sram_low_voltage`: abstract of a FinFET study at low voltage; attribution
  uncertain. "More than two bits" is drawn as 3 to 8 bits of a word: ours.
* `sram_k20`: Tiwari et al., HPCA'15: 4 to 6 % double bits; the middle is taken.
* `dram_hbm2`: Sullivan et al., MICRO'21: 65 % single bits, 31.5 % several bits of a word, of which
  73.8 % within a byte; 28 % in several entries of 32 bytes, 5,359 at most. That the "about 15 %" of
  whole bytes or words are halves of each, and how breadths are spread (log-uniform): ours.
* `ddr4`: Jiao et al., DFT'25: more than 45 % hit several bits, blocks up to some 2,000 words. How
  the 45 % are divided: ours.
* `field_dram`: the classes of `rates.py`, transient and permanent together. How many lines a row,
  a bank or a rank strikes within one frame (2 to 512, log-uniform): ours.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from .draws import draw, to_index, to_unit
from .rates import FIELD_CLASSES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_BYTE = 8
_NIBBLE = 4
_WORD = 64
_LINE = 128
_ENTRY = 256
BURST_BITS_MAX = 64
_HBM2_ENTRIES_MAX = 5359
_DDR4_WORDS_MAX = 2000
_FIELD_LINES_MAX = 512
_WORD_BITS_MIN = 3
_WORD_BITS_MAX = 8
_BYTE_MASKS = tuple(mask for mask in range(1 << _BYTE) if 1 < mask.bit_count() < _BYTE)


class Width(StrEnum):
    """The patterns; the values stand in scenarios and journals."""

    SINGLE_BIT = "single_bit"
    DOUBLE_BIT = "double_bit"
    WORD_BITS = "word_bits"
    BYTE_BITS = "byte_bits"
    BYTE_INVERTED = "byte_inverted"
    WORD_INVERTED = "word_inverted"
    SEVERAL_WORDS = "several_words"
    BLOCK = "block"
    BURST = "burst"
    STUCK_BIT = "stuck_bit"
    CHIP_WORD = "chip_word"
    COLUMN = "column"
    ROW = "row"
    BANK = "bank"
    RANK = "rank"


class Damage(NamedTuple):
    """What one fault does to a frame.

    Attributes:
        width: its pattern.
        bits: the frame's bits that it strikes, ascending.
        stuck_at: None where each of them flips; 0 or 1 where they read as that value.
    """

    width: Width
    bits: tuple[int, ...]
    stuck_at: int | None = None


class Shape(NamedTuple):
    """A frame that was struck: whose it is, how long (64 bits at least), and the key to draw by.

    The key is of another stream than the strikes were drawn from.
    """

    identity: bytes
    key: int
    length_bits: int


Shares = tuple[tuple[Width, float], ...]

_WITHIN_A_WORD: Shares = (
    (Width.BYTE_BITS, 0.738 - 0.075),
    (Width.BYTE_INVERTED, 0.075),
    (Width.WORD_INVERTED, 0.075),
    (Width.DOUBLE_BIT, (1 - 0.738 - 0.075) / 2),
    (Width.WORD_BITS, (1 - 0.738 - 0.075) / 2),
)
"""How several bits of one word are struck, as in HBM2."""

_FIELD_WIDTHS = (
    Width.SINGLE_BIT,
    Width.CHIP_WORD,
    Width.COLUMN,
    Width.ROW,
    Width.BANK,
    Width.BANK,
    Width.RANK,
)


def _scale(shares: Shares, whole: float) -> Shares:
    return tuple((width, share * whole) for width, share in shares)


def _field_shares() -> Shares:
    fits = [each.transient_fit + each.permanent_fit for each in FIELD_CLASSES]
    pairs = zip(_FIELD_WIDTHS, fits, strict=True)
    return tuple((width, fit / sum(fits)) for width, fit in pairs)


PRESETS: Mapping[str, Shares] = MappingProxyType(
    {
        "sram_nominal": (
            (Width.SINGLE_BIT, 0.94),
            (Width.DOUBLE_BIT, 0.05),
            (Width.WORD_BITS, 0.01),
        ),
        "sram_low_voltage": (
            (Width.SINGLE_BIT, 0.785),
            (Width.DOUBLE_BIT, 0.20),
            (Width.WORD_BITS, 0.015),
        ),
        "sram_k20": ((Width.SINGLE_BIT, 0.95), (Width.DOUBLE_BIT, 0.05)),
        "dram_hbm2": (
            (Width.SINGLE_BIT, 0.65),
            (Width.COLUMN, 0.035),
            (Width.SEVERAL_WORDS, 0.245),
            *_scale(_WITHIN_A_WORD, 0.07),
        ),
        "ddr4": (
            (Width.SINGLE_BIT, 0.54),
            *_scale(_WITHIN_A_WORD, 0.23),
            (Width.BLOCK, 0.23),
        ),
        "field_dram": _field_shares(),
    }
)
"""Shares of the patterns in each preset; they sum to 1."""


def choose_width(shares: Shares, word: int) -> Width:
    """Return the pattern that a 64-bit number stands for among these shares."""
    level = to_unit(word)
    for width, share in shares:
        if level <= share:
            return width
        level -= share
    return shares[-1][0]


class _Frame:
    """One fault's numbers, drawn one after the other, and where it struck."""

    def __init__(self, shape: Shape, number: int, position: int) -> None:
        self.position = position
        self.length = shape.length_bits
        self._identity = shape.identity
        self._key = draw(shape.identity, shape.key, number)
        self._drawn = 0

    def word(self) -> int:
        self._drawn += 1
        return draw(self._identity, self._key, self._drawn)

    def index(self, count: int) -> int:
        return to_index(self.word(), count)

    def breadth(self, most: int) -> int:
        """Return a number from 2 to `most` whose logarithm is uniform."""
        return min(most, int(2 * (most / 2) ** to_unit(self.word())))

    def unit_at(self, bits: int) -> range:
        """Return the bits of the aligned unit that was struck."""
        start = self.position - self.position % bits
        return range(start, min(start + bits, self.length))

    def repeat(self, bits: Sequence[int], stride: int, times: int) -> list[int]:
        """Return these bits and the same ones in the following units, as far as the frame goes."""
        return [
            bit + shift
            for shift in range(0, stride * times, stride)
            for bit in bits
            if bit + shift < self.length
        ]


def make_damage(width: Width, shape: Shape, number: int, position: int) -> Damage:
    """Return what the fault `number` of a frame does.

    Args:
        width: its pattern.
        shape: the frame, of 64 bits at least, and the key to draw by.
        number: among the frame's faults.
        position: the bit that was struck.
    """
    frame = _Frame(shape, number, position)
    bits = tuple(sorted(set(_PATTERNS[width](frame))))
    return Damage(width, bits, frame.index(2) if width is Width.STUCK_BIT else None)


def bits_that_flip(damage: Damage, data: bytes | bytearray, start: int) -> tuple[int, ...]:
    """Return the bits that the fault changes in the frame at byte `start` of `data`.

    A cell that is stuck at what it should hold changes nothing.
    """
    if damage.stuck_at is None:
        return damage.bits
    return tuple(
        bit for bit in damage.bits if data[start + (bit >> 3)] >> (bit & 7) & 1 != damage.stuck_at
    )


def _single(frame: _Frame) -> list[int]:
    return [frame.position]


def _double(frame: _Frame) -> list[int]:
    return _among(frame, frame.unit_at(_WORD), 2)


def _word_bits(frame: _Frame) -> list[int]:
    count = _WORD_BITS_MIN + frame.index(_WORD_BITS_MAX - _WORD_BITS_MIN + 1)
    return _among(frame, frame.unit_at(_WORD), count)


def _among(frame: _Frame, unit: range, count: int) -> list[int]:
    """Return the struck bit and others of its unit, `count` in all if there are so many."""
    others = [bit for bit in unit if bit != frame.position]
    chosen = [frame.position]
    while others and len(chosen) < count:
        chosen.append(others.pop(frame.index(len(others))))
    return chosen


def _byte_bits(frame: _Frame) -> list[int]:
    """Two to seven bits of a byte: any of the 246 patterns that are neither one bit nor all."""
    unit = frame.unit_at(_BYTE)
    mask = _BYTE_MASKS[frame.index(len(_BYTE_MASKS))]
    return [bit for place, bit in enumerate(unit) if mask >> place & 1]


def _byte_inverted(frame: _Frame) -> list[int]:
    return list(frame.unit_at(_BYTE))


def _word_inverted(frame: _Frame) -> list[int]:
    return list(frame.unit_at(_WORD))


def _several_words(frame: _Frame) -> list[int]:
    """One pattern within a word, the same in each of many entries."""
    pattern = _PATTERNS[choose_width(_WITHIN_A_WORD, frame.word())](frame)
    return frame.repeat(pattern, _ENTRY, frame.breadth(_HBM2_ENTRIES_MAX))


def _block(frame: _Frame) -> list[int]:
    """One pattern within a word, the same in each of many adjacent words."""
    pattern = _PATTERNS[choose_width(_WITHIN_A_WORD, frame.word())](frame)
    return frame.repeat(pattern, _WORD, frame.breadth(_DDR4_WORDS_MAX))


def _burst(frame: _Frame) -> list[int]:
    """Up to 64 adjacent bits: the first and the last flip, those between as chance has it."""
    span = 2 + frame.index(min(BURST_BITS_MAX, frame.length) - 1)
    start = min(frame.position, frame.length - span)
    inner = frame.word()
    return [start + at for at in range(span) if at in {0, span - 1} or inner >> at & 1]


def _chip_word(frame: _Frame) -> list[int]:
    """Two to four bits of what one chip holds of a word."""
    unit = frame.unit_at(_NIBBLE)
    return _among(frame, unit, 2 + frame.index(len(unit) - 1))


def _column(frame: _Frame) -> list[int]:
    """The same bit of many entries."""
    return frame.repeat([frame.position], _ENTRY, frame.breadth(_FIELD_LINES_MAX))


def _row(frame: _Frame) -> list[int]:
    """What one chip holds of adjacent lines, each line with a pattern of its own."""
    return _lines(frame, frame.unit_at(_NIBBLE), 1)


def _bank(frame: _Frame) -> list[int]:
    """Like a row, but some lines are spared."""
    return _lines(frame, frame.unit_at(_NIBBLE), 2)


def _rank(frame: _Frame) -> list[int]:
    """Whole words of adjacent lines, over all chips."""
    return _lines(frame, frame.unit_at(_WORD), 1)


def _lines(frame: _Frame, unit: range, sparing: int) -> list[int]:
    """Return chance patterns of a unit in many lines, of which one in `sparing` is struck."""
    bits = []
    for line in range(frame.breadth(_FIELD_LINES_MAX)):
        shift = line * _LINE
        if unit.start + shift >= frame.length:
            break
        if line == 0 or frame.index(sparing) == 0:
            mask = 1 + frame.index((1 << len(unit)) - 1)
            bits += [bit + shift for at, bit in enumerate(unit) if mask >> at & 1]
    return [bit for bit in bits if bit < frame.length]


_PATTERNS: Mapping[Width, Callable[[_Frame], list[int]]] = MappingProxyType(
    {
        Width.SINGLE_BIT: _single,
        Width.DOUBLE_BIT: _double,
        Width.WORD_BITS: _word_bits,
        Width.BYTE_BITS: _byte_bits,
        Width.BYTE_INVERTED: _byte_inverted,
        Width.WORD_INVERTED: _word_inverted,
        Width.SEVERAL_WORDS: _several_words,
        Width.BLOCK: _block,
        Width.BURST: _burst,
        Width.STUCK_BIT: _single,
        Width.CHIP_WORD: _chip_word,
        Width.COLUMN: _column,
        Width.ROW: _row,
        Width.BANK: _bank,
        Width.RANK: _rank,
    }
)
