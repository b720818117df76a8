"""What a runner schedules: a task as a small JSON value, and the one function that does it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError

from .duplicates_job import TASK as DUPLICATES
from .duplicates_job import run_duplicates_task
from .map_job import run_map_task
from .plan import Part
from .poison import Skip
from .recorder import Recorder
from .reduce_job import run_reduce_task, shard_task
from .store import storage_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .context import JobContext
    from .entry import Entry


@dataclass(frozen=True, slots=True)
class Task:
    """One of: a part to map, the duplicates (needs `parts`), a shard to reduce (needs `parts`).

    `parts` is how many map tasks the job has: a later task reads all their entries. `skips` are the
    records that the part must do without; a `careful` task looks for another one (see supervision).
    `evicted` are the machines that it must do without (see redundancy).
    """

    name: str
    part: Part | None = None
    shard: int | None = None
    parts: int = 0
    skips: tuple[Skip, ...] = ()
    careful: bool = False
    evicted: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Return the task as one line of JSON."""
        return canonical_json(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Return the task that `to_json` wrote."""
        value = json.loads(text)
        part = None if value["part"] is None else Part(**value["part"])
        skips = tuple(Skip(*skip) for skip in value["skips"])
        evicted = tuple(value["evicted"])
        return cls(**(value | {"part": part, "skips": skips, "evicted": evicted}))


def map_task(part: Part, evicted: Sequence[str] = ()) -> Task:
    """Return the task of a part, to be done without the machines that are `evicted`."""
    return Task(part.task, part=part, evicted=tuple(evicted))


def duplicates_task(parts: int) -> Task:
    """Return the duplicates task of a job with this many parts."""
    return Task(DUPLICATES, parts=parts)


def reduce_tasks(shards: int, parts: int) -> list[Task]:
    """Return the tasks of all shards."""
    return [Task(shard_task(shard), shard=shard, parts=parts) for shard in range(shards)]


def execute(context: JobContext, task: Task, recorder: Recorder | None = None) -> Entry:
    """Do `task`, or find it done, and return its entry.

    Args:
        context: the job.
        task: what to do.
        recorder: told what is in hand, by default nobody.

    Raises:
        SealedBeamError: the job cannot go on; the message is for the user.
    """
    try:
        return _execute(context, task, recorder or Recorder())
    except OSError as error:
        raise SealedBeamError(f"{task.name}: {storage_error(error)}") from error


def _execute(context: JobContext, task: Task, recorder: Recorder) -> Entry:
    if task.part is not None:
        return run_map_task(
            context,
            task.part,
            task.skips,
            evicted=task.evicted,
            careful=task.careful,
            recorder=recorder,
        )
    parts = [required_entry(context, f"part-{number:05d}") for number in range(task.parts)]
    if task.shard is None:
        return run_duplicates_task(context, parts, recorder)
    duplicates = required_entry(context, DUPLICATES)
    return run_reduce_task(context, task.shard, parts, duplicates, recorder)


def required_entry(context: JobContext, task: str) -> Entry:
    """Return the entry of a task that must have committed; raises IntegrityError otherwise."""
    entry = context.committed(task)
    if entry is None:
        raise IntegrityError(f"the ledger entry of {task} is gone; run the same command again")
    return entry
