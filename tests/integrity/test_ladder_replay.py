"""What arrives has good seals and is still not what was sent."""

from __future__ import annotations

import pytest
from sealedbeam.pipeline.integrity.block import LossReason
from sealedbeam.pipeline.integrity.ladder import OnDamage, Policy
from sealedbeam.pipeline.integrity.protection import CORRECT

from tests.support.transits import (
    RECORDS,
    DamagingTransit,
    Deriver,
    block_of,
    carried_records,
    carry_block,
    check_books,
    outcomes,
    replaces_by,
)


@pytest.mark.parametrize(
    ("arrives", "reason"),
    [
        (None, LossReason.LOST_BLOCK),
        (b"", LossReason.UNREADABLE_HEAD),
        (block_of(block_id=b"another").data, LossReason.FOREIGN_BLOCK),
        (block_of(dict(reversed(RECORDS.items()))).data, LossReason.FOREIGN_BLOCK),
        (block_of(dict.fromkeys(RECORDS, b"stale")).data, LossReason.FOREIGN_BLOCK),
        (block_of({}).data, LossReason.FOREIGN_BLOCK),
    ],
    ids=["lost", "empty", "misdirected", "reordered", "stale", "emptied"],
)
def test_wrong_delivery_is_retried_whole(arrives: bytes | None, reason: LossReason) -> None:
    """A lost, misdirected, stale or reordered block with seals of its own is never accepted."""
    transit = DamagingTransit({1: replaces_by(arrives)})
    carried, account = carry_block(block_of(), transit, Deriver(RECORDS))
    assert list(RECORDS.items()) == carried_records(carried)
    total = check_books(account)
    # Reversed, the record in the middle is where it belongs, and it is the one that was sent.
    retried = len(RECORDS) - total.intact
    assert (total.intact <= 1, total.retried) == (True, retried)
    assert total.retry_attempts == {reason: retried}


def test_stale_records_are_refused_one_by_one() -> None:
    """Of an older version of the block only the records that did not change are accepted."""
    stale = block_of(RECORDS | {b"b-2": b"older" * 4, b"e": b"older"}).data
    transit = DamagingTransit({1: replaces_by(stale), 2: replaces_by(stale)})
    carried, account = carry_block(block_of(), transit, Deriver(RECORDS))
    assert list(RECORDS.items()) == carried_records(carried)
    assert [accepted.attempt for accepted in carried.accepted] == [1, 3, 1, 1, 3]
    assert check_books(account).retry_attempts == {LossReason.FOREIGN_BLOCK: 4}


def test_stale_casualty_has_the_stale_bytes() -> None:
    """A proven record that nobody sent is set aside as it arrived."""
    stale = block_of(RECORDS | {b"e": b"old!"})
    policy = Policy(CORRECT, OnDamage.DROP)
    transit = DamagingTransit({1: replaces_by(stale.data)})
    carried, _ = carry_block(block_of(), transit, Deriver({}), policy)
    assert outcomes(carried)[b"e"] == LossReason.FOREIGN_BLOCK
    assert [casualty.raw for casualty in carried.casualties] == [
        stale.data[slice(*stale.frame_extent(4))]
    ]


def test_extra_records_are_not_accepted() -> None:
    """Records behind those that were sent, with good seals, are ignored."""
    longer = block_of({**RECORDS, b"x": b"extra"}).data
    transit = DamagingTransit({1: replaces_by(longer)})
    carried, account = carry_block(block_of(), transit, Deriver({}))
    assert list(RECORDS.items()) == carried_records(carried)
    assert check_books(account).intact == len(RECORDS)


def test_two_blocks_that_change_places_are_both_refused() -> None:
    """Each of two blocks delivered as the other is refused and derived again."""
    others = {b"x": b"xray", b"y": b"yankee"}
    first, second = block_of(), block_of(others, b"second")
    for block, arrives, records in ((first, second, RECORDS), (second, first, others)):
        transit = DamagingTransit({1: replaces_by(arrives.data)})
        carried, account = carry_block(block, transit, Deriver(records))
        assert list(records.items()) == carried_records(carried)
        assert check_books(account, len(records)).retried == len(records)
