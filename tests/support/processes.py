"""Looks at the processes that a test has started, and waits for their end."""

from __future__ import annotations

import os
import select
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.jobs import environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def children_of(pid: int) -> list[int]:
    """Return the living child processes of a process."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += map(int, (thread / "children").read_text().split())
    return found


def children() -> list[int]:
    """Return the living child processes of this one."""
    return children_of(os.getpid())


def await_end(pids: Sequence[int]) -> None:
    """Wait until none of these processes is running, so that what they held is free."""
    for pid in pids:
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            select.select([descriptor], [], [])
            os.close(descriptor)


@contextmanager
def started(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command with its output in pipes; it does not outlive the test."""
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        start_new_session=True,  # as a shell starts it: signals of the terminal go to all of it
    ) as process:
        try:
            yield process
        finally:
            process.kill()
