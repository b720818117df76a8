"""One worker as the driver holds it: a child process, its pipes and its flight recorder."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .recorder import Note, make_file, map_file, read_note
from .supervision import Death, StallClock, cause_of_exit

if TYPE_CHECKING:
    import mmap
    from collections.abc import Sequence

    from .tasks import Task

_STANDARD_ERROR = 2  # the descriptor: a notebook's sys.stderr has none
# One worker fills one core; NumPy's linear algebra, which nothing here uses, would start threads.
# Arrow's own allocator gives memory back and takes it again; the worker's malloc keeps it.
_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}


@dataclass(slots=True)
class Child:
    """A child process, and the task that it holds.

    `idle` says that it waits for a task, `started` that it ever did; `condemned` is what the driver
    kills it for.
    """

    number: int
    process: subprocess.Popen[bytes]
    greeting: socket.socket
    tasks_fd: int
    events_fd: int
    memory: mmap.mmap
    held: Task | None = None
    buffered: bytes = b""
    idle: bool = False
    started: bool = False
    condemned: str = ""
    clock: StallClock = field(default_factory=StallClock)

    @property
    def note(self) -> Note:
        """What the recorder says."""
        return read_note(self.memory)

    def greet(self, context: bytes, lock: Sequence[int]) -> None:
        """Send the job and the folder's lock; a child that died is noticed by its events' end."""
        with suppress(ConnectionError), self.greeting:
            socket.send_fds(self.greeting, [b"\n"], list(lock))
            self.greeting.sendall(context)

    def give(self, task: Task) -> None:
        """Hand out a task; raises BrokenPipeError when the child is dead."""
        self.held, self.idle = task, False
        self.clock = StallClock()
        data = task.to_json().encode() + b"\n"
        while data:
            data = data[os.write(self.tasks_fd, data) :]

    def bury(self) -> Death:
        """Kill the process and wait until it is really gone; return how it came to its end."""
        self.process.kill()  # a stopped one, too
        code = self.process.wait()
        death = Death(self.condemned or cause_of_exit(code), code, self.note)
        self.greeting.close()
        os.close(self.tasks_fd)
        os.close(self.events_fd)
        self.memory.close()
        return death


def start_child(number: int) -> Child:
    """Start a worker process."""
    ours, theirs = socket.socketpair()
    tasks_read, tasks_write = os.pipe()
    events_read, events_write = os.pipe()
    recorder = make_file()
    inherited = (theirs.fileno(), tasks_read, events_write, recorder)
    process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-m", "sealedbeam.pipeline.jobs.worker", *map(str, inherited)],
        stdin=subprocess.DEVNULL,
        stdout=_STANDARD_ERROR,
        pass_fds=inherited,
        env=os.environ | _ENVIRONMENT,
    )
    memory = map_file(recorder)
    theirs.close()
    for descriptor in (tasks_read, events_write, recorder):
        os.close(descriptor)
    return Child(number, process, ours, tasks_write, events_read, memory)
