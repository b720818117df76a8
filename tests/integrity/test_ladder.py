from __future__ import annotations

from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.block import Block, LossReason, open_block
from sealedbeam.pipeline.integrity.channel import Place
from sealedbeam.pipeline.integrity.ladder import NOT_REPRODUCIBLE, OnDamage, Policy
from sealedbeam.pipeline.integrity.ledger import Cell, Outcome
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT, NONE
from sealedbeam.pipeline.integrity.reconcile import Verdict, reconcile

from tests.support.blocks import BLOCK_ID, flip
from tests.support.transits import (
    HOP,
    ORDER,
    RECORDS,
    DamagingTransit,
    Deriver,
    block_of,
    carried_records,
    carry_block,
    check_books,
    flips_at,
    flips_near,
    outcomes,
    replaces_by,
)

if TYPE_CHECKING:
    from tests.support.transits import Damage


def test_undamaged_block_is_intact() -> None:
    """Nothing is derived, everything is intact, and the channel learns the result once."""
    transit, derive = DamagingTransit(), Deriver({})
    carried, account = carry_block(block_of(), transit, derive)
    assert list(RECORDS.items()) == carried_records(carried)
    assert set(outcomes(carried).values()) == {Outcome.INTACT}
    assert ([1], [], [carried]) == (transit.delivered, derive.asked, transit.settled)
    total = check_books(account)
    assert total.intact == len(RECORDS)
    assert total.bytes == sum(8 + len(key) + len(value) for key, value in RECORDS.items())
    assert (total.again_records, total.corrected_bits, total.retry_attempts) == (0, {}, {})


def test_single_flips_are_corrected() -> None:
    """One flip in each of two records is put back; it is counted where the record was."""
    damage = {1: lambda data: flips_near(b"brav", 9)(flips_near(b"alpha", 3)(data) or b"")}
    derive = Deriver({})
    carried, account = carry_block(block_of(), DamagingTransit(damage), derive)
    assert list(RECORDS.items()) == carried_records(carried)
    assert outcomes(carried)[b"a-1"] == outcomes(carried)[b"b-2"] == Outcome.CORRECTED
    assert derive.asked == []
    total = check_books(account)
    assert (total.intact, total.corrected) == (3, 2)
    assert total.corrected_bits == {"syndrome": 2}
    assert account.cells["cluster-61", 1].corrected == 1
    assert account.cells["cluster-62", 1].corrected_bits == {"syndrome": 1}


def test_only_missing_records_are_derived_again() -> None:
    """Two damaged records are derived, and delivered without the three that came through."""
    damage = {1: lambda data: flips_near(b"brav", 9, 10)(flips_near(b"alpha", 3, 4)(data) or b"")}
    derive = Deriver(RECORDS)
    carried, account = carry_block(block_of(), DamagingTransit(damage), derive)
    assert list(RECORDS.items()) == carried_records(carried)
    assert derive.asked == [[b"a-1", b"b-2"]]
    assert [accepted.attempt for accepted in carried.accepted] == [2, 2, 1, 1, 1]
    total = check_books(account)
    assert (total.intact, total.retried) == (3, 2)
    assert total.retry_attempts == {LossReason.BAD_SEAL: 2}
    assert (total.again_records, total.again_bytes) == (2, 2 * (8 + 3 + 20))
    assert account.cells["cluster-61", 2].again_records == 1


def test_damaged_deliveries_are_counted_where_they_were() -> None:
    """A wound counts on the machine of its own attempt, and so does what was mended there."""
    damage = {n: flips_near(b"alpha", 3, 4) for n in (1, 2)} | {3: flips_near(b"alpha", 3)}
    _, account = carry_block(block_of(), DamagingTransit(damage), Deriver(RECORDS))
    found = {key: cell.damaged_machines for key, cell in account.cells.items()}
    for attempt in (1, 2, 3):
        assert found["cluster-61", attempt] == {f"{HOP}-m": 1}
    assert sum(map(len, found.values())) == 3


def test_records_unite_over_the_attempts() -> None:
    """What each delivery brings through is kept; only the rest is derived the next time."""
    damage = {
        1: flips_near(b"alpha", *range(16)),
        2: flips_near(b"alpha", 1, 2),
    }
    block, derive = block_of(), Deriver(RECORDS)
    first = damage[1]

    def lose_all_but_one(data: bytes) -> bytes:
        return (first(data) or b"")[: block.bounds[-2]].replace(b"bravo", b"BRAVO")

    transit = DamagingTransit({1: lose_all_but_one, 2: damage[2]})
    carried, account = carry_block(block, transit, derive)
    assert list(RECORDS.items()) == carried_records(carried)
    assert derive.asked == [[b"a-1", b"b-2", b"e"], [b"a-1"]]
    assert [accepted.attempt for accepted in carried.accepted] == [3, 2, 1, 1, 2]
    total = check_books(account)
    assert (total.intact, total.retried) == (2, 3)
    assert total.retry_attempts == {LossReason.BAD_SEAL: 3, LossReason.TRUNCATED: 1}
    assert total.again_records == 4


def test_retried_wins_over_corrected() -> None:
    """A record derived again and then corrected is retried; its bit is counted all the same."""
    transit = DamagingTransit({1: flips_near(b"alpha", 1, 2), 2: flips_near(b"alpha", 5)})
    carried, account = carry_block(block_of(), transit, Deriver(RECORDS))
    total = check_books(account)
    assert list(RECORDS.items()) == carried_records(carried)
    assert (total.corrected, total.retried) == (0, 1)
    assert total.corrected_bits == {"syndrome": 1}


@pytest.mark.parametrize("max_attempts", [1, 2, 5])
def test_attempts_are_bounded(max_attempts: int) -> None:
    """A record that is damaged at every delivery is dropped after exactly `max_attempts`."""
    transit = DamagingTransit(dict.fromkeys(range(1, 9), flips_near(b"alpha", 1, 2)))
    policy = Policy(CORRECT, OnDamage.RETRY, max_attempts)
    carried, account = carry_block(block_of(), transit, Deriver(RECORDS), policy)
    assert list(range(1, max_attempts + 1)) == transit.delivered
    assert [casualty.attempts for casualty in carried.casualties] == [max_attempts]
    total = check_books(account)
    assert (total.dropped, total.dropped_reasons) == (1, {LossReason.BAD_SEAL: 1})
    assert sum(total.retry_attempts.values()) == max_attempts - 1


def test_casualty_carries_its_bytes_and_place() -> None:
    """A dropped record has the damaged bytes as they arrived, its reason, and its first place."""
    transit = DamagingTransit({1: flips_near(b"alpha", 1, 2)})
    policy, derive = Policy(CORRECT, OnDamage.DROP), Deriver(RECORDS)
    block = block_of()
    carried, account = carry_block(block, transit, derive, policy)
    (casualty,) = carried.casualties
    damaged = flips_near(b"alpha", 1, 2)(block.data) or b""
    assert casualty.raw == damaged[slice(*block.frame_extent(0))]
    assert (casualty.identity, casualty.reason) == (b"a-1", LossReason.BAD_SEAL)
    assert (casualty.attempts, casualty.place) == (1, Place("cluster-61", "pages-m", 60))
    assert derive.asked == []
    assert check_books(account).dropped == 1


def test_lost_head_sets_aside_each_record_with_its_own_bytes() -> None:
    """Where no head can be read, each casualty has the bytes that lie where its frame was sent."""
    block = block_of()

    def spoil(data: bytes) -> bytes:
        return flip(data, 1, 2, 8 * len(data) - 1, 8 * len(data) - 2)

    policy = Policy(CORRECT, OnDamage.DROP)
    carried, account = carry_block(block, DamagingTransit({1: spoil}), Deriver({}), policy)
    assert {casualty.reason for casualty in carried.casualties} == {LossReason.UNREADABLE_HEAD}
    frames = [block.data[slice(*block.frame_extent(index))] for index in range(len(RECORDS))]
    assert frames == [casualty.raw for casualty in carried.casualties]
    assert check_books(account).dropped == len(RECORDS)


def test_unknown_bounds_set_the_whole_block_aside() -> None:
    """A block that was put together by hand has no bounds: its casualty has all that arrived."""
    written = block_of({b"run": b"payload"})
    block = Block(b"not a block", BLOCK_ID, written.identities, written.seals, CORRECT)
    carried, account = carry_block(block, DamagingTransit(), Deriver({}), Policy(CORRECT))
    assert [casualty.raw for casualty in carried.casualties] == [b"not a block"]
    assert check_books(account, 1).dropped == 1


def test_fail_policy_raises_and_says_what_to_do() -> None:
    """Under `fail` the first damage that cannot be corrected ends the job; ids need not be text."""
    policy = Policy(CORRECT, OnDamage.FAIL)
    block = block_of(block_id=b"\xff\x00part")
    with pytest.raises(IntegrityError, match=r"1 records of block .*bad_seal.*--on-damage retry"):
        carry_block(block, DamagingTransit({1: flips_near(b"alpha", 1, 2)}), Deriver({}), policy)
    carried, _ = carry_block(block, DamagingTransit({1: flips_at(3)}), Deriver({}), policy)
    assert list(RECORDS.items()) == carried_records(carried)


def test_irreproducible_record_is_refused() -> None:
    """A derivation that gives other bytes is not delivered; the damaged bytes are what is kept."""
    changed = RECORDS | {b"a-1": b"another"}
    damage = {1: lambda data: flips_near(b"brav", 9, 10)(flips_near(b"alpha", 3, 4)(data) or b"")}
    transit = DamagingTransit(damage)
    block = block_of()
    carried, account = carry_block(block, transit, Deriver(changed))
    expected = {**dict.fromkeys(RECORDS, "intact"), b"b-2": "retried", b"a-1": NOT_REPRODUCIBLE}
    assert expected == outcomes(carried)
    (casualty,) = carried.casualties
    assert casualty.raw == (damage[1](block.data) or b"")[slice(*block.frame_extent(0))]
    assert casualty.attempts == 1
    assert transit.delivered == [1, 2]
    total = check_books(account)
    assert total.dropped_reasons == {NOT_REPRODUCIBLE: 1}
    assert total.again_records == 1


def test_record_that_cannot_be_derived_is_dropped() -> None:
    """Where the derivation leaves a record out, it is dropped for the reason of its damage."""
    transit, derive = DamagingTransit({1: replaces_by(None)}), Deriver({b"e": b"echo"})
    carried, account = carry_block(block_of(), transit, derive)
    assert carried_records(carried) == [(b"e", b"echo")]
    total = check_books(account)
    assert (total.retried, total.dropped_reasons) == (1, {LossReason.LOST_BLOCK: 4})
    assert transit.delivered == [1, 2]


def test_derivation_may_not_smuggle_records_in() -> None:
    """Records that nobody missed are not delivered, whatever the derivation returns."""

    def derive(identities: object) -> list[tuple[bytes, bytes]]:  # noqa: ARG001 - the protocol's
        return [(b"smuggled", b"?"), *RECORDS.items()]

    transit = DamagingTransit({1: flips_near(b"alpha", 1, 2)})
    carried, account = carry_block(block_of(), transit, derive)
    assert list(RECORDS.items()) == carried_records(carried)
    assert check_books(account).retried == 1


@pytest.mark.parametrize("bit", [100, 8 * 95, -100], ids=["header", "table", "mirror"])
def test_repairs_of_the_head_are_counted(bit: int) -> None:
    """A flip outside the records is corrected and counted, though it belongs to no record."""
    block = block_of()
    transit = DamagingTransit({1: flips_at(bit % (8 * len(block.data)))})
    _, account = carry_block(block, transit, Deriver({}))
    total = check_books(account)
    assert total.intact == len(RECORDS)
    assert sum(total.corrected_bits.values()) == 1


def test_repairs_of_a_later_delivery_are_counted() -> None:
    """A head that is corrected at the second delivery counts too."""
    transit = DamagingTransit({1: replaces_by(None), 2: flips_at(100)})
    _, account = carry_block(block_of(), transit, Deriver(RECORDS))
    assert check_books(account).corrected_bits == {"syndrome": 1}


def test_bit_flipper_without_correction_shows_in_the_counts() -> None:
    """With a flip at every delivery `detect` retries and then drops where `correct` corrects."""
    damage = dict.fromkeys((1, 2, 3), flips_near(b"alpha", 11))
    totals = {}
    for protection in (CORRECT, DETECT):
        policy = Policy(protection)
        block = block_of(policy=policy)
        carried, account = carry_block(block, DamagingTransit(damage), Deriver(RECORDS), policy)
        totals[protection.name] = check_books(account)
        assert dict(carried_records(carried)).items() <= RECORDS.items()
    assert (totals["correct"].corrected, totals["correct"].dropped) == (1, 0)
    assert (totals["detect"].corrected, totals["detect"].dropped) == (0, 1)
    assert totals["detect"].retry_attempts == {LossReason.BAD_SEAL: 2}


def test_unsealed_flip_escapes_and_the_verdict_is_unknown() -> None:
    """Without seals a flipped payload passes; the ledger cannot tell, and says that it cannot."""
    policy = Policy(NONE)
    transit = DamagingTransit({1: flips_near(b"alpha", 1)})
    carried, account = carry_block(block_of(policy=policy), transit, Deriver({}), policy)
    assert dict(carried_records(carried)) != RECORDS
    assert account.total().intact == len(RECORDS)
    assert reconcile({HOP: account}, [], sealed=False).verdict is Verdict.UNKNOWN


def test_unsealed_lost_block_is_derived_again() -> None:
    """A block that does not arrive is missed even without seals."""
    policy = Policy(NONE)
    transit = DamagingTransit({1: replaces_by(None)})
    carried, _ = carry_block(block_of(policy=policy), transit, Deriver(RECORDS), policy)
    assert list(RECORDS.items()) == carried_records(carried)


def test_empty_block_crosses() -> None:
    """A block without records is carried, lost or not, and changes no count."""
    for damage in ({}, {1: replaces_by(None)}):
        carried, account = carry_block(block_of({}), DamagingTransit(damage), Deriver({}))
        assert (carried.accepted, carried.casualties) == ([], [])
        assert check_books(account, 0) == Cell()


def test_second_look_sees_a_change_after_acceptance() -> None:
    """An accepted record whose bytes change while they are used is no longer intact."""
    memory = bytearray(block_of().data)
    transit = DamagingTransit({1: lambda _: cast("bytes", memory)})  # changeable on purpose
    carried, _ = carry_block(block_of(), transit, Deriver({}))
    assert all(accepted.still_intact() for accepted in carried.accepted)
    memory[memory.index(b"bravo")] ^= 4
    assert [accepted.still_intact() for accepted in carried.accepted] == [True, False, *[True] * 3]


def damages_of(block: Block, bits: list[int], length: int) -> list[Damage]:
    """Every kind of damage that a delivery can do, as far as these numbers go."""
    return [
        lambda data: flip(data, *(bit % (8 * len(data)) for bit in bits)),
        lambda data: data[:length],
        lambda data: data[length:] + data[:length],
        replaces_by(None),
        replaces_by(block_of(block_id=b"another").data),
        replaces_by(block.data),
    ]


@given(st.data())
def test_any_damage_at_any_attempt_keeps_the_books(draw: st.DataObject) -> None:
    """Random damage at each delivery: right records or casualties, and the account balances."""
    block = block_of()
    damage = {}
    for attempt in (1, 2, 3):
        bits = draw.draw(st.lists(st.integers(0, 8 * len(block.data) - 1), max_size=9))
        length = draw.draw(st.integers(0, len(block.data)))
        damage[attempt] = draw.draw(st.sampled_from(damages_of(block, bits, length)))
    left_out = draw.draw(st.sets(st.sampled_from(ORDER)))
    derive = Deriver({key: value for key, value in RECORDS.items() if key not in left_out})
    carried, account = carry_block(block, DamagingTransit(damage), derive)
    records = dict(carried_records(carried))
    lost = {casualty.identity for casualty in carried.casualties}
    assert records.items() <= RECORDS.items()
    assert set(ORDER) == set(records) | lost
    assert len(ORDER) == len(carried.accepted) + len(carried.casualties)
    assert [key for key in ORDER if key in records] == [key for key, _ in carried_records(carried)]
    total = check_books(account)
    damaged = sum(casualty.attempts for casualty in carried.casualties)
    damaged += sum(a.attempt - 1 + (a.found.method is not None) for a in carried.accepted)
    assert total.damaged_machines.get(f"{HOP}-m", 0) == damaged + len(carried.mended_heads)


def test_reopened_bytes_of_a_casualty_prove_nothing() -> None:
    """The raw bytes of a casualty are evidence: opened again they give no record."""
    transit = DamagingTransit({1: flips_near(b"alpha", 1, 2)})
    policy = Policy(CORRECT, OnDamage.DROP)
    carried, _ = carry_block(block_of(), transit, Deriver({}), policy)
    assert open_block(carried.casualties[0].raw, None, CORRECT).found == []
