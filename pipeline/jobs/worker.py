"""A worker process: imports Beam once, then runs a Beam job over each batch of tasks it is given.

Started by the driver as `python -m sealedbeam.pipeline.jobs.worker CONTEXT_FD TASKS_FD EVENTS_FD`.
It dies with the driver: at the end of the task pipe, and by the kernel's parent-death signal where
there is one.
"""

from __future__ import annotations

import ctypes
import gc
import json
import logging
import os
import queue
import signal
import sys
import threading
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
    batches: queue.Queue[list[str]] = queue.Queue()
    threading.Thread(target=_listen, args=(tasks_fd, batches), daemon=True).start()
    reporter.send(idle=True)
    while True:
        batch = batches.get()
        try:
            run_batch(context, batch, reporter)
        except Exception as error:  # noqa: BLE001 - whatever it was, the driver must learn of it
            message = f"{type(error).__name__}: {str(error)[:1000]}"
            traceback.print_exc()
            reporter.send(failed="", message=message, exit_code=1)
        reporter.send(idle=True)


def run_batch(context: str, batch: list[str], reporter: Reporter) -> None:
    """Run one Beam job over `batch`, tasks as JSON, in this process."""
    import apache_beam as beam  # noqa: PLC0415 - after the log level is set
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner  # noqa: PLC0415

    from .transforms import DoTask  # noqa: PLC0415

    with beam.Pipeline(runner=FnApiRunner()) as pipeline:
        # Not reshuffled: in this order the driver knows which task a worker died of.
        tasks = pipeline | "Tasks" >> beam.Create(batch, reshuffle=False)
        _ = tasks | "Do" >> beam.ParDo(DoTask(context, reporter))


def _listen(tasks_fd: int, batches: queue.Queue[list[str]]) -> None:
    """Pass on batches as they come; a closed pipe means that the driver is gone."""
    with os.fdopen(tasks_fd) as file:
        for line in file:
            batches.put(json.loads(line))
    os._exit(0)


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
