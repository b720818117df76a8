"""Takes a thread from one processor core to another, so that work is really done elsewhere.

A core that computes wrongly gives the same wrong answer each time; only another one can show it. It
lies on the same machine: that is where such defects are. Hardware threads of one core count as one.
Where the system cannot bind a thread to a core, or there is one only, everything is done in place.
"""

from __future__ import annotations

import ctypes
import os
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

_SIBLINGS = "/sys/devices/system/cpu/cpu{}/topology/thread_siblings_list"


class CoreWalk:
    """Binds this thread to the core that it is on, then to others, each once; frees it at the end.

    A context manager.
    """

    def __init__(self) -> None:
        """Begin nowhere."""
        self._allowed: frozenset[int] = frozenset()
        self._left: frozenset[int] = frozenset()
        self._number: int | None = None

    def __enter__(self) -> Self:
        if hasattr(os, "sched_getaffinity"):
            self._allowed = self._left = frozenset(os.sched_getaffinity(0))
            self._stay()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._allowed:
            _bind(self._allowed)

    @property
    def name(self) -> str:
        """The core that the thread is on, as an operator would look for it."""
        number = "unknown" if self._number is None else self._number
        return f"{socket.gethostname()}/core-{number}"

    def move(self) -> bool:
        """Go to a core where this walk has not been; return whether there was one."""
        if not self._left or not _bind(self._left):
            return False
        self._stay()
        return True

    def _stay(self) -> None:
        """Bind to the very core that the scheduler has chosen, and strike it off."""
        self._number = number = _current()
        if number is None or not _bind(frozenset((number,))):
            self._left = frozenset()
            return
        self._left -= _siblings(number) | {number}


def _bind(numbers: frozenset[int]) -> bool:
    try:
        os.sched_setaffinity(0, numbers)
    except OSError:  # the cores were taken from this process meanwhile
        return False
    return True


@cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _current() -> int | None:
    """Return the number of the processor that this thread is on, None where it cannot be told."""
    look = getattr(_library(), "sched_getcpu", None)
    number = -1 if look is None else int(look())
    return None if number < 0 else number


@cache
def _siblings(number: int) -> frozenset[int]:
    """Return the processors that are hardware threads of the same core."""
    with suppress(OSError, ValueError):
        return parse_processors(Path(_SIBLINGS.format(number)).read_text())
    return frozenset()


def parse_processors(text: str) -> frozenset[int]:
    """Return the numbers in a list such as "0-3,8"; raises ValueError for anything else."""
    found: set[int] = set()
    for item in text.strip().split(","):
        first, _, last = item.partition("-")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
