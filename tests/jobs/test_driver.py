"""The local driver: workers may die at any time, and nothing but time is lost."""

from __future__ import annotations

import os
import random
import signal
import sys
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.errors import SealedBeamError
from sealedbeam.pipeline.jobs.supervision import DEATHS_MAX

from tests.support.archives import build_archive
from tests.support.flipping import DEATH, DOUBLE_FLIP, Rule
from tests.support.jobs import ROOT, Job, all_bytes, left_over
from tests.support.processes import children

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.pipeline.jobs.index_job import Progress

ARCHIVES = {"a.warc.gz": build_archive(40, body_bytes=300).data}


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the workers import the tests' channel."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def test_killed_workers_cost_nothing_but_time(tmp_path: Path) -> None:
    """Workers are killed at random moments; the output is the same and no process is left."""
    expected = Job.make(tmp_path, ARCHIVES, output="expected", part_bytes=400)
    expected.run_here()
    chance = random.Random(3)
    killed: list[int] = []
    phases: set[str] = set()

    def kill(progress: Progress) -> None:
        phases.add(progress.phase)
        if len(killed) < 4 and progress.event and chance.random() < 0.4:
            victim = chance.choice(children())
            os.kill(victim, signal.SIGKILL)
            killed.append(victim)

    job = Job.make(tmp_path, ARCHIVES, part_bytes=400)
    result = job.run(2, kill)
    assert result is not None
    assert result.exit_code == 0
    assert len(killed) == 4
    assert {"parts", "duplicates", "shards", "finish"} <= phases
    assert children() == []
    assert left_over(job.output) == []
    assert all_bytes(expected.output) == all_bytes(job.output)


def test_task_that_kills_its_worker_ends_the_job(tmp_path: Path) -> None:
    """A task that every worker dies of is named; what the others committed stays."""
    job = Job.make(tmp_path, ARCHIVES, [Rule("pages", DEATH, task="part-00007")], part_bytes=400)
    lost: list[str] = []

    def listen(progress: Progress) -> None:
        if progress.event and "lost_worker" in progress.event:
            lost.append(progress.event["task"])

    message = f"part-00007 killed its worker {DEATHS_MAX} times"
    with pytest.raises(SealedBeamError, match=message) as caught:
        job.run(1, listen)
    assert caught.value.exit_code == 1
    assert lost == ["part-00007"] * DEATHS_MAX
    assert children() == []
    assert len(job.entries()) >= 7


def test_failing_task_ends_the_job_with_its_message(tmp_path: Path) -> None:
    """What a task says of itself reaches the user, with its exit code, once and in one line."""
    rules = [Rule("documents", DOUBLE_FLIP, task="part-00003")]
    job = Job.make(tmp_path, ARCHIVES, rules, part_bytes=400, on_damage="fail")
    with pytest.raises(
        SealedBeamError, match="hop documents: 1 records of block part-00003"
    ) as error:
        job.run(2)
    assert error.value.exit_code == 3
    assert "\n" not in str(error.value)
    assert children() == []
    assert not (job.output / "manifest.json").exists()


def test_workers_that_cannot_begin_end_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If workers die before they take a task, others are not started for ever."""
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(SealedBeamError, match=r"before they could begin \(last exit 1\)"):
        Job.make(tmp_path, ARCHIVES).run(2)
    assert children() == []


def test_job_with_many_inputs_reaches_its_workers(tmp_path: Path) -> None:
    """A job whose description is longer than a pipe holds comes across."""
    data = build_archive(1, body_bytes=50).data
    archives = {f"{'a' * 230}-{number:04}.warc.gz": data for number in range(190)}
    job = Job.make(tmp_path, archives)
    assert len(job.context.to_json()) > 1 << 16
    result = job.run(2)
    assert result is not None
    assert (result.exit_code, result.summary["pages"]["duplicate"]) == (0, 189)


def test_no_worker_is_refused(tmp_path: Path) -> None:
    """A job needs a worker."""
    with pytest.raises(SealedBeamError, match="at least one worker") as error:
        Job.make(tmp_path, ARCHIVES).run(0)
    assert error.value.exit_code == 2


def test_progress_tells_of_every_task(tmp_path: Path) -> None:
    """Each task is reported once as done, with its figures, in the phase that it belongs to."""
    job = Job.make(tmp_path, ARCHIVES, part_bytes=800)
    done: list[tuple[str, str]] = []
    pages = 0
    phase = ""

    def listen(progress: Progress) -> None:
        nonlocal phase, pages
        if progress.event is None:
            phase = progress.phase
        else:
            done.append((phase, progress.event["done"]))
            pages += progress.event["pages"]

    job.run(2, listen)
    expected = [("parts", part.task) for part in job.parts()]
    expected += [("duplicates", "duplicates"), ("shards", "shard-00000"), ("shards", "shard-00001")]
    assert sorted(expected) == sorted(done)
    assert pages == 40
