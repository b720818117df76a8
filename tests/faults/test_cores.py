"""Claims about mercurial cores: wrong in the same way again, known to the truth, settled once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import xxhash
from sealedbeam.faults.cores import Cores, flip
from sealedbeam.faults.ids import FaultIds
from sealedbeam.faults.kinds import MISCOMPUTED

from tests.support.campaigns import make_plan

if TYPE_CHECKING:
    from sealedbeam.faults.plan import Plan

NAMES = [b"record %d" % number for number in range(400)]
RESULT = b"the right result"
TRUTH_KEY = 7


def plan_of(share: float, share_of_results: float, seed: int = 0) -> Plan:
    cores = {"share": share, "share_of_results": share_of_results}
    return make_plan(
        seed=seed, mercurial_cores=cores, clusters=[{"name": "oregon", "machines": 200}]
    )


def cores_of(plan: Plan) -> Cores:
    return Cores(plan, TRUTH_KEY, FaultIds(plan.sha256))


def test_wrong_result_differs_in_the_named_bit() -> None:
    """A wrong result has one flipped bit, and the fault says which."""
    cores = cores_of(plan_of(1.0, 1.0))
    wrong = cores.compute(NAMES[0], "parse", 1, RESULT)
    (fault,) = cores.unsettled()
    assert fault.kind == MISCOMPUTED
    assert fault.outcome is None
    assert flip(wrong, fault) == RESULT != wrong


def test_right_result_is_remembered_until_it_has_crossed() -> None:
    """The hash of the right result stands by until the record crosses; the fault is taken once."""
    cores = cores_of(plan_of(1.0, 1.0))
    for name in NAMES[:3]:
        cores.compute(name, "parse", 1, RESULT)
    right = xxhash.xxh3_64_intdigest(RESULT, TRUTH_KEY)
    assert cores.right("documents") == dict.fromkeys(NAMES[:3], right)
    assert cores.right("pages") == {}
    taken = cores.take("documents", NAMES[1:2])
    assert [identity for identity, _ in taken] == NAMES[1:2]
    assert cores.take("documents", NAMES[1:2]) == []
    assert set(cores.right("documents")) == {NAMES[0], NAMES[2]}
    assert len(list(cores.unsettled())) == 2


def test_same_machine_errs_alike_on_the_same_data() -> None:
    """An error is a function of machine and data: the same one again gives the same wrong bit."""
    cores = cores_of(plan_of(1.0, 0.5))
    first = [cores.compute(name, "parse", 1, RESULT) for name in NAMES]
    again = [cores_of(plan_of(1.0, 0.5)).compute(n, "parse", 1, RESULT) for n in NAMES]
    assert first == again


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_only_mercurial_machines_err(share: float) -> None:
    """The machines that err are the stated share of all, within 4 sigma; others never do."""
    cores = cores_of(plan_of(share, 1.0))
    for name in NAMES:
        cores.compute(name, "parse", 1, name)
    wrong = {fault.machine for fault in cores.unsettled()}
    everybody = {plan_of(share, 1.0).fleet.place(name, "parse", 1).machine for name in NAMES}
    sigma = (len(everybody) * share * (1 - share)) ** 0.5
    assert abs(len(wrong) - share * len(everybody)) <= 4 * sigma


def test_who_errs_never_is_not_watched() -> None:
    """Without cores that err no hop is watched, and no result is touched."""
    for plan in (make_plan(), plan_of(0.0, 1.0), plan_of(1.0, 0.0)):
        cores = cores_of(plan)
        assert not cores.feed("documents")
        assert cores.compute(NAMES[0], "parse", 1, RESULT) is RESULT
    assert cores_of(plan_of(0.1, 0.1)).feed("documents")
    assert not cores_of(plan_of(0.1, 0.1)).feed("pages")
    assert cores_of(plan_of(1.0, 1.0)).compute(NAMES[0], "parse", 1, b"") == b""
