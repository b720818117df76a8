"""The law under everything at once: injected = corrected + retried + dropped + masked + escaped."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sealedbeam.faults.checkers import check_conservation, count_faults
from sealedbeam.faults.journal import NO_FAULT, FaultOutcome, decode_journal
from sealedbeam.faults.kinds import ALL_KINDS, BLOCK_KINDS, MISCOMPUTED
from sealedbeam.faults.transit import FaultyTransit
from sealedbeam.faults.widths import Width
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.block import Block, write_block
from sealedbeam.pipeline.integrity.ladder import carry
from sealedbeam.pipeline.integrity.ledger import HopAccount
from sealedbeam.pipeline.integrity.protection import CORRECT, PROTECTIONS

from tests.faults.test_channel_records import physical, protected_by
from tests.support.campaigns import Campaign, Records, flips, make_plan, make_records

if TYPE_CHECKING:
    from sealedbeam.faults.journal import Fault
    from sealedbeam.faults.plan import Plan

RECORDS = make_records(150)
OUTAGES = [
    {"scope": "rack", "cluster": "dublin", "start_seconds": 0, "seconds": 200},
    {"scope": "wonky_rack", "cluster": "oregon", "start_seconds": 100, "seconds": 300},
]
MACHINES = protected_by("secded")[:1] + protected_by("none")[1:]


def plan_of_records(seed: int = 0) -> Plan:
    """Return a plan of all that strikes records one by one."""
    upsets = [flips(width, 20) for width in Width]
    return make_plan(
        *upsets,
        seed=seed,
        clusters=MACHINES,
        memory=physical(100, widths="dram_hbm2"),
        sick_machines=0.5,
        duration_seconds=86_400,
        outages=[outage | {"seconds": 40_000} for outage in OUTAGES],
        mercurial_cores={"share": 0.4, "share_of_results": 0.2},
    )


def plan_of_everything(seed: int = 0) -> Plan:
    """Return the same with what strikes blocks."""
    blocks = [{"kind": kind, "per_block": 0.05} for kind in BLOCK_KINDS]
    more = make_plan(*blocks, seed=seed, clusters=MACHINES)
    plan = plan_of_records(seed)
    return replace(plan, faults=(*plan.faults, *more.faults))


def run(plan: Plan, protection: str, on_damage: str = "retry", size: int = 5) -> Campaign:
    """Take pages over a hop and what is computed from them over the next one."""
    campaign = Campaign(plan, protection, on_damage)
    for start in range(0, len(RECORDS), size):
        records = RECORDS[start : start + size]
        campaign.carry("pages", records, b"pages-%d" % start)
        results: Records = [
            (name, campaign.transit.compute(name, "parse", 1, payload)) for name, payload in records
        ]
        campaign.carry("documents", results, b"documents-%d" % start)
    return campaign


def outcomes(faults: list[Fault]) -> set[str | None]:
    return {fault.outcome for fault in faults}


@pytest.mark.parametrize("protection", PROTECTIONS)
@pytest.mark.parametrize("on_damage", ["retry", "drop"])
@pytest.mark.parametrize("seed", range(3))
def test_law_holds_under_everything(seed: int, on_damage: str, protection: str) -> None:
    """In each cluster, for each kind, all faults end in exactly one way, and all are known.

    With seals nothing escapes but results that were wrong before they were sealed.
    """
    faults = run(plan_of_everything(seed), protection, on_damage).faults()
    counts = count_faults(faults)
    for figures in counts.values():
        assert check_conservation(figures) == []
    kinds = {kind for _, kind in counts}
    assert NO_FAULT not in kinds
    assert len(kinds) > 20
    assert kinds <= set(ALL_KINDS)
    if protection != "none":
        escaped = {fault.kind for fault in faults if fault.outcome == FaultOutcome.ESCAPED}
        assert escaped == {MISCOMPUTED}


def test_policy_fail_stops_at_the_first_loss() -> None:
    """Under policy `fail` the first record that cannot be corrected ends the crossing."""
    with pytest.raises(IntegrityError, match="the policy is to fail"):
        run(plan_of_records(), "detect", "fail")


def test_upset_of_a_wrong_result_has_an_outcome_of_its_own() -> None:
    """A flip in a record that was computed wrongly is corrected; the wrong result escapes."""
    plan = make_plan(
        flips("single_bit", 100, hops=["documents"]),
        mercurial_cores={"share": 1.0, "share_of_results": 1.0},
    )
    faults = run(plan, "correct").faults()
    assert outcomes([f for f in faults if f.kind == MISCOMPUTED]) == {FaultOutcome.ESCAPED}
    flipped = [f for f in faults if f.kind == "single_bit"]
    assert flipped
    assert outcomes(flipped) <= {FaultOutcome.CORRECTED, FaultOutcome.DROPPED}
    assert FaultOutcome.CORRECTED in outcomes(flipped)


def test_grouping_changes_nothing_for_records() -> None:
    """However records are grouped and ordered, the same happens to each, with the same end."""
    journals = set()
    for size, step in itertools.product((1, 7, 150), (1, -1)):
        campaign = Campaign(plan_of_records(), "correct")
        results = {
            name: campaign.transit.compute(name, "parse", 1, payload) for name, payload in RECORDS
        }
        campaign.cross("pages", RECORDS[::step], size)
        campaign.cross("documents", list(results.items())[::step], size)
        journals.add(campaign.transit.journal())
    assert len(journals) == 1


@pytest.mark.parametrize("protection", PROTECTIONS)
def test_zero_of_everything_returns_the_very_object(protection: str) -> None:
    """With all rates zero no block is copied, and the journal is empty."""
    plan = make_plan(
        *(flips(width, 0) for width in Width),
        *({"kind": kind, "per_block": 0} for kind in BLOCK_KINDS),
        mercurial_cores={"share": 0, "share_of_results": 1},
    )
    transit = FaultyTransit(plan)
    for attempt, hop in enumerate(("pages", "documents", "runs", "shards", "pages"), 1):
        block = write_block(b"block", RECORDS, PROTECTIONS[protection])
        assert transit.deliver(block.data, hop, attempt) is block.data
    result = RECORDS[0][1]
    assert transit.compute(RECORDS[0][0], "parse", 1, result) is result
    assert decode_journal(transit.journal()) == []


def stored_badly(records: Records, *, head: bool) -> Block:
    """Return a block whose bytes were damaged in storage: its head, or its last record."""
    block = write_block(b"stored", records, CORRECT)
    data = bytearray(block.data)
    if head:
        data = bytearray()
    else:
        begin, end = block.frame_extent(len(records) - 1)
        data[begin:end] = bytes(end - begin)
    return replace(block, data=bytes(data))


@pytest.mark.parametrize("head", [True, False], ids=["head", "record"])
def test_damage_in_storage_is_not_taken_for_the_truth(*, head: bool) -> None:
    """A stored block that is damaged for real is derived again, and nothing of that is a fault."""
    records = RECORDS[:4]
    transit = FaultyTransit(make_plan(flips("single_bit", 1e-6)))
    payloads = dict(records)
    carried = carry(
        stored_badly(records, head=head),
        "runs",
        transit,
        Campaign(make_plan(), "correct").policy,
        derive=lambda missing: [(identity, payloads[identity]) for identity in missing],
        account=HopAccount(),
    )
    assert [accepted.identity for accepted in carried.accepted] == [name for name, _ in records]
    assert decode_journal(transit.journal()) == []
