"""Who guards the guards: with any one check taken out, a campaign goes red, for that reason.

Each mutant lacks one line of the product. The same campaign is green without the mutant: what goes
red is the check's absence, not the campaign.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.faults.channel import FaultyChannel
from sealedbeam.faults.checkers import check_conservation, check_escapes, count_outcomes
from sealedbeam.faults.journal import FaultOutcome
from sealedbeam.pipeline.cli.observer import JobObserver
from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.integrity import block, correction, ladder
from sealedbeam.pipeline.integrity.ledger import Cell
from sealedbeam.pipeline.integrity.reconcile import reconcile
from sealedbeam.pipeline.jobs.finish import PLAN, Finished
from sealedbeam.pipeline.jobs.prepare import claimed, prepare
from sealedbeam.pipeline.jobs.settle import finish_job

from tests.support.campaigns import Campaign, flips, make_plan, make_records
from tests.support.jobs import SAMPLE, Job
from tests.support.mutants import mutate

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.faults.plan import Plan

Mutant = Callable[[pytest.MonkeyPatch], None]
UPSETS = flips("single_bit", 300), flips("double_bit", 100), flips("byte_bits", 100)
BLOCKS = {"kind": "misdirected_block", "per_block": 0.3}, {"kind": "stale_block", "per_block": 0.3}
LOOKS_LIKE_ONE_FLIP_SEED = 3186
"""Of a plan whose one fault flips three bits that together have the CRC of a fourth one's flip."""
LARGE_BYTES = 1 << 18


def without_checksum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept each record as it comes."""
    mutate(
        monkeypatch,
        correction.mend,
        "if digest == stored_digest and crc == stored_crc:",
        "if True:",
    )


def without_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the CRC's word for which bit flipped."""
    confirmed = "if digest128(corrected) != stored_digest:"
    mutate(monkeypatch, correction._correct, confirmed, "if False:")


def without_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Accept any block and any record that has a good seal of its own."""
    foreign = "block_id is not None and head[1].block_id != block_id and protection.seals"
    mutate(monkeypatch, block.open_block, foreign, "False")
    strange = "found.identity != identity or found.seal != crossing.expected.get(identity)"
    mutate(monkeypatch, ladder._accept, strange, "False")


def without_uniqueness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hand a record out once for each time that it is listed, and list each one twice."""
    once = "in crossing.expected.items():"
    mutate(monkeypatch, ladder._settle, once, "in 2 * list(crossing.expected.items()):")


def without_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    """Enter no outcome of any record."""
    entered = "setattr(self, outcome, getattr(self, outcome) + 1)"
    mutate(monkeypatch, Cell.enter, entered, "pass")


def judge(plan: Plan, lengths: int = 500, count: int = 200) -> tuple[list[str], list[Any]]:
    """Run a campaign over two hops in memory; return its findings, and the records it accepted."""
    campaign = Campaign(plan, "correct")
    pages = make_records(count, lengths)
    documents = [(identity, b"document " + payload) for identity, payload in pages]
    accepted = []
    for start in range(0, count, 10):
        for hop, records in (("pages", pages), ("documents", documents)):
            name = f"{hop}-{start}".encode()
            carried = campaign.carry(hop, records[start : start + 10], name)
            accepted += [(hop, each.identity, bytes(each.payload)) for each in carried.accepted]
    figures = count_outcomes([campaign.transit.journal()])
    assert figures["injected"]
    ledger = reconcile(campaign.accounts, [], sealed=True)
    findings = [*ledger.findings, *check_conservation(figures), *check_escapes(figures)]
    sent = {("pages", *record) for record in pages} | {("documents", *r) for r in documents}
    return findings, [record for record in accepted if record not in sent]


CAMPAIGNS: list[tuple[Mutant, dict[str, Any], str]] = [
    (without_checksum, {"plan": make_plan(*UPSETS)}, "escaped"),
    (
        without_confirmation,
        {
            "plan": make_plan(
                flips("word_bits", (1 << 20) / (LARGE_BYTES + 36)), seed=LOOKS_LIKE_ONE_FLIP_SEED
            ),
            "lengths": LARGE_BYTES,
            "count": 1,
        },
        "escaped",
    ),
    (without_identity, {"plan": make_plan(*BLOCKS)}, "escaped"),
    (without_uniqueness, {"plan": make_plan(*UPSETS)}, "200 sealed, 400 accounted for"),
    (without_ledger, {"plan": make_plan(*UPSETS)}, "200 sealed, 0 ended"),
]


@pytest.mark.parametrize(("mutant", "campaign", "reason"), CAMPAIGNS)
def test_campaign_goes_red_without_a_check(
    monkeypatch: pytest.MonkeyPatch, mutant: Mutant, campaign: dict[str, Any], reason: str
) -> None:
    """Without the check there is a finding that names what came of it; with it there is none."""
    assert judge(**campaign) == ([], [])
    mutant(monkeypatch)
    findings, altered = judge(**campaign)
    assert any(reason in finding for finding in findings)
    assert bool(altered) is (reason == "escaped")


def run_job(folder: Path, plan: Plan) -> Finished:
    """Run a whole job on the sample web under a plan, in this process."""
    output = folder / "index"
    channel = FaultyChannel(str(output / PLAN), plan.sha256).reference()
    config = JobConfig(part_bytes=1 << 16, shards=1, max_dropped_ratio=1.0)
    context = prepare([str(SAMPLE)], output, config, channel, scenario=plan.to_json())
    job = Job(context)
    with claimed(context):
        job.map_here()
        job.duplicates_here()
        job.reduce_here()
        return finish_job(context, JobObserver("test", context.scenario), 0.0)


def small_job(folder: Path) -> Finished:
    hops = {"hops": ["pages", "documents"]}
    upsets = (flips("single_bit", 240, **hops), flips("double_bit", 60, **hops))
    return run_job(folder, make_plan(*upsets, seed=1))


def test_job_is_green_with_all_checks(tmp_path: Path) -> None:
    """The control: with all checks in place the same job passes, and no fault escaped."""
    finished = small_job(tmp_path)
    assert finished.findings == ()
    assert finished.exit_code == 0
    faults = finished.summary["faults"]
    assert faults["injected"] > 20
    assert faults[FaultOutcome.ESCAPED] == 0


def test_job_fails_without_the_checksum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline that takes damaged records fails, and says how many escaped."""
    without_checksum(monkeypatch)
    monkeypatch.setattr(ladder.Accepted, "still_intact", lambda _: True)
    finished = small_job(tmp_path)
    assert finished.exit_code == 3
    assert any("escaped: altered records were used" in text for text in finished.findings)


def test_job_fails_without_the_ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that does not say what became of its records fails, and names the hop."""
    without_ledger(monkeypatch)
    finished = small_job(tmp_path)
    assert finished.exit_code == 3
    assert any(text.startswith("hop pages: ") for text in finished.findings)
