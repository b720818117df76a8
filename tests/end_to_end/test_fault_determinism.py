"""One seed, one run: the same faults, outcomes, ledger and index, whoever does the work.

Each job here is a real one with a driver and worker processes, under a plan in which everything
goes wrong at once.
"""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.faults.checkers import check_conservation, count_outcomes
from sealedbeam.faults.kinds import BLOCK_KINDS
from sealedbeam.faults.plan import parse_plan
from sealedbeam.faults.widths import Width
from sealedbeam.monitoring.live import read_live_view
from sealedbeam.monitoring.textfile import render_ledger, render_truth
from sealedbeam.pipeline.integrity.ledger import merge_accounts
from sealedbeam.pipeline.jobs.prepare import claim
from sealedbeam.pipeline.jobs.tasks import execute, map_task

from tests.support.campaigns import flips, make_plan
from tests.support.faulty_jobs import prepare_job, seeded_bytes
from tests.support.jobs import ROOT, SAMPLE
from tests.support.processes import children

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.faults.plan import Plan
    from sealedbeam.pipeline.jobs.index_job import Progress

    from tests.support.jobs import Job

PART_BYTES, SHARDS = 8192, 2
HOPS = {"hops": ["pages", "documents", "runs"]}


def plan_everything(seed: int) -> Plan:
    return make_plan(
        *(flips(width, 12, **HOPS) for width in Width),
        *({"kind": kind, "per_block": 0.05, **HOPS} for kind in BLOCK_KINDS),
        seed=seed,
        sick_machines=0.5,
        duration_seconds=86_400,
        memory={"acceleration": 3e14, "widths": "dram_hbm2", **HOPS},
        outages=[
            {"scope": "rack", "cluster": "dublin", "start_seconds": 0, "seconds": 20_000},
            {"scope": "network", "cluster": "oregon", "start_seconds": 10_000, "seconds": 9000},
        ],
        mercurial_cores={"share": 0.4, "share_of_results": 0.1},
        counters={"acceleration": 1e6},
    )


def prepared(folder: Path, seed: int = 0) -> Job:
    plan = plan_everything(seed)
    return prepare_job([SAMPLE], folder, plan, part_bytes=PART_BYTES, shards=SHARDS)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Return what this process alone writes."""
    job = prepared(tmp_path_factory.mktemp("expected") / "index")
    job.run_here()
    return written_and_shown(job.output)


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let worker processes import the tests' support."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


def written_and_shown(output: Path) -> dict[str, bytes]:
    """Return all that the seed decides, and the metrics that the committed ledger gives."""
    view = replace(read_live_view(output), success_seconds=None)
    assert view.campaign is not None
    shown = render_ledger(view) + render_truth(view.campaign)
    return seeded_bytes(output) | {"metrics": shown}


def journals(files: dict[str, bytes]) -> list[bytes]:
    return [data for name, data in files.items() if name.startswith("journal-")]


def test_plan_strikes_and_accounts_for_everything(expected: dict[str, bytes]) -> None:
    """The job under test meets faults by the dozen, with every outcome, and the law holds."""
    figures = count_outcomes(journals(expected))
    assert figures["injected"] > 100
    assert all(figures.values())
    assert check_conservation(figures) == []


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_number_of_workers_does_not_show(
    tmp_path: Path, expected: dict[str, bytes], workers: int
) -> None:
    """Plan, counters, journals, ledger, quarantine, index, metrics: the same on any number."""
    job = prepared(tmp_path / "index")
    job.run(workers)
    assert written_and_shown(job.output) == expected


def test_killed_workers_do_not_show(tmp_path: Path, expected: dict[str, bytes]) -> None:
    """With worker processes killed for real, while they are at work, all of it is the same."""
    job = prepared(tmp_path / "index")
    killed = []

    def kill_now_and_then(_progress: Progress) -> None:
        steps.append(None)
        alive = children()
        if len(steps) in {3, 6, 9} and alive:
            os.kill(alive[0], signal.SIGKILL)
            killed.append(alive[0])

    steps: list[Any] = []
    job.run(2, kill_now_and_then)
    assert len(killed) == 3
    assert written_and_shown(job.output) == expected


def test_stopped_job_is_shown_and_goes_on_to_the_same(
    tmp_path: Path, expected: dict[str, bytes]
) -> None:
    """What had committed is shown exactly; the same command given again ends as if undisturbed."""
    stopped = prepared(tmp_path / "index")
    claim(stopped.context)
    for part in stopped.parts()[:3]:
        execute(stopped.context, map_task(part))
    view = read_live_view(stopped.output)
    committed = merge_accounts(entry.hops for entry in stopped.entries())
    assert (view.status, view.parts["committed"]) == ("stopped", 3)
    for hop, account in committed.items():
        assert account.to_json() == view.hops[hop].to_json()
    again = prepared(tmp_path / "index")
    again.run_here()
    assert written_and_shown(again.output) == expected


def test_seed_decides(tmp_path: Path, expected: dict[str, bytes]) -> None:
    """Another seed is another plan, with other journals and another ledger."""
    job = prepared(tmp_path / "index", seed=1)
    job.run_here()
    other = seeded_bytes(job.output)
    plans = [parse_plan(files["plan.json"].decode()) for files in (expected, other)]
    assert plans[0].sha256 != plans[1].sha256
    assert set(journals(expected)).isdisjoint(journals(other))
    assert any(data != other.get(name) for name, data in expected.items() if "ledger/" in name)
