from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families
from sealedbeam.pipeline.cli.program import main

from tests.support.campaigns import flips, make_plan
from tests.support.faulty_jobs import prepare_job
from tests.support.jobs import SAMPLE, Job

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["backfill", *map(str, words)])


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a finished job under a scenario of ten minutes, and one without."""
    folder = tmp_path_factory.mktemp("campaign")
    prepare_job([SAMPLE], folder / "cells" / "flips", make_plan(flips("single_bit", 40))).run_here()
    Job.make(folder, [SAMPLE], output="plain").run_here()
    return folder


def last_values(text: str) -> dict[tuple[str, str], float]:
    """Return what became of pages by (job, outcome), at the end of each job."""
    found: dict[tuple[str, str], dict[tuple[str, float], float]] = {}
    for line in text.splitlines():
        if line.startswith("sealedbeam_records_total{") and 'hop="pages"' in line:
            head, value, when = line.rsplit(" ", 2)
            (family,) = text_string_to_metric_families(f"{head} {value}\n")
            labels = family.samples[0].labels
            key = labels["job_name"], labels["outcome"]
            found.setdefault(key, {})[labels["cluster"], float(when)] = float(value)
    sums = {}
    for key, samples in found.items():
        end = max(when for _, when in samples)
        sums[key] = sum(value for (_, when), value in samples.items() if when == end)
    return sums


def test_truth_is_written_apart(campaign: Path, tmp_path: Path) -> None:
    """With --truth only what was injected and escaped is written, of jobs under a scenario."""
    result = run(campaign, "--truth", "--start", "2023-11-14T22:00:00Z")
    assert result.exit_code == 0
    names = set(re.findall(r"^(\w+)\{", result.output, re.MULTILINE))
    assert names == {"sealedbeam_faults_injected_total", "sealedbeam_faults_escaped_total"}
    assert set(re.findall(r'job_name="([^"]+)"', result.output)) == {"cells/flips"}
    shutil.copytree(campaign / "plain", tmp_path / "plain")
    refused = run(tmp_path, "--truth")
    assert refused.exit_code == 2
    assert "ran under a scenario" in refused.output


def test_every_finished_job_of_a_folder_is_written(campaign: Path, tmp_path: Path) -> None:
    """Each job is there under its path in the folder, and ends with the totals of its summary."""
    written = tmp_path / "campaign.om"
    result = run(campaign, "--output", written, "--start", "2023-11-14T22:00:00Z")
    assert result.exit_code == 0
    assert "2 jobs from 2023-11-14T22:00:00+00:00 on" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["campaign.om"]
    expected = {}
    for name in ("cells/flips", "plain"):
        hops = json.loads((campaign / name / "summary.json").read_bytes())["hops"]
        for outcome in ("intact", "corrected", "retried", "dropped"):
            expected[name, outcome] = hops["pages"][outcome]
    assert expected == last_values(written.read_text())


def test_one_job_bears_its_folders_name(campaign: Path) -> None:
    """Without --output the text goes to standard output; the job is named after its folder."""
    result = run(campaign / "plain", "--start", "1700000000")
    assert result.exit_code == 0
    assert result.stdout.startswith("# HELP sealedbeam_records ")
    assert result.stdout.endswith("\n# EOF\n")
    assert {job for job, _ in last_values(result.stdout)} == {"plain"}


def test_same_job_and_start_give_the_same_text(campaign: Path) -> None:
    """Nothing of it depends on when it is written."""
    words = (campaign, "--start", "1700000000")
    assert run(*words).stdout == run(*words).stdout


def test_default_start_lies_back_far_enough_and_a_late_one_is_warned_of(campaign: Path) -> None:
    """What Prometheus would not look for is complained of, and written all the same."""
    assert run(campaign).stderr == ""
    late = run(campaign, "--start", "2999-01-01")
    assert late.exit_code == 0
    assert "less than 3 hours back" in late.stderr


def test_unfinished_job_is_left_out(campaign: Path, tmp_path: Path) -> None:
    """A job that was stopped is named and left out; alone it is an error of one line."""
    stopped = tmp_path / "jobs" / "stopped"
    (stopped / "ledger").mkdir(parents=True)
    job = (campaign / "plain" / "ledger" / "job.json").read_bytes()
    (stopped / "ledger" / "job.json").write_bytes(job)
    result = run(tmp_path / "jobs")
    assert result.exit_code == 2
    assert "holds no finished job; finish it by its own command" in result.stderr
    shutil.copytree(campaign / "plain", tmp_path / "jobs" / "plain")
    result = run(tmp_path / "jobs")
    assert result.exit_code == 0
    assert {job for job, _ in last_values(result.stdout)} == {"plain"}
    assert f"{stopped} is not finished and was left out" in result.stderr
    (tmp_path / "empty").mkdir()
    assert "give the --output of one" in run(tmp_path / "empty").stderr


@pytest.mark.parametrize("start", ["", "soon", "-1", "1e9", "99999999999999", "2023-13-01"])
def test_what_is_no_time_is_refused(campaign: Path, start: str) -> None:
    """One line says what would be one."""
    result = run(campaign, "--start", start)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert "is no time; give 1700000000 or 2023-11-14T22:00:00Z" in line


def test_file_that_cannot_be_written_is_named(campaign: Path, tmp_path: Path) -> None:
    """Nothing is left of the attempt."""
    result = run(campaign, "--output", tmp_path / "none" / "a.om")
    assert result.exit_code == 2
    assert f"cannot write {tmp_path / 'none' / 'a.om'}" in result.stderr
    assert list(tmp_path.iterdir()) == []
