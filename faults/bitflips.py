"""Which bits of a frame flip: pure functions of (key, identity, length, rates).

Theory: strikes are a Poisson process along the bits of a frame. The gaps between them are
exponential, so one number decides that nothing is hit, and there is no limit to how often a long
frame is. Strikes are drawn at the highest rate of any cluster and thinned to that of the record's
own; the kind is drawn by its share. So the faults of each kind in each cluster are again a Poisson
process, with that kind's and that cluster's rate.

The widths:
* `single_bit` flips one bit, uniform over the frame: its lengths, its identity, its payload.
* `double_bit` flips two different bits of one 64-bit word, counted from the frame's start.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import log
from typing import TYPE_CHECKING, NamedTuple

from .draws import draw, to_index, to_unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_WORD_BITS = 64


class Kind(StrEnum):
    """The kinds of faults; the values stand in scenarios, journals and metrics."""

    SINGLE_BIT = "single_bit"
    DOUBLE_BIT = "double_bit"


class Flip(NamedTuple):
    """One fault: its number among the frame's strikes, and the frame's bits that it flips.

    Bit b is bit b mod 8, counted from the least significant, of byte b // 8.
    """

    number: int
    kind: Kind
    bits: tuple[int, ...]


class Shape(NamedTuple):
    """A frame that was struck: whose it is, how long (64 bits at least), and the key to draw by.

    The key is of another stream than the strikes were drawn from.
    """

    identity: bytes
    key: int
    length_bits: int


@dataclass(frozen=True, slots=True)
class HopRates:
    """Expected faults per bit of a frame at one hop.

    Attributes:
        by_cluster: for each cluster, the rate of each kind.
        highest: the largest sum of rates in any cluster, above 0.
    """

    by_cluster: Mapping[str, Sequence[tuple[Kind, float]]]
    highest: float


def find_strikes(identity: bytes, key: int, length_bits: int, rate_per_bit: float) -> list[int]:
    """Return the positions that are struck in a frame, ascending; `rate_per_bit` is above 0."""
    strikes: list[int] = []
    at = -log(to_unit(draw(identity, key))) / rate_per_bit
    while at < length_bits:
        strikes.append(int(at))
        at -= log(to_unit(draw(identity, key, len(strikes)))) / rate_per_bit
    return strikes


def find_flips(strikes: Sequence[int], shape: Shape, rates: HopRates, cluster: str) -> list[Flip]:
    """Return the strikes that count in `cluster`, each with its kind and its bits.

    Args:
        strikes: positions drawn at the rate `rates.highest`.
        shape: the frame.
        rates: the hop's.
        cluster: where the record is.
    """
    flips = []
    for number, position in enumerate(strikes):
        level = to_unit(draw(shape.identity, shape.key, 2 * number)) * rates.highest
        kind = _choose_kind(level, rates.by_cluster.get(cluster, ()))
        if kind is not None:
            word = draw(shape.identity, shape.key, 2 * number + 1)
            flips.append(Flip(number, kind, _widen(kind, position, shape.length_bits, word)))
    return flips


def _choose_kind(level: float, kinds: Iterable[tuple[Kind, float]]) -> Kind | None:
    for kind, rate in kinds:
        if level <= rate:
            return kind
        level -= rate
    return None


def _widen(kind: Kind, position: int, length_bits: int, word: int) -> tuple[int, ...]:
    if kind is Kind.SINGLE_BIT:
        return (position,)
    start = position - position % _WORD_BITS
    width = min(_WORD_BITS, length_bits - start)
    other = start + (position - start + 1 + to_index(word, width - 1)) % width
    return tuple(sorted((position, other)))


def apply_flips(data: bytearray, start: int, bits: Iterable[int]) -> None:
    """Flip these bits of `data`, counted from byte `start`."""
    for bit in bits:
        data[start + (bit >> 3)] ^= 1 << (bit & 7)
