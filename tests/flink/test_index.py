from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.integrity.ledger import HopAccount
from sealedbeam.pipeline.jobs.beam_metrics import name_counts

from tests.flink.jobs import begun_job
from tests.servers.daemons import PROMETHEUS, prometheus, require
from tests.support.jobs import all_bytes, summary_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flink.cluster import Cluster
    from tests.servers.daemons import Prometheus

pytestmark = pytest.mark.timeout(900)  # a minute on a quiet machine, the cluster's start included

MAPPED = ("pages", "documents", "runs")  # the hops of parts, whose step takes long enough to see
COUNTERS = sorted(name for hop in MAPPED for name in name_counts({hop: HopAccount()}))


def write_scraping(cluster: Cluster, folder: Path) -> Path:
    """Write a configuration of Prometheus that scrapes each process of the cluster."""
    job = {"job_name": "flink", "static_configs": [{"targets": cluster.reporters}]}
    path = folder / "prometheus.yml"
    interval = {"scrape_interval": "500ms"}
    path.write_text(json.dumps({"global": interval, "scrape_configs": [job]}))  # JSON is YAML
    return path


def read_totals(server: Prometheus) -> dict[str, float]:
    """Return the newest sum over all workers of each counter that Prometheus has, by its name."""
    prefix = "flink_taskmanager_job_task_operator_sealedbeam_"
    asked = {name: f"sum(last_over_time({prefix}{name}[1h]))" for name in COUNTERS}
    answers = {name: server.query(expression) for name, expression in asked.items()}
    return {name: sum(answer.values()) for name, answer in answers.items() if answer}


def test_undisturbed(cluster: Cluster, archive: Path, local_index: Path, tmp_path: Path) -> None:
    """Documents, shards, ledger and manifest are those of the local runner, byte for byte.

    Meanwhile a Prometheus that scrapes Flink's reporters sees the counters of parts under the names
    that are documented; none is beyond what the ledger says.
    """
    require(PROMETHEUS)
    with (
        prometheus(write_scraping(cluster, tmp_path), tmp_path / "data") as server,
        begun_job(cluster, archive, tmp_path / "index") as job,
    ):
        job.finish()
        totals = read_totals(server)
    assert all_bytes(local_index) == all_bytes(job.output)
    assert [list(event)[1] for event in job.events()] == ["started", "ended"]
    pages = summary_of(job.output)["hops"]["pages"]
    assert sorted(totals) == COUNTERS
    assert 0 < totals["records_total_pages_intact"] <= pages["intact"]
    assert totals["records_total_pages_dropped"] == 0


def test_killed(cluster: Cluster, archive: Path, local_index: Path, tmp_path: Path) -> None:
    """A TaskManager and a pool with its workers are killed in mid-job: the same bytes.

    All that tells of it is in the log of operations.
    """
    with begun_job(cluster, archive, tmp_path / "index") as job:
        job.await_parts(10)
        cluster.kill_task_manager(1)
        job.await_parts(job.parts() + 10)
        cluster.kill_pool(0)
        cluster.start_pool(0)
        job.finish()
    cluster.start_task_manager(1)
    assert all_bytes(local_index) == all_bytes(job.output)
    summary = summary_of(job.output)
    assert (summary["status"], summary["ledger"]) == ("complete", "balanced")
    first, *failures, last = (list(event)[1] for event in job.events())
    assert (first, last) == ("started", "ended")
    assert {"engine_failure"} == set(failures)
    damaged = {name for name in summary["hops"] if summary["hops"][name]["dropped"]}
    assert damaged == set()


def test_damage_after_commit(cluster: Cluster, archive: Path, tmp_path: Path) -> None:
    """A file that is damaged after its commit is made again, as it is locally."""
    with begun_job(cluster, archive, tmp_path / "index") as job:
        job.await_parts(5)
        part = min(job.output.glob("ledger/part-*.json")).stem
        (victim,) = job.output.glob(f"documents/{part}.*.parquet")
        pristine = victim.read_bytes()
        victim.write_bytes(pristine[:-1])
        job.finish()
    assert pristine == victim.read_bytes()
    assert [
        event["damaged_in_storage"] for event in job.events() if "damaged_in_storage" in event
    ] == [[part]]
