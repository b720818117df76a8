"""Real jobs seen by real scrapers: totals to the unit, and metrics that promtool accepts."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.servers.conftest import SCENARIOS, run_command, write_config
from tests.servers.daemons import (
    NODE_EXPORTER,
    PROMETHEUS,
    PROMTOOL,
    Prometheus,
    await_true,
    fetch,
    node_exporter,
    prometheus,
    require,
)
from tests.support.jobs import SAMPLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OUTCOMES = ("intact", "corrected", "retried", "dropped")
# Promtool takes the flipped bits that were put right for an amount of data.
LINT = 'sealedbeam_corrected_bits_total use base unit "bytes" instead of "bits"\n'


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two finished jobs, one of them with damage on every hop."""
    folder = tmp_path_factory.mktemp("jobs")
    scenario = ("--scenario", SCENARIOS / "bitflips.yaml", "--max-dropped-ratio", "1")
    for name, more in (("flipped", scenario), ("plain", ())):
        words = ("--output", folder / name, "--part-bytes", "20000", "--quiet")
        done = run_command("index", SAMPLE, *words, *more)
        assert done.returncode == 0, done.stderr
    return folder


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """Run `sealedbeam serve` on a free port; yields its host and port."""
    words = ("serve", str(folder), "--port", "0", "--json")
    command = [sys.executable, "-m", "sealedbeam.pipeline.cli", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            told = ""
            while not told.endswith("}\n"):
                told += process.stdout.readline()
            yield json.loads(told)["url"].removeprefix("http://").rstrip("/")
        finally:
            process.send_signal(signal.SIGTERM)


@contextmanager
def scraping(folder: Path, target: str, job: str = "sealedbeam") -> Iterator[Prometheus]:
    """Run Prometheus with the shipped rules, scraping one target; yields it after a scrape."""
    scrape = f"{{job_name: {job}, static_configs: [{{targets: ['{target}']}}]}}"
    config = write_config(folder, scrape)
    with prometheus(config, folder / "data") as server:
        await_true(lambda: bool(server.query("sealedbeam_run_info")), "a scrape")
        yield server


def summary_of(job: Path) -> dict[str, Any]:
    summary: dict[str, Any] = json.loads((job / "summary.json").read_bytes())
    return summary


def samples_in(path: Path) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }


def test_scraped_totals_are_the_summarys(jobs: Path, tmp_path: Path) -> None:
    """Of each job in a folder, every hop's outcomes are those of summary.json, to the unit."""
    with serving(jobs) as target, scraping(tmp_path, target) as server:
        for job in ("flipped", "plain"):
            for hop, expected in summary_of(jobs / job)["hops"].items():
                matching = f'sealedbeam_records_total{{job_name="{job}", hop="{hop}"}}'
                found = server.query(f"sum by (outcome) ({matching})")
                actual = {dict(labels)["outcome"]: value for labels, value in found.items()}
                assert {name: expected[name] for name in OUTCOMES} == actual
    assert summary_of(jobs / "flipped")["hops"]["pages"]["retried"] > 0


def test_shipped_rules_and_alerts_are_healthy_on_a_real_job(jobs: Path, tmp_path: Path) -> None:
    """Each rule evaluates without an error, and a good job that stands still raises no alert."""
    with serving(jobs / "plain") as target, scraping(tmp_path, target) as server:
        await_true(lambda: all(r["health"] == "ok" for r in server.rules()), "all rules")
        rules = server.rules()
        assert len(rules) >= 8 + 15
        assert {rule["lastError"] for rule in rules if "lastError" in rule} <= {""}
        assert server.query('ALERTS{alertstate="firing"}') == {}
        assert server.query("network:sealedbeam_clusters_raised:count") == {}
        totals = server.query("sum(sealedbeam_records_total)")
        expected = sum(hop["records"] for hop in summary_of(jobs / "plain")["hops"].values())
        assert [expected] == list(totals.values())


def test_textfile_is_read_through_a_link(jobs: Path, tmp_path: Path) -> None:
    """A node_exporter that is given a link shows exactly what metrics.prom says."""
    require(NODE_EXPORTER)
    require(PROMETHEUS)
    textfiles = tmp_path / "textfiles"
    textfiles.mkdir()
    (textfiles / "flipped.prom").symlink_to(jobs / "flipped" / "metrics.prom")
    with node_exporter(textfiles) as url:
        shown = tmp_path / "shown.prom"
        shown.write_bytes(fetch(f"{url}/metrics"))
        ours = {
            key: value for key, value in samples_in(shown).items() if key[0].startswith("sealed")
        }
        assert samples_in(jobs / "flipped" / "metrics.prom") == ours
        assert b"\nnode_textfile_scrape_error 0\n" in shown.read_bytes()
        with scraping(tmp_path, url.removeprefix("http://"), "node") as server:
            found = server.query('sum(sealedbeam_records_total{hop="pages"})')
            assert list(found.values()) == [
                summary_of(jobs / "flipped")["hops"]["pages"]["records"]
            ]


def test_half_a_textfile_is_what_the_alert_looks_for(jobs: Path, tmp_path: Path) -> None:
    """A copy that is not whole makes the collector report an error; that is why files are renamed.

    The other files are still shown.
    """
    require(NODE_EXPORTER)
    (tmp_path / "whole.prom").symlink_to(jobs / "plain" / "metrics.prom")
    (tmp_path / "half.prom").write_bytes(b"sealedbeam_other_total{cluster=")
    with node_exporter(tmp_path) as url:
        shown = fetch(f"{url}/metrics")
    assert b"\nnode_textfile_scrape_error 1\n" in shown
    assert b"\nsealedbeam_run_info{" in shown


def lint(data: bytes) -> str:
    done = subprocess.run(
        [require(PROMTOOL), "check", "metrics"], input=data, capture_output=True, check=False
    )
    return (done.stdout + done.stderr).decode()


def test_promtool_likes_all_metrics(jobs: Path) -> None:
    """Names, types and help pass its checks, in files and served, but for one unit that is none."""
    assert lint((jobs / "flipped" / "metrics.prom").read_bytes()) == LINT
    assert lint((jobs / "flipped" / "faults.prom").read_bytes()) == ""
    with serving(jobs) as target:
        assert lint(fetch(f"http://{target}/metrics")) == LINT


def test_promtool_likes_names_of_a_backfill(jobs: Path) -> None:
    """Under the heads that Prometheus' own format has, a backfill passes the same checks."""
    done = run_command("backfill", jobs)
    assert done.returncode == 0
    lines = done.stdout.splitlines(keepends=True)
    counters = {line.split()[2] for line in lines if line.endswith(" counter\n")}
    heads = (
        line.replace(f" {name} ", f" {name}_total ", 1)
        if line.startswith(("# HELP", "# TYPE")) and (name := line.split()[2]) in counters
        else line
        for line in lines
        if not line.startswith("# UNIT")
    )
    assert lint("".join(heads).encode()) == LINT
