"""Claims about the machines' own counters: rates of physics, one file for one plan, sound rows."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sealedbeam.faults import counters as module
from sealedbeam.faults.counters import (
    COUNTERS,
    STORM_PER_SECOND,
    attach_counters,
    encode_counters,
    expected_upsets,
    upsets_per_second,
)
from sealedbeam.faults.draws import draw, stream_key, to_index
from sealedbeam.faults.ecc import Hardware, Verdict, shield
from sealedbeam.faults.rates import expected_per_machine_day, fit_per_machine
from sealedbeam.faults.shares import Shares, shares_of
from sealedbeam.faults.sick import Sickness
from sealedbeam.faults.widths import PRESETS, Shape, make_damage
from sealedbeam.pipeline.errors import UsageError

from tests.support import campaigns

if TYPE_CHECKING:
    import pyarrow as pa
    from sealedbeam.faults.plan import Plan

SITES = [
    {"name": "quito", "latitude": 0, "longitude": 0, "machines": 300},
    {"name": "antipode", "latitude": 0, "longitude": 180, "machines": 300},
]
BURST = {"mode": "hemisphere", "start_seconds": 300, "above": {"latitude": 0, "longitude": 0}}
SEEDS = range(12)


def make_plan(seed: int = 0, **changes: Any) -> Plan:
    values = {"clusters": SITES, "counters": {"acceleration": 1e6}, "duration_seconds": 1200}
    return campaigns.make_plan(seed=seed, **(values | changes))


def read(plan: Plan) -> pa.Table:
    return pq.read_table(io.BytesIO(encode_counters(plan)))


def seen(table: pa.Table, cluster: str, start: int = 0, end: int = 1 << 40) -> int:
    rows = table.to_pylist()
    return sum(
        row["corrected"] + row["uncorrected"]
        for row in rows
        if row["cluster"] == cluster and start <= row["time_seconds"] < end
    )


def within_three_sigma(found: int, expected: float) -> bool:
    return bool(abs(found - expected) <= 3 * np.sqrt(expected))


def test_healthy_rates_are_those_of_physics() -> None:
    """Over seeds the counts are the FIT of the memory, times flux and acceleration, by hardware."""
    plans = [make_plan(seed) for seed in SEEDS]
    for cluster in plans[0].clusters:
        daily = expected_per_machine_day(fit_per_machine(12.51, 64.0), 1e6)
        upsets = daily / 86_400 * 1200 * 300 * cluster.flux_factor
        assert expected_upsets(plans[0], cluster) == pytest.approx(upsets)
        shares = shares_of("dram_hbm2", Hardware.SECDED)
        tables = [read(plan) for plan in plans]
        rows = [r for t in tables for r in t.to_pylist() if r["cluster"] == cluster.name]
        for name, share in (("corrected", shares.corrected), ("uncorrected", shares.reported)):
            found = sum(row[name] for row in rows)
            assert within_three_sigma(found, share * upsets * len(SEEDS))


def test_burst_raises_the_side_that_faces_it() -> None:
    """Under the source counts double while it lasts; behind the Earth nothing changes."""
    tables = [read(make_plan(seed, bursts=[BURST | {"duration_seconds": 600}])) for seed in SEEDS]
    quiet = make_plan(duration_seconds=600)
    seen_share = sum(shares_of("dram_hbm2", Hardware.SECDED))
    for name, factor in (("quito", 2.0), ("antipode", 1.0)):
        cluster = next(each for each in quiet.clusters if each.name == name)
        usual = expected_upsets(quiet, cluster) * seen_share * len(SEEDS)
        assert within_three_sigma(sum(seen(t, name, 300, 900) for t in tables), factor * usual)
        assert within_three_sigma(sum(seen(t, name, 0, 300) for t in tables), usual / 2)


@pytest.mark.parametrize("hardware", ["none", "parity", "chipkill"])
def test_hardware_decides_what_is_counted(hardware: str) -> None:
    """Without protection nothing is counted, with parity nothing is corrected."""
    table = read(make_plan(clusters=[SITES[0] | {"hardware": hardware}]))
    corrected = sum(table.column("corrected").to_pylist())
    uncorrected = sum(table.column("uncorrected").to_pylist())
    assert (corrected > 0) == (hardware == "chipkill")
    assert (uncorrected > 0) == (hardware != "none")


@pytest.mark.parametrize("preset", PRESETS)
def test_shares_are_what_bitwise_decoding_gives(preset: str) -> None:
    """The table agrees with decoding patterns of the preset, within what their number allows."""
    count, length = 40, 8 << 16
    totals = {hardware: dict.fromkeys(Verdict, 0.0) for hardware in Hardware}
    for row, (width, share) in enumerate(PRESETS[preset]):
        for number in range(count):
            identity = bytes((row, number))
            shape = Shape(identity, stream_key(1, "shape"), length)
            damage = make_damage(width, shape, 0, to_index(draw(identity, 7), length))
            for hardware, found in totals.items():
                found[shield(hardware, damage.bits, length).verdict] += share / count
    for hardware, found in totals.items():
        expected = Shares(found[Verdict.CORRECTED], found[Verdict.REPORTED])
        assert shares_of(preset, hardware) == pytest.approx(expected, abs=0.08)


def test_same_plan_gives_the_same_bytes_and_another_seed_others() -> None:
    """The file is a function of the plan; it has a name, and is absent without counters."""
    assert encode_counters(make_plan(3)) == encode_counters(make_plan(3))
    assert encode_counters(make_plan(3)) != encode_counters(make_plan(4))
    assert attach_counters(make_plan(3)) == {COUNTERS: encode_counters(make_plan(3))}
    assert attach_counters(make_plan(counters=None)) == {}


def test_another_cluster_shifts_nothing() -> None:
    """A cluster's rows are the same whatever others there are."""
    alone = read(make_plan(clusters=SITES[:1])).to_pylist()
    among = read(make_plan(clusters=[SITES[1], SITES[0]])).to_pylist()
    assert alone == [row for row in among if row["cluster"] == "quito"]


@pytest.mark.parametrize("bin_seconds", [1, 10, 60])
def test_rows_are_sorted_sparse_and_within_the_run(bin_seconds: int) -> None:
    """Each machine has one row for a bin in which it counted something, and no other."""
    counters = {"acceleration": 1e6, "bin_seconds": bin_seconds}
    table = read(make_plan(counters=counters, sick_machines=1.0, duration_seconds=1000))
    rows = table.to_pylist()
    keys = [(row["cluster"], row["time_seconds"], row["machine"]) for row in rows]
    assert keys == sorted(set(keys))
    assert all(row["corrected"] + row["uncorrected"] > 0 for row in rows)
    assert all(0 <= row["time_seconds"] < 1000 for row in rows)
    assert {row["time_seconds"] % bin_seconds for row in rows} == {0}
    assert {row["machine"] for row in rows} <= {f"machine-{number:05d}" for number in range(300)}


def test_blocks_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many bins make a block, each cluster counts what is to be expected."""
    monkeypatch.setattr(module, "_BLOCK_BINS", 7)
    plan = make_plan(counters={"acceleration": 1e8})
    share = sum(shares_of("dram_hbm2", Hardware.SECDED))
    expected = share * expected_upsets(plan, plan.clusters[0])
    table = read(plan)
    assert within_three_sigma(seen(table, "quito"), expected)
    for start in range(0, 1200, 300):
        assert within_three_sigma(seen(table, "quito", start, start + 300), expected / 4)


def test_machines_that_are_down_count_nothing() -> None:
    """From the start of an outage to its end its machines have no rows; the others do."""
    outage = {"scope": "rack", "cluster": "quito", "machines": 40, "first_machine": 40}
    outage |= {"start_seconds": 200, "seconds": 500}
    rows = read(make_plan(outages=[outage], counters={"acceleration": 1e8})).to_pylist()
    struck = {f"machine-{number:05d}" for number in range(40, 80)}
    down = [
        row["machine"]
        for row in rows
        if row["cluster"] == "quito" and 200 <= row["time_seconds"] < 700
    ]
    assert down
    assert struck.isdisjoint(down)
    assert struck <= {row["machine"] for row in rows if row["time_seconds"] < 200}


def test_sick_machine_repeats_as_its_weight_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """From its onset on a sick machine adds 13 times its weight, and no more than a storm."""
    weights = {5: 40.0, 6: 1e9}

    def find(_seed: int, _cluster: str, machine: int, *_: Any) -> Sickness | None:
        return Sickness(600.0, weights[machine]) if machine in weights else None

    monkeypatch.setattr(module, "find_sickness", find)
    plan = make_plan(clusters=SITES[:1], sick_machines=0.5, counters={"acceleration": 1e6})
    rows = read(plan).to_pylist()
    share = sum(shares_of("dram_hbm2", Hardware.SECDED))
    excess = (13 * 40.0 - 1) * upsets_per_second(plan, plan.clusters[0])
    for machine, rate in ((5, excess), (6, STORM_PER_SECOND)):
        own = [row for row in rows if row["machine"] == f"machine-{machine:05d}"]
        found = sum(r["corrected"] + r["uncorrected"] for r in own if r["time_seconds"] >= 600)
        assert within_three_sigma(found, 600 * share * rate)
        assert sum(r["corrected"] for r in own if r["time_seconds"] < 600) < 10


def test_too_many_counts_are_refused() -> None:
    """What no file should hold is refused with the key that makes it so."""
    with pytest.raises(UsageError, match=r"are to be expected.*; lower counters\.acceleration"):
        make_plan(counters={"acceleration": 1e12})
