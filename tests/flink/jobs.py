"""Index jobs on the cluster, as a user runs them: the command, with the shipped configuration."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.flink.cluster import CONFIG, await_true
from tests.support.jobs import command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.flink.cluster import Cluster

JOB_OPTIONS = ("--part-bytes", "4096", "--shards", "4")
_SECONDS_MAX = 400.0  # only ends what would hang


@dataclass
class RunningJob:
    """An index job in a process of its own.

    Attributes:
        output: its folder.
        process: the command.
    """

    output: Path
    process: subprocess.Popen[str]

    def await_parts(self, count: int) -> None:
        """Wait until this many parts have committed, and the job has not ended."""
        await_true(lambda: self._ended() or self.parts() >= count, f"{count} parts")
        assert not self._ended(), f"the job was over before {count} parts were seen"

    def parts(self) -> int:
        """Return how many parts have committed."""
        return len(list(self.output.glob("ledger/part-*.json")))

    def finish(self) -> str:
        """Wait for the end; returns what was said on standard error."""
        _, error = self.process.communicate(timeout=_SECONDS_MAX)
        assert self.process.returncode == 0, error[-4000:]
        return error

    def events(self) -> list[dict[str, Any]]:
        """Return the log of operations."""
        lines = (self.output / "operations.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    def _ended(self) -> bool:
        return self.process.poll() is not None


@contextmanager
def begun_job(cluster: Cluster, archive: Path, output: Path, *beam: str) -> Iterator[RunningJob]:
    """Run an index job on the cluster, for as long as the block lasts at most.

    Args:
        cluster: where.
        archive: the input.
        output: the folder.
        beam: options of Beam besides those that find the cluster.
    """
    options = ("--config", str(CONFIG), *JOB_OPTIONS, "--quiet")
    arguments = command("index", str(archive), "--output", str(output), *options)
    with begun([*arguments, "--", *cluster.beam_options(), *beam]) as process:
        yield RunningJob(output, process)


@contextmanager
def begun(arguments: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command that starts Beam's job server, for as long as the block lasts at most."""
    with subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Beam's job server is in it, too
        env=os.environ | {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"},
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
