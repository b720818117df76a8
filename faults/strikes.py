"""Which faults strike a frame, and where: pure functions of (key, identity, length, rates).

Theory: strikes are a Poisson process along the bits of a frame. The gaps between them are
exponential, so one number decides that nothing is hit, and there is no limit to how often a long
frame is. Strikes are drawn at the highest rate of any place and thinned to that of the record's
own; the kind is drawn by its share. So the faults of each kind at each place are again a Poisson
process, with that kind's and that place's rate.

A scenario's rates are of two sorts. *Stated* ones are what their author wrote, cluster by cluster.
*Physical* ones are those of New York at sea level, and grow with the record's exposure.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, NamedTuple

from .draws import draw, to_unit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from .widths import Width

    Rates = Sequence[tuple[Width, float]]


STRIKES_PER_BIT_MAX = 1 / 64
"""Where each word is struck no record survives: a higher rate costs time and changes nothing."""


class Strike(NamedTuple):
    """One fault of a frame: its number among the frame's strikes, the bit it hit, its pattern.

    `physical` says that the machine's own memory protection stands before it.
    """

    number: int
    position: int
    width: Width
    physical: bool


@dataclass(frozen=True, slots=True)
class HopRates:
    """Expected faults per bit of a frame at one hop.

    Attributes:
        stated: for each cluster, the rate of each pattern.
        physical: the rate of each pattern in New York.
        highest: of all rates together, anywhere; above 0.
    """

    stated: Mapping[str, Rates]
    physical: Rates
    highest: float


def find_positions(identity: bytes, key: int, length_bits: int, rate_per_bit: float) -> list[int]:
    """Return the positions that are struck in a frame, ascending; `rate_per_bit` is above 0."""
    positions: list[int] = []
    at = -log(to_unit(draw(identity, key))) / rate_per_bit
    while at < length_bits:
        positions.append(int(at))
        at -= log(to_unit(draw(identity, key, len(positions)))) / rate_per_bit
    return positions


class Stream(NamedTuple):
    """Numbers for one frame: whose it is, and the key to draw by."""

    identity: bytes
    key: int


def thin(
    positions: Sequence[int], stream: Stream, rates: HopRates, cluster: str, factor: float
) -> list[Strike]:
    """Return the strikes that count at a record's place, each with its pattern.

    Args:
        positions: drawn at the rate `rates.highest`.
        stream: another one than the positions were drawn from.
        rates: the hop's.
        cluster: where the record is.
        factor: of the physical rates there and then.
    """
    strikes = []
    stated = rates.stated.get(cluster, ())
    for number, position in enumerate(positions):
        level = to_unit(draw(stream.identity, stream.key, number)) * rates.highest
        width, level = _choose(level, stated, 1.0)
        physical = width is None
        if physical:
            width, _ = _choose(level, rates.physical, factor)
        if width is not None:
            strikes.append(Strike(number, position, width, physical))
    return strikes


def _choose(level: float, rates: Rates, factor: float) -> tuple[Width | None, float]:
    """Return the pattern on whose stretch `level` falls, and what is left of it if on none."""
    for width, rate in rates:
        if level <= rate * factor:
            return width, 0.0
        level -= rate * factor
    return None, level
