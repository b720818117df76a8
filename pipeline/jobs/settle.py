"""What happens before and between the phases of a job: its parts, the stitch check, the end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.manifest import FILE_NAME, decode_manifest

from .entry import entry_path
from .files import is_stored
from .finish import Finished, Observer, covered_files, finish, write_failure
from .plan import Extent, Part, misstitched, plan_parts
from .tasks import duplicates_task, map_task, reduce_tasks, required_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .context import JobContext
    from .store import Store
    from .tasks import Task


def planned_parts(context: JobContext) -> list[Part]:
    """Return the parts of a job, as planned or as far as it got.

    A part that has committed keeps the start that it was given: it may have been done again.
    """
    parts = plan_parts(context.inputs, context.config.part_bytes)
    for number, part in enumerate(parts):
        entry = context.committed(part.task)
        if entry is not None:
            start, exact_start = entry.details["start"]
            parts[number] = replace(part, start=start, exact_start=exact_start)
    return parts


def stitch(context: JobContext, parts: Sequence[Part]) -> list[Part]:
    """Return the parts that must be done again, by what the committed entries say."""
    extents = {}
    for part in parts:
        details = required_entry(context, part.task).details
        extents[part.number] = Extent(details["first"], details["end"])
    return misstitched(parts, extents)


def phases(context: JobContext, parts: Sequence[Part]) -> tuple[list[Task], ...]:
    """Return all tasks of a job: its parts, the duplicates, its shards; each needs those before."""
    return (
        [map_task(part) for part in parts],
        [duplicates_task(len(parts))],
        reduce_tasks(context.shards, len(parts)),
    )


def require_intact(store: Store) -> None:
    """Raise IntegrityError when a finished folder is no longer what its manifest says."""
    manifest = decode_manifest(store.read(FILE_NAME))
    damaged = [file.path for file in manifest.files if not is_stored(store, file)]
    if damaged:
        named = ", ".join(damaged[:3]) + (", and others" if damaged[3:] else "")
        raise IntegrityError(
            f"{store.root} was finished, but has changed since ({named}); audit tells all of it. "
            "Restore the files, or remove the folder and index again"
        )


def take_back_damaged(context: JobContext, tasks: Sequence[Task]) -> list[Task]:
    """Take back the commits of tasks whose files are no longer what they committed; return them.

    Stored bytes can be damaged after they were read back. A task without an entry did not happen,
    so it is done again, and commits the same bytes.
    """
    again = []
    for task in tasks:
        entry = required_entry(context, task.name)
        files = covered_files(context, entry)
        if not all(is_stored(context.store, file) for file in files):
            context.store.remove(entry_path(task.name))
            again.append(task)
    return again


def finish_job(context: JobContext, observer: Observer, seconds: float) -> Finished:
    """Finish a job all of whose tasks have committed.

    Raises:
        IntegrityError: a committed file is damaged; its task was taken back, to be done again.
    """
    parts = planned_parts(context)
    tasks = [task for phase in phases(context, parts) for task in phase]
    damaged = take_back_damaged(context, tasks)
    if damaged:
        names = ", ".join(task.name for task in damaged)
        raise IntegrityError(
            f"stored files of {names} were damaged after they had been written; "
            "run the same command again: they are made again"
        )
    return conclude(context, parts, observer, seconds)


def conclude(
    context: JobContext, parts: Sequence[Part], observer: Observer, seconds: float
) -> Finished:
    """Judge the ledger and end the job; its files have had their last look."""
    tasks = [task for phase in phases(context, parts) for task in phase]
    entries = [required_entry(context, task.name) for task in tasks]
    return finish(context, entries, observer, seconds)


def abandon(context: JobContext, parts: Sequence[Part], reason: str) -> None:
    """Say in summary.json that the job failed, and what its committed tasks add up to."""
    tasks = [task for phase in phases(context, parts) for task in phase]
    entries = [entry for task in tasks if (entry := context.committed(task.name)) is not None]
    write_failure(context, entries, reason)
