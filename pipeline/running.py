"""Runs a prepared job with the local driver, and shows how far it is."""

from __future__ import annotations

import sys
from pathlib import PurePath
from typing import TYPE_CHECKING

from .jobs.index_job import run_index_job
from .progress import Display, Tally

if TYPE_CHECKING:
    from .jobs.context import JobContext
    from .jobs.driver import Workers
    from .jobs.finish import Finished, Observer
    from .jobs.index_job import Progress


def run_locally(
    context: JobContext, observer: Observer, workers: int, pool: Workers, *, silent: bool
) -> Finished | None:
    """Run a job on this machine; None when its folder was finished before."""
    found = frozenset(PurePath(path).stem for path in context.store.names("ledger"))
    with Display(sys.stderr, quiet=silent, tally=Tally(found)) as display:

        def display_progress(progress: Progress) -> None:
            if progress.event is None:
                display.begin(progress.phase, progress.tasks)
            else:
                display.note(progress.event)

        return run_index_job(context, observer, workers, display_progress, pool)
