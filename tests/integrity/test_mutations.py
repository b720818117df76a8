"""Each detector is broken once, on purpose, and the claim that leans on it must then go red.

A check that nobody has seen fail may be checking nothing. What is run here are the very tests of
the neighbouring modules, with one part of the defence removed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest
from sealedbeam.pipeline.integrity import block, correction, ladder, layout, ledger
from sealedbeam.pipeline.integrity.correction import Mended, Method
from sealedbeam.pipeline.integrity.syndrome import locate_flip

from tests.integrity import (
    test_block_damage,
    test_ladder,
    test_ladder_replay,
    test_ledger,
    test_reconcile,
    test_syndrome,
)
from tests.support.blocks import flip
from tests.support.transits import (
    RECORDS,
    DamagingTransit,
    Deriver,
    block_of,
    carry_block,
    check_books,
    replaces_by,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Claim = Callable[[], None]


class Mutation(NamedTuple):
    """What stands in for a part of the defence, and the claim that it must break."""

    target: object
    name: str
    broken: object
    claim: Claim


def always_intact(region: bytes, *_: object, **__: object) -> Mended:
    return Mended(region)


def correct_unconfirmed(
    region: bytes, stored: tuple[int, bytes], computed: tuple[int, bytes]
) -> Mended | None:
    position = locate_flip(stored[0], computed[0], len(region))
    return None if position is None else Mended(flip(region, position), Method.SYNDROME, 1)


def accept_anything(
    crossing: ladder._Crossing, opened: block.Opened, sent: block.Block, attempt: int
) -> set[int]:
    for identity, found in zip(sent.identities, opened.found, strict=False):
        crossing.accepted[identity] = ladder.Accepted(found, ledger.Outcome.INTACT, attempt)
    return set()


settle = ladder._settle


def forget_the_missing(crossing: ladder._Crossing) -> ladder.Carried:
    missing = crossing.missing()
    for identity in missing:
        del crossing.expected[identity]
    return settle(crossing)


def count_only(tally: ledger.Tally, seals: Iterable[block.Seal]) -> None:
    tally.records += len(list(seals))


def exclusive_or(tally: ledger.Tally, seals: Iterable[block.Seal]) -> None:
    for seal in seals:
        tally.records += 1
        tally.digest_sum ^= int.from_bytes(seal.digest)


def claim_flips(name: str) -> Claim:
    return lambda: test_block_damage.test_every_single_flip_is_corrected_or_detected(name)


def claim_delivery(arrives: block.Block) -> Claim:
    return lambda: test_ladder_replay.test_wrong_delivery_is_retried_whole(
        arrives.data, block.LossReason.FOREIGN_BLOCK
    )


def claim_books() -> None:
    """The books of a block that was lost for good balance."""
    _, account = carry_block(block_of(), DamagingTransit({1: replaces_by(None)}), Deriver({}))
    check_books(account)


MUTATIONS = {
    "frames are not checked": Mutation(
        block, "mend", always_intact, claim_flips("correct_several")
    ),
    "heads are not checked": Mutation(layout, "mend", always_intact, claim_flips("detect_several")),
    "nothing is located": Mutation(
        correction, "locate_flip", lambda *_: None, claim_flips("correct_one")
    ),
    "another bit is located": Mutation(
        correction, "locate_flip", lambda *_: 1, claim_flips("correct_one")
    ),
    "corrections are not confirmed": Mutation(
        correction,
        "_correct",
        correct_unconfirmed,
        test_syndrome.test_sampled_triple_flips_that_alias_are_refused,
    ),
    "a damaged mirror is not noted": Mutation(
        block, "_check_mirror", lambda *_: None, claim_flips("correct_one")
    ),
    "corrected heads are not noted": Mutation(
        block,
        "_note_repairs",
        lambda *_: None,
        test_block_damage.test_damage_to_both_heads_is_survived_while_one_bit_each,
    ),
    "records are not compared with what was sent": Mutation(
        ladder, "_accept", accept_anything, claim_delivery(block_of(dict.fromkeys(RECORDS, b"?")))
    ),
    "the id of the block is not compared": Mutation(
        ladder,
        "open_block",
        lambda data, _, protection: block.open_block(data, None, protection),
        claim_delivery(block_of(block_id=b"another")),
    ),
    "the second look looks away": Mutation(
        ladder.Accepted,
        "still_intact",
        lambda _: True,
        test_ladder.test_second_look_sees_a_change_after_acceptance,
    ),
    "missing records are forgotten": Mutation(ladder, "_settle", forget_the_missing, claim_books),
    "seals are counted, not summed": Mutation(
        ledger.Tally,
        "add",
        count_only,
        lambda: test_reconcile.test_each_disturbance_is_found(test_reconcile.record_replaced),
    ),
    "sums are exclusive ors": Mutation(
        ledger.Tally, "add", exclusive_or, test_ledger.test_sum_sees_what_an_xor_cancels
    ),
}


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=MUTATIONS)
def test_broken_detector_turns_its_claim_red(
    mutation: Mutation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim holds, and with one part of the defence removed it no longer does."""
    mutation.claim()
    monkeypatch.setattr(mutation.target, mutation.name, mutation.broken)
    with pytest.raises(AssertionError):
        mutation.claim()
