"""Looks at the processes that a test has started, and waits for their end."""

from __future__ import annotations

import os
import select
import signal
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
    """Return the living child processes of this one, but for those that only fork others."""
    return [pid for pid in children_of(os.getpid()) if not _serves_forks(pid)]


def _serves_forks(pid: int) -> bool:
    """Whether a process is one of the two that `multiprocessing` keeps for a whole test run."""
    with suppress(OSError):
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"multiprocessing.forkserver" in line or b"multiprocessing.resource_tracker" in line
    return False


def await_end(pids: Sequence[int]) -> None:
    """Wait until none of these processes is running, so that what they held is free."""
    for pid in pids:
        with suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            select.select([descriptor], [], [])
            os.close(descriptor)


def group_of(leader: int) -> list[int]:
    """Return the living processes of a process group, whoever their parent is."""
    found = []
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            state, group = fields[0], int(fields[2])
            if group == leader and state != "Z":
                found.append(int(entry.name))
    return found


def _heed_interrupts() -> None:
    """Undo what a shell does to what it runs in the background, the tests among it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


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
        preexec_fn=_heed_interrupts,  # noqa: PLW1509 - it makes one system call
    ) as process:
        try:
            yield process
        finally:
            process.kill()
