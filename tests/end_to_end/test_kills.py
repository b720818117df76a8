"""Killed at any step of a commit, a job loses nothing: the same command leads to the same bytes.

A few of each kind of step are tried here; `python -m tests.support.kill_everywhere` tries them all.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.crash_points import AFTER, BEFORE, HALF
from tests.support.kill_everywhere import (
    Blow,
    Shot,
    blows,
    differences,
    one_of_each,
    shoot_at,
    strike_alone,
    strike_processes,
)
from tests.support.trials import Trial

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Undisturbed:
    """What the job leaves when nobody disturbs it, and the steps that it takes."""

    snapshot: Mapping[str, bytes]
    steps: list[tuple[str, str]]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    trial = Trial.make(tmp_path_factory.mktemp("undisturbed") / "trial")
    assert (trial.run(), trial.told) == (0, "")
    return Undisturbed(trial.snapshot(), trial.steps())


def test_every_kind_of_object_is_written(undisturbed: Undisturbed) -> None:
    """The job has all that a kill could tear: each folder, parts done again, losers swept away."""
    steps = [step for _, step in undisturbed.steps]
    named = {step.partition("/")[0].removeprefix("rename ") for step in steps if "rename" in step}
    assert named == {
        *("documents", "runs", "shards", "quarantine", "ledger", "faults"),
        *("duplicates.parquet", "summary.json", "manifest.json"),
        *("metrics.prom", "faults.prom", "report.html"),
    }
    again = {step for step in steps if steps.count(step) > 1 and step.startswith("rename ledger")}
    assert again
    assert {"remove runs/part-00000.runs", "remove folder runs", "lock ."} <= set(steps)
    assert any(step.startswith("remove documents/") for step in steps)
    assert not any("runs" in path for path in undisturbed.snapshot)


@pytest.mark.parametrize("when", [BEFORE, HALF, AFTER])
def test_killed_at_any_kind_of_step(tmp_path: Path, undisturbed: Undisturbed, when: str) -> None:
    """Killed before, half-way through or after a step, the job goes on to the same bytes."""
    ways = [way for way in blows(undisturbed.steps, alone=True) if way.when == when]
    if when == AFTER:  # the others leave what the step that follows them finds
        ways = [way for way in ways if way.step.startswith(("rename", "remove"))]
    if when == BEFORE:
        ways = [way for way in ways if not way.step.startswith("sync folder")]
    chosen = one_of_each(ways)
    assert len(chosen) > 10
    wrong = {
        way.kind: found
        for number, way in enumerate(chosen)
        if (found := strike_alone(Trial.make(tmp_path / str(number)), way, undisturbed.snapshot))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    "way",
    [
        Blow("worker", "rename documents/part-00001.parquet", HALF, "self"),
        Blow("worker", "rename ledger/part-00000.json", AFTER, "driver"),
        Blow("worker", "tell done shard-00000", BEFORE, "self"),
        Blow("driver", "hand out duplicates", AFTER, "children"),
        Blow("driver", "remove runs/part-00000.runs", AFTER, "group"),
    ],
    ids=str,
)
def test_killed_processes(tmp_path: Path, undisturbed: Undisturbed, way: Blow) -> None:
    """Whichever of its processes is killed, the job goes on, at once, and none is left behind."""
    trial = Trial.make(tmp_path / "trial")
    assert strike_processes(trial, way, undisturbed.snapshot) == []


@pytest.mark.parametrize(
    "shot",
    [
        Shot("KILL", "child", 1.01),
        Shot("TERM", "driver", 0.78),
        Shot("INT", "group", 0.97),
    ],
    ids=str,
)
def test_signals_at_any_time(tmp_path: Path, undisturbed: Undisturbed, shot: Shot) -> None:
    """Whenever a signal comes, the exit code says so, and the job goes on to the same bytes."""
    wrong, _ = shoot_at(Trial.make(tmp_path / "trial"), shot, undisturbed.snapshot)
    assert wrong == []


@pytest.mark.parametrize("then", [signal.SIGKILL, signal.SIGCONT], ids=["killed", "continued"])
def test_stopped_worker(tmp_path: Path, undisturbed: Undisturbed, then: signal.Signals) -> None:
    """A worker that was stopped holds the job up until it goes on or is gone, and changes none."""
    trial = Trial.make(tmp_path / "trial")
    with trial.paused("rename ledger/part-00001.json") as (process, worker):
        os.kill(worker, signal.SIGSTOP)
        with suppress(ProcessLookupError):  # the driver may have lost its patience
            os.kill(worker, then)
    assert process.returncode == 0
    assert differences(trial, undisturbed.snapshot) == []


def test_differences_are_seen(tmp_path: Path, undisturbed: Undisturbed) -> None:
    """The comparison that all of this rests on sees a file too many, too few, and a flipped bit."""
    trial = Trial.make(tmp_path / "trial")
    trial.run()
    assert differences(trial, undisturbed.snapshot) == []
    (trial.output / "ledger" / ".part-00000.json.0a.attempt").touch()
    (trial.output / "runs").mkdir()
    (trial.output / "metrics.prom").unlink()
    summary = trial.output / "summary.json"
    summary.write_bytes(summary.read_bytes().replace(b"complete", b"Complete"))
    assert differences(trial, undisturbed.snapshot) == [
        "left over: ledger/.part-00000.json.0a.attempt",
        "left over: runs",
        "missing: metrics.prom",
        "other bytes: summary.json",
    ]
