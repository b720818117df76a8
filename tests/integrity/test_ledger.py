from __future__ import annotations

import json
from copy import deepcopy
from functools import reduce
from operator import xor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.integrity.block import Seal, seal_record
from sealedbeam.pipeline.integrity.ledger import (
    WINDOW_SECONDS,
    Cell,
    HopAccount,
    Outcome,
    Tally,
    merge_accounts,
)

COUNT = st.integers(0, 10**15)
BY_KEY = st.dictionaries(st.sampled_from(["bad_seal", "truncated", "syndrome"]), COUNT, max_size=3)
CELLS = st.builds(Cell, *[COUNT] * 8, *[BY_KEY] * 4)
TALLIES = st.builds(Tally, COUNT, st.integers(0, 2**128 - 1))
KEYS = st.tuples(st.sampled_from(["local", "oslo", "lima"]), st.integers(0, 3))
ACCOUNTS = st.builds(HopAccount, TALLIES, TALLIES, st.dictionaries(KEYS, CELLS, max_size=4))
LEDGERS = st.dictionaries(st.sampled_from(["pages", "documents"]), ACCOUNTS, max_size=2)


def merged(*accounts: HopAccount) -> HopAccount:
    result = HopAccount()
    for account in accounts:
        result.merge(account)
    return result


def same(left: HopAccount, right: HopAccount) -> bool:
    """Equal as stored: a count of zero and a missing one are the same."""
    return left.to_json() == right.to_json()


@given(ACCOUNTS)
def test_json_round_trip(account: HopAccount) -> None:
    """An account comes back from its JSON, digest sums of 128 bits included."""
    stored = json.loads(json.dumps(account.to_json()))
    assert account == HopAccount.from_json(stored)
    assert stored == HopAccount.from_json(stored).to_json()


@given(ACCOUNTS, ACCOUNTS, ACCOUNTS)
def test_merging_is_associative_and_commutative(
    first: HopAccount, second: HopAccount, third: HopAccount
) -> None:
    """Accounts sum to the same whatever the order and the grouping."""
    whole = merged(first, second, third)
    assert same(merged(third, first, second), whole)
    assert same(merged(merged(first, second), third), whole)
    assert same(merged(first, merged(second, third)), whole)


@given(ACCOUNTS, ACCOUNTS)
def test_merging_leaves_the_other_account_alone(first: HopAccount, second: HopAccount) -> None:
    """What is added is copied: later entries into the sum do not reach it."""
    before = deepcopy(second)
    whole = merged(first, second)
    for cell in whole.cells.values():
        cell.enter(Outcome.DROPPED, 1)
        cell.dropped_reasons["truncated"] = -1
    assert before == second


@given(st.lists(LEDGERS, max_size=4))
def test_ledgers_sum_by_hop(ledgers: list[dict[str, HopAccount]]) -> None:
    """Each hop of a sum of ledgers is the sum of that hop, and there is no other hop."""
    total = merge_accounts(ledgers)
    for hop in ("pages", "documents"):
        accounts = [ledger[hop] for ledger in ledgers if hop in ledger]
        assert (hop in total) == bool(accounts)
        if accounts:
            assert same(merged(*accounts), total[hop])


@given(ACCOUNTS)
def test_total_is_the_sum_of_the_cells(account: HopAccount) -> None:
    """The total has each number summed over all cells."""
    total = account.total().to_json()
    for name in ("records", "bytes", "intact", "dropped", "again_bytes"):
        expected = sum(getattr(cell, name) for cell in account.cells.values())
        assert expected == total.get(name, 0)


def test_outcomes_are_entered_once() -> None:
    """Each entry is one record, one outcome and its bytes."""
    for outcome in Outcome:
        cell = Cell()
        cell.enter(outcome, 7)
        assert cell.to_json() == {"records": 1, "bytes": 7, outcome: 1}


def test_windows_are_a_minute() -> None:
    """Times within one minute share a cell, times in two minutes or clusters do not."""
    account = HopAccount()
    first = account.cell("local", 0)
    assert account.cell("local", WINDOW_SECONDS - 1) is first
    assert account.cell("local", WINDOW_SECONDS) is not first
    assert account.cell("oslo", 0) is not first
    assert set(account.cells) == {("local", 0), ("local", 1), ("oslo", 0)}


def test_sum_sees_what_an_xor_cancels() -> None:
    """Two equal extra records leave an XOR of the digests unchanged, and change the sum."""
    seals = [seal_record(b"id-%d" % number, b"payload") for number in range(3)]
    extra = seal_record(b"extra", b"record")
    sent, received = Tally(), Tally()
    sent.add(seals)
    received.add([*seals, extra, extra])
    digests = [int.from_bytes(seal.digest) for seal in seals]
    twice = [*digests, *[int.from_bytes(extra.digest)] * 2]
    assert reduce(xor, digests) == reduce(xor, twice)
    assert sent.digest_sum != received.digest_sum


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=9), st.randoms())
def test_sums_do_not_depend_on_order(digests: list[bytes], random: Any) -> None:
    """A tally is the same in any order and any grouping, and stays below 2^128."""
    seals = [Seal(0, digest) for digest in digests]
    one, other, last = Tally(), Tally(), Tally()
    one.add(seals)
    random.shuffle(seals)
    other.add(seals[:4])
    last.add(seals[4:])
    other.merge(last)
    assert one == other
    assert one.digest_sum == sum(map(int.from_bytes, digests)) % 2**128


@pytest.mark.parametrize(
    "change",
    [
        {"sealed": {"records": -1, "digest_sum": "0" * 32}},
        {"sealed": {"records": 1.0, "digest_sum": "0" * 32}},
        {"sealed": {"records": True, "digest_sum": "0" * 32}},
        {"sealed": {"records": 1, "digest_sum": "-" + "0" * 31}},
        {"sealed": {"records": 1, "digest_sum": "0" * 31}},
        {"sealed": {"records": 1, "digest_sum": "0" * 33}},
        {"sealed": {"records": 1, "digest_sum": 0}},
        {"sealed": {"records": 1}},
        {"cells": [{"cluster": "local"}]},
        {"cells": [{"cluster": "local", "window": -1}]},
        {"cells": [{"cluster": "local", "window": 0}, {"cluster": "local", "window": 0}]},
        {"cells": [{"cluster": "local", "window": 0, "intact": -1}]},
        {"cells": [{"cluster": "local", "window": 0, "intact": {"bad_seal": 1}}]},
        {"cells": [{"cluster": "local", "window": 0, "dropped_reasons": 1}]},
        {"cells": [{"cluster": "local", "window": 0, "dropped_reasons": {"bad_seal": "1"}}]},
        {"cells": [{"cluster": "local", "window": 0, "unknown": 1}]},
        {"cells": [{"cluster": "local", "window": 0, "enter": 1}]},
    ],
)
def test_other_json_is_refused(change: dict[str, Any]) -> None:
    """What `to_json` cannot have written is refused, not read as something else."""
    value = HopAccount(cells={("local", 0): Cell(1, 2, 1)}).to_json()
    HopAccount.from_json(value)
    with pytest.raises((ValueError, KeyError, TypeError)):
        HopAccount.from_json(value | change)


def test_machines_without_a_name_are_not_counted() -> None:
    """A delivery that was damaged on a machine counts under its name, where it has one."""
    cell = Cell()
    for machine in ("machine-00001", "", "machine-00001", "machine-00002"):
        cell.note_damage(machine)
    assert cell.damaged_machines == {"machine-00001": 2, "machine-00002": 1}
