"""Beam wiring: one DoFn that does tasks, and the whole index build as a composite transform.

Beam schedules the tasks; the data goes through files. What travels between the steps here is the
name of a task and the fact that it has committed.
"""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from sealedbeam.pipeline.errors import SealedBeamError

from .beam_metrics import count
from .context import JobContext
from .finish import SUMMARY, Observer, Unobserved
from .prepare import claim, finished
from .recorder import Recorder, map_file
from .report import Reporter
from .settle import find_distrusted, finish_job, phases, planned_parts, stitch
from .supervision import OUT_OF_MEMORY
from .tasks import execute, map_task
from .work import open_work

if TYPE_CHECKING:
    from collections.abc import Iterator


class TakeTasks(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Reads tasks, one to a line, from a pipe of this process, asking for each when it is idle."""

    def __init__(self, reporter: Reporter) -> None:
        """Tell the driver through `reporter` when the next task is wanted."""
        self._reporter = reporter

    def process(self, element: int) -> Iterator[str]:
        """Yield the tasks that come through descriptor `element`, until it ends."""
        with os.fdopen(element) as lines:
            self._reporter.send(idle=True)
            for line in lines:
                yield line
                self._reporter.send(idle=True)


class DoTask(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Does tasks, given as JSON; yields the name of each when it has committed."""

    def __init__(
        self, context: str, reporter: Reporter | None = None, recorder_fd: int | None = None
    ) -> None:
        """Work for the job that `context` (JSON) describes, under a driver if these are given."""
        self._context_json = context
        self._reporter = reporter or Reporter()
        self._recorder_fd = recorder_fd

    def setup(self) -> None:
        """Open the job once for each worker."""
        self._work = open_work(self._context_json, self._reporter)
        descriptor = self._recorder_fd
        self._recorder = Recorder(None if descriptor is None else map_file(descriptor))

    def process(self, element: str) -> Iterator[str]:
        """Do one task."""
        try:
            name, entry = self._work.do(element, self._recorder)
        except MemoryError:
            if self._recorder_fd is not None:
                os._exit(OUT_OF_MEMORY)  # the driver sees what was in hand
            raise
        except SealedBeamError as error:
            self._reporter.send(
                failed=_name_of(element), message=str(error), exit_code=error.exit_code
            )
            raise
        self._recorder.rest()
        count(entry.hops)
        self._reporter.send(done=name, **progress_of(entry.counts, entry.hops))
        yield name


def _name_of(task: str) -> str:
    """Return the name of a task that is given as JSON."""
    return str(json.loads(task)["name"])


def progress_of(counts: Any, hops: Any) -> dict[str, int]:
    """Return the few figures of an entry that a progress display shows."""
    cells = [account.total() for account in hops.values()]
    return {
        "pages": counts.get("pages", {}).get("read", 0),
        "corrected": sum(cell.corrected for cell in cells),
        "retried": sum(cell.retried for cell in cells),
        "dropped": sum(cell.dropped for cell in cells),
    }


class PlanParts(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Plans the parts where the job runs, so that the pipeline carries one small value."""

    def process(self, element: str) -> Iterator[str]:
        """Yield the map tasks of the job that `element` (JSON) describes."""
        context = JobContext.from_json(element)
        for part in planned_parts(context):
            yield map_task(part).to_json()


class SettleParts(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """After all parts: does again those that cannot stand, then the duplicates.

    That are parts that disagree with their neighbour, or rely on a machine that computes wrongly.
    """

    def __init__(self, context: str) -> None:
        """Work for the job that `context` (JSON) describes."""
        self._context_json = context

    def process(self, _done: Any) -> Iterator[str]:
        """Yield the tasks of all shards."""
        context = JobContext.from_json(self._context_json)
        parts = planned_parts(context)
        while again := stitch(context, parts):
            for part in again:
                count(execute(context, map_task(part)).hops)
                parts[part.number] = part
        for task in find_distrusted(context, parts):
            count(execute(context, task).hops)
        _, (duplicates,), shards = phases(context, parts)
        count(execute(context, duplicates).hops)
        for task in shards:
            yield task.to_json()


class Finish(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """After all shards: judges the ledger and writes the manifest; yields the summary."""

    def __init__(self, context: str, observer: Observer, started: float) -> None:
        """Work for the job that `context` (JSON) describes."""
        self._context_json = context
        self._observer = observer
        self._started = started

    def process(self, _done: Any) -> Iterator[dict[str, Any]]:
        """Yield the summary; a job that has its manifest is left as it is."""
        context = JobContext.from_json(self._context_json)
        if finished(context):
            yield json.loads(context.store.read(SUMMARY))
            return
        yield finish_job(context, self._observer, time.time() - self._started).summary


class BuildShards(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Does all tasks of an index job: from a pipeline's root to the number of shards, once.

    What is left is to judge the ledger and write the manifest: `Finish` or `finish_job`.
    """

    def __init__(self, context: JobContext) -> None:
        """Do the tasks of a prepared job."""
        super().__init__()
        self._context = context

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        """Wire the phases: map, barrier, reduce, barrier."""
        claim(self._context)
        context = self._context.to_json()
        return (
            root
            | "NameJob" >> beam.Create([context])
            | "PlanParts" >> beam.ParDo(PlanParts())
            | "SpreadParts" >> beam.Reshuffle()
            | "MapParts" >> beam.ParDo(DoTask(context))
            | "AwaitParts" >> beam.combiners.Count.Globally()
            | "SettleParts" >> beam.ParDo(SettleParts(context))
            | "SpreadShards" >> beam.Reshuffle()
            | "ReduceShards" >> beam.ParDo(DoTask(context))
            | "AwaitShards" >> beam.combiners.Count.Globally()
        )


class BuildIndex(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Builds an index in any pipeline: from its root to a PCollection with the summary.

    The folder is marked as this job's when the transform is applied. Look at `status` in the
    summary: an index whose ledger does not balance is "failed" and has no manifest.

    Example:
        job = prepare(["crawl.warc.gz"], Path("index"), JobConfig())
        with beam.Pipeline() as pipeline:
            _ = pipeline | BuildIndex(job) | beam.Map(print)
    """

    def __init__(self, context: JobContext, observer: Observer | None = None) -> None:
        """Build the index of a prepared job."""
        super().__init__()
        self._context = context
        self._observer = observer or Unobserved()

    def expand(self, root: beam.Pipeline) -> beam.PCollection:
        """Do all tasks, then finish."""
        end = Finish(self._context.to_json(), self._observer, time.time())
        return root | "BuildShards" >> BuildShards(self._context) | "Finish" >> beam.ParDo(end)
