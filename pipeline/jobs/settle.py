"""What happens before and between the phases of a job: its parts, the stitch check, the end."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sealedbeam.pipeline.config import Redundancy
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.manifest import FILE_NAME, decode_manifest

from .entry import INPUTS, entry_path, inputs_digest
from .files import is_stored
from .finish import Finished, Observer, covered_files, finish, write_failure
from .plan import Extent, Part, misstitched, plan_parts
from .redundancy import EVICTED, find_evicted, trusts
from .tasks import duplicates_task, map_task, reduce_tasks, required_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .context import JobContext
    from .entry import Entry
    from .store import Store
    from .tasks import Task

REPAIRS_MAX = 3  # of files that were damaged in storage, before a job gives up


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
    return misstitched(parts, _extents([required_entry(context, part.task) for part in parts]))


def find_distrusted(context: JobContext, parts: Sequence[Part]) -> list[Task]:
    """Return the parts that must be done again without machines that have computed wrongly.

    One round is enough: what is counted against machines does not depend on who is evicted.
    """
    if context.config.redundancy is Redundancy.OFF:
        return []
    entries = [required_entry(context, part.task) for part in parts]
    evicted = find_evicted(entries, context.config.evict_after)
    pairs = zip(parts, entries, strict=True)
    return [map_task(part, evicted) for part, entry in pairs if trusts(entry, evicted)]


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
            f"{store.name} was finished, but has changed since ({named}); audit tells all of it. "
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
            again.append(replace(task, evicted=tuple(entry.details.get(EVICTED, ()))))
    return again


def damaged_too_often(context: JobContext) -> IntegrityError:
    """Return the error of a job whose files keep being damaged in storage."""
    return IntegrityError(
        f"files in {context.output} were damaged {REPAIRS_MAX} times after they had been "
        "written; check the disk"
    )


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
    """Judge the ledger and end the job; its files have had their last look.

    Raises:
        IntegrityError: an attempt that nobody waited for has replaced what others had read.
    """
    tasks = [task for phase in phases(context, parts) for task in phase]
    entries = [required_entry(context, task.name) for task in tasks]
    if late := _outdated(context, parts, entries):
        raise IntegrityError(
            f"{', '.join(late)} does not go with the rest of {context.output}: an attempt that had "
            "been given up came late; run the same command again: it is made again"
        )
    return finish(context, entries, observer, seconds)


def _outdated(context: JobContext, parts: Sequence[Part], entries: Sequence[Entry]) -> list[str]:
    """Return the tasks that must be done again, given the entries of all: parts first, shards last.

    Those are parts that do not follow on each other or rely on an evicted machine, and tasks that
    have read other files than those which stand now.
    """
    of_parts, later = entries[: len(parts)], entries[len(parts) :]
    outdated = [part.task for part in misstitched(parts, _extents(of_parts))]
    evicted = find_evicted(of_parts, context.config.evict_after)
    outdated += [entry.task for entry in of_parts if trusts(entry, evicted)]
    for number, entry in enumerate(later):
        before = [*of_parts, *later[: min(number, 1)]]
        if entry.details != {INPUTS: inputs_digest(before)}:
            outdated.append(entry.task)
    return outdated


def _extents(entries: Sequence[Entry]) -> dict[int, Extent]:
    return {
        number: Extent(entry.details["first"], entry.details["end"])
        for number, entry in enumerate(entries)
    }


def abandon(context: JobContext, parts: Sequence[Part], reason: str) -> None:
    """Say in summary.json that the job failed, and what its committed tasks add up to."""
    tasks = [task for phase in phases(context, parts) for task in phase]
    entries = [entry for task in tasks if (entry := context.committed(task.name)) is not None]
    write_failure(context, entries, reason)
