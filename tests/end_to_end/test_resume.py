"""A job that was killed goes on when the same command is given again, to the very same bytes."""

from __future__ import annotations

import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.errors import IntegrityError

from tests.support.archives import build_archive, flip_bit
from tests.support.jobs import Job, all_bytes, left_over
from tests.support.processes import await_end, children, children_of, started

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.pipeline.jobs.index_job import Progress


ARCHIVE = build_archive(30, body_bytes=300)
DAMAGED = flip_bit(ARCHIVE.data, ARCHIVE.records[20].offset + 60)
PART_BYTES = 700

# Runs a job and says each time that a task is done, or that a phase begins.
DRIVER = """
import sys
from sealedbeam.pipeline.jobs.context import JobContext
from sealedbeam.pipeline.jobs.finish import Unobserved
from sealedbeam.pipeline.jobs.index_job import run_index_job

context = JobContext.from_json(sys.argv[1])
run_index_job(context, Unobserved(), 2, lambda progress: print("step", flush=True))
"""


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, dict[str, bytes]]:
    """Return a job, and what it writes when nobody disturbs it."""
    folder = tmp_path_factory.mktemp("expected")
    job = Job.make(folder, {"a.warc.gz": DAMAGED}, part_bytes=PART_BYTES)
    job.run_here()
    return job, all_bytes(job.output)


def same_job(expected: tuple[Job, dict[str, bytes]], output: Path) -> Job:
    return Job.make(output, expected[0].context.paths, part_bytes=PART_BYTES)


def run_until(job: Job, steps: int) -> bool:
    """Run a job's driver in a process of its own and kill it after some steps; whether it ran on.

    Returns once the driver and all of its workers are really gone.
    """
    with started([sys.executable, "-c", DRIVER, job.context.to_json()]) as process:
        assert process.stdout is not None
        for _ in range(steps):
            if not process.stdout.readline():
                return False
        workers = children_of(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        await_end(workers)
    return True


@pytest.mark.parametrize("steps", [1, 2, 5, 9, 12, 13, 14, 15, 16, 17])
def test_killed_driver_goes_on(
    tmp_path: Path, expected: tuple[Job, dict[str, bytes]], steps: int
) -> None:
    """Killed after any number of steps, the same command finishes with the same bytes."""
    job = same_job(expected, tmp_path)
    assert run_until(job, steps)
    done = {entry.task for entry in job.entries()}
    assert not (job.output / "manifest.json").exists()
    job.run_here()
    assert expected[1] == all_bytes(job.output)
    assert left_over(job.output) == []
    assert not (job.output / "runs").exists()
    assert steps < 5 or done


def test_killed_again_and_again(tmp_path: Path, expected: tuple[Job, dict[str, bytes]]) -> None:
    """A job that is killed every few steps still comes to its end."""
    job = same_job(expected, tmp_path)
    kills = 0
    while run_until(job, 7 + 7 * kills):
        kills += 1
    assert kills >= 2
    assert expected[1] == all_bytes(job.output)
    assert left_over(job.output) == []


def test_committed_tasks_are_not_done_again(
    tmp_path: Path, expected: tuple[Job, dict[str, bytes]]
) -> None:
    """What has committed is found: its files are not written a second time."""
    job = same_job(expected, tmp_path)
    job.map_here()
    before = {path: path.stat().st_mtime_ns for path in job.output.rglob("documents/*")}
    job.run_here()
    assert before == {path: path.stat().st_mtime_ns for path in job.output.rglob("documents/*")}
    assert expected[1] == all_bytes(job.output)


def test_finished_folder_is_left_alone(
    tmp_path: Path, expected: tuple[Job, dict[str, bytes]]
) -> None:
    """A finished job does nothing, starts nobody, and says that it did nothing."""
    job = same_job(expected, tmp_path)
    job.run_here()
    before = {path: path.stat().st_mtime_ns for path in job.output.rglob("*")}
    steps: list[Progress] = []
    assert job.run(2, steps.append) is None
    assert steps == []
    assert before == {path: path.stat().st_mtime_ns for path in job.output.rglob("*")}


def test_kill_behind_the_manifest_leaves_nothing(
    tmp_path: Path, expected: tuple[Job, dict[str, bytes]]
) -> None:
    """What a run could not clear away any more, because it was killed, the next one clears away."""
    job = same_job(expected, tmp_path)
    job.run_here()
    (job.output / "runs").mkdir()
    (job.output / "runs" / "part-00000.0123456789abcdef.runs").write_bytes(b"x")
    (job.output / "documents" / ".part-00000.1.attempt").write_bytes(b"x")
    assert job.run(2) is None
    assert left_over(job.output) == []
    assert not (job.output / "runs").exists()
    assert expected[1] == all_bytes(job.output)


@pytest.mark.parametrize("task", ["part-00003", "duplicates", "shard-00001"])
@pytest.mark.parametrize("damage", ["flip", "cut", "foreign"])
def test_damaged_entry_is_made_again(
    tmp_path: Path, expected: tuple[Job, dict[str, bytes]], task: str, damage: str
) -> None:
    """A task whose entry is damaged before the end did not happen: it is done again."""
    job = same_job(expected, tmp_path)
    job.map_here()
    job.duplicates_here()
    job.reduce_here()
    path = job.output / "ledger" / f"{task}.json"
    data = path.read_bytes()
    foreign = data.replace(job.context.configuration_hash.encode(), b"0" * 64)
    path.write_bytes({"flip": flip_bit(data, 99), "cut": data[:50], "foreign": foreign}[damage])
    job.run_here()
    assert expected[1] == all_bytes(job.output)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_workers_die_with_their_driver(
    tmp_path: Path, expected: tuple[Job, dict[str, bytes]], number: int
) -> None:
    """No worker outlives the driver, even when the driver cannot say good-bye."""
    job = same_job(expected, tmp_path)
    with started([sys.executable, "-c", DRIVER, job.context.to_json()]) as process:
        assert process.stdout is not None
        process.stdout.readline()
        workers = children_of(process.pid)
        assert len(workers) == 2
        os.kill(process.pid, number)
        process.wait()
        await_end(workers)
    assert children() == []
    job.run_here()
    assert expected[1] == all_bytes(job.output)


def test_finished_folder_that_was_damaged_is_not_called_finished(
    tmp_path: Path, expected: tuple[Job, dict[str, bytes]]
) -> None:
    """Giving the command again for an index that is damaged says so, and what to do."""
    job = same_job(expected, tmp_path)
    job.run(1)
    path = next((job.output / "shards").iterdir())
    path.write_bytes(flip_bit(path.read_bytes(), 99))
    with pytest.raises(IntegrityError, match=rf"has changed since \(shards/{path.name}\)"):
        job.run(1)
