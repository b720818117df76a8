"""A worker process: one Beam job that lasts as long as the driver has tasks for it.

Started by the driver as `python -m sealedbeam.pipeline.jobs.worker SOCKET_FD TASKS_FD EVENTS_FD
RECORDER_FD`. The socket brings the job and the lock on its folder, once they are there; meanwhile
Beam is loaded.
The Beam job's source is the task pipe: a task is read, done and committed before the next one is
asked for. The worker dies with the driver: by the kernel's parent-death signal where there is one,
and at the end of the task pipe.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import resource
import shutil
import signal
import socket
import sys
import traceback
from contextlib import suppress
from importlib.abc import MetaPathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING

from sealedbeam.pipeline.errors import SealedBeamError

from .report import Reporter

if TYPE_CHECKING:
    from collections.abc import Collection

_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # names of mallopt(3)
_KEPT_BYTES = 256 << 20
_PAD_BYTES = 16 << 20
_MMAP_BYTES = 32 << 20  # the most that glibc allows
_YOUNG_OBJECTS = 50_000


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even what it is part of
        return False


UNUSED = ("bson", "pandas", "pymongo") + (
    () if _is_installed("google.cloud.storage") else ("requests",)  # which gs:// goes through
)


def main(arguments: list[str]) -> int:
    """Serve tasks until the task pipe ends."""
    # Before Beam, whose import warns of absent clouds; what a task raises is told below.
    logging.basicConfig(level=logging.CRITICAL)
    socket_fd, tasks_fd, events_fd, recorder_fd = map(int, arguments)
    hide_unused()
    die_with_parent()
    keep_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what an interrupt means
    reporter = Reporter(events_fd)
    try:
        serve(socket.socket(fileno=socket_fd), tasks_fd, reporter, recorder_fd)
    except SealedBeamError:
        return 1  # the task has told the driver
    except Exception as error:  # noqa: BLE001 - whatever it was, the driver must learn of it
        traceback.print_exc()
        message = f"{type(error).__name__}: {str(error)[:1000]}"
        reporter.send(failed="", message=message, exit_code=1)
        return 1
    return 0


def serve(greeting: socket.socket, tasks_fd: int, reporter: Reporter, recorder_fd: int) -> None:
    """Do the tasks that come through a pipe, until it ends, as one Beam job in this process."""
    import apache_beam as beam  # noqa: PLC0415 - after the log level is set
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner  # noqa: PLC0415

    from .transforms import DoTask, TakeTasks  # noqa: PLC0415
    from .work import open_work  # noqa: PLC0415

    gc.freeze()  # what was imported stays: no need to look through it for garbage
    context = receive_job(greeting)
    if not context:
        return
    limit_memory(open_work(context).memory_bytes)
    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        # Beam makes a folder for each pipeline, which a worker that is killed could not remove.
        shutil.rmtree(pipeline.local_tempdir, ignore_errors=True)
        _ = (
            pipeline
            | "Open" >> beam.Create([tasks_fd], reshuffle=False)
            | "Take" >> beam.ParDo(TakeTasks(reporter))
            | "Do" >> beam.ParDo(DoTask(context, reporter, recorder_fd))
        )


class Absent(MetaPathFinder):
    """Makes modules look as if they were not installed.

    Beam and Arrow import these wherever they are, which takes 0.3 s and serves nothing here.
    """

    def __init__(self, names: Collection[str]) -> None:
        """Hide the modules with these names."""
        self._names = names

    def find_spec(self, fullname: str, _path: object, _target: object = None) -> None:
        """Refuse to find a hidden module; leave every other one to the next finder."""
        if fullname in self._names:
            raise ModuleNotFoundError(f"{fullname} is not wanted in a worker", name=fullname)


def hide_unused() -> Absent:
    """Hide what nothing here uses, Arrow's pandas first of all; return what has to be removed."""
    absent = Absent(UNUSED)
    sys.meta_path.insert(0, absent)
    return absent


def receive_job(greeting: socket.socket) -> str:
    """Return the job as JSON, empty when there is none; the lock that comes with it stays open."""
    with greeting:
        first, _lock, _, _ = socket.recv_fds(greeting, 1, 1)
        with greeting.makefile() as rest:
            return rest.read() if first else ""


def limit_memory(limit_bytes: int) -> None:
    """Let allocations fail that would take this process beyond `limit_bytes` of its own data.

    Reserved addresses do not count, of which threads and allocators take gigabytes.
    """
    with suppress(ValueError, OSError):  # a lower limit was set from outside: that one holds
        resource.setrlimit(resource.RLIMIT_DATA, (limit_bytes, limit_bytes))


def keep_memory() -> None:
    """Keep freed memory for the next page, and look for garbage rarely.

    Each page allocates and frees some hundred kilobytes; giving them back to the kernel every time
    cost 6 % of the parse. Records make no cycles, so the collector has next to nothing to find.
    """
    gc.set_threshold(_YOUNG_OBJECTS, 20, 100)
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; other systems go without
    if mallopt is not None:
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)
        mallopt(_M_TOP_PAD, _PAD_BYTES)
        mallopt(_M_MMAP_THRESHOLD, _MMAP_BYTES)


def die_with_parent() -> None:
    """Have this process killed when the thread that started it ends; elsewhere than on Linux, not.

    Whose parent is gone already ends at once.
    """
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
