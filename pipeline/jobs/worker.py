"""A worker process: one Beam job that lasts as long as the driver has tasks for it.

Started by the driver as `python -m sealedbeam.pipeline.jobs.worker CONTEXT_FD TASKS_FD EVENTS_FD`.
The Beam job's source is the task pipe: a task is read, done and committed before the next one is
asked for. The worker dies with the driver: by the kernel's parent-death signal where there is one,
and at the end of the task pipe.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import signal
import sys
import traceback

from .report import Reporter

_PR_SET_PDEATHSIG = 1
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD = -1, -2, -3  # names of mallopt(3)
_KEPT_BYTES = 256 << 20
_PAD_BYTES = 16 << 20
_MMAP_BYTES = 32 << 20  # the most that glibc allows
_YOUNG_OBJECTS = 50_000


def main(arguments: list[str]) -> int:
    """Serve tasks until the task pipe ends."""
    logging.basicConfig(level=logging.ERROR)  # before Beam: its import warns of absent clouds
    context_fd, tasks_fd, events_fd = map(int, arguments)
    _die_with_parent()
    _keep_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver decides what an interrupt means
    with os.fdopen(context_fd) as file:
        context = file.read()
    reporter = Reporter(events_fd)
    try:
        serve(context, tasks_fd, reporter)
    except Exception as error:  # noqa: BLE001 - whatever it was, the driver must learn of it
        traceback.print_exc()
        message = f"{type(error).__name__}: {str(error)[:1000]}"
        reporter.send(failed="", message=message, exit_code=1)
        return 1
    return 0


def serve(context: str, tasks_fd: int, reporter: Reporter) -> None:
    """Do the tasks that come through a pipe, until it ends, as one Beam job in this process."""
    import apache_beam as beam  # noqa: PLC0415 - after the log level is set
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner  # noqa: PLC0415

    from .transforms import DoTask, TakeTasks  # noqa: PLC0415

    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        _ = (
            pipeline
            | "Open" >> beam.Create([tasks_fd], reshuffle=False)
            | "Take" >> beam.ParDo(TakeTasks(reporter))
            | "Do" >> beam.ParDo(DoTask(context, reporter))
        )


def _keep_memory() -> None:
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


def _die_with_parent() -> None:
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
