"""Claims about campaigns in this process: cells and their order, resumption, values, the law."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.faults.campaign import run_campaign
from sealedbeam.faults.campaign_cells import FAULT_FREE, Campaign, Cell, load_scenarios
from sealedbeam.faults.campaign_text import describe_campaign
from sealedbeam.faults.checkers import FIGURES, check_cells, check_conservation, sum_figures
from sealedbeam.faults.explain import ROW_BYTES, compare_bytes
from sealedbeam.monitoring.campaign_report import render_campaign
from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError, UsageError
from sealedbeam.pipeline.integrity import correction, ladder
from sealedbeam.pipeline.jobs.prepare import prepare
from sealedbeam.pipeline.jobs.settle import require_intact

from tests.support.archives import pack, page_record
from tests.support.jobs import Job
from tests.support.mutants import mutate

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.pipeline.jobs.context import JobContext

SCENARIO = """
name: <b>flips</b>
description: single flips
acceleration_note: some 10^16 times
duration_seconds: 100
clusters: [{name: dublin, machines: 5}, {name: oregon, machines: 5}]
faults:
  - {kind: single_bit, per_mebibyte: 300, hops: [pages]}
"""


def make(folder: Path, **options: Any) -> Campaign:
    """Return a campaign over twelve pages."""
    (folder / "flips.yaml").write_text(SCENARIO)
    records = [page_record(number, body_bytes=600) for number in range(12)]
    (folder / "a.warc.gz").write_bytes(pack(records).data)
    scenarios, paths = load_scenarios([folder / "flips.yaml"])
    values: dict[str, Any] = {
        "protections": ("none", "correct"),
        "policies": ("retry",),
        "seeds": (0,),
        "max_dropped_ratio": 0.01,
        "audited_share": 0.5,
    }
    return Campaign(
        scenarios=scenarios,
        paths=paths,
        inputs=(str(folder / "a.warc.gz"),),
        output=folder / "campaign",
        **(values | options),
    )


def run_here(context: JobContext, command: str) -> None:
    """Run a job in this process."""
    assert command.startswith("sealedbeam index ")
    Job(context).run_here()


def run_here_or_verify(context: JobContext, command: str) -> None:
    """Run a job in this process, or look at its files when it was finished before."""
    if (context.store.root / "manifest.json").exists():
        require_intact(context.store)
    else:
        run_here(context, command)


def ignore(*_: object) -> None:
    """Show no progress."""


def test_cells_are_all_combinations_behind_the_fault_free_jobs(tmp_path: Path) -> None:
    """One job without faults for each protection, then scenario, seed, policy and protection."""
    campaign = make(tmp_path, policies=("retry", "drop"), seeds=(3, 4))
    free, rest = campaign.cells[:2], campaign.cells[2:]
    assert [cell.name for cell in free] == [f"{FAULT_FREE}-none", f"{FAULT_FREE}-correct"]
    expected = [
        Cell("flips", protection, policy, seed)
        for seed in (3, 4)
        for policy in ("retry", "drop")
        for protection in ("none", "correct")
    ]
    assert expected == rest
    assert len({cell.name for cell in campaign.cells}) == len(campaign.cells)


def test_result_has_a_value_for_each_cell_and_resumes(tmp_path: Path) -> None:
    """Every cell is run once; the second time its result is read, and all values are the same."""
    campaign = make(tmp_path)
    ran: list[str] = []
    shown: list[tuple[object, ...]] = []

    def run_job(context: JobContext, command: str) -> None:
        ran.append(context.output)
        run_here(context, command)

    first = run_campaign(campaign, run_job, lambda *words: shown.append(words))
    assert [cell["cell"] for cell in first["cells"]] == [
        "flips-none-retry-0",
        "flips-correct-retry-0",
    ]
    assert len(ran) == 4
    assert [words[0] for words in shown] == [1, 2, 3, 4]
    assert first == run_campaign(campaign, run_job, ignore)
    assert len(ran) == 4


def test_damaged_or_foreign_result_is_made_again(tmp_path: Path) -> None:
    """A result that is not what was written, or of another job, does not count."""
    campaign = make(tmp_path, protections=("correct",))
    first = run_campaign(campaign, run_here, ignore)
    path = campaign.output / "results" / "flips-correct-retry-0.json"
    path.write_text(path.read_text().replace('"corrected":', '"dropped":', 1))
    again = run_campaign(campaign, lambda *_: None, ignore)
    for value in (first, again):
        del value["cells"][0]["times"]
    assert first == again


def test_result_without_its_folder_is_made_again(tmp_path: Path) -> None:
    """A cell whose folder was removed is run again, and so is a job without faults."""
    campaign = make(tmp_path, protections=("correct",))
    first = run_campaign(campaign, run_here, ignore)
    for cell in campaign.cells:
        root = campaign.output / "cells" / cell.name
        shutil.rmtree(root)
        again = run_campaign(campaign, run_here, ignore)
        assert (root / "manifest.json").exists()
        for value in (first, again):
            for job in (*value["fault_free"], *value["cells"]):
                job.pop("times", None)
        assert first == again


def damage(root: Path) -> None:
    """Flip a bit of the documents that a job has stored."""
    path = next((root / "documents").glob("*.parquet"))
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("name", ["flips-correct-retry-0", f"{FAULT_FREE}-correct"])
def test_job_that_was_damaged_since_is_no_result(tmp_path: Path, name: str) -> None:
    """A finished folder whose files changed ends the campaign: it is no verdict any more."""
    campaign = make(tmp_path, protections=("correct",))
    run_campaign(campaign, run_here_or_verify, ignore)
    damage(campaign.output / "cells" / name)
    (campaign.output / "results" / "flips-correct-retry-0.json").unlink()
    with pytest.raises(IntegrityError, match=f"{name} was finished, but has changed since"):
        run_campaign(campaign, run_here_or_verify, ignore)


def test_failure_without_a_word_of_its_own_is_no_result(tmp_path: Path) -> None:
    """What an earlier attempt wrote of its failure is no result of one that cannot even begin."""
    (tmp_path / "a").mkdir()
    campaign = make(tmp_path / "a", protections=("correct",))
    run_campaign(campaign, run_here, ignore)
    root = campaign.output / "cells" / "flips-correct-retry-0"
    (root / "manifest.json").unlink()
    (campaign.output / "results" / "flips-correct-retry-0.json").unlink()

    def fail(context: JobContext, command: str) -> None:
        del context, command
        raise IntegrityError("a stored file is damaged")

    with pytest.raises(IntegrityError, match="a stored file is damaged"):
        run_campaign(campaign, fail, ignore)


def test_fault_free_job_that_fails_ends_the_campaign(tmp_path: Path) -> None:
    """Without a reference nothing can be compared, now or when the command is given again."""
    campaign = make(tmp_path, protections=("correct",))

    def fail(context: JobContext, command: str) -> None:
        run_here(context, command)
        (context.store.root / "manifest.json").unlink()
        raise IntegrityError("too much was dropped")

    for _ in range(2):
        with pytest.raises(IntegrityError, match="the job without faults, failed"):
            run_campaign(campaign, fail, ignore)
        assert not (campaign.output / "results").exists()


def test_scenario_that_changed_is_told_before_anything_runs(tmp_path: Path) -> None:
    """A scenario of the same name and other content cannot go on in the folders of the old one."""
    run_campaign(make(tmp_path, protections=("correct",)), run_here, ignore)
    changed = make(tmp_path, protections=("correct",))
    (tmp_path / "flips.yaml").write_text(SCENARIO.replace("300", "301"))
    scenarios, _ = load_scenarios([tmp_path / "flips.yaml"])
    with pytest.raises(UsageError, match=r"flips\.yaml has changed since .*flips-correct-retry-0"):
        run_campaign(replace(changed, scenarios=scenarios), run_here, ignore)


def test_inputs_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All cells have the same inputs, which may be large."""
    read: list[object] = []

    def inspect(patterns: list[str], *rest: object, **others: object) -> JobContext:
        read.append(patterns)
        return prepare(patterns, *rest, **others)  # type: ignore[arg-type]  # handed on as given

    monkeypatch.setattr("sealedbeam.faults.campaign_cells.prepare", inspect)
    run_campaign(make(tmp_path), run_here, ignore)
    assert len(read) == 1


def test_job_that_cannot_run_ends_the_campaign(tmp_path: Path) -> None:
    """Only a job that failed over its own results, and says so, is a result."""

    def fail(context: JobContext, command: str) -> None:
        del context, command
        raise UsageError("the disk is full")

    with pytest.raises(UsageError, match="disk is full"):
        run_campaign(make(tmp_path), fail, ignore)

    def fail_without_a_word(context: JobContext, command: str) -> None:
        del context, command
        raise IntegrityError("gone")

    with pytest.raises(SealedBeamError, match="gone"):
        run_campaign(make(tmp_path), fail_without_a_word, ignore)


def test_same_names_are_refused(tmp_path: Path) -> None:
    """Two scenarios whose files have one name would share their cells."""
    make(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    (other / "flips.yaml").write_text(SCENARIO)
    with pytest.raises(UsageError, match="both called flips"):
        load_scenarios([tmp_path / "flips.yaml", other / "flips.yaml"])


def test_names_are_shown_and_not_obeyed(tmp_path: Path) -> None:
    """A scenario's name stands in the table, and in the page it is text, not markup."""
    value = run_campaign(make(tmp_path, protections=("correct",)), run_here, ignore)
    assert json.loads(json.dumps(value)) == value
    assert "<b>flips</b>" in describe_campaign(value, "out")
    page = render_campaign(value).decode()
    assert "<b>flips</b>" not in page
    assert "&lt;b&gt;flips" in page


def test_page_and_table_sum_up_verdicts_and_costs(tmp_path: Path) -> None:
    """Both tell what each protection took without faults; the page has all verdicts in a table."""
    value = run_campaign(make(tmp_path, seeds=(0, 1)), run_here, ignore)
    for cell in value["cells"][:2]:
        cell["verdict"] = "refused"
    value["cells"][0]["difference"]["silent"] = 3
    value["cells"][1]["difference"]["silent"] = 0
    page, text = render_campaign(value).decode(), describe_campaign(value, "out")
    assert "<div>1 refused</div>" in page
    assert "<div>1 refused, loss named</div>" in page
    for job in value["fault_free"]:
        assert f"{job['protection']} {job['times']['cpu_seconds']:.2f} s of CPU" in text
        assert f"<td>{job['times']['cpu_seconds']:.2f}</td>" in page
    for outcome, fault_id in value["cells"][-1]["examples"].items():
        assert f"{fault_id} ({outcome} in flips-correct-retry-1)" in page


@pytest.mark.parametrize(("silent", "red"), [(0, 0), (1, 1)])
def test_page_is_red_only_where_something_is_silent(tmp_path: Path, silent: int, red: int) -> None:
    """A document frequency that is lower for a loss that is named is no wrong one."""
    value = run_campaign(make(tmp_path, protections=("correct",)), run_here, ignore)
    value["cells"][0]["difference"] |= {"terms_wrong_df": 5, "silent": silent}
    assert render_campaign(value).decode().count('class="escaped"><title>') == red


def test_law_is_asked_for_each_cluster_and_kind() -> None:
    """One outcome too many here and one too few there add up, and both are found."""
    figures = dict.fromkeys(FIGURES, 0) | {"injected": 2, "corrected": 2}
    cells = {
        ("dublin", "single_bit"): figures | {"corrected": 3},
        ("oregon", "single_bit"): figures | {"corrected": 1},
        ("oregon", "double_bit"): figures,
    }
    assert check_conservation(sum_figures(cells)) == []
    found = check_cells(cells)
    assert [finding.partition(":")[0] for finding in found] == [
        "dublin, single_bit",
        "oregon, single_bit",
    ]


def test_escape_through_seals_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a seal lets through is told like a broken law; what none has looked at is not."""
    sealed = "if digest == stored_digest and crc == stored_crc:"
    mutate(monkeypatch, correction.mend, sealed, "if True:")
    monkeypatch.setattr(ladder.Accepted, "still_intact", lambda _: True)
    unsealed, trusted = run_campaign(make(tmp_path), run_here, ignore)["cells"]
    assert unsealed["faults"]["escaped"] > 0
    assert unsealed["law"] == []
    (finding,) = trusted["law"]
    assert finding.startswith(f"faults: {trusted['faults']['escaped']} escaped")


def test_rows_that_differ_are_found() -> None:
    """Each row that differs is shown with its flipped bits; bytes past one end do not count."""
    before = bytes(100)
    after = bytearray(120)
    after[3] ^= 0b101
    after[50] ^= 0x80
    changes = compare_bytes(before, bytes(after))
    assert (changes.bits, changes.rows_in_all) == (3, 2)
    assert [row.offset for row in changes.rows] == [0, 3 * ROW_BYTES]
    assert [row.bits for row in changes.rows] == [(24, 26), (407,)]
