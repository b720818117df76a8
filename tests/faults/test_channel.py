"""Claims about the faulty channel: harmless at rate zero, deterministic, right about outcomes."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from sealedbeam.faults.channel import FaultyChannel
from sealedbeam.faults.checkers import check_conservation, count_outcomes
from sealedbeam.faults.journal import NO_FAULT, FaultOutcome, decode_journal
from sealedbeam.faults.transit import FaultyTransit
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.ladder import Carried, carry
from sealedbeam.pipeline.integrity.ledger import HopAccount
from sealedbeam.pipeline.integrity.protection import CORRECT, NONE, PROTECTIONS

from tests.support.campaigns import (
    Campaign,
    Records,
    flips,
    make_plan,
    make_records,
)

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.faults.journal import Fault

RECORDS = make_records(120)
SINGLES, DOUBLES = flips("single_bit", 400), flips("double_bit", 150)
PAYLOADS = dict(RECORDS)


def outcomes(faults: list[Fault]) -> set[str | None]:
    return {fault.outcome for fault in faults}


def run(protection: str, *, seed: int = 0, on_damage: str = "retry") -> Campaign:
    campaign = Campaign(make_plan(SINGLES, DOUBLES, seed=seed), protection, on_damage)
    campaign.cross("pages", RECORDS)
    return campaign


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_zero_rate_returns_the_very_object(protection: str) -> None:
    """Without a rate at a hop a block is not even looked at; the journal exists and is empty."""
    block = write_block(b"block", RECORDS, PROTECTIONS[protection])
    plans = (
        make_plan(),
        make_plan(flips("single_bit", 0)),
        make_plan(SINGLES | {"hops": ["runs"]}),
    )
    for plan in plans:
        transit = FaultyTransit(plan)
        assert transit.deliver(block.data, "pages", 1) is block.data
        transit.settle("pages", Carried())
        assert decode_journal(transit.journal()) == []


def test_source_is_never_altered() -> None:
    """Faults are made in a copy: the block that was handed over stays as it was."""
    block = write_block(b"block", RECORDS, CORRECT)
    before = bytes(bytearray(block.data))
    delivered = FaultyTransit(make_plan(SINGLES)).deliver(block.data, "pages", 1)
    assert delivered is not None
    assert before == block.data
    assert before != delivered


def test_journal_names_the_very_bits() -> None:
    """The bits of the journal's rows, flipped back, give the block that was sent."""
    records = RECORDS[:20]
    block = write_block(b"block", records, CORRECT)
    transit = FaultyTransit(make_plan(SINGLES, DOUBLES))
    delivered = bytearray(transit.deliver(block.data, "pages", 1) or b"")
    starts = {
        identity.hex(): block.frame_extent(number)[0]
        for number, (identity, _) in enumerate(records)
    }
    faults = decode_journal(transit.journal())
    assert len(faults) >= 3
    for fault in faults:
        for bit in fault.bits:
            delivered[starts[fault.identity] + bit // 8] ^= 1 << (bit % 8)
    assert block.data == delivered


def test_correction_settles_singles_and_retries_the_rest() -> None:
    """Under `correct` lone single flips are corrected, and nothing is dropped here or escapes."""
    campaign = run("correct")
    faults = campaign.faults()
    assert outcomes(faults) == {FaultOutcome.CORRECTED, FaultOutcome.RETRIED}
    assert {f.kind for f in faults if f.outcome == FaultOutcome.CORRECTED} == {"single_bit"}
    total = campaign.accounts["pages"].total()
    struck = {(f.identity, f.attempt) for f in faults if f.outcome == FaultOutcome.RETRIED}
    assert total.retried == len({identity for identity, _ in struck})
    assert sum(total.retry_attempts.values()) == len(struck)


def test_detection_retries_everything() -> None:
    """Under `detect` each fault costs its delivery, and those of a dropped record are dropped."""
    faults = run("detect").faults()
    assert outcomes(faults) <= {FaultOutcome.RETRIED, FaultOutcome.DROPPED}
    assert FaultOutcome.RETRIED in outcomes(faults)


def test_without_seals_faults_escape() -> None:
    """Under `none` altered records are accepted: each fault escaped, or hit what no reader uses."""
    faults = run("none").faults()
    assert outcomes(faults) <= {FaultOutcome.ESCAPED, FaultOutcome.MASKED}
    assert FaultOutcome.ESCAPED in outcomes(faults)
    unused = {*range(32), *range(32 + 8 * 28, 64 + 8 * 28)}  # both lengths inside the frame
    for fault in faults:
        if fault.outcome == FaultOutcome.MASKED:
            assert set(fault.bits) <= unused


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("protection", ["detect", "correct"])
def test_nothing_escapes_a_seal(protection: str, seed: int) -> None:
    """With seals what is accepted is what was sent, whatever the journal says."""
    campaign = Campaign(make_plan(SINGLES, DOUBLES, seed=seed), protection)
    accepted = [a for carried in campaign.cross("pages", RECORDS) for a in carried.accepted]
    assert all(PAYLOADS[a.identity] == a.payload for a in accepted)
    assert FaultOutcome.ESCAPED not in outcomes(campaign.faults())


@pytest.mark.parametrize("protection", PROTECTIONS)
@pytest.mark.parametrize("on_damage", ["retry", "drop"])
def test_faults_are_conserved(protection: str, on_damage: str) -> None:
    """Every fault has exactly one outcome, under each protection and policy."""
    journal = run(protection, on_damage=on_damage).transit.journal()
    figures = count_outcomes([journal])
    assert figures["injected"] > 10
    assert check_conservation(figures) == []


def test_dropped_record_drops_all_its_faults() -> None:
    """Under policy `drop` a fault that was not corrected is dropped with its record."""
    campaign = run("correct", on_damage="drop")
    faults = campaign.faults()
    assert outcomes(faults) == {FaultOutcome.CORRECTED, FaultOutcome.DROPPED}
    dropped = {fault.identity for fault in faults if fault.outcome == FaultOutcome.DROPPED}
    assert campaign.accounts["pages"].total().dropped == len(dropped)


def test_three_bad_deliveries_drop_the_record() -> None:
    """At a rate that leaves no delivery whole the faults of all three attempts are dropped."""
    campaign = Campaign(make_plan(flips("double_bit", 40_000)), "correct")
    (carried,) = campaign.cross("pages", RECORDS[:5])
    faults = campaign.faults()
    assert len(carried.casualties) == 5
    assert {fault.attempt for fault in faults} == {1, 2, 3}
    assert outcomes(faults) == {FaultOutcome.DROPPED}


def test_grouping_into_blocks_changes_nothing() -> None:
    """Blocks of 1, 7 or all records, in either order, over two hops: the same journal."""
    journals = set()
    for size, step in itertools.product((1, 7, 120), (1, -1)):
        campaign = Campaign(make_plan(SINGLES, DOUBLES), "correct")
        campaign.cross("pages", RECORDS[::step], size)
        campaign.cross("documents", RECORDS[::step], size)
        journals.add(campaign.transit.journal())
    assert len(journals) == 1


def test_journals_of_many_tasks_hold_what_one_holds() -> None:
    """The same records on one worker or spread over four give the same faults and figures."""
    whole = run("correct").faults()
    tasks = [Campaign(make_plan(SINGLES, DOUBLES), "correct") for _ in range(4)]
    for number, task in enumerate(tasks):
        task.cross("pages", RECORDS[number::4])
    spread = [fault for task in tasks for fault in task.faults()]
    assert sorted(whole, key=lambda f: f.fault_id) == sorted(spread, key=lambda f: f.fault_id)


def test_seed_decides() -> None:
    """The same seed gives the same journal, another seed another one; ids do not repeat."""
    assert run("correct").transit.journal() == run("correct").transit.journal()
    one, other = run("correct").faults(), run("correct", seed=1).faults()
    assert {f.bits for f in one} != {f.bits for f in other}
    assert len({fault.fault_id for fault in one}) == len(one)


def test_attempts_and_hops_meet_other_faults() -> None:
    """A record is not struck alike at another hop or attempt."""
    struck = []
    for hop, attempt in (("pages", 1), ("pages", 2), ("documents", 1)):
        transit = FaultyTransit(make_plan(SINGLES))
        if attempt > 1:
            transit.deliver(write_block(b"empty", [], CORRECT).data, hop, 1)
        transit.deliver(write_block(b"block", RECORDS, CORRECT).data, hop, attempt)
        struck.append([(fault.identity, fault.bits) for fault in decode_journal(transit.journal())])
    assert struck[0] != struck[1] != struck[2] != struck[0]


def test_faults_follow_the_clusters() -> None:
    """A fault happens only where its kind is planned, at the place that the transit names."""
    plan = make_plan(
        flips("single_bit", 400, clusters=["oregon"]), flips("double_bit", 400, clusters=["dublin"])
    )
    campaign = Campaign(plan, "correct")
    campaign.cross("pages", RECORDS)
    faults = campaign.faults()
    assert {(fault.cluster, fault.kind) for fault in faults} == {
        ("oregon", "single_bit"),
        ("dublin", "double_bit"),
    }
    for fault in faults:
        place = campaign.transit.place(bytes.fromhex(fault.identity), "pages", fault.attempt)
        assert place == (fault.cluster, fault.machine, fault.time_seconds)


def test_named_records_are_struck_too() -> None:
    """Runs and row groups have names for identities, and the journal shows them."""
    campaign = Campaign(make_plan(flips("single_bit", 100_000)), "correct", "drop")
    records: Records = [(b"part-00003/postings/0000/00001", bytes(200))]
    campaign.carry("runs", records, b"part-00003/postings/0000/00001")
    faults = campaign.faults()
    assert faults
    assert {fault.record for fault in faults} == {"part-00003/postings/0000/00001"}


def test_pages_are_named_by_their_document_number() -> None:
    """The journal's `record` of a page joins with the documents' `doc_id`."""
    known = {identity.hex(): str(number) for number, (identity, _) in enumerate(RECORDS)}
    assert all(known[fault.identity] == fault.record for fault in run("correct").faults())


def test_unsettled_fault_has_no_outcome() -> None:
    """A block that was delivered and never settled leaves rows without an outcome."""
    transit = FaultyTransit(make_plan(SINGLES))
    transit.deliver(write_block(b"block", RECORDS, CORRECT).data, "pages", 1)
    journal = transit.journal()
    assert outcomes(decode_journal(journal)) == {None}
    assert len(check_conservation(count_outcomes([journal]))) == 1


def test_pipeline_that_alters_a_record_is_caught() -> None:
    """A record that was accepted other than it was sent, and was not struck, breaks the law."""
    quiet = make_plan(flips("single_bit", 1e-9))
    transit = FaultyTransit(quiet)
    block = write_block(b"block", RECORDS[:2], NONE)
    transit.deliver(block.data, "pages", 1)
    forged = write_block(b"block", [RECORDS[0], (RECORDS[1][0], b"forged")], NONE)
    policy = Campaign(quiet, "none").policy
    other = FaultyTransit(make_plan())
    carried = carry(forged, "pages", other, policy, derive=lambda _: [], account=HopAccount())
    transit.settle("pages", carried)
    (fault,) = decode_journal(transit.journal())
    assert (fault.kind, fault.outcome) == (NO_FAULT, FaultOutcome.ESCAPED)
    assert fault.identity == RECORDS[1][0].hex()
    assert len(check_conservation(count_outcomes([transit.journal()]))) == 1


@pytest.mark.parametrize("data", [b"", b"no block", bytes(500)])
def test_unreadable_block_passes_as_it_is(data: bytes) -> None:
    """What is no block any more when the channel gets it is handed on, and nothing is injected."""
    transit = FaultyTransit(make_plan(SINGLES))
    assert transit.deliver(data, "runs", 1) is data
    assert decode_journal(transit.journal()) == []


def test_repeated_crossing_keeps_one_row_each() -> None:
    """Records that cross a hop again as first deliveries meet the same faults, in the same rows."""
    campaign = run("correct")
    once = campaign.faults()
    campaign.cross("pages", RECORDS)
    assert once == campaign.faults()


def test_channel_is_made_again_from_its_reference(tmp_path: Path) -> None:
    """What a worker rebuilds is equal and behaves alike; with a changed plan nothing begins."""
    plan, path = make_plan(SINGLES, seed=7), tmp_path / "plan.json"
    path.write_text(plan.to_json())
    channel = FaultyChannel(str(path), plan.sha256)
    again = channel.reference().rebuild()
    assert channel == again
    assert channel.reference() == again.reference()
    block = write_block(b"block", RECORDS, CORRECT)
    delivered = FaultyTransit(plan).deliver(block.data, "pages", 1)
    assert delivered == again.begin("part-00000").deliver(block.data, "pages", 1)
    path.write_text(plan.to_json().replace('"seed":7', '"seed":8'))
    with pytest.raises(IntegrityError, match="changed"):
        again.begin("part-00000")
