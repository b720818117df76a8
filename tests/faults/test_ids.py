"""Claims about the ids of faults: one plan's alone, and the same in each of its runs."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from sealedbeam.faults.elements import ElementHarm, identify
from sealedbeam.faults.ids import OF_RECORDS, FaultIds
from sealedbeam.faults.kinds import BLOCK_KINDS, MISCOMPUTED, HeadKind

from tests.support.campaigns import Campaign, flips, make_plan, make_records

if TYPE_CHECKING:
    from sealedbeam.faults.plan import Plan

RECORDS = make_records(60)
NETWORK = {"scope": "network", "cluster": "oregon", "start_seconds": 0, "seconds": 600}

WITHOUT_PARITY = [kind for kind in BLOCK_KINDS if kind is not HeadKind.PARITY_BIT]


def plan_of(single: float, seed: int = 0, **changes: object) -> Plan:
    """Return a plan under which all sorts of faults strike, and many flips of single bits."""
    blocks = ({"kind": kind, "per_block": 0.2} for kind in BLOCK_KINDS)
    cores = {"share": 1.0, "share_of_results": 0.3}
    return make_plan(
        flips("single_bit", single),
        *blocks,
        seed=seed,
        outages=[NETWORK],
        mercurial_cores=cores,
        **changes,
    )


def found_in(plan: Plan) -> dict[str, set[str]]:
    """Return the ids of the faults that happen under a plan, by kind."""
    campaign = Campaign(plan, "correct")
    for identity, payload in RECORDS:
        campaign.transit.compute(identity, "parse", 1, payload)
    for hop in ("pages", "documents"):
        campaign.cross(hop, RECORDS, 5)
    ids: dict[str, set[str]] = {}
    faults = campaign.faults()
    for fault in faults:
        ids.setdefault(fault.kind, set()).add(fault.fault_id)
    assert len(faults) == len({fault.fault_id for fault in faults})
    return ids


@pytest.mark.parametrize(
    "other",
    [
        plan_of(400, acceleration_note="Another note."),
        plan_of(401),
        plan_of(400, seed=1),
        plan_of(400, name="another name"),
    ],
    ids=["note", "rate", "seed", "name"],
)
def test_plans_share_no_id(other: Plan) -> None:
    """Plans that differ in anything, one seed or not, name no two faults alike."""
    one, two = found_in(plan_of(400)), found_in(other)
    assert {"single_bit", "packet_lost", MISCOMPUTED, *WITHOUT_PARITY} == set(one)
    assert set(one) == set(two)
    assert set().union(*one.values()).isdisjoint(set().union(*two.values()))
    assert one == found_in(plan_of(400))


def test_elements_have_ids_of_their_plan() -> None:
    """The faults of elements are named like those of records."""
    payloads = [payload for _, payload in RECORDS]
    kinds = ({"kind": kind, "per_block": 0.2} for kind in ("lost_block", "duplicated_block"))
    plan = make_plan(flips("single_bit", 400), *kinds)
    other = make_plan(flips("single_bit", 400), {"kind": "lost_block", "per_block": 0.2})

    def ids_in(plan: Plan) -> list[str]:
        harm = ElementHarm(plan, "pages")
        struck = [harm.strike(identify(payload), payload) for payload in payloads]
        return [fault.fault_id for each in struck for fault in each.faults]

    assert len(ids_in(plan)) == len(set(ids_in(plan))) > 20
    assert ids_in(plan) == ids_in(plan)
    assert set(ids_in(plan)).isdisjoint(ids_in(other))


def test_names_follow_all_that_they_are_given() -> None:
    """Ids have 16 digits and differ by plan, record, kind, hop, attempt and number."""
    plans, struck, kinds = ("0" * 64, "f" * 64), (b"a", b"b"), (OF_RECORDS, "lost_block")
    axes = (struck, kinds, ("pages", "runs"), (1, 2), (0, 1))
    names = [FaultIds(plan).name(*at) for plan in plans for at in itertools.product(*axes)]
    assert len(names) == len(set(names)) == 64
    assert {len(name) for name in names} == {16}
