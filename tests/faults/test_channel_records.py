"""Claims about what strikes records on their way: upsets, memory that protects itself, outages."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Any, get_args

import pytest
from sealedbeam.faults.journal import BITS_STORED_MAX, Fault, FaultOutcome, decode_journal
from sealedbeam.faults.kinds import MISCOMPUTED, MachineKind
from sealedbeam.faults.rates import (
    BITS_PER_MEBIBYTE,
    DRAM_FIT_PER_GBIT,
    per_bit_second_from_fit_per_gbit,
)
from sealedbeam.faults.scenario import Hop
from sealedbeam.faults.transit import FaultyTransit
from sealedbeam.faults.widths import Width
from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.layout import FRAME_OVERHEAD_BYTES
from sealedbeam.pipeline.integrity.protection import CORRECT

from tests.support.campaigns import Campaign, flips, make_plan, make_records

if TYPE_CHECKING:
    from sealedbeam.faults.plan import Plan

RECORDS = make_records(120)
FRAME_BITS = 8 * (FRAME_OVERHEAD_BYTES + 28 + 500)
MIB_PER_RECORD = FRAME_BITS / BITS_PER_MEBIBYTE
MADRID = {"name": "madrid", "latitude": 40.42, "longitude": -3.7, "machines": 40}
AUCKLAND = {"name": "auckland", "latitude": -36.85, "longitude": 174.76, "machines": 40}


def physical(per_mebibyte: float, **more: Any) -> dict[str, Any]:
    """Return a section `memory` under which New York sees this rate."""
    usual = per_bit_second_from_fit_per_gbit(DRAM_FIT_PER_GBIT) * BITS_PER_MEBIBYTE
    return {"acceleration": per_mebibyte / usual, "widths": "sram_k20", **more}


def protected_by(hardware: str) -> list[dict[str, Any]]:
    return [{"name": name, "machines": 3, "hardware": hardware} for name in ("dublin", "oregon")]


def deliver_all(plan: Plan, hop: str = "pages") -> tuple[bytes, bytes, list[Fault]]:
    """Return a block of all records, what arrives of it, and the faults."""
    block = write_block(b"block", RECORDS, CORRECT)
    transit = FaultyTransit(plan)
    arrived = transit.deliver(block.data, hop, 1)
    assert arrived is not None
    return block.data, arrived, decode_journal(transit.journal())


@pytest.mark.parametrize("hop", get_args(Hop))
@pytest.mark.parametrize("width", Width)
def test_every_width_strikes_at_every_hop(width: Width, hop: str) -> None:
    """Of each pattern the journal counts the bits and names the first, there and nowhere else."""
    plan = make_plan(flips(width, 200, hops=[hop]))
    sent, arrived, faults = deliver_all(plan, hop)
    assert {(fault.kind, fault.hop) for fault in faults} == {(width, hop)}
    starts = {}
    block = write_block(b"block", RECORDS, CORRECT)
    for number, (identity, _) in enumerate(RECORDS):
        starts[identity.hex()] = block.frame_extent(number)[0]
    alone = Counter(fault.identity for fault in faults)
    for fault in (fault for fault in faults if alone[fault.identity] == 1):
        assert fault.bits == tuple(sorted(set(fault.bits)))
        assert len(fault.bits) == min(BITS_STORED_MAX, fault.flipped_bits)
        begin = starts[fault.identity]
        end = begin + FRAME_BITS // 8
        before, after = (int.from_bytes(data[begin:end], "little") for data in (sent, arrived))
        assert (before ^ after).bit_count() == fault.flipped_bits
        assert all((before ^ after) >> bit & 1 for bit in fault.bits)
    elsewhere = next(other for other in get_args(Hop) if other != hop)
    assert deliver_all(plan, elsewhere)[2] == []


def test_each_width_is_as_frequent_as_stated() -> None:
    """Over seeds the faults of each kind lie within 3 sigma of rate times bytes delivered."""
    found: Counter[str] = Counter()
    rates = {width: 10.0 + 5 * number for number, width in enumerate(Width)}
    seeds = 12
    for seed in range(seeds):
        plan = make_plan(*(flips(width, rate) for width, rate in rates.items()), seed=seed)
        found.update(fault.kind for fault in deliver_all(plan)[2])
    for width, rate in rates.items():
        mean = rate * MIB_PER_RECORD * len(RECORDS) * seeds
        assert abs(found[width] - mean) <= 3 * math.sqrt(mean)


def test_stuck_cell_that_agrees_is_masked() -> None:
    """About half of the stuck bits hold what they should: these flip nothing and touch nothing."""
    campaign = Campaign(make_plan(flips("stuck_bit", 600)), "correct")
    campaign.cross("pages", RECORDS)
    silent = [fault for fault in campaign.faults() if not fault.bits]
    loud = [fault for fault in campaign.faults() if fault.bits]
    assert {fault.outcome for fault in silent} == {FaultOutcome.MASKED}
    assert {fault.outcome for fault in loud} <= {FaultOutcome.CORRECTED, FaultOutcome.RETRIED}
    total = len(silent) + len(loud)
    assert abs(len(silent) - total / 2) <= 3 * math.sqrt(total) / 2


def hit_under(hardware: str, protection: str = "correct") -> list[Fault]:
    plan = make_plan(clusters=protected_by(hardware), memory=physical(400))
    campaign = Campaign(plan, protection)
    campaign.cross("pages", RECORDS)
    faults = campaign.faults()
    assert len(faults) > 10
    return faults


def test_corrected_strikes_touch_nothing() -> None:
    """What SEC-DED corrects flips no bit that software sees: masked, and the block is the same."""
    single = [fault for fault in hit_under("secded") if fault.kind == Width.SINGLE_BIT]
    assert {(f.hardware, f.bits, f.outcome) for f in single} == {
        ("corrected", (), FaultOutcome.MASKED)
    }
    plan = make_plan(clusters=protected_by("secded"), memory=physical(400))
    untouched = 0
    for start in range(0, len(RECORDS), 5):
        transit = FaultyTransit(plan)
        block = write_block(b"block", RECORDS[start : start + 5], CORRECT)
        arrived = transit.deliver(block.data, "pages", 1)
        verdicts = {fault.hardware for fault in decode_journal(transit.journal())}
        if verdicts == {"corrected"}:
            assert arrived is block.data
            untouched += 1
    assert untouched


@pytest.mark.parametrize("protection", ["none", "detect", "correct"])
def test_reported_strikes_lose_the_record_with_notice(protection: str) -> None:
    """What parity reports is never used: the record is derived again, or dropped."""
    single = [f for f in hit_under("parity", protection) if f.kind == Width.SINGLE_BIT]
    assert {(fault.hardware, fault.bits) for fault in single} == {("reported", ())}
    assert {f.outcome for f in single} <= {FaultOutcome.RETRIED, FaultOutcome.DROPPED}


@pytest.mark.parametrize("hardware", ["parity", "secded", "chipkill"])
def test_reported_record_arrives_as_zeros_whatever_else_strikes_it(hardware: str) -> None:
    """One upset that is reported takes the record, however many others strike the same one."""
    memory = physical(3000) | {"widths": "dram_hbm2"}
    plan = make_plan(clusters=protected_by(hardware), memory=memory)
    _, arrived, faults = deliver_all(plan)
    reported = {fault.identity for fault in faults if fault.hardware == "reported"}
    assert max(Counter(f.identity for f in faults if f.identity in reported).values()) > 2
    block = write_block(b"block", RECORDS, CORRECT)
    frames = {
        identity.hex(): arrived[slice(*block.frame_extent(number))]
        for number, (identity, _) in enumerate(RECORDS)
    }
    assert reported == {name for name, frame in frames.items() if not any(frame)}


def test_missed_strikes_are_seen_by_software() -> None:
    """Two flips in one byte pass parity: they are in the bytes, and the seal finds them."""
    double = [fault for fault in hit_under("parity") if fault.hardware == "missed"]
    assert all(len(fault.bits) == 2 for fault in double)
    assert {fault.outcome for fault in double} <= {FaultOutcome.RETRIED}
    unprotected = hit_under("none", "none")
    assert {fault.hardware for fault in unprotected} == {"missed"}
    assert FaultOutcome.ESCAPED in {fault.outcome for fault in unprotected}


def test_machine_that_is_down_loses_its_records_once() -> None:
    """Its records are lost at the first delivery; the retry lands elsewhere, later, and arrives."""
    outage = {"scope": "machine", "cluster": "oregon", "first_machine": 1, "machines": 1}
    plan = make_plan(outages=[outage | {"start_seconds": 0, "seconds": 600}])
    campaign = Campaign(plan, "correct")
    carried = campaign.cross("pages", RECORDS)
    faults = campaign.faults()
    first = [fault for fault in faults if fault.attempt == 1]
    here = [
        identity.hex()
        for identity, _ in RECORDS
        if campaign.transit.place(identity, "pages", 1)[:2] == ("oregon", "machine-00001")
    ]
    assert sorted(fault.identity for fault in first) == sorted(here)
    assert {(f.kind, f.cause, f.outcome) for f in faults} == {
        (MachineKind.MACHINE_DOWN, "oregon/machine/stated-0", FaultOutcome.RETRIED)
    }
    retried = [a for block in carried for a in block.accepted if a.attempt > 1]
    assert len(retried) == len(here)
    for accepted in retried:
        before = campaign.transit.place(accepted.identity, "pages", 1)
        after = campaign.transit.place(accepted.identity, "pages", 2)
        assert before.time_seconds <= after.time_seconds
        assert before[:2] != after[:2]


def outage_of(cluster: str, **more: Any) -> dict[str, Any]:
    always = {"start_seconds": 0, "seconds": 600}
    return {"scope": "overheating", "cluster": cluster, **always, **more}


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_while_two_machines_are_up(seed: int) -> None:
    """With three of five machines down retries arrive, where ledger and journal say they are."""
    down = [outage_of("oregon", machines=2), outage_of("dublin", machines=1)]
    campaign = Campaign(make_plan(flips("single_bit", 100), outages=down, seed=seed), "detect")
    carried = [each for block in campaign.cross("pages", RECORDS) for each in block.accepted]
    lost = [fault for fault in campaign.faults() if fault.kind == MachineKind.MACHINE_DOWN]
    assert {fault.attempt for fault in lost} == {1}
    assert {fault.identity for fault in lost} <= {each.identity.hex() for each in carried}
    up = {("dublin", "machine-00001"), ("oregon", "machine-00002")}
    for fault in (fault for fault in campaign.faults() if fault.attempt > 1):
        place = campaign.transit.place(bytes.fromhex(fault.identity), "pages", fault.attempt)
        assert place == (fault.cluster, fault.machine, fault.time_seconds)
        assert place[:2] in up


def test_everything_is_lost_while_no_machine_is_up() -> None:
    """With all machines down each delivery is lost, and each record set aside after three."""
    plan = make_plan(outages=[outage_of("oregon"), outage_of("dublin")])
    campaign = Campaign(plan, "correct")
    casualties = [one for block in campaign.cross("pages", RECORDS) for one in block.casualties]
    assert [identity for identity, _ in RECORDS] == [each.identity for each in casualties]
    lost = Counter((fault.kind, fault.attempt, fault.outcome) for fault in campaign.faults())
    down, dropped = MachineKind.MACHINE_DOWN, FaultOutcome.DROPPED
    assert lost == {(down, attempt, dropped): len(RECORDS) for attempt in (1, 2, 3)}


def test_lossy_network_takes_every_other_record() -> None:
    """Of the records at a cluster whose network fails half are lost, within 3 sigma over seeds."""
    lost = there = 0
    for seed in range(20):
        outage = {"scope": "network", "cluster": "oregon", "start_seconds": 0, "seconds": 600}
        plan = make_plan(outages=[outage], seed=seed)
        faults = deliver_all(plan)[2]
        assert {fault.kind for fault in faults} == {MachineKind.PACKET_LOST}
        lost += len(faults)
        spots = [plan.fleet.spot(identity, "pages", 1) for identity, _ in RECORDS]
        there += sum(spot.cluster.name == "oregon" for spot in spots)
    assert abs(lost - there / 2) <= 3 * math.sqrt(there) / 2


def test_outage_ends_when_it_is_stated_to() -> None:
    """Only records whose time is within the outage are lost; as many as its share of the run."""
    outage = {"scope": "power", "cluster": "oregon", "start_seconds": 100, "seconds": 200}
    lost = 0
    for seed in range(20):
        faults = deliver_all(make_plan(outages=[outage], seed=seed))[2]
        assert all(100 <= fault.time_seconds < 300 for fault in faults)
        lost += len(faults)
    share = 200 / 600 * 3 / 5
    mean = 20 * len(RECORDS) * share
    assert abs(lost - mean) <= 3 * math.sqrt(mean * (1 - share))


@pytest.mark.parametrize("protection", ["none", "correct"])
def test_lost_records_are_never_used(protection: str) -> None:
    """A machine that is down gives nobody a record of zeros to use, sealed or not."""
    outage = {"scope": "overheating", "cluster": "oregon", "start_seconds": 0, "seconds": 600}
    campaign = Campaign(make_plan(outages=[outage]), protection)
    campaign.cross("pages", RECORDS)
    kinds = {fault.outcome for fault in campaign.faults()}
    assert kinds
    assert kinds <= {FaultOutcome.RETRIED, FaultOutcome.DROPPED}


def count_in_burst(seed: int) -> tuple[dict[str, list[int]], dict[str, list[float]]]:
    """Return faults before and during a burst above Madrid, by cluster, and what is expected."""
    burst = {"mode": "hemisphere", "start_seconds": 600, "duration_seconds": 600}
    burst |= {"above": {"latitude": 40.0, "longitude": -4.0}, "amplitude": 9.0}
    plan = make_plan(
        seed=seed,
        clusters=[MADRID, AUCKLAND],
        memory=physical(40),
        bursts=[burst],
        duration_seconds=1200,
    )
    found = {name: [0, 0] for name in ("madrid", "auckland")}
    expected = {name: [0.0, 0.0] for name in found}
    for fault in deliver_all(plan)[2]:
        found[fault.cluster][fault.time_seconds >= 600] += 1
    for identity, _ in RECORDS:
        cluster, _, time = plan.fleet.spot(identity, "pages", 1)
        factor = plan.exposure.healthy_factor(cluster.name, time)
        expected[cluster.name][time >= 600] += 40 * MIB_PER_RECORD * factor
    return found, expected


def test_burst_raises_counts_only_where_it_shines() -> None:
    """Clusters that face the source see more faults while it lasts; those behind see no more.

    Over seeds each count lies within 3 sigma of what is expected, and the lit one is some 5 sigma
    above its own quiet half.
    """
    seeds = 30
    found = {name: [0, 0] for name in ("madrid", "auckland")}
    expected = {name: [0.0, 0.0] for name in found}
    for seed in range(seeds):
        one, mean = count_in_burst(seed)
        for name, counts in found.items():
            for half in (0, 1):
                counts[half] += one[name][half]
                expected[name][half] += mean[name][half]
    for name, counts in found.items():
        for half in (0, 1):
            assert abs(counts[half] - expected[name][half]) <= 3 * math.sqrt(expected[name][half])
    quiet, lit = found["madrid"]
    assert lit - quiet > 5 * math.sqrt(quiet)
    before, behind = found["auckland"]
    assert abs(behind - before) <= 3 * math.sqrt(before + behind)


def test_sick_machines_err_again_and_again() -> None:
    """Faults come as often as the sickness of each machine at each time lets expect."""
    seeds, found, mean = 10, 0, 0.0
    for seed in range(seeds):
        memory = physical(0.05)
        duration = 60 * 86_400
        plan = make_plan(seed=seed, memory=memory, sick_machines=1.0, duration_seconds=duration)
        found += len(deliver_all(plan)[2])
        for identity, _ in RECORDS:
            cluster, machine, time = plan.fleet.spot(identity, "pages", 1)
            factor = 1 + plan.exposure.sick_excess(cluster.name, machine, time)
            mean += 0.05 * MIB_PER_RECORD * factor
    healthy = 0.05 * MIB_PER_RECORD * len(RECORDS) * seeds
    assert mean > 10 * healthy
    assert abs(found - mean) <= 3 * math.sqrt(mean)


def test_wrong_computations_are_as_frequent_as_stated() -> None:
    """On mercurial machines the stated share of results is wrong, over seeds within 3 sigma."""
    wrong, seeds = 0, 10
    for seed in range(seeds):
        plan = make_plan(seed=seed, mercurial_cores={"share": 1.0, "share_of_results": 0.1})
        transit = FaultyTransit(plan)
        results = [transit.compute(name, "parse", 1, payload) for name, payload in RECORDS]
        altered = [result != payload for result, (_, payload) in zip(results, RECORDS, strict=True)]
        faults = decode_journal(transit.journal())
        assert {fault.kind for fault in faults} == {MISCOMPUTED}
        assert len(faults) == sum(altered)
        wrong += sum(altered)
    mean = 0.1 * len(RECORDS) * seeds
    assert abs(wrong - mean) <= 3 * math.sqrt(mean * 0.9)
