"""Bounds the work that is spent on bytes without getting a record out of them.

Reading intact records is free: each costs what it holds. All else is charged, in bytes inflated,
scanned or hashed: attempts that fail, and attempts whose record is only looked at. What may be
spent grows with the bytes that were passed, so that reading takes time in proportion to the
stored bytes whatever they are. Damage that happens by accident never comes near the bound;
overlapping members that each inflate to the far end of a file are made to reach it.
"""

from __future__ import annotations

from typing import Final

WORK_FACTOR: Final = 16  # bytes of work for each byte passed; deflate seldom expands more


class Effort:
    """What one reader has spent without getting a record, and what it has left."""

    def __init__(self, free_bytes: int) -> None:
        """Start with nothing spent; `free_bytes` may be spent before any byte was passed."""
        self.spent_bytes = 0
        self._free_bytes = free_bytes
        self._start: int | None = None

    def left(self, offset: int) -> int:
        """Return how much work an attempt at `offset` may take, 0 if none."""
        if self._start is None:
            self._start = offset
        passed = max(0, offset - self._start)
        return max(0, self._free_bytes + WORK_FACTOR * passed - self.spent_bytes)

    def spend(self, number_bytes: int) -> None:
        """Charge work."""
        self.spent_bytes += number_bytes
