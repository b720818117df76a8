"""What a worker does for a crawl: its tasks, as the pool of workers hands them out."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealedbeam.pipeline.errors import SealedBeamError
from sealedbeam.pipeline.jobs.store import storage_error
from sealedbeam.pipeline.jobs.tasks import Task

from .context import CrawlContext
from .pulse import Pulse
from .steps import CrawlStep, StepKind, run_step

if TYPE_CHECKING:
    from sealedbeam.pipeline.jobs.entry import Entry
    from sealedbeam.pipeline.jobs.recorder import Recorder
    from sealedbeam.pipeline.jobs.report import Reporter


@dataclass(frozen=True, slots=True)
class CrawlTask(Task):
    """A step of a crawl as a task."""

    step: CrawlStep | None = None


def crawl_task(step: CrawlStep) -> CrawlTask:
    """Return the task of a step."""
    return CrawlTask(step.name, step=step)


class CrawlWork:
    """The work of one crawl in one process."""

    def __init__(self, text: str, reporter: Reporter) -> None:
        """Work for the crawl that `text` (JSON) describes; `reporter` learns how far it is."""
        self._context = CrawlContext.from_json(text)
        self._reporter = reporter

    @property
    def memory_bytes(self) -> int:
        """The most memory that the process may use."""
        return self._context.config.worker_memory_bytes

    def do(self, text: str, recorder: Recorder) -> tuple[str, Entry]:
        """Do a task, given as JSON; return its name and its entry.

        Raises:
            SealedBeamError: the crawl cannot go on; the message is for the user.
        """
        value = json.loads(text)
        step = CrawlStep(**(value["step"] | {"kind": StepKind(value["step"]["kind"])}))
        pulse = Pulse(step.name, recorder, self._reporter.send)
        try:
            entry = run_step(self._context, step, pulse)
        except OSError as error:
            raise SealedBeamError(f"{step.name}: {storage_error(error)}") from error
        pulse.tell()
        return step.name, entry
