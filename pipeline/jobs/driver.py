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
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Self

from sealedbeam.pipeline.errors import SealedBeamError

from .child import Child, start_child
from .supervision import DEADLINE, DEATHS_MAX, START_SECONDS, Supervision, allowed_seconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from .supervision import Death
    from .tasks import Task

_READ_BYTES = 1 << 16
_GLANCES = 4  # looks at each worker in the time that it has for one record
_GLANCE_SECONDS_MAX = 1.0


class Workers:
    """A pool of worker processes for one job; a context manager, so that none outlives it."""

    def __init__(self) -> None:
        """Make an empty pool."""
        self._greeting: tuple[bytes, list[int]] | None = None
        self._listen: Callable[[dict[str, Any]], None] = lambda _: None
        self._selector = selectors.DefaultSelector()
        self._workers: list[Child] = []
        self._started = 0
        self._stillborn = 0
        self._supervision = Supervision()
        self._record_seconds = 0.0
        self._looked_seconds = 0.0
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
        self,
        context: str,
        listen: Callable[[dict[str, Any]], None],
        lock: int | None = None,
        *,
        record_seconds: float,
    ) -> None:
        """Give the pool its job.

        Args:
            context: the job, as JSON.
            listen: called with every event: a task done or under way, a worker lost.
            lock: a descriptor that the workers keep open: the folder's lock.
            record_seconds: that a worker may stand still at one record.
        """
        self._listen = listen
        self._greeting = context.encode(), [] if lock is None else [lock]
        self._record_seconds = record_seconds
        for worker in self._workers:
            worker.greet(*self._greeting)

    def run(self, tasks: Sequence[Task]) -> None:
        """Do all `tasks`; return when each has committed.

        Raises:
            SealedBeamError: a task failed, or kept killing its workers.
        """
        glance_seconds = min(_GLANCE_SECONDS_MAX, self._record_seconds / _GLANCES)
        self._looked_seconds = time.monotonic()
        self._queue.extend(map(self._supervision.instruct, tasks))
        while self._queue or any(worker.held is not None for worker in self._workers):
            for worker in list(self._workers):
                if worker.idle and self._queue:
                    self._hand_out(worker)
            for key, _ in self._selector.select(glance_seconds):
                self._hear(key.data)
            self._look()

    def _start(self) -> None:
        self._started += 1
        worker = start_child(self._started)
        self._workers.append(worker)
        self._selector.register(worker.events_fd, selectors.EVENT_READ, worker)
        if self._greeting is not None:
            worker.greet(*self._greeting)

    def _hand_out(self, worker: Child) -> None:
        try:
            worker.give(self._queue.popleft())
        except BrokenPipeError:
            self._lose(worker)

    def _hear(self, worker: Child) -> None:
        data = os.read(worker.events_fd, _READ_BYTES)
        if not data:
            self._lose(worker)
            return
        *lines, worker.buffered = (worker.buffered + data).split(b"\n")
        for line in lines:
            self._note(worker, json.loads(line))

    def _note(self, worker: Child, event: dict[str, Any]) -> None:
        if "failed" in event:
            error = SealedBeamError(event["message"])
            error.exit_code = event["exit_code"]
            raise error
        if "idle" in event:
            worker.idle = worker.started = True
            self._stillborn = 0
            return
        if "progress" not in event:
            worker.held = None
        self._listen({**event, "worker": worker.number})

    def _look(self) -> None:
        """End the workers that have not got on for longer than they may."""
        now = time.monotonic()
        since, self._looked_seconds = now - self._looked_seconds, now
        for worker in list(self._workers):
            waited_for = worker.held is not None or (self._queue and not worker.idle)
            note = worker.note
            stood = worker.clock.look(note, since) if waited_for else 0.0
            limit = allowed_seconds(note.stage, self._record_seconds)
            if stood > (limit if worker.started else START_SECONDS):
                worker.condemned = DEADLINE
                self._lose(worker)

    def _lose(self, worker: Child) -> None:
        """Bury a dead worker, put its task back first in line, and start another."""
        task, death = worker.held, self._bury(worker)
        self._stillborn += not worker.started
        again = None
        try:
            if task is not None:
                again = self._supervision.judge(task, death)
        finally:
            self._listen(_describe(worker, death, again))
        if self._stillborn >= DEATHS_MAX:
            raise SealedBeamError(
                f"{DEATHS_MAX} workers died one after the other before they could begin "
                f"(last exit {death.code}); what they wrote to standard error tells why"
            )
        if again is not None:
            self._queue.appendleft(again)
        self._start()

    def _bury(self, worker: Child) -> Death:
        self._selector.unregister(worker.events_fd)
        self._workers.remove(worker)
        return worker.bury()


def _describe(worker: Child, death: Death, again: Task | None) -> dict[str, Any]:
    """Return the event of a worker's death: what it was doing, and what that means for its task."""
    task = worker.held
    event: dict[str, Any] = {
        "lost_worker": worker.number,
        "exit": death.code,
        "task": task and task.name,
        "reason": death.cause,
        "stage": death.note.stage.name.lower(),
    }
    if task is not None and task.part is not None and death.names_record:
        event |= {"source": task.part.source, "offset": death.note.offset}
    if task is not None and again is not None:
        known = len(task.skips)
        event |= {"set_aside": [list(skip) for skip in again.skips[known:]]}
        event |= {"careful": again.careful}
    return event
