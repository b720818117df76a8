"""A pool of faults of a preset, each decoded by every memory protection and judged by every code.

The pool stands for all faults: expectations are exact means over it, and simulations draw from it,
so that both agree but for chance. Its own error is that of some hundred faults for each pattern.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .draws import draw, stream_key, to_index
from .ecc import Hardware, Verdict, shield
from .misses import Code, miss_probability
from .widths import PRESETS, Shape, make_damage

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

FAULTS_PER_PATTERN = 200
_VERDICTS = tuple(Verdict)


@dataclass(frozen=True, slots=True)
class Judged:
    """What one memory protection makes of each fault of the pool.

    Attributes:
        verdicts: a row for each of corrected, reported, missed; 1 where it holds, else 0.
        misses: for each code, how likely a struck record is accepted as right.
        mended: 1 where the code `correct` puts a struck record right, else 0.
        refused: 1 where it refuses one.
    """

    verdicts: Floats
    misses: Mapping[Code, Floats]
    mended: Floats
    refused: Floats


@dataclass(frozen=True, slots=True)
class Pool:
    """Faults with their weights.

    Attributes:
        weights: how likely a fault is this one; they sum to 1.
        bits: how many bits of a record it flips.
        judged: by memory protection.
    """

    weights: Floats
    bits: Floats
    judged: Mapping[Hardware, Judged]


def make_pool(
    preset: str, record_bits: int, seed: int, faults_per_pattern: int = FAULTS_PER_PATTERN
) -> Pool:
    """Return a pool of faults that strike records of this length."""
    weights, patterns = [], []
    shape_key, place_key = stream_key(seed, "pool"), stream_key(seed, "pool", "place")
    for row, (width, share) in enumerate(PRESETS[preset]):
        for number in range(faults_per_pattern):
            identity = row.to_bytes(4) + number.to_bytes(4)
            position = to_index(draw(identity, place_key), record_bits)
            shape = Shape(identity, shape_key, record_bits)
            patterns.append(make_damage(width, shape, 0, position).bits)
            weights.append(share / faults_per_pattern)
    return Pool(
        np.array(weights) / sum(weights),
        np.array([len(bits) for bits in patterns], dtype=np.float64),
        {hardware: _judge(hardware, patterns, record_bits) for hardware in Hardware},
    )


def _judge(hardware: Hardware, patterns: list[tuple[int, ...]], record_bits: int) -> Judged:
    verdicts = np.zeros((len(_VERDICTS), len(patterns)))
    misses = {code: np.zeros(len(patterns)) for code in Code}
    mended, refused = np.zeros(len(patterns)), np.zeros(len(patterns))
    for number, bits in enumerate(patterns):
        left = shield(hardware, bits, record_bits)
        verdicts[_VERDICTS.index(left.verdict), number] = 1
        if left.verdict is Verdict.MISSED:
            for code in Code:
                misses[code][number] = miss_probability(code, left.bits, record_bits)
        mended[number] = left.verdict is Verdict.MISSED and len(left.bits) == 1
        refused[number] = len(left.bits) > 0 and not mended[number]
    return Judged(verdicts, misses, mended, refused)
