"""Reads choices off a fuzzer's bytes: small numbers first, then what is left over."""

from __future__ import annotations

_RUN_BYTES = 16


class Cursor:
    """A position in bytes; behind their end there are zeros: every input means something."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def __bool__(self) -> bool:
        return self._position < len(self._data)

    def take(self, length: int) -> bytes:
        """Return the next bytes, fewer than `length` at the end."""
        start = self._position
        self._position = min(start + length, len(self._data))
        return self._data[start : self._position]

    def number(self, length: int = 1) -> int:
        """Return the next `length` bytes as a number, the first of them the lowest."""
        return int.from_bytes(self.take(length), "little")

    def rest(self) -> bytes:
        """Return everything that is left."""
        return self.take(len(self._data))


def edited(data: bytes, edits: Cursor) -> bytes:
    """Return `data` with the flips, cuts and insertions that the rest of `edits` spells.

    Each is one byte for what happens, two for where, and one for the mask or the length; what is
    put in follows: so many bytes, or one to be put in over and over.
    """
    changed = bytearray(data)
    while edits:
        what, where, size = edits.number(), edits.number(2), edits.number()
        where = where % len(changed) if changed else 0
        match what % 5:
            case 0 if changed:
                changed[where] ^= 1 << size % 8
            case 1 if changed:
                changed[where] ^= size
            case 2:
                del changed[where : where + size]
            case 3:
                changed[where:where] = edits.take(size)
            case 4:
                changed[where:where] = edits.take(1) * (size * _RUN_BYTES)
    return bytes(changed)
