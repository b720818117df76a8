from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.integrity.block import Seal, seal_record
from sealedbeam.pipeline.integrity.ledger import HopAccount, Outcome
from sealedbeam.pipeline.integrity.reconcile import Equation, Verdict, reconcile

if TYPE_CHECKING:
    from collections.abc import Callable

SEALS = [seal_record(b"id-%d" % number, b"payload") for number in range(6)]
FINAL = [Outcome.INTACT, Outcome.INTACT, Outcome.CORRECTED, Outcome.RETRIED, Outcome.DROPPED]


def balanced() -> HopAccount:
    account = HopAccount()
    account.sealed.add(SEALS[:5])
    account.accounted.add(reversed(SEALS[:5]))
    for number, outcome in enumerate(FINAL):
        account.cell("local", 60 * number).enter(outcome, 10)
    account.cell("local", 240).dropped_reasons["bad_seal"] = 1
    return account


def outcome_changed(account: HopAccount) -> None:
    account.cell("local", 0).intact -= 1


def entered_twice(account: HopAccount) -> None:
    account.cell("local", 0).enter(Outcome.INTACT, 10)


def record_miscounted(account: HopAccount) -> None:
    account.cell("local", 0).records += 1


def reason_forgotten(account: HopAccount) -> None:
    account.cell("local", 240).dropped_reasons.clear()


def record_lost(account: HopAccount) -> None:
    account.accounted = type(account.accounted)()
    account.accounted.add(SEALS[:4])


def record_replaced(account: HopAccount) -> None:
    account.accounted = type(account.accounted)()
    account.accounted.add([*SEALS[:4], SEALS[5]])


def record_doubled_for_another(account: HopAccount) -> None:
    account.accounted = type(account.accounted)()
    account.accounted.add([*SEALS[:4], SEALS[0]])


def two_equal_extra_records(account: HopAccount) -> None:
    account.accounted.add([SEALS[5], SEALS[5]])
    account.sealed.records += 2  # even where the counts are made to agree
    for _ in range(2):
        account.cell("local", 0).enter(Outcome.INTACT, 10)


def never_sealed(account: HopAccount) -> None:
    account.sealed = type(account.sealed)()


def cell_lost(account: HopAccount) -> None:
    del account.cells["local", 3]


DISTURBANCES: list[Callable[[HopAccount], None]] = [
    outcome_changed,
    entered_twice,
    record_miscounted,
    reason_forgotten,
    record_lost,
    record_replaced,
    record_doubled_for_another,
    two_equal_extra_records,
    never_sealed,
    cell_lost,
]


def test_agreeing_numbers_balance() -> None:
    """Where everything sealed has one outcome and all equations hold, the ledger is balanced."""
    equations = [Equation("pages read = pages indexed", 3, 3)]
    result = reconcile({"pages": balanced(), "runs": HopAccount()}, equations, sealed=True)
    assert (result.verdict, result.findings, result.imbalance_records) == (Verdict.BALANCED, (), 0)


@pytest.mark.parametrize("disturb", DISTURBANCES)
def test_each_disturbance_is_found(disturb: Callable[[HopAccount], None]) -> None:
    """Each way in which one hop can be wrong is found, also among hops that are right."""
    account = balanced()
    disturb(account)
    hops = {"pages": balanced(), "documents": account}
    for sealed in (True, False):
        result = reconcile(hops, [], sealed=sealed)
        assert result.verdict is Verdict.IMBALANCED
        assert result.imbalance_records >= 1
        assert all(finding.startswith("hop documents: ") for finding in result.findings)


def test_disturbances_in_two_hops_do_not_cancel() -> None:
    """A record too few at one hop and one too many at another are both reported."""
    fewer, more = balanced(), balanced()
    record_lost(fewer)
    more.accounted.add([SEALS[4]])
    result = reconcile({"pages": fewer, "documents": more}, [], sealed=True)
    assert result.verdict is Verdict.IMBALANCED
    assert {finding.split(":")[0] for finding in result.findings} == {"hop pages", "hop documents"}


def test_imbalance_counts_records() -> None:
    """The imbalance is the number of records that a hop is out by."""
    account = balanced()
    account.sealed.records += 3
    assert reconcile({"pages": account}, [], sealed=True).imbalance_records == 3


@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_unequal_equation_is_found(left: int, right: int) -> None:
    """An equation whose sides differ is a finding that names it and both sides."""
    result = reconcile({}, [Equation("tokens = term frequencies", left, right)], sealed=True)
    if left == right:
        assert result.verdict is Verdict.BALANCED
    else:
        assert result.verdict is Verdict.IMBALANCED
        assert result.findings == (f"tokens = term frequencies: {left} against {right}",)


def test_unsealed_is_unknown_at_best() -> None:
    """Without seals agreeing counts prove nothing, and disagreeing ones are an imbalance still."""
    account = HopAccount()
    account.sealed.add([Seal()] * 2)
    account.accounted.add([Seal()] * 2)
    for _ in range(2):
        account.cell("local", 0).enter(Outcome.INTACT, 1)
    assert reconcile({"pages": account}, [], sealed=False).verdict is Verdict.UNKNOWN
    account.cell("local", 0).enter(Outcome.INTACT, 1)
    assert reconcile({"pages": account}, [], sealed=False).verdict is Verdict.IMBALANCED


def test_reconciling_changes_nothing() -> None:
    """Reconciliation is a pure function: the same verdict twice, and the ledger as it was."""
    account = balanced()
    before = deepcopy(account)
    first = reconcile({"pages": account}, [], sealed=True)
    assert first == reconcile({"pages": account}, [], sealed=True)
    assert before == account
