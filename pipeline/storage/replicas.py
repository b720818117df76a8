"""Files that lie there twice: which copy is good, and one good value out of two damaged copies.

Two copies that are both damaged differ from each other where either is. As long as no place is
damaged in both, taking each place from the right one gives the original; which is right, the file
itself proves. The places are few, so all ways are tried.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
from sealedbeam.pipeline.errors import IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Value = TypeVar("Value")
_GAP_BYTES = 512  # differences that lie this close are one place: a sector goes as a whole
_PLACES_MAX = 10  # 1,024 ways to try


@dataclass(frozen=True, slots=True)
class Replicated(Generic[Value]):
    """What the copies of a file say: `data` proves itself, and is None if nothing does.

    `problems` name each copy that is not `data`, by its path.
    """

    value: Value | None
    data: bytes | None
    problems: dict[str, str]


def read_replicated(
    root: Path, paths: tuple[str, str], decode: Callable[[bytes], Value]
) -> Replicated[Value]:
    """Read both copies of a file; `decode` raises IntegrityError for bytes that prove nothing."""
    copies: list[bytes] = []
    problems: dict[str, str] = {}
    value: Value | None = None
    good: bytes | None = None
    for path in paths:
        try:
            data = (root / path).read_bytes()
        except OSError as error:
            problems[path] = f"cannot be read: {error.strerror or error}"
            continue
        copies.append(data)
        found = _try(decode, data)
        if found is None:
            problems[path] = "is damaged: it does not prove itself"
        elif good is None:
            value, good = found, data
        elif data != good:
            problems[path] = "is another file than its copy"
    if good is None and len(copies) == len(paths):
        good = merge(copies[0], copies[1], lambda data: _try(decode, data) is not None)
        value = None if good is None else _try(decode, good)
    return Replicated(value, good, problems)


def _try(decode: Callable[[bytes], Value], data: bytes) -> Value | None:
    try:
        return decode(data)
    except IntegrityError:
        return None


def merge(first: bytes, second: bytes, proves: Callable[[bytes], bool]) -> bytes | None:
    """Return the bytes that prove themselves and agree in each place with one of the two copies.

    None if there are none, or the copies differ in too many places to try.
    """
    if len(first) != len(second) or first == second:
        return None
    one, other = np.frombuffer(first, np.uint8), np.frombuffer(second, np.uint8)
    differing = np.flatnonzero(one != other)
    breaks = np.flatnonzero(np.diff(differing) > _GAP_BYTES)
    starts = differing[np.append(0, breaks + 1)].tolist()
    ends = (differing[np.append(breaks, len(differing) - 1)] + 1).tolist()
    if len(starts) > _PLACES_MAX:
        return None
    for choice in product((False, True), repeat=len(starts)):
        mixed = bytearray(first)
        for start, end, from_second in zip(starts, ends, choice, strict=True):
            if from_second:
                mixed[start:end] = second[start:end]
        if proves(bytes(mixed)):
            return bytes(mixed)
    return None
