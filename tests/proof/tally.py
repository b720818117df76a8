"""What an attack came to: faults planted, and what the reader made of each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

_CONFIDENCE_FACTOR = 3.0  # 1 - e^-3 = 0.95: n trials without an event bound its rate by 3 / n
_EXAMPLES_MAX = 3


@dataclass(slots=True)
class Tally:
    """Faults by kind and outcome.

    Attributes:
        refused: by kind; the damaged bytes were not used.
        restored: by kind; the record came out as it was written, corrected or from another copy.
        wrong: by kind; something else than what was written was accepted, or a record went without
            a word. One of these disproves the format.
        examples: the first wrong ones, in words that suffice to make them again.
    """

    refused: Counter[str] = field(default_factory=Counter)
    restored: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    def enter(self, kind: str, *, refused: int = 0, restored: int = 0) -> None:
        """Count faults that ended well."""
        self.refused[kind] += refused
        self.restored[kind] += restored

    def accuse(self, kind: str, example: str, faults: int = 1) -> None:
        """Count faults that got through, and keep an example."""
        self.wrong[kind] += faults
        if len(self.examples) < _EXAMPLES_MAX:
            self.examples.append(f"{kind}: {example}")

    def merge(self, other: Tally) -> None:
        """Add another tally to this one."""
        self.refused += other.refused
        self.restored += other.restored
        self.wrong += other.wrong
        self.examples = (self.examples + other.examples)[:_EXAMPLES_MAX]

    def kinds(self) -> list[str]:
        """Return the kinds that were tried, by name."""
        return sorted({*self.refused, *self.restored, *self.wrong})

    def faults(self, kind: str) -> int:
        """Return how many faults of a kind were planted."""
        return self.refused[kind] + self.restored[kind] + self.wrong[kind]

    def total(self) -> int:
        """Return how many faults were planted."""
        return sum(map(self.faults, self.kinds()))


def miss_rate_bound(faults: int) -> float:
    """Return the rate of misses that `faults` faults without one exclude with 95 % confidence.

    The rule of three (Hanley and Lippman-Hand, JAMA 249, 1983). It speaks of faults drawn as these
    were, not of faults that somebody chooses.
    """
    return _CONFIDENCE_FACTOR / faults if faults else 1.0
