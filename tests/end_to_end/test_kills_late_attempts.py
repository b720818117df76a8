"""An attempt that everybody had given up, and that ends all the same, changes nothing for good."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.jobs.context import JobContext
from sealedbeam.pipeline.jobs.prepare import claim
from sealedbeam.pipeline.jobs.tasks import Task, execute, map_task

from tests.support.crash_points import Watch, watch
from tests.support.jobs import Job, all_bytes
from tests.support.trials import INPUTS, Pause, Trial, fork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PART = 3  # of those that are done again, from where the archive in an archive ends
ENTRY = f"ledger/part-{PART:05d}.json"


def make_job(folder: Path) -> Job:
    trial = Trial.make(folder)
    archives = [trial.folder / name for name in INPUTS]
    return Job.make(folder, archives, part_bytes=4000)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Mapping[str, bytes]]:
    """Return an undisturbed job with the part done again, and its bytes."""
    job = make_job(tmp_path_factory.mktemp("expected") / "job")
    job.run_here()
    planned = job.parts()[PART]
    assert job.entry(planned.task).details["start"] != [planned.start, planned.exact_start]
    return job, all_bytes(job.output)


@pytest.fixture
def job(tmp_path: Path, expected: tuple[Job, Mapping[str, bytes]]) -> Job:
    """Return the same job, on the same inputs, with nothing done yet."""
    return Job.make(tmp_path, expected[0].context.paths, part_bytes=4000)


def attempt(context: str, task: str, wanted: Watch) -> None:
    """Do one task in this process, which is watched."""
    watch(wanted)
    execute(JobContext.from_json(context), Task.from_json(task))


@contextmanager
def late_attempt(job: Job, step: str) -> Iterator[None]:
    """Begin an attempt at the part as planned, which ends only when the block has.

    It waits before `step`.
    """
    folder = job.output.parent
    with Pause.at(folder, step) as pause:
        wanted = Watch(str(job.output), strike=pause.strike)
        late = fork(attempt, job.context.to_json(), map_task(job.parts()[PART]).to_json(), wanted)
        pause.await_process()
        try:
            yield
        finally:
            pause.end()
        assert late.wait() == 0


@pytest.mark.parametrize("step", [f"rename documents/part-{PART:05d}.parquet", f"create {ENTRY}"])
def test_same_attempt_twice(job: Job, expected: tuple[Job, Mapping[str, bytes]], step: str) -> None:
    """Two attempts at one part write the same objects, whenever the later one ends."""
    claim(job.context)
    with late_attempt(job, step):
        execute(job.context, map_task(job.parts()[PART]))
        before = (job.output / ENTRY).read_bytes()
    assert before == (job.output / ENTRY).read_bytes()
    job.run_here()
    assert expected[1] == all_bytes(job.output)


@pytest.mark.parametrize("verb", ["rename documents", "rename runs"])
def test_older_plan_does_not_come_back(
    job: Job, expected: tuple[Job, Mapping[str, bytes]], verb: str
) -> None:
    """An attempt at a part as planned does not replace one at that part from its true start."""
    claim(job.context)
    suffix = "parquet" if "documents" in verb else "runs"
    with late_attempt(job, f"{verb}/part-{PART:05d}.{suffix}"):
        job.map_here()
        job.duplicates_here()
        before = (job.output / ENTRY).read_bytes()
    assert before == (job.output / ENTRY).read_bytes()
    job.reduce_here()
    job.finish_here()
    assert expected[1] == all_bytes(job.output)


@pytest.mark.parametrize("done", ["parts", "duplicates", "shards"])
def test_overwritten_entry_is_found_and_healed(
    job: Job, expected: tuple[Job, Mapping[str, bytes]], done: str
) -> None:
    """An entry of an older plan that slips in at the last moment fails the job, not the index.

    The same command again puts it right, whatever had been made from either.
    """
    claim(job.context)
    with late_attempt(job, f"rename {ENTRY}"):
        job.map_here()
        if done != "parts":
            job.duplicates_here()
        if done == "shards":
            job.reduce_here()
    planned = job.parts()[PART]
    assert job.entry(planned.task).details["start"] == [planned.start, planned.exact_start]
    job.duplicates_here()
    job.reduce_here()
    with pytest.raises(IntegrityError, match="run the same command again"):
        job.finish_here()
    assert not (job.output / "manifest.json").exists()
    job.run_here()
    assert expected[1] == all_bytes(job.output)
