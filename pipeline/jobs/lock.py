"""One writer for one folder: the lock on an output folder, and the log of who holds it.

The driver takes the lock and its workers inherit it, so that no second job begins while any of them
is at work. The log is locked by the driver alone: a folder that is locked while its log is not has
workers without a driver, which are about to end.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sealedbeam.pipeline.errors import UsageError

from .store import naming

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

OPERATIONS = "operations.jsonl"
_PATIENCE_SECONDS = 5.0
_POLL_SECONDS = 0.02


@dataclass(slots=True)
class FolderLock:
    """An exclusive lock on an output folder; child processes that inherit it keep it held.

    When a driver is killed its workers are too, but each of them may take a moment to be gone: as
    long as nobody leads them the lock is worth waiting for.
    """

    descriptor: int

    @classmethod
    def take(cls, root: Path, name: str = "") -> FolderLock:
        """Lock `root`; raises UsageError while another job holds it.

        `name` is what the user calls it, where that is not its path.
        """
        descriptor = os.open(root, os.O_RDONLY)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _locked(descriptor):
            if (led := _is_led(root)) or time.monotonic() > deadline:
                os.close(descriptor)
                who = "another job" if led else "another job, or what is left of a killed one,"
                raise UsageError(
                    f"{who} is writing to {name or root}; "
                    "wait until it ends, or give another --output"
                )
            time.sleep(_POLL_SECONDS)
        return cls(descriptor)

    def release(self) -> None:
        """Let go of the lock."""
        os.close(self.descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class Operations:
    """Appends what real processes did to operations.jsonl: outside the ledger, never hashed.

    A context manager. Only the driver of a job has the log open, locked: by that others see that
    it is alive.
    """

    def __init__(self, root: Path) -> None:
        """Append to the log in `root`, whose lock is held; a line that was cut short goes."""
        self._path = root / OPERATIONS
        with naming(self._path):
            self._file = self._path.open("ab+", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._file.seek(0)
        whole = self._file.read().rfind(b"\n") + 1
        self._file.truncate(whole)

    def note(self, **event: Any) -> None:
        """Append one event with the time of day."""
        line = json.dumps({"time": round(time.time(), 3), **event}) + "\n"
        with naming(self._path):
            self._file.write(line.encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()


def _is_led(root: Path) -> bool:
    """Whether the driver of the job in `root` is alive: it holds its log."""
    try:
        with (root / OPERATIONS).open("rb") as file:
            return not _locked(file.fileno())
    except OSError:
        return False
