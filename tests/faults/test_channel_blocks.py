"""Claims about deliveries that are struck as a whole or in the head: what arrives, what becomes."""

from __future__ import annotations

import math
from typing import Any

import pytest
from sealedbeam.faults.checkers import check_conservation, count_faults
from sealedbeam.faults.journal import FaultOutcome, decode_journal
from sealedbeam.faults.kinds import BLOCK_KINDS, BlockKind, HeadKind
from sealedbeam.faults.outline import read_outline
from sealedbeam.faults.transit import FaultyTransit
from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.layout import HEADER_BYTES
from sealedbeam.pipeline.integrity.protection import CORRECT, PARITY, PROTECTIONS

from tests.support.campaigns import Campaign, make_plan, make_records

RECORDS = make_records(200)
PAYLOADS = dict(RECORDS)
CORRECTED, RETRIED = FaultOutcome.CORRECTED, FaultOutcome.RETRIED
DROPPED, MASKED, ESCAPED = FaultOutcome.DROPPED, FaultOutcome.MASKED, FaultOutcome.ESCAPED
REPLACED_BY_OTHERS = (BlockKind.MISDIRECTED_BLOCK, BlockKind.STALE_BLOCK)


def of_blocks(kind: str, per_block: float, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "per_block": per_block, "hops": ["documents"], **more}


def run(kind: str, protection: str, on_damage: str = "retry", seed: int = 0) -> Campaign:
    """Take records over two hops in small blocks; at the second some blocks are struck."""
    campaign = Campaign(make_plan(of_blocks(kind, 0.25), seed=seed), protection, on_damage)
    for start in range(0, len(RECORDS), 5):
        records = RECORDS[start : start + 5]
        pages = [(identity, payload * 2) for identity, payload in records]
        campaign.carry("pages", pages, b"pages-%d" % start)
        campaign.carry("documents", records, b"documents-%d" % start)
    return campaign


def blocks() -> tuple[bytes, bytes, bytes]:
    """Return a block of another hop, one that was delivered before, and one that is to be."""
    names = (b"other", b"before", b"now")
    groups = (RECORDS[:5], RECORDS[5:10], RECORDS[10:15])
    one, two, three = (
        write_block(name, records, CORRECT).data
        for name, records in zip(names, groups, strict=True)
    )
    return one, two, three


@pytest.mark.parametrize("kind", BlockKind)
def test_what_arrives_of_a_struck_delivery(kind: BlockKind) -> None:
    """Nothing, a part, twice the block, the latest block of another hop, or the one before.

    The other hop need not have faults of its own.
    """
    other, before, now = blocks()
    transit = FaultyTransit(make_plan(of_blocks(kind, 1.0)))
    assert transit.deliver(other, "pages", 1) is other
    transit.deliver(before, "documents", 1)
    arrived = transit.deliver(now, "documents", 1)
    if kind is BlockKind.TRUNCATED_BLOCK:
        assert arrived is not None
        assert len(arrived) < len(now)
        assert now.startswith(arrived)
    else:
        expected = {
            BlockKind.LOST_BLOCK: None,
            BlockKind.DUPLICATED_BLOCK: now + now,
            BlockKind.MISDIRECTED_BLOCK: other,
            BlockKind.STALE_BLOCK: before,
        }
        assert expected[kind] == arrived


@pytest.mark.parametrize("kind", REPLACED_BY_OTHERS)
def test_first_block_of_all_has_no_other(kind: BlockKind) -> None:
    """Where no other block was sent before, a delivery cannot be replaced by one."""
    transit = FaultyTransit(make_plan(of_blocks(kind, 1.0)))
    _, _, now = blocks()
    assert transit.deliver(now, "documents", 1) is now
    assert decode_journal(transit.journal()) == []


@pytest.mark.parametrize("kind", HeadKind)
def test_head_is_struck_where_the_journal_says(kind: HeadKind) -> None:
    """One bit flips: of header, table or parity, or of the named record's seal in the table."""
    records = RECORDS[:5]
    block = write_block(b"block", records, PARITY)
    outline = read_outline(block.data)
    assert outline is not None
    for seed in range(40):
        transit = FaultyTransit(make_plan(of_blocks(kind, 1.0), seed=seed))
        arrived = bytearray(transit.deliver(block.data, "documents", 1) or b"")
        (fault,) = decode_journal(transit.journal())
        (bit,) = fault.bits
        arrived[bit >> 3] ^= 1 << (bit & 7)
        assert block.data == bytes(arrived)
        struck = bit >> 3
        if kind is HeadKind.HEADER_BIT:
            assert struck < HEADER_BYTES
        elif kind is HeadKind.PARITY_BIT:
            assert outline.parity[0] <= struck < outline.parity[1]
        else:
            assert outline.table[0] <= struck < outline.table[1]
        if kind is HeadKind.SEAL_BIT:
            number = [identity.hex() for identity, _ in records].index(fault.identity)
            assert struck in outline.seal_bytes(number)
        else:
            assert (fault.record, fault.identity) == ("block", b"block".hex())


@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_each_kind_is_injected_as_often_as_stated(kind: str) -> None:
    """Over seeds the journals have the stated share of all deliveries, within 3 sigma.

    Each block is delivered once, as it is not derived again; a task's first block has none before
    it that could be stale.
    """
    share, found, deliveries = 0.25, 0, 0
    for seed in range(6):
        found += len(run(kind, "parity", "drop", seed=seed).faults())
        deliveries += len(RECORDS) // 5 - (kind == BlockKind.STALE_BLOCK)
    sigma = math.sqrt(deliveries * share * (1 - share))
    assert abs(found - share * deliveries) <= 3 * sigma


SEALED = {
    HeadKind.HEADER_BIT: {CORRECTED},
    HeadKind.TABLE_BIT: {CORRECTED},
    HeadKind.SEAL_BIT: {CORRECTED},
    HeadKind.PARITY_BIT: {CORRECTED},
    BlockKind.LOST_BLOCK: {RETRIED, DROPPED},
    BlockKind.TRUNCATED_BLOCK: {RETRIED, DROPPED, MASKED},
    BlockKind.DUPLICATED_BLOCK: {MASKED},
    BlockKind.MISDIRECTED_BLOCK: {RETRIED, DROPPED},
    BlockKind.STALE_BLOCK: {RETRIED, DROPPED},
}
UNSEALED = {
    HeadKind.HEADER_BIT: {MASKED, RETRIED, DROPPED},
    HeadKind.TABLE_BIT: {MASKED, RETRIED, DROPPED},
    HeadKind.SEAL_BIT: set(),
    BlockKind.LOST_BLOCK: {RETRIED, DROPPED},
    BlockKind.TRUNCATED_BLOCK: {RETRIED, DROPPED},
    BlockKind.DUPLICATED_BLOCK: {MASKED},
    BlockKind.MISDIRECTED_BLOCK: {ESCAPED},
    BlockKind.STALE_BLOCK: {ESCAPED},
}


@pytest.mark.parametrize("protection", PROTECTIONS)
@pytest.mark.parametrize("kind", SEALED)
def test_outcomes_of_each_kind(kind: HeadKind | BlockKind, protection: str) -> None:
    """Sealed, heads are mended and blocks sent again; unsealed, another block is used unseen."""
    faults = run(kind, protection).faults()
    allowed = UNSEALED.get(kind, set()) if protection == "none" else SEALED[kind]
    if kind is HeadKind.PARITY_BIT and protection != "parity":
        allowed = set()
    assert {fault.kind for fault in faults} == ({str(kind)} if allowed else set())
    assert {fault.outcome for fault in faults} <= allowed
    likeliest = next(iter(outcome for outcome in (RETRIED, *allowed) if outcome in allowed), None)
    assert likeliest is None or likeliest in {fault.outcome for fault in faults}


@pytest.mark.parametrize("protection", PROTECTIONS)
@pytest.mark.parametrize("on_damage", ["retry", "drop"])
@pytest.mark.parametrize("kind", BLOCK_KINDS)
def test_law_holds_for_blocks(kind: str, on_damage: str, protection: str) -> None:
    """In each cluster each fault ends in exactly one way, and sealed records are what was sent."""
    campaign = run(kind, protection, on_damage, seed=1)
    for figures in count_faults(campaign.faults()).values():
        assert check_conservation(figures) == []
    if protection != "none":
        carried = campaign.cross("documents", RECORDS)
        accepted = [each for block in carried for each in block.accepted]
        assert all(PAYLOADS[each.identity] == each.payload for each in accepted)


def test_mended_heads_are_in_the_ledger_too() -> None:
    """The journal corrects as many heads as the ledger counts repairs."""
    campaign = run(HeadKind.HEADER_BIT, "correct")
    corrected = campaign.accounts["documents"].total().corrected_bits
    assert len(campaign.faults()) == sum(corrected.values())


def test_upset_of_a_record_in_a_struck_block_keeps_its_own_outcome() -> None:
    """A flip is corrected although the head of its block was hit as well, and the other way round.

    A lost block takes the flips of its delivery with it: they are retried as it is.
    """
    flips = {"kind": "single_bit", "per_mebibyte": 60, "hops": ["documents"]}
    heads = Campaign(make_plan(flips, of_blocks("header_bit", 1.0)), "correct")
    heads.cross("documents", RECORDS)
    assert {fault.outcome for fault in heads.faults()} <= {CORRECTED, RETRIED}
    assert {f.outcome for f in heads.faults() if f.kind == "header_bit"} == {CORRECTED}
    lost = Campaign(make_plan(flips, of_blocks("lost_block", 0.3)), "correct")
    lost.cross("documents", RECORDS)
    lost_at = {f.attempt for f in lost.faults() if f.kind == "lost_block"}
    assert lost_at >= {1}
    for figures in count_faults(lost.faults()).values():
        assert check_conservation(figures) == []
        assert figures["escaped"] == 0


def test_delivery_is_replaced_at_most_once() -> None:
    """With all kinds at once the first one in the order of kinds replaces the delivery."""
    plan = make_plan(*(of_blocks(kind, 1.0) for kind in BlockKind))
    transit = FaultyTransit(plan)
    _, before, now = blocks()
    transit.deliver(before, "documents", 1)
    assert transit.deliver(now, "documents", 2) is None
    kinds = [fault.kind for fault in decode_journal(transit.journal())]
    assert kinds == ["lost_block", "lost_block"]
