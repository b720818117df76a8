"""Poison: records that kill the process that works on them, and what is decided about them.

A record is convicted by the driver from the workers' deaths, or by the task itself when memory
runs out or its parser fails. Its part is done whole with the record on its *skip list*: it is set
aside in quarantine, and nothing is done with it that killed before. The part's ledger entry repeats
the list, so that the same part can be made again, by whomever, with nobody dying.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

CRASHES_WORKER = "crashes_worker"
EXCEEDS_TIME = "exceeds_time"
EXCEEDS_MEMORY = "exceeds_memory"
RAISES = "raises_"
"""Followed by the kind of an error that no page should be able to cause."""

READING = ("read", "search")
"""The stages that come before it is known what record lies at an offset."""


class Skip(NamedTuple):
    """A record that a part has to do without.

    Attributes:
        offset: where it begins in the part's input.
        stage: what was being done with it.
        reason: what became of that.
        attempts: how often it was tried.
    """

    offset: int
    stage: str
    reason: str
    attempts: int


class SkipList:
    """The skips of one attempt at a part: those it was given, and those that it met."""

    def __init__(self, skips: Iterable[Skip]) -> None:
        """Begin with the skips that were decided before."""
        given = [Skip(*skip) for skip in skips]
        self._reading = {skip.offset: skip for skip in given if skip.stage in READING}
        self._working = {skip.offset: skip for skip in given if skip.stage not in READING}
        self._met: set[Skip] = set()

    def before_reading(self, offset: int) -> Skip | None:
        """Return why the record at `offset` must not be read, None when it may."""
        return self._meet(self._reading.get(offset))

    def before_parsing(self, offset: int) -> Skip | None:
        """Return why the record at `offset`, which was read, must not be parsed."""
        return self._meet(self._working.get(offset))

    def add(self, skip: Skip) -> Skip:
        """Add a record that this attempt itself gives up."""
        (self._reading if skip.stage in READING else self._working)[skip.offset] = skip
        self._met.add(skip)
        return skip

    def met(self) -> list[list[int | str]]:
        """Return the skips that were used, in the order of their places, as JSON values."""
        return [list(skip) for skip in sorted(self._met)]

    def _meet(self, skip: Skip | None) -> Skip | None:
        if skip is not None:
            self._met.add(skip)
        return skip
