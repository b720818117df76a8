"""The index job from its options to its result: prepare, map, stitch, compare, reduce, finish."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import UsageError

from .driver import Workers
from .plan import plan_parts
from .prepare import FolderLock, claimed, finished
from .settle import finish_job, stitch
from .tasks import duplicates_task, map_task, reduce_tasks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .context import JobContext
    from .finish import Finished, Observer
    from .plan import Part

OPERATIONS = "operations.jsonl"


@dataclass(frozen=True, slots=True)
class Progress:
    """What a display is told: a phase's name and number of tasks, or an event of one task."""

    phase: str
    tasks: int = 0
    event: dict[str, Any] | None = None


class Operations:
    """Appends what real processes did to operations.jsonl: outside the ledger, never hashed."""

    def __init__(self, root: Path) -> None:
        """Append to the log in `root`."""
        self._file = (root / OPERATIONS).open("a")

    def note(self, **event: Any) -> None:
        """Append one event with the time of day."""
        self._file.write(json.dumps({"time": round(time.time(), 3), **event}) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the log."""
        self._file.close()


def run_index_job(
    context: JobContext,
    observer: Observer,
    workers: int,
    show: Callable[[Progress], None],
) -> Finished | None:
    """Run a prepared job with the local driver; None when its folder was finished before.

    Raises:
        SealedBeamError: the job cannot go on.
    """
    if workers < 1:
        raise UsageError(f"--workers {workers}: at least one worker is needed")
    with claimed(context) as lock:
        if finished(context):
            return None
        return _run(context, observer, workers, show, lock)


def _run(
    context: JobContext,
    observer: Observer,
    workers: int,
    show: Callable[[Progress], None],
    lock: FolderLock,
) -> Finished:
    started = time.monotonic()
    operations = Operations(context.store.root)
    parts = plan_parts(context.inputs, context.config.part_bytes)
    shards = reduce_tasks(context.shards, len(parts))
    operations.note(started=context.configuration_hash, parts=len(parts), workers=workers)

    def listen(event: dict[str, Any]) -> None:
        operations.note(**event)
        show(Progress("event", event=event))

    with Workers(context, min(workers, max(1, len(parts))), listen, (lock.descriptor,)) as pool:
        show(Progress("parts", len(parts)))
        _map(context, parts, pool)
        show(Progress("duplicates", 1))
        pool.run([duplicates_task(len(parts))])
        show(Progress("shards", len(shards)))
        pool.run(shards)
    show(Progress("finish", 1))
    result = finish_job(context, observer, time.monotonic() - started)
    operations.note(ended=result.summary["status"])
    operations.close()
    return result


def _map(context: JobContext, parts: list[Part], pool: Workers) -> None:
    """Do all parts, and again those that the stitch check sends back."""
    for number, part in enumerate(parts):
        entry = context.committed(part.task)
        if entry is not None:  # a part that was done again keeps the start that it was given
            start, exact_start = entry.details["start"]
            parts[number] = replace(part, start=start, exact_start=exact_start)
    pool.run([map_task(part) for part in parts])
    while again := stitch(context, parts):
        for part in again:
            parts[part.number] = part
        pool.run([map_task(part) for part in again])
