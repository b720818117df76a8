"""Keeps reading below a rate, over all threads together, and ends it when nobody wants it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Halted(Exception):  # noqa: N818 - it tells a thread to end, which is no error
    """Nobody waits for what this thread reads."""


class Pace:
    """A permit for each piece that is read: it comes when the pieces before have had their time."""

    def __init__(
        self,
        bytes_per_second: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        """Permit so many bytes a second, or as many as come; clock and wait are for tests."""
        self._rate = bytes_per_second
        self._clock = clock
        self._halted = threading.Event()
        self._wait = wait or self._halted.wait
        self._lock = threading.Lock()
        self._free_at = clock()

    def take(self, amount_bytes: int) -> None:
        """Wait until so many bytes may be read; raises Halted."""
        if self._rate is not None:
            with self._lock:
                now = self._clock()
                start = max(now, self._free_at)
                self._free_at = start + amount_bytes / self._rate
            if start > now:
                self._wait(start - now)
        if self._halted.is_set():
            raise Halted

    def halt(self) -> None:
        """End what waits, and what comes."""
        self._halted.set()
