from __future__ import annotations

from typing import TYPE_CHECKING

from tests.flink.jobs import begun_job
from tests.support.jobs import all_bytes, summary_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flink.cluster import Cluster

FACTS_OF_A_RUN = ("seconds",)


def test_undisturbed(cluster: Cluster, archive: Path, local_index: Path, tmp_path: Path) -> None:
    """Documents, shards, ledger and manifest are those of the local runner, byte for byte."""
    with begun_job(cluster, archive, tmp_path / "index") as job:
        job.finish()
    assert all_bytes(local_index) == all_bytes(job.output)
    assert [list(event)[1] for event in job.events()] == ["started", "ended"]


def test_killed(cluster: Cluster, archive: Path, local_index: Path, tmp_path: Path) -> None:
    """Worker, pool and TaskManager killed in mid-job: the same bytes, told in the log alone."""
    with begun_job(cluster, archive, tmp_path / "index") as job:
        job.await_parts(10)
        cluster.kill_pool(0)
        cluster.start_pool(0)
        before = job.parts()
        job.await_parts(before + 10)
        cluster.kill_task_manager(1)
        job.finish()
    cluster.start_task_manager(1)
    assert all_bytes(local_index) == all_bytes(job.output)
    summary = summary_of(job.output)
    assert (summary["status"], summary["ledger"]) == ("complete", "balanced")
    failures = [event for event in job.events() if "engine_failure" in event]
    assert len(failures) >= 2
