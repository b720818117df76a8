"""What the kinds of archive have in common: records that begin somewhere, and a search for them.

`read_at` trusts its offset: reading came there in order. `find` trusts nothing: what looks like the
start of a record counts only if it really decodes, to the end, with its checksum (members) or with
its end followed by another record, by the end of the data, or confirmed by its own digest (plain).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from .effort import Effort
    from .values import Damage, Reason, WarcRecord
    from .window import Window

FAR = sys.maxsize


class Holder(NamedTuple):
    """Where finds may lie inside a damaged record that holds an archive, or may hold one.

    Attributes:
        sure_before: finds before this offset lie inside it.
        finds_before: only finds before this offset may lie inside it.
        breaks_before: only a chain that breaks before this offset may have broken inside it.
        most: where it ends at the latest.
        legible: whether its header can be read at all.
    """

    sure_before: int
    finds_before: int
    breaks_before: int
    most: int
    legible: bool = True


class Framing(Protocol):
    """How records lie in one kind of container."""

    @property
    def effort(self) -> Effort:
        """What was spent on bytes that gave no record."""
        ...

    @property
    def broken_inside(self) -> Reason:
        """The reason for what seems cut short where more records follow."""
        ...

    @property
    def stream_damage(self) -> Reason | None:
        """Damage that has no bytes of its own, known at the end of the data."""
        ...

    def at_end(self, offset: int) -> bool:
        """Return whether the data end at or before `offset`."""
        ...

    def skip(self, offset: int) -> int:
        """Return the first offset from `offset` on where a record must begin."""
        ...

    def read_at(self, offset: int) -> WarcRecord | Damage:
        """Return the record that begins at `offset`, or why there is none."""
        ...

    def starts_at(self, offset: int) -> bool:
        """Return whether a record that can stand for itself begins at `offset`."""
        ...

    def find(self, offset: int, stop: int = FAR) -> int:
        """Return where the first such record in [offset, stop) begins, else where that ends."""
        ...

    def holder(self, offset: int) -> Holder | None:
        """Return what the damaged record at `offset` shows of an archive inside it, if anything."""
        ...

    def may_be_inner(self, offset: int) -> bool:
        """Return whether what lies just before the record at `offset` may enclose it."""
        ...

    def chain_end(self, offset: int, stop: int) -> int:
        """Return where the unbroken chain of records that begins at `offset` ends, or `stop`."""
        ...

    def enclosing_end(self, offset: int) -> int | None:
        """Return where an enclosing record ends if its last bytes lie at `offset`."""
        ...


def find_start(framing: Framing, window: Window, pattern: bytes, offset: int, stop: int) -> int:
    """Return where the first record in [offset, stop) begins that begins with `pattern`."""
    while offset < stop:
        data, index = window.at(offset, len(pattern))
        available = len(data) - index
        if available < len(pattern):
            return min(stop, offset + max(available, 0))
        found = data.find(pattern, index)
        if found < 0:
            offset += available - len(pattern) + 1
            continue
        offset += found - index
        if offset < stop and framing.starts_at(offset):
            return offset
        offset += 1
    return stop
