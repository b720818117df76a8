"""Runs one command and says what its whole process tree cost.

Processor time is that of the command and of every descendant: the larger of what the kernel hands
over at the end (`wait4`, blind to children that nobody waited for) and of what was last seen in
/proc (blind to the last fifth of a second). Memory is the high-water mark of the largest single
process, sampled the same way. Linux only.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SAMPLE_SECONDS = 0.2
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took; `peak_rss_bytes` is that of its largest process."""

    exit_code: int
    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    output: str


@dataclass(slots=True)
class _Sample:
    """What was last seen of one process."""

    cpu_seconds: float = 0.0
    peak_rss_bytes: int = 0


def run_measured(command: Sequence[str]) -> Cost:
    """Run `command` in a session of its own and return its cost and its standard output."""
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    samples: dict[int, _Sample] = {}
    finished = threading.Event()
    sampler = threading.Thread(target=_sample_until, args=(process.pid, samples, finished))
    sampler.start()
    assert process.stdout is not None
    output = process.stdout.read()
    # Not Popen.wait: wait4 also hands over the resource usage of this very child and its own.
    _, status, usage = os.wait4(process.pid, 0)
    wall_seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    finished.set()
    sampler.join()
    seen_seconds = sum(sample.cpu_seconds for sample in samples.values())
    seen_bytes = max((sample.peak_rss_bytes for sample in samples.values()), default=0)
    return Cost(
        process.returncode,
        wall_seconds,
        max(usage.ru_utime + usage.ru_stime, seen_seconds),
        max(usage.ru_maxrss * 1024, seen_bytes),
        output,
    )


def _sample_until(session: int, samples: dict[int, _Sample], finished: threading.Event) -> None:
    while not finished.wait(SAMPLE_SECONDS):
        take_samples(session, samples)


def take_samples(session: int, samples: dict[int, _Sample]) -> None:
    """Bring `samples` up to date with every live process of `session`."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # The second field, the command's name, may hold spaces and brackets.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != session:
                continue
            status = (entry / "status").read_text()
        except (OSError, IndexError):
            continue  # it ended in between
        sample = samples.setdefault(int(entry.name), _Sample())
        sample.cpu_seconds = (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
        sample.peak_rss_bytes = max(sample.peak_rss_bytes, high_water_bytes(status))


def high_water_bytes(status: str) -> int:
    """Return VmHWM out of the text of a /proc/PID/status, 0 where there is none."""
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0
