"""What happens between the phases of a job: the stitch check, and the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .finish import Finished, Observer, finish
from .plan import Extent, Part, misstitched, plan_parts
from .tasks import duplicates_task, reduce_tasks, required_entry

if TYPE_CHECKING:
    from .context import JobContext


def stitch(context: JobContext, parts: list[Part]) -> list[Part]:
    """Return the parts that must be done again, by what the committed entries say."""
    extents = {}
    for part in parts:
        details = required_entry(context, part.task).details
        extents[part.number] = Extent(details["first"], details["end"])
    return misstitched(parts, extents)


def finish_job(context: JobContext, observer: Observer, seconds: float) -> Finished:
    """Finish a job all of whose tasks have committed."""
    parts = plan_parts(context.inputs, context.config.part_bytes)
    tasks = [part.task for part in parts]
    tasks.append(duplicates_task(len(parts)).name)
    tasks += [task.name for task in reduce_tasks(context.shards, len(parts))]
    entries = [required_entry(context, name) for name in tasks]
    return finish(context, entries, observer, seconds)
