"""Beam wiring: one DoFn that does tasks, and the whole index build as a composite transform.

Beam schedules the tasks; the data goes through files. What travels between the steps here is the
name of a task and the fact that it has committed.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from sealedbeam.pipeline.errors import SealedBeamError

from .context import JobContext
from .finish import Observer, Unobserved
from .plan import plan_parts
from .prepare import claim
from .report import Reporter
from .settle import finish_job, stitch
from .tasks import Task, duplicates_task, execute, map_task, reduce_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator


class DoTask(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Does tasks, given as JSON; yields the name of each when it has committed."""

    def __init__(self, context: str, reporter: Reporter | None = None) -> None:
        """Work for the job that `context` (JSON) describes."""
        self._context_json = context
        self._reporter = reporter or Reporter()

    def setup(self) -> None:
        """Open the job once for each worker."""
        self._context = JobContext.from_json(self._context_json)

    def process(self, element: str) -> Iterator[str]:
        """Do one task."""
        task = Task.from_json(element)
        try:
            entry = execute(self._context, task)
        except SealedBeamError as error:
            self._reporter.send(failed=task.name, message=str(error), exit_code=error.exit_code)
            raise
        self._reporter.send(done=task.name, **progress_of(entry.counts, entry.hops))
        yield task.name


def progress_of(counts: Any, hops: Any) -> dict[str, int]:
    """Return the few figures of an entry that a progress display shows."""
    cells = [account.total() for account in hops.values()]
    return {
        "pages": counts.get("pages", {}).get("read", 0),
        "corrected": sum(cell.corrected for cell in cells),
        "retried": sum(cell.retried for cell in cells),
        "dropped": sum(cell.dropped for cell in cells),
    }


class SettleParts(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """After all parts: does again those that disagree with their neighbour, then the duplicates."""

    def __init__(self, context: str) -> None:
        """Work for the job that `context` (JSON) describes."""
        self._context_json = context

    def process(self, _done: Any) -> Iterator[str]:
        """Yield the tasks of all shards."""
        context = JobContext.from_json(self._context_json)
        parts = plan_parts(context.inputs, context.config.part_bytes)
        while again := stitch(context, parts):
            for part in again:
                execute(context, map_task(part))
                parts[part.number] = part
        execute(context, duplicates_task(len(parts)))
        for task in reduce_tasks(context.shards, len(parts)):
            yield task.to_json()


class Finish(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """After all shards: judges the ledger and writes the manifest; yields the summary."""

    def __init__(self, context: str, observer: Observer, started: float) -> None:
        """Work for the job that `context` (JSON) describes."""
        self._context_json = context
        self._observer = observer
        self._started = started

    def process(self, _done: Any) -> Iterator[dict[str, Any]]:
        """Yield the summary."""
        context = JobContext.from_json(self._context_json)
        finished = finish_job(context, self._observer, time.time() - self._started)
        yield finished.summary


class BuildIndex(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Builds an index in any pipeline: from its root to a PCollection with the summary.

    Example:
        with beam.Pipeline() as pipeline:
            job = prepare(["crawl.warc.gz"], Path("index"), JobConfig())
            summary = pipeline | BuildIndex(job)
    """

    def __init__(self, context: JobContext, observer: Observer | None = None) -> None:
        """Build the index of a prepared job."""
        super().__init__()
        self._context = context
        self._observer = observer or Unobserved()

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        """Wire the phases: map, barrier, reduce, barrier, finish."""
        claim(self._context)
        context = self._context.to_json()
        parts = plan_parts(self._context.inputs, self._context.config.part_bytes)
        return (
            root
            | "PlanParts" >> beam.Create([map_task(part).to_json() for part in parts])
            | "SpreadParts" >> beam.Reshuffle()
            | "MapParts" >> beam.ParDo(DoTask(context))
            | "AwaitParts" >> beam.combiners.Count.Globally()
            | "SettleParts" >> beam.ParDo(SettleParts(context))
            | "SpreadShards" >> beam.Reshuffle()
            | "ReduceShards" >> beam.ParDo(DoTask(context))
            | "AwaitShards" >> beam.combiners.Count.Globally()
            | "Finish" >> beam.ParDo(Finish(context, self._observer, time.time()))
        )
