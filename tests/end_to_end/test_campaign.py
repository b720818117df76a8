"""Campaigns as a user runs them: the table and its files, resumption, determinism, replays."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.faults.journal import FaultOutcome
from sealedbeam.faults.outcome import read_faults
from sealedbeam.faults.replay import replay_fault
from sealedbeam.pipeline.errors import IntegrityError, UsageError

from tests.support.archives import pack, page_record
from tests.support.jobs import ROOT, SAMPLE, command, environment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

MIXED = """
name: a bit of everything
description: flips, damaged heads and blocks, a failing rack, wrong computations
acceleration_note: as often as a test needs
duration_seconds: 600
clusters:
  - {name: dublin, latitude: 53, longitude: -6, machines: 20, hardware: secded}
  - {name: sydney, latitude: -34, longitude: 151, machines: 20, hardware: none}
memory: {acceleration: 3.0e+15, hops: [pages, documents]}
bursts:
  - {mode: hemisphere, start_seconds: 200, duration_seconds: 200, amplitude: 9,
     above: {latitude: 53, longitude: -6}}
outages:
  - {scope: rack, cluster: dublin, machines: 5, start_seconds: 0, seconds: 300}
mercurial_cores: {share: 0.2, share_of_results: 0.5}
faults:
  - {kind: single_bit, per_mebibyte: 20}
  - {kind: double_bit, per_mebibyte: 10, hops: [pages, documents]}
  - {kind: header_bit, per_block: 0.3}
  - {kind: table_bit, per_block: 0.3}
  - {kind: seal_bit, per_block: 0.5}
  - {kind: lost_block, per_block: 0.05}
  - {kind: truncated_block, per_block: 0.05}
  - {kind: duplicated_block, per_block: 0.05}
  - {kind: misdirected_block, per_block: 0.05}
  - {kind: stale_block, per_block: 0.05}
"""
DRASTIC = """
name: drastic
description: two flips in nearly every record
acceleration_note: as far from real rates as can be
duration_seconds: 60
clusters: [{name: dublin, machines: 3}]
faults: [{kind: double_bit, per_mebibyte: 3000, hops: [pages]}]
"""
OUTCOMES = ("corrected", "retried", "dropped", "masked", "escaped")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two scenarios and two archives, so that two workers have work."""
    folder = tmp_path_factory.mktemp("campaign")
    (folder / "mixed.yaml").write_text(MIXED)
    (folder / "drastic.yaml").write_text(DRASTIC)
    (folder / "a.warc.gz").write_bytes(SAMPLE.read_bytes())
    records = [page_record(number, body_bytes=700) for number in range(40)]
    (folder / "b.warc.gz").write_bytes(pack(records).data)
    return folder


@pytest.fixture(scope="module")
def run(folder: Path) -> Run:
    """Return what runs the command in the folder."""

    def run_campaign(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command("campaign", *map(str, arguments)),
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env=environment(),
            cwd=folder,
        )

    return run_campaign


INPUTS = ("--input", "a.warc.gz", "--input", "b.warc.gz")
MIXED_RUN = ("mixed.yaml", *INPUTS, "--max-dropped-ratio", 1)
BOTH = ("--protections", "none,correct")


@pytest.fixture(scope="module")
def done(run: Run) -> subprocess.CompletedProcess[str]:
    """Return a campaign that two workers did."""
    return run(*MIXED_RUN, *BOTH, "--output", "two", "--workers", 2)


def values(output: Path) -> dict[str, Any]:
    """Return campaign.json."""
    found: dict[str, Any] = json.loads((output / "campaign.json").read_bytes())
    return found


def without_times(output: Path) -> dict[str, Any]:
    """Return campaign.json but for what a clock decides."""
    found = values(output)
    for job in (*found["fault_free"], *found["cells"]):
        del job["times"]
    return found


def test_campaign_ends_well_and_shows_each_job(
    folder: Path, done: subprocess.CompletedProcess[str]
) -> None:
    """The table has a row for each job; without seals the index is silently wrong."""
    assert (done.returncode, done.stderr.count("\n")) == (0, 4)
    rows = [line.split() for line in done.stdout.splitlines() if " retry 0 " in line]
    assert [row[0] for row in rows] == ["none", "correct"]
    unsealed, sealed = values(folder / "two")["cells"]
    assert unsealed["verdict"] == "silently wrong"
    assert unsealed["faults"]["escaped"] > sealed["faults"]["escaped"]
    assert sealed["faults"]["corrected"] > 0
    assert unsealed["difference"]["queries_changed"] > 0


def test_law_holds_in_every_cell_of_every_job(folder: Path, done: object) -> None:
    """For each cluster and kind the outcomes add up to what was injected, and to the totals."""
    del done
    for cell in values(folder / "two")["cells"]:
        assert cell["law"] == []
        for row in cell["by_cluster_and_kind"]:
            assert row["injected"] == sum(row[name] for name in OUTCOMES)
        for name in ("injected", *OUTCOMES):
            assert cell["faults"][name] == sum(row[name] for row in cell["by_cluster_and_kind"])
        lanes = cell["timeline"]["clusters"].values()
        assert cell["faults"]["injected"] == sum(map(sum, lanes))


def test_what_escapes_under_seals_is_computed_wrongly(folder: Path, done: object) -> None:
    """With seals nothing but wrong computations escapes, and no more documents are altered."""
    del done
    sealed = values(folder / "two")["cells"][1]
    escaped = {row["kind"] for row in sealed["by_cluster_and_kind"] if row["escaped"]}
    assert escaped <= {"miscomputed"}
    assert 0 < sealed["difference"]["documents_altered"] <= sealed["faults"]["escaped"]


def test_number_of_workers_changes_nothing_but_times(folder: Path, run: Run, done: object) -> None:
    """campaign.json without times is the same on one worker and on two."""
    del done
    run(*MIXED_RUN, *BOTH, "--output", "one", "--workers", 1, "--quiet")
    assert without_times(folder / "one") == without_times(folder / "two")


def test_finished_cells_are_left_alone(folder: Path, run: Run, done: object) -> None:
    """A campaign given again runs nothing; one that lost a cell runs that one, to the same end."""
    del done
    shutil.copytree(folder / "two", folder / "again")
    results = sorted((folder / "again" / "results").iterdir())
    before = {path.name: path.stat().st_mtime_ns for path in results}
    lost = "mixed-correct-retry-0"
    (folder / "again" / "results" / f"{lost}.json").unlink()
    shutil.rmtree(folder / "again" / "cells" / lost)
    expected = without_times(folder / "again")
    (folder / "again" / "campaign.json").unlink()
    result = run(*MIXED_RUN, *BOTH, "--output", "again")
    assert result.returncode == 0
    assert expected == without_times(folder / "again")
    after = {path.name: path.stat().st_mtime_ns for path in results}
    assert {name for name in before if before[name] != after[name]} == {f"{lost}.json"}


def test_page_needs_nothing_and_shows_the_burst(folder: Path, done: object) -> None:
    """campaign.html has plots, forbids scripts and network, and frames the burst."""
    del done
    page = (folder / "two" / "campaign.html").read_text()
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert re.findall(r"(?:src|href)=\"(?!#)", page) == []
    assert page.count("<svg") == 6
    assert "burst (hemisphere)" in page
    assert "silently wrong" in page
    assert "as often as a test needs" in page


def test_every_fault_replays_to_its_outcome(
    folder: Path, done: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each kind, hop and outcome a fault that is delivered again ends the same."""
    del done
    monkeypatch.chdir(folder)
    ids: dict[tuple[str, ...], str] = {}
    for cell in sorted((folder / "two" / "cells").iterdir()):
        for fault in read_faults(cell):
            ids.setdefault((fault.kind, fault.hop, str(fault.outcome)), fault.fault_id)
    assert len(ids) > 12
    replays = [replay_fault(folder / "two", fault_id) for fault_id in set(ids.values())]
    assert [replay.fault for replay in replays if not replay.agrees] == []
    assert {replay.alone for replay in replays} == {True, False}
    struck = [replay for replay in replays if replay.fault.bits]
    assert all(replay.deliveries for replay in struck)


def test_replay_shows_bytes_and_rungs(folder: Path, run: Run, done: object) -> None:
    """A corrected flip shows its row of bytes, the syndrome's bit, and that the hash agreed."""
    del done
    journal = read_faults(folder / "two" / "cells" / "mixed-correct-retry-0")
    fault = next(
        fault
        for fault in journal
        if fault.outcome is FaultOutcome.CORRECTED
        and fault.kind == "single_bit"
        and fault.hop == "pages"
    )
    result = run("--output", "two", "--replay", fault.fault_id)
    assert result.returncode == 0
    assert f"syndrome: names bit {fault.bits[0]:,}; with it put back XXH3-128 agrees" in (
        result.stdout
    )
    assert "accepted, corrected by syndrome" in result.stdout
    assert result.stdout.endswith("outcome: corrected, as the journal says\n")
    assert "^^" in result.stdout
    as_json = json.loads(run("--output", "two", "--replay", fault.fault_id, "--json").stdout)
    (row,) = as_json["deliveries"][0]["changes"]["rows"]
    assert row["bits"] == list(fault.bits)


def test_replay_refuses_an_input_that_changed(folder: Path, done: object, tmp_path: Path) -> None:
    """An archive that is not what it was is named."""
    del done
    copy = shutil.copytree(folder / "two", tmp_path / "moved")
    fault = read_faults(copy / "cells" / "mixed-correct-retry-0")[0]
    job = copy / "cells" / "mixed-correct-retry-0" / "ledger" / "job.json"
    value = json.loads(job.read_bytes())
    value["configuration"]["inputs"][0][1] = "00000000"
    value["inputs"] = [str(folder / name) for name in value["inputs"]]
    job.write_text(json.dumps(value))
    with pytest.raises(UsageError, match="has changed since the campaign"):
        replay_fault(copy, fault.fault_id)


def test_failed_job_is_a_result(folder: Path, run: Run) -> None:
    """A job that drops too much is refused, all that it lacks is named, and the campaign ends."""
    protections = ("--protections", "detect")
    policies = ("--on-damage", "retry,drop")
    result = run("drastic.yaml", *INPUTS, "--output", "drastic", *protections, *policies)
    assert result.returncode == 0
    cells = values(folder / "drastic")["cells"]
    assert [cell["on_damage"] for cell in cells] == ["retry", "drop"]
    for cell in cells:
        assert cell["verdict"] == "refused"
        assert cell["difference"]["silent"] == 0
        assert cell["difference"]["queries_changed"] is None
        assert 0 < cell["difference"]["documents_missing"] <= cell["set_aside"]["records"]
    assert "refused, loss named" in result.stdout


def test_loss_is_named_where_it_is_allowed(folder: Path, run: Run) -> None:
    """With a share that may be dropped the index is given out, and all that it lacks is named."""
    options = ("--protections", "detect", "--on-damage", "drop", "--max-dropped-ratio", 1)
    assert run("drastic.yaml", *INPUTS, "--output", "allowed", *options).returncode == 0
    (cell,) = values(folder / "allowed")["cells"]
    assert cell["verdict"] == "loss named"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "no scenario is given"),
        (("absent.yaml",), "absent.yaml"),
        (("mixed.yaml", "mixed.yaml"), "both called mixed"),
        (("mixed.yaml",), "give one with --input"),
        (("mixed.yaml", *INPUTS, "--protections", "none,best"), "names 'best'; allowed: none"),
        (("mixed.yaml", *INPUTS, "--on-damage", "fail"), "names 'fail'; allowed: retry, drop"),
        (("mixed.yaml", *INPUTS, "--seeds", "0,x"), "names 'x'; allowed: whole numbers"),
        (("mixed.yaml", *INPUTS, "--seeds", "-1"), "names '-1'; allowed: whole numbers"),
        (("mixed.yaml", *INPUTS, "--workers", "0"), "--workers is 0; allowed"),
        (("mixed.yaml", *INPUTS, "--max-dropped-ratio", "2"), "--max-dropped-ratio is 2"),
        (("mixed.yaml", *INPUTS, "--audited-share", "0"), "--audited-share is 0"),
        (("mixed.yaml", "--input", "gone.warc"), "gone.warc"),
        (("--replay", "x"), "16 hexadecimal digits"),
        (("--replay", "0123456789abcdef"), "holds no campaign"),
        (("--replay", "0123456789abcdef", *INPUTS), "leave out --input"),
        (("--replay", "0123456789abcdef", "--workers", "1"), "leave out --workers"),
        (("--replay", "0123456789abcdef", "--protections", "best"), "names 'best'; allowed: none"),
    ],
)
def test_bad_arguments_are_one_line(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    """What cannot be done ends with code 2 and one line that says what is allowed."""
    result = run(*arguments, "--output", tmp_path / "new")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert words in result.stderr
    assert not (tmp_path / "new").exists()


def test_foreign_folder_and_unknown_fault_are_refused(
    folder: Path, run: Run, done: object, tmp_path: Path
) -> None:
    """A folder with other files takes no campaign, and a fault must be in some journal."""
    del done
    (tmp_path / "letter.txt").write_text("dear reader")
    result = run(*MIXED_RUN, "--output", tmp_path)
    assert (result.returncode, "holds no campaign" in result.stderr) == (2, True)
    result = run("--output", folder / "two", "--replay", "0123456789abcdef")
    assert (result.returncode, "no journal of the campaign" in result.stderr) == (2, True)


def test_damaged_journal_is_told(folder: Path, done: object, tmp_path: Path) -> None:
    """A journal that cannot be read ends a replay as an integrity error."""
    del done
    copy = shutil.copytree(folder / "two", tmp_path / "damaged")
    journal = next((copy / "cells" / "mixed-correct-retry-0" / "faults").glob("journal-*"))
    journal.write_bytes(journal.read_bytes()[:-9])
    with pytest.raises(IntegrityError, match=r"journal-.* is damaged"):
        replay_fault(copy, "0123456789abcdef")
    journal.unlink()
    with pytest.raises(IntegrityError, match=r"journal-.* cannot be read"):
        replay_fault(copy, "0123456789abcdef")


def test_damaged_job_is_told(folder: Path, done: object, tmp_path: Path) -> None:
    """A cell that does not say which job it was ends a replay as an integrity error."""
    del done
    copy = shutil.copytree(folder / "two", tmp_path / "damaged")
    root = copy / "cells" / "mixed-correct-retry-0"
    fault = read_faults(root)[0]
    for text in ("{}", "[", '{"configuration": []}'):
        (root / "ledger" / "job.json").write_text(text)
        with pytest.raises(IntegrityError, match=r"job\.json cannot be read"):
            replay_fault(copy, fault.fault_id)


def test_replay_takes_the_cell_that_is_asked_for(folder: Path, run: Run, done: object) -> None:
    """By default the strongest protection is shown, and with --protections the one without any."""
    del done
    cells = folder / "two" / "cells"
    sealed = {fault.fault_id: fault for fault in read_faults(cells / "mixed-correct-retry-0")}
    fault_id = next(
        fault.fault_id
        for fault in read_faults(cells / "mixed-none-retry-0")
        if fault.outcome is FaultOutcome.ESCAPED
        and fault.fault_id in sealed
        and sealed[fault.fault_id].outcome is FaultOutcome.CORRECTED
    )
    replay = ("--output", "two", "--replay", fault_id)
    assert run(*replay).stdout.endswith("outcome: corrected, as the journal says\n")
    unsealed = run("mixed.yaml", *replay, "--protections", "none", "--seeds", 0)
    assert unsealed.stdout.endswith("outcome: escaped, as the journal says\n")
    nobody = run(*replay, "--seeds", 1)
    assert (nobody.returncode, nobody.stderr.count("\n")) == (2, 1)
    assert "of the cells that were asked for, has a fault" in nobody.stderr


def test_shipped_scenarios_run_on_the_sample_without_an_input(run: Run, tmp_path: Path) -> None:
    """A shipped scenario finds the sample web by itself, wherever the command is given."""
    scenario = ROOT / "configs" / "scenarios" / "machine-loss.yaml"
    result = run(scenario, "--output", tmp_path / "c", "--protections", "correct", "--json")
    assert (result.returncode, result.stderr) == (0, "")
    (cell,) = json.loads(result.stdout)["cells"]
    assert cell["verdict"] == "identical"
    assert cell["faults"]["retried"] > 0
