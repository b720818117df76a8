"""What workers can be asked to do: the tasks of an index job, or those of a crawl.

A worker is told by the JSON of its job; only what that needs is imported.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from .context import JobContext
from .report import Reporter
from .tasks import Task, execute

if TYPE_CHECKING:
    from .entry import Entry
    from .recorder import Recorder

_CRAWL = "crawl"


class Work(Protocol):
    """A job as a worker sees it."""

    @property
    def memory_bytes(self) -> int:
        """The most memory that the process may use."""

    def do(self, text: str, recorder: Recorder) -> tuple[str, Entry]:
        """Do a task, given as JSON; return its name and its entry."""


class IndexWork:
    """The work of one index job in one process."""

    def __init__(self, text: str) -> None:
        """Work for the job that `text` (JSON) describes."""
        self._context = JobContext.from_json(text)

    @property
    def memory_bytes(self) -> int:
        """The most memory that the process may use."""
        return self._context.config.worker_memory_bytes

    def do(self, text: str, recorder: Recorder) -> tuple[str, Entry]:
        """Do a task, given as JSON; return its name and its entry."""
        task = Task.from_json(text)
        return task.name, execute(self._context, task, recorder)


def open_work(text: str, reporter: Reporter | None = None) -> Work:
    """Return the work that a job's JSON asks for; what takes long tells `reporter` of it."""
    if json.loads(text).get("work") == _CRAWL:
        from .crawl.work import CrawlWork  # noqa: PLC0415 - an index job does without all of it

        return CrawlWork(text, reporter or Reporter())
    return IndexWork(text)
