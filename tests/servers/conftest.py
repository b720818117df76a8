"""Fixtures: a story in a real Prometheus, and a Pushgateway, made when a test first asks for them.

The story is a campaign of the supernova scenario, taken the way that a user would take it: run,
written by `backfill`, made into blocks by promtool, and the shipped recording rules evaluated over
the past in their two passes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.daemons import PROMETHEUS, Prometheus, prometheus, require, run_promtool
from tests.servers.daemons import pushgateway as run_pushgateway
from tests.support.jobs import ROOT, SAMPLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIGS = ROOT / "configs" / "prometheus"
SCENARIOS = ROOT / "configs" / "scenarios"


def run_command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of `sealedbeam` to its end."""
    command = [sys.executable, "-m", "sealedbeam.pipeline.cli", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@dataclass(frozen=True)
class Story:
    """A job under a scenario, and a Prometheus that has its simulated time behind it.

    Attributes:
        server: where to ask.
        job: its folder.
        job_name: what the label job_name says.
        start: of its simulated clock, in seconds since 1970.
        plan: its faults/plan.json.
    """

    server: Prometheus
    job: Path
    job_name: str
    start: int
    plan: dict[str, Any]

    def at(self, seconds: float) -> float:
        """Return the time at which the simulated clock showed this."""
        return self.start + seconds


def write_config(folder: Path, *scrapes: str) -> Path:
    """Write a configuration with the shipped rules and alerts, and scrapes as YAML in one line."""
    config = folder / "prometheus.yml"
    rules = "".join(f"- {CONFIGS / name}\n" for name in ("rules.yml", "network.yml", "alerts.yml"))
    text = f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files:\n{rules}"
    jobs = "".join(f"- {scrape}\n" for scrape in scrapes)
    config.write_text(f"{text}scrape_configs:\n{jobs}" if jobs else text)
    return config


def import_history(written: Path, folder: Path) -> tuple[Path, Path, int]:
    """Take OpenMetrics into Prometheus' data, and evaluate all recording rules over its time.

    Args:
        written: the file.
        folder: temporary.

    Returns:
        Configuration, data, and the time of the first sample.
    """
    data = folder / "data"
    lines = written.read_text().splitlines()
    times = [int(line.rsplit(" ", 1)[1]) for line in lines if not line.startswith("#")]
    run_promtool("tsdb", "create-blocks-from", "openmetrics", str(written), str(data))
    config = write_config(folder)
    for name in ("rules.yml", "network.yml"):  # the second reads what the first recorded
        with prometheus(config, data) as server:
            passed = ("--url", server.url, "--output-dir", str(data))
            span = ("--start", str(min(times)), "--end", str(max(times)))
            rules = str(CONFIGS / name)
            run_promtool("tsdb", "create-blocks-from", "rules", *passed, *span, rules)
    return config, data, min(times)


@pytest.fixture(scope="session")
def supernova(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    """Yield the story of the burst, with everything that was recorded of it."""
    require(PROMETHEUS)
    folder = tmp_path_factory.mktemp("supernova")
    campaign = folder / "campaign"
    words = ("--input", SAMPLE, "--protections", "correct", "--output", campaign, "--quiet")
    done = run_command("campaign", SCENARIOS / "supernova.yaml", *words)
    assert done.returncode == 0, done.stderr
    written = folder / "backfill.om"
    done = run_command("backfill", campaign, "--output", written)
    assert done.returncode == 0, done.stderr
    config, data, start = import_history(written, folder)
    name = "cells/supernova-correct-retry-0"
    plan = json.loads((campaign / name / "faults" / "plan.json").read_bytes())
    with prometheus(config, data) as server:
        yield Story(server, campaign / name, name, start, plan)


@pytest.fixture(scope="session")
def pushgateway() -> Iterator[str]:
    """Yield the address of a Pushgateway."""
    with run_pushgateway() as url:
        yield url
