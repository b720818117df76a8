"""Runs commands on outputs of an object store, each in one process that was forked for it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Protocol

from sealedbeam.pipeline.cli import program
from sealedbeam.pipeline.jobs import driver

from tests.support.trials import CLOCK, Fork, InPlace, fork

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LOG = "operations.jsonl"
BUCKET = "outputs"
OPTIONS = ("--part-bytes", "1500", "--shards", "1", "--workers", "2", "--quiet")
_NUMBERS = count()


class Server(Protocol):
    """Where the objects lie."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which a client finds the server."""

    def objects(self, bucket: str) -> dict[str, bytes]:
        """Return all objects of a bucket."""


@dataclass(frozen=True)
class Run:
    """One output on the server, and a machine that writes it: its temporary folder."""

    server: Server
    folder: Path
    prefix: str

    @classmethod
    def new(cls, server: Server, folder: Path) -> Run:
        """Return a run whose output is not there yet."""
        return cls(server, folder, f"run-{next(_NUMBERS)}")

    @property
    def output(self) -> str:
        """The URL of the output."""
        return f"s3://{BUCKET}/{self.prefix}/index"

    def arguments(self) -> tuple[str, ...]:
        """Return the arguments of the job."""
        return ("index", "s3://inputs/crawl/*.warc.gz", "--output", self.output, *OPTIONS)

    def start(self, *arguments: str) -> Fork:
        """Run a command, by default the job, with all of its tasks in one process."""
        place = self.server.environment | {"TMPDIR": str(self.folder)}
        return fork(_run_alone, arguments or self.arguments(), place, str(self.folder / "told"))

    @property
    def told(self) -> str:
        """What the last run printed on either stream."""
        return (self.folder / "told").read_text()

    def snapshot(self) -> dict[str, bytes]:
        """Return the objects of the output, without its name and what follows from the clock."""
        start = f"{self.prefix}/index/"
        return {
            key.removeprefix(start): CLOCK.sub(b"", data).replace(self.prefix.encode(), b"")
            for key, data in self.server.objects(BUCKET).items()
            if key.startswith(start) and not key.endswith(LOG)
        }


def _run_alone(arguments: tuple[str, ...], place: Mapping[str, str], told: str) -> None:
    os.setpgid(0, 0)
    os.environ.update(place)
    streams = os.open(told, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(streams, 1)
    os.dup2(streams, 2)
    sys.argv = ["sealedbeam", *arguments]
    driver.Workers = InPlace  # type: ignore[misc]  # this process is thrown away
    program.main()
