"""The local driver: keeps one worker process per core busy, and gives lost work out again.

Beam's local runner fails or hangs when a worker dies, so each worker runs a Beam job of its own in
memory. Tasks commit themselves; the driver only hands them out. A worker that dies is
reaped first, then what it had not committed goes to another one: two processes never write for one
task at the same time.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from sealedbeam.pipeline.errors import SealedBeamError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from .context import JobContext
    from .tasks import Task

DEATHS_MAX = 3
"""A task that was in the hands of this many workers when they died ends the job."""
_READ_BYTES = 1 << 16
_STANDARD_ERROR = 2  # the descriptor: a notebook's sys.stderr has none
_STANDARD_ERROR = 2  # the descriptor: a notebook's sys.stderr has none
# One worker fills one core; NumPy's linear algebra, which nothing here uses, would start threads.
# Arrow's own allocator gives memory back and takes it again; the worker's malloc keeps it.
_WORKER_ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}


@dataclass(slots=True)
class _Worker:
    """A child process, its pipes, and the task that it holds."""

    number: int
    process: subprocess.Popen[bytes]
    greeting: socket.socket
    tasks_fd: int
    events_fd: int
    held: Task | None = None
    buffered: bytes = b""
    idle: bool = False
    started: bool = False


class Workers:
    """A pool of worker processes for one job; a context manager, so that none outlives it."""

    def __init__(self) -> None:
        """Make an empty pool."""
        self._greeting: tuple[bytes, list[int]] | None = None
        self._listen: Callable[[dict[str, Any]], None] = lambda _: None
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._started = 0
        self._stillborn = 0
        self._deaths: dict[str, int] = {}
        self._queue: deque[Task] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for worker in list(self._workers):
            self._bury(worker)
        self._selector.close()

    def grow(self, count: int) -> None:
        """Start processes until there are `count`; they load while the job is being prepared."""
        while len(self._workers) < count:
            self._start()

    def begin(
        self, context: JobContext, listen: Callable[[dict[str, Any]], None], lock: int | None = None
    ) -> None:
        """Give the pool its job.

        Args:
            context: the job.
            listen: called with every event: a task done, a worker lost.
            lock: a descriptor that the workers keep open: the folder's lock.
        """
        self._listen = listen
        self._greeting = context.to_json().encode(), [] if lock is None else [lock]
        for worker in self._workers:
            self._greet(worker)

    def run(self, tasks: Sequence[Task]) -> None:
        """Do all `tasks`; return when each has committed.

        Raises:
            SealedBeamError: a task failed, or kept killing its workers.
        """
        self._queue.extend(tasks)
        while self._queue or any(worker.held is not None for worker in self._workers):
            for worker in list(self._workers):
                if worker.idle and self._queue:
                    self._hand_out(worker)
            for key, _ in self._selector.select():
                self._hear(key.data)

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        tasks_read, tasks_write = os.pipe()
        events_read, events_write = os.pipe()
        inherited = (theirs.fileno(), tasks_read, events_write)
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "sealedbeam.pipeline.jobs.worker", *map(str, inherited)],
            stdin=subprocess.DEVNULL,
            stdout=_STANDARD_ERROR,
            pass_fds=inherited,
            env=os.environ | _WORKER_ENVIRONMENT,
        )
        theirs.close()
        os.close(tasks_read)
        os.close(events_write)
        self._started += 1
        worker = _Worker(self._started, process, ours, tasks_write, events_read)
        self._workers.append(worker)
        self._selector.register(events_read, selectors.EVENT_READ, worker)
        if self._greeting is not None:
            self._greet(worker)

    def _greet(self, worker: _Worker) -> None:
        """Send a worker its job and the lock; one that died is noticed by its events' end."""
        assert self._greeting is not None, "begin() comes first"
        context, lock = self._greeting
        with suppress(ConnectionError), worker.greeting:
            socket.send_fds(worker.greeting, [b"\n"], lock)
            worker.greeting.sendall(context)

    def _hand_out(self, worker: _Worker) -> None:
        worker.held = self._queue.popleft()
        worker.idle = False
        try:
            _write_all(worker.tasks_fd, worker.held.to_json().encode() + b"\n")
        except BrokenPipeError:
            self._lose(worker)

    def _hear(self, worker: _Worker) -> None:
        data = os.read(worker.events_fd, _READ_BYTES)
        if not data:
            self._lose(worker)
            return
        *lines, worker.buffered = (worker.buffered + data).split(b"\n")
        for line in lines:
            self._note(worker, json.loads(line))

    def _note(self, worker: _Worker, event: dict[str, Any]) -> None:
        if "failed" in event:
            error = SealedBeamError(event["message"])
            error.exit_code = event["exit_code"]
            raise error
        if "idle" in event:
            worker.idle = worker.started = True
            self._stillborn = 0
            return
        worker.held = None
        self._listen({**event, "worker": worker.number})

    def _lose(self, worker: _Worker) -> None:
        """Bury a dead worker, put its task back first in line, and start another."""
        task = worker.held
        code = self._bury(worker)
        self._listen({"lost_worker": worker.number, "exit": code, "task": task and task.name})
        self._stillborn += not worker.started
        if self._stillborn >= DEATHS_MAX:
            raise SealedBeamError(
                f"{DEATHS_MAX} workers died one after the other before they could begin "
                f"(last exit {code}); what they wrote to standard error tells why"
            )
        if task is not None:
            self._deaths[task.name] = self._deaths.get(task.name, 0) + 1
            if self._deaths[task.name] >= DEATHS_MAX:
                raise SealedBeamError(
                    f"{task.name} killed its worker {DEATHS_MAX} times (last exit {code}); "
                    "look for a signal or for memory in the system's log"
                )
            self._queue.appendleft(task)
        self._start()

    def _bury(self, worker: _Worker) -> int:
        """Kill a worker and wait until it is really gone; return its exit code."""
        self._selector.unregister(worker.events_fd)
        worker.process.kill()
        code = worker.process.wait()
        worker.greeting.close()
        os.close(worker.tasks_fd)
        os.close(worker.events_fd)
        self._workers.remove(worker)
        return code


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
