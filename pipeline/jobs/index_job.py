"""The index job from its options to its result: prepare, map, stitch, compare, reduce, finish."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError, UsageError

from .driver import Workers
from .finish import tidy
from .lock import Operations
from .prepare import claimed, finished
from .settle import (
    REPAIRS_MAX,
    abandon,
    conclude,
    damaged_too_often,
    find_distrusted,
    phases,
    planned_parts,
    require_intact,
    stitch,
    take_back_damaged,
)
from .tasks import map_task

if TYPE_CHECKING:
    from collections.abc import Callable

    from .context import JobContext
    from .finish import Finished, Observer
    from .plan import Part


@dataclass(frozen=True, slots=True)
class Progress:
    """What a display is told: a phase's name and number of tasks, or an event of one task."""

    phase: str
    tasks: int = 0
    event: dict[str, Any] | None = None


def run_index_job(
    context: JobContext,
    observer: Observer,
    workers: int,
    show: Callable[[Progress], None],
    pool: Workers | None = None,
) -> Finished | None:
    """Run a prepared job with the local driver; None when its folder was finished before.

    Args:
        context: the job.
        observer: told of the results.
        workers: how many processes may work at once.
        show: told of the progress.
        pool: workers that were started ahead.

    Raises:
        SealedBeamError: the job cannot go on.
    """
    if workers < 1:
        raise UsageError(f"--workers {workers}: at least one worker is needed")
    with claimed(context) as lock:
        if finished(context):
            require_intact(context.store)
            tidy(context.store)
            return None
        with Operations(context.store.root) as operations:
            parts = planned_parts(context)
            job = _IndexJob(context, parts, operations, show)
            with pool or Workers() as workers_of_job:
                count = min(workers, max(1, len(parts), context.shards))
                workers_of_job.grow(count)
                workers_of_job.begin(
                    context.to_json(),
                    job.listen,
                    lock.descriptor,
                    record_seconds=context.config.record_seconds,
                )
                try:
                    return job.run(observer, workers_of_job)
                except SealedBeamError as error:
                    if error.exit_code == IntegrityError.exit_code:
                        abandon(context, job.parts, str(error))
                    raise


@dataclass(slots=True)
class _IndexJob:
    """One run of a job; `parts` follow what the stitch check finds."""

    context: JobContext
    parts: list[Part]
    operations: Operations
    show: Callable[[Progress], None]

    def run(self, observer: Observer, pool: Workers) -> Finished:
        """Do what is left to do of all phases, and finish."""
        started = time.monotonic()
        context, parts, show = self.context, self.parts, self.show
        begun = {"started": context.configuration_hash, "command": observer.command}
        self.operations.note(**begun, parts=len(parts))
        self._map(pool)
        _, duplicates, shards = phases(context, parts)
        show(Progress("duplicates", 1))
        pool.run(duplicates)
        show(Progress("shards", len(shards)))
        pool.run(shards)
        self._look_again(pool)
        show(Progress("finish", 1))
        result = conclude(context, parts, observer, time.monotonic() - started)
        self.operations.note(ended=result.summary["status"])
        return result

    def listen(self, event: dict[str, Any]) -> None:
        """Write an event down and show it."""
        self.operations.note(**event)
        self.show(Progress("event", event=event))

    def _map(self, pool: Workers) -> None:
        """Do all parts, and again those that the stitch check or an eviction sends back."""
        context, parts = self.context, self.parts
        self.show(Progress("parts", len(parts)))
        # The largest first, so that the workers end together.
        by_size = sorted(parts, key=lambda part: part.start - part.stop)
        pool.run([map_task(part) for part in by_size])
        while again := stitch(context, parts):
            self.show(Progress("parts again", len(again)))
            for part in again:
                parts[part.number] = part
            pool.run([map_task(part) for part in again])
        if distrusted := find_distrusted(context, parts):
            self.operations.note(evicted=list(distrusted[0].evicted))
            self.show(Progress("parts again", len(distrusted)))
            pool.run(distrusted)

    def _look_again(self, pool: Workers) -> None:
        """Read every file once more; what was damaged in storage meanwhile is made again."""
        for _ in range(REPAIRS_MAX):
            again = [take_back_damaged(self.context, t) for t in phases(self.context, self.parts)]
            if not any(again):
                return
            for tasks in filter(None, again):
                self.operations.note(damaged_in_storage=[task.name for task in tasks])
                self.show(Progress("again", len(tasks)))
                pool.run(tasks)
        raise damaged_too_often(self.context)
