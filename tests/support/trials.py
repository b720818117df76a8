"""A small job that meets everything once, run undisturbed or struck, and what it leaves compared.

    trial = Trial.make(folder)                    # inputs, and an empty place for the index
    trial.run(strike)                             # as one process in which everything is done
    trial.command(strike)                         # as driver and workers, as a user runs it
    assert trial.snapshot() == expected

Its inputs have damage, copies, and an archive in an archive, so that parts are done again; its
scenario has faults. So every kind of object is written, and every kind of step is taken.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import resource
import select
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from multiprocessing import forkserver
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, Self
from unittest.mock import patch

from sealedbeam.pipeline.cli import program
from sealedbeam.pipeline.jobs import driver
from sealedbeam.pipeline.jobs.context import JobContext
from sealedbeam.pipeline.jobs.tasks import execute
from sealedbeam.pipeline.warc.values import Container

from tests.support.archives import flip_bit, pack, page_record, response_record, with_nested
from tests.support.crash_points import BEFORE, Strike, Watch, watch
from tests.support.jobs import ROOT, command, environment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sealedbeam.pipeline.jobs.tasks import Task

INPUTS = ("a.warc.gz", "b.warc.gz")
OPTIONS = ("--part-bytes", "4000", "--shards", "2", "--workers", "2", "--seed", "5", "--quiet")
SCENARIO = ROOT / "configs" / "scenarios" / "bitflips.yaml"

# What follows from the clock; everything else follows from the job.
CLOCK = re.compile(rb'(?<="seconds": )[0-9.]+|(?<=<td>seconds</td><td>)[^<]*')
_FORKING = threading.Lock()  # a process that starts looks after all others that have ended
_HANG_SECONDS = 300
_UNHASHED = "operations.jsonl"
_FIGURES = ("pages", "corrected", "retried", "dropped")


@cache
def _archives() -> dict[str, bytes]:
    pages = [page_record(number, body_bytes=200) for number in range(7)]
    pages.append(response_record("http://copy.example/", pages[2].body))
    damaged = pack(pages)
    nested = with_nested(Container.GZIP_MEMBERS, Container.GZIP_MEMBERS)
    return {
        "a.warc.gz": flip_bit(damaged.data, damaged.records[4].offset + 60),
        "b.warc.gz": nested.data,
    }


@dataclass(frozen=True, slots=True)
class Trial:
    """One place in which the job is run."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> Self:
        """Put the inputs into `folder`, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in _archives().items():
            (folder / name).write_bytes(data)
        return cls(folder)

    @property
    def output(self) -> Path:
        """The output folder."""
        return self.folder / "index"

    def arguments(self) -> list[str]:
        """Return the arguments of the command, relative to the trial's folder."""
        inputs = ("index", *INPUTS, "--output", "index")
        return [*inputs, *OPTIONS, "--scenario", str(SCENARIO)]

    def strike(self, step: str, when: str, action: str, role: str = "") -> Strike:
        """Return what is to happen at a step."""
        return Strike(step, when, action, str(self.folder / "struck"), role)

    @property
    def struck(self) -> bool:
        """Whether the step was met at which something was to happen."""
        return (self.folder / "struck").exists()

    @property
    def told(self) -> str:
        """What the last run printed on either stream."""
        return (self.folder / "told").read_text()

    def watch(self, strike: Strike | None = None) -> Watch:
        """Return how the trial's processes watch themselves."""
        return Watch(str(self.output), str(self.folder / "steps"), strike)

    def steps(self) -> list[tuple[str, str]]:
        """Return the steps that were taken: the role of the process, and the name."""
        lines = (self.folder / "steps").read_text().splitlines()
        return [(role, step) for role, _, step in (line.partition("\t") for line in lines)]

    def run(self, strike: Strike | None = None, file_bytes: int | None = None) -> int:
        """Run the whole job in one process of its own; return its exit code as Popen has it.

        Files are limited to `file_bytes`, if that is given.
        """
        return fork(_run_alone, self, self.watch(strike), file_bytes).wait()

    def popen(self, strike: Strike | None = None) -> subprocess.Popen[bytes]:
        """Start the command, with two workers, in a process group of its own.

        It prints into a file: the end of a pipe would come only when all of its processes are gone.
        """
        with (self.folder / "told").open("wb") as streams:
            return subprocess.Popen(
                command(*self.arguments()),
                cwd=self.folder,
                env=self.watch(strike).environment(),
                stdin=subprocess.DEVNULL,
                stdout=streams,
                stderr=streams,
                start_new_session=True,
            )

    @contextmanager
    def paused(self, step: str) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
        """Start the command and wait until a process is about to take `step`; yield its number.

        At the end it goes on, unless it was killed.
        """
        with Pause.at(self.folder, step) as pause, self.popen(pause.strike) as process:
            try:
                yield process, pause.await_process()
            finally:
                pause.end()

    def command(self, strike: Strike | None = None) -> int:
        """Run the command; return its exit code."""
        with self.popen(strike) as process:
            return process.wait()

    def snapshot(self) -> dict[str, bytes]:
        """Return every file and folder of the output, without what follows from the clock."""
        return {
            path.relative_to(self.output).as_posix(): (
                CLOCK.sub(b"", path.read_bytes()) if path.is_file() else b"a folder"
            )
            for path in self.output.rglob("*")
            if path.name != _UNHASHED
        }


@dataclass(frozen=True, slots=True)
class Pause:
    """A place at which a process waits until it is told to go on."""

    strike: Strike
    telling: int
    going: int

    @classmethod
    @contextmanager
    def at(cls, folder: Path, step: str) -> Iterator[Self]:
        """Let a process wait before `step`; `folder` is a place for two pipes."""
        pipes = [f"{folder}/struck.pid", f"{folder}/struck.go"]
        for pipe in pipes:
            os.mkfifo(pipe)
        telling, going = (os.open(pipe, os.O_RDWR) for pipe in pipes)  # waits for nobody
        try:
            yield cls(Strike(step, BEFORE, "pause", f"{folder}/struck"), telling, going)
        finally:
            os.close(telling)
            os.close(going)

    def await_process(self) -> int:
        """Return the number of the process that waits."""
        assert select.select([self.telling], [], [], _HANG_SECONDS)[0], "the step was not met"
        return int(os.read(self.telling, 100))

    def end(self) -> None:
        """Let the process go on."""
        os.write(self.going, b".")


class InPlace(driver.Workers):
    """Does all tasks in this process, in order."""

    def grow(self, count: int) -> None:
        """Start nobody."""

    def begin(
        self,
        context: str,
        listen: Callable[[dict[str, Any]], None],
        lock: int | None = None,  # noqa: ARG002 - nobody inherits it
        *,
        record_seconds: float,  # noqa: ARG002 - nobody looks at a clock
    ) -> None:
        """Take the job."""
        self._job = JobContext.from_json(context)
        self._listen = listen

    def run(self, tasks: Sequence[Task]) -> None:
        """Do the tasks."""
        for task in tasks:
            execute(self._job, task)
            self._listen({"done": task.name, "worker": 1} | dict.fromkeys(_FIGURES, 0))


def _run_alone(trial: Trial, wanted: Watch, file_bytes: int | None) -> None:
    """Run the command with all of its tasks in this process."""
    if file_bytes is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        wanted = Watch("")
    os.chdir(trial.folder)
    os.setpgid(0, 0)
    streams = os.open(trial.folder / "told", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(streams, 1)
    os.dup2(streams, 2)
    sys.argv = ["sealedbeam", *trial.arguments()]
    watch(wanted)
    driver.Workers = InPlace  # type: ignore[misc]  # this process is thrown away
    program.main()


@dataclass(frozen=True, slots=True)
class Fork:
    """A process that was forked with the program loaded."""

    process: Any

    def kill(self) -> None:
        """Kill it; it does nothing more of its own, but may take a moment to be gone."""
        os.kill(self.process.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Wait for its end; return its exit code as Popen has it."""
        wait([self.process.sentinel])
        with _FORKING:
            self.process.join()
        return int(self.process.exitcode)


def fork(function: Callable[..., None], *arguments: Any) -> Fork:
    """Call a function of a module in a process of its own."""
    with _FORKING:
        process = _forks().Process(target=function, args=arguments, daemon=True)
        process.start()
    return Fork(process)


@cache
def _forks() -> Any:
    """Return what starts processes that have the program loaded, and no threads."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.support.warm_process"])
    with patch.dict(os.environ, environment()):  # the server itself does not get our path
        forkserver.ensure_running()
    return context
