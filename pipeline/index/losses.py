"""What damage has kept from the answer to one query.

A query that is told to answer all the same leaves out what it cannot verify: the occurrences of
words whose row group is damaged, the documents whose row group is. What is left out can only make
hits fewer, or their scores smaller: a phrase with such a word matches nothing. Each row group that
was met is named here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .verified import DamagedRangeError

_TERMS_NAMED = 5


@dataclass(frozen=True, slots=True)
class Damage:
    """One damaged place of the index: the file, what is wrong with it, what the answer lacks."""

    path: str
    problem: str
    lacks: str


@dataclass(slots=True)
class Losses:
    """The damage that one query has met: in shards, and in documents by number of row group."""

    terms: list[Damage] = field(default_factory=list)
    groups: dict[int, Damage] = field(default_factory=dict)

    def lose_terms(self, error: DamagedRangeError, terms: Sequence[str]) -> None:
        """Note that the occurrences of `terms` cannot be had."""
        named = ", ".join(terms[:_TERMS_NAMED]) + (", ..." if terms[_TERMS_NAMED:] else "")
        self.terms.append(Damage(error.path, str(error), f"where these words occur: {named}"))

    def lose_documents(self, error: DamagedRangeError, group: int) -> None:
        """Note that the documents of a row group cannot be had."""
        self.groups[group] = Damage(error.path, str(error), "documents that match")

    @property
    def damage(self) -> tuple[Damage, ...]:
        """All of it, each place once: a footer is that of many row groups."""
        return tuple(dict.fromkeys((*self.terms, *self.groups.values())))
