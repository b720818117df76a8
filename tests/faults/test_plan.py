"""Claims about plans: all that workers need, fixed and hashed, the same when read again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.faults.kinds import ALL_KINDS, BLOCK_KINDS
from sealedbeam.faults.plan import Plan, make_plan, parse_plan, read_plan
from sealedbeam.faults.rates import BITS_PER_MEBIBYTE
from sealedbeam.faults.scenario import load_scenario
from sealedbeam.faults.widths import Width
from sealedbeam.pipeline.errors import IntegrityError, UsageError

from tests.support import campaigns
from tests.support.campaigns import flips
from tests.support.jobs import ROOT

if TYPE_CHECKING:
    from pathlib import Path

PLACES = [
    {"name": "madrid", "latitude": 40.4, "longitude": -3.7, "machines": 40, "hardware": "parity"},
    {"name": "auckland", "latitude": -36.9, "longitude": 174.8, "machines": 40},
]
BURST = {"mode": "gle", "start_seconds": 60, "above": {"latitude": 40, "longitude": -4}}
OUTAGE = {"scope": "rack", "cluster": "madrid", "start_seconds": 5, "seconds": 60}


def full(seed: int = 0, **changes: Any) -> Plan:
    values: dict[str, Any] = {
        "clusters": PLACES,
        "memory": {"acceleration": 1e12},
        "bursts": [BURST],
        "sick_machines": 0.1,
        "machines": {"acceleration": 1e4},
        "outages": [OUTAGE],
        "mercurial_cores": {"share": 0.1, "share_of_results": 0.2},
        "counters": {"acceleration": 10, "bin_seconds": 20},
    }
    faults = flips("single_bit", 3, clusters={"madrid": 2}), {"kind": "seal_bit", "per_block": 0.1}
    return campaigns.make_plan(*faults, seed=seed, **(values | changes))


@pytest.mark.parametrize("plan", [full(), campaigns.make_plan()], ids=["full", "empty"])
def test_plan_survives_its_file(plan: Plan, tmp_path: Path) -> None:
    """What is read is what was written, hash included."""
    again = parse_plan(plan.to_json())
    assert again == plan
    assert again.to_json() == plan.to_json()
    path = tmp_path / "plan.json"
    path.write_text(plan.to_json())
    assert read_plan(str(path), plan.sha256) == plan


@pytest.mark.parametrize("path", sorted((ROOT / "configs" / "scenarios").glob("*.yaml")), ids=str)
def test_shipped_scenarios_make_plans(path: Path) -> None:
    """Each scenario of the project can be planned, and its plan read again."""
    plan = make_plan(load_scenario(path), 1)
    assert parse_plan(plan.to_json()) == plan


def test_changed_or_missing_plan_is_refused(tmp_path: Path) -> None:
    """Workers refuse a plan that is not the one that the job was prepared with."""
    plan, path = full(), tmp_path / "plan.json"
    with pytest.raises(IntegrityError, match="cannot read"):
        read_plan(str(path), plan.sha256)
    path.write_text(plan.to_json().replace('"seed":0', '"seed":1'))
    with pytest.raises(IntegrityError, match="changed"):
        read_plan(str(path), plan.sha256)


def test_seed_and_each_section_change_the_hash() -> None:
    """Any difference in what may happen is a difference in the hash."""
    plans = [
        full(),
        full(seed=1),
        full(memory={"acceleration": 2e12}),
        full(bursts=[BURST | {"amplitude": 2}]),
        full(sick_machines=0.2),
        full(machines=None),
        full(outages=[]),
        full(mercurial_cores=None),
        full(clusters=[PLACES[0] | {"hardware": "none"}, PLACES[1]]),
    ]
    assert len({plan.sha256 for plan in plans}) == len(plans)
    assert full().sha256 == full().sha256


def test_rates_add_up() -> None:
    """Stated faults of a kind add up by cluster; the highest rate bounds every place."""
    plan = campaigns.make_plan(
        flips("single_bit", 2, clusters={"dublin": 3}),
        flips("single_bit", 1),
        flips("burst", 5, hops=["runs"]),
    )
    rates = plan.rates("pages")
    assert rates is not None
    per_mebibyte = {
        name: sum(rate for _, rate in each) * BITS_PER_MEBIBYTE
        for name, each in rates.stated.items()
    }
    assert per_mebibyte == {"dublin": pytest.approx(7), "oregon": pytest.approx(1)}
    assert rates.highest * BITS_PER_MEBIBYTE == pytest.approx(7)
    physical = full().rates("pages")
    assert physical is not None
    usual = sum(rate for _, rate in physical.physical)
    assert physical.highest > usual * full().exposure.highest


def test_kinds_are_those_that_can_happen() -> None:
    """A plan names each kind of fault that it may inject, in the order of reports."""
    everything = campaigns.make_plan(
        *(flips(width, 1) for width in Width),
        *({"kind": kind, "per_block": 0.1} for kind in BLOCK_KINDS),
        outages=[OUTAGE | {"cluster": "dublin"}],
        mercurial_cores={"share": 0.1, "share_of_results": 0.1},
    )
    assert everything.kinds == list(ALL_KINDS)
    assert campaigns.make_plan().kinds == []
    assert campaigns.make_plan(flips("burst", 1)).kinds == ["burst"]


def test_machines_are_down_when_outages_say() -> None:
    """The tables of outages hold stated ones; those that lose packets stand apart."""
    plan = full(machines=None, outages=[OUTAGE, OUTAGE | {"scope": "network"}])
    assert plan.down.covers("madrid", 39, 6)
    assert not plan.down.covers("madrid", 0, 70)
    assert not plan.down.covers("auckland", 0, 6)
    assert plan.lossy.covers("madrid", 0, 6)
    assert len(plan.down) == len(plan.lossy) == 40


@pytest.mark.parametrize(
    "changes", [{"memory": {"acceleration": 1e29}}, {"memory": {"dwell_seconds": 1e20}}]
)
def test_rates_that_would_never_end_are_refused(changes: dict[str, Any]) -> None:
    """More upsets than there are words to hit are refused by name, before anything runs."""
    with pytest.raises(UsageError, match="upsets per MiB are to be expected, 131,072 are allowed"):
        full(**changes)
