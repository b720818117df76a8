"""Puts the server together: a folder's jobs behind the API, on a socket that is open already."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sealedbeam.monitoring.alarms import find_alarms
from sealedbeam.monitoring.live import LiveReader

from .api import Api
from .live_jobs import LiveJobs
from .server import Application
from .static_files import load_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .replay import ReplayClock


@contextmanager
def serving(
    root: Path,
    complain: Callable[[str], None],
    hosts: frozenset[str] = frozenset(),
    replay: ReplayClock | None = None,
) -> Iterator[Application]:
    """Yield what answers for the jobs in `root`.

    Args:
        root: a job's folder, or one of jobs; it need not be there yet.
        complain: told in one line of errors that are this program's own.
        hosts: names and addresses beside this machine's own by which clients may call it.
        replay: the clock on which finished jobs are shown.
    """
    jobs = LiveJobs(root, LiveReader, find_alarms, complain)
    api = Api(jobs, load_files(), hosts, replay)
    try:
        jobs.warm()
        yield Application(api, complain)
    finally:
        api.close()
        jobs.close()
