"""Runs index jobs on small archives for tests, in this process or with real workers.

    job = Job.make(folder, {"a.warc.gz": archive.data}, part_bytes=4096)
    job.run_here()                       # all tasks in this process, in order
    job.run(workers=2)                   # the driver and its worker processes

A `Job` can be taken through its phases one by one (`map_here`, `reduce_here`, ...), to damage
something in between.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.index.search import Index
from sealedbeam.pipeline.jobs.entry import Entry, decode_entry
from sealedbeam.pipeline.jobs.finish import Finished, Unobserved
from sealedbeam.pipeline.jobs.index_job import Progress, run_index_job
from sealedbeam.pipeline.jobs.plan import Part, plan_parts
from sealedbeam.pipeline.jobs.prepare import claim, claimed, prepare
from sealedbeam.pipeline.jobs.quarantine import Quarantined, decode_quarantine
from sealedbeam.pipeline.jobs.settle import find_distrusted, finish_job, stitch
from sealedbeam.pipeline.jobs.tasks import duplicates_task, execute, map_task, reduce_tasks

from tests.support.flipping import FlippingChannel, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sealedbeam.pipeline.jobs.context import JobContext

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "seeds" / "sample.warc.gz"
DATA_FOLDERS = ("documents", "shards", "quarantine")


def ignore(_progress: Progress) -> None:
    """Show no progress."""


@dataclass
class Job:
    """A prepared job."""

    context: JobContext

    @classmethod
    def make(
        cls,
        folder: Path,
        archives: Mapping[str, bytes] | Sequence[str | Path],
        rules: Sequence[Rule] = (),
        *,
        output: str = "index",
        keep_runs: bool = False,
        expect: Sequence[Path] = (),
        **options: Any,
    ) -> Job:
        """Prepare a job in `folder`; archives given as bytes are written there first."""
        if not isinstance(archives, dict):
            patterns = [str(path) for path in archives]
        else:
            patterns = [str(folder / name) for name in archives]
            for name, data in archives.items():
                (folder / name).write_bytes(data)
        channel = FlippingChannel(tuple(rules)).reference() if rules else None
        config = JobConfig(**({"part_bytes": 4096, "shards": 2} | options))
        return cls(
            prepare(patterns, folder / output, config, channel, keep_runs=keep_runs, expect=expect)
        )

    @property
    def output(self) -> Path:
        """The output folder."""
        return Path(self.context.output)

    def parts(self) -> list[Part]:
        """Return the planned parts."""
        return plan_parts(self.context.inputs, self.context.config.part_bytes)

    def run(self, workers: int = 2, show: Callable[[Progress], None] = ignore) -> Finished | None:
        """Run the job with the driver."""
        return run_index_job(self.context, Unobserved(), workers, show)

    def run_here(self, order: Callable[[list[Any]], Iterable[Any]] = list) -> Finished:
        """Run the job in this process, each phase's tasks in the order that `order` gives them."""
        with claimed(self.context):
            self.map_here(order)
            self.duplicates_here()
            self.reduce_here(order)
            return self.finish_here()

    def map_here(self, order: Callable[[list[Any]], Iterable[Any]] = list) -> None:
        """Do all parts, and again those that the stitch check or an eviction sends back."""
        claim(self.context)
        parts = self.parts()
        for part in order(list(parts)):
            execute(self.context, map_task(part))
        while again := stitch(self.context, parts):
            for part in again:
                execute(self.context, map_task(part))
                parts[part.number] = part
        for task in find_distrusted(self.context, parts):
            execute(self.context, task)

    def duplicates_here(self) -> None:
        """Compare all documents."""
        execute(self.context, duplicates_task(len(self.parts())))

    def reduce_here(self, order: Callable[[list[Any]], Iterable[Any]] = list) -> None:
        """Make all shards."""
        for task in order(reduce_tasks(self.context.shards, len(self.parts()))):
            execute(self.context, task)

    def finish_here(self) -> Finished:
        """Judge and finish."""
        return finish_job(self.context, Unobserved(), 0.0)

    def entry(self, task: str) -> Entry:
        """Return a task's committed entry."""
        path = f"ledger/{task}.json"
        return decode_entry((self.output / path).read_bytes(), path)

    def entries(self) -> list[Entry]:
        """Return all committed entries, those of parts first."""
        names = sorted(path.stem for path in (self.output / "ledger").glob("*.json"))
        names.sort(key=lambda name: not name.startswith("part-"))
        return [self.entry(name) for name in names if name != "job"]


def bytes_of(output: Path, *folders: str) -> dict[str, bytes]:
    """Return the bytes of every file in these folders, and of the duplicates, by path."""
    files = [path for folder in folders for path in (output / folder).glob("*")]
    found = {path.relative_to(output).as_posix(): path.read_bytes() for path in files}
    return found | {"duplicates": (output / "duplicates.parquet").read_bytes()}


def index_bytes(output: Path) -> dict[str, bytes]:
    """Return the bytes of documents, shards and duplicates: what faults may not change."""
    return bytes_of(output, "documents", "shards")


def all_bytes(output: Path) -> dict[str, bytes]:
    """Return all bytes that a job's inputs and configuration decide."""
    manifest = {"manifest": (output / "manifest.json").read_bytes()}
    return bytes_of(output, *DATA_FOLDERS, "ledger") | manifest


def summary_of(output: Path) -> dict[str, Any]:
    """Return summary.json."""
    summary: dict[str, Any] = json.loads((output / "summary.json").read_bytes())
    return summary


def quarantined(output: Path) -> list[Quarantined]:
    """Return what was set aside, whether or not the job finished well."""
    files = sorted((output / "quarantine").glob("*.parquet"))
    return [row for file in files for row in decode_quarantine(file.read_bytes())]


def found_urls(output: Path, query: str) -> list[str]:
    """Return the addresses that a search finds, best first."""
    return [hit.url for hit in Index.open(output).search(query, 1000).hits]


def left_over(output: Path) -> list[str]:
    """Return the files that only an unfinished attempt has."""
    return [path.name for path in output.rglob("*") if path.name.endswith(".attempt")]


def environment() -> dict[str, str]:
    """Return an environment in which other processes can import the tests' support."""
    return dict(os.environ) | {"PYTHONPATH": str(ROOT)}


def command(*arguments: str) -> list[str]:
    """Return the command line of the program, run by this interpreter."""
    return [sys.executable, "-m", "sealedbeam.pipeline.cli", *arguments]
