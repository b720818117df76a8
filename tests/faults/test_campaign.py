"""Claims about campaigns in this process: cells and their order, resumption, values, the law."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.faults.campaign import FAULT_FREE, Campaign, Cell, load_scenarios, run_campaign
from sealedbeam.faults.campaign_text import describe_campaign
from sealedbeam.faults.checkers import FIGURES, check_cells, check_conservation, sum_figures
from sealedbeam.faults.explain import ROW_BYTES, compare_bytes
from sealedbeam.monitoring.campaign_report import render_campaign
from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError, UsageError

from tests.support.archives import pack, page_record
from tests.support.jobs import Job

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
