from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.integrity.ledger import HopAccount
from sealedbeam.pipeline.jobs.beam_metrics import name_counts

from tests.flink.cluster import GLANCE_SECONDS, await_true
from tests.flink.jobs import begun_job
from tests.servers.daemons import PROMETHEUS, prometheus, require

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flink.cluster import Cluster
    from tests.servers.daemons import Prometheus

STEP = "MapParts"
COUNTERS = [name for hop in ("pages", "documents") for name in name_counts({hop: HopAccount()})]


def scrape_all(cluster: Cluster, folder: Path) -> Path:
    """Write a configuration that scrapes each process of the cluster every second."""
    job = {"job_name": "flink", "static_configs": [{"targets": cluster.reporters}]}
    config: dict[str, Any] = {"global": {"scrape_interval": "1s"}, "scrape_configs": [job]}
    path = folder / "prometheus.yml"
    path.write_text(json.dumps(config))  # JSON is YAML
    return path


def totals(server: Prometheus) -> dict[str, float]:
    """Return the sum over all TaskManagers of each of our counters, by its name in Beam."""
    found = {}
    for name in COUNTERS:
        series = f'{{__name__=~"flink_taskmanager_.*_sealedbeam_{name}"}}'
        for value in server.query(f"sum(last_over_time({series}[1h]))").values():
            found[name] = value
    return found


def test_counters_are_scraped(cluster: Cluster, archive: Path, tmp_path: Path) -> None:
    """Prometheus gets our counters from Flink's reporter, under the documented names."""
    require(PROMETHEUS)
    with prometheus(scrape_all(cluster, tmp_path), tmp_path / "data") as server:
        with begun_job(cluster, archive, tmp_path / "index") as job:
            job.finish()
        print(totals(server))
    assert (GLANCE_SECONDS, await_true)
