"""Transits that do known damage at known deliveries, for tests of the ladder.

`Damage` maps an attempt to what happens to the block then. A transit records what was asked of it
and what it was told, so that a test can compare both with what it did.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.channel import Place
from sealedbeam.pipeline.integrity.ladder import Policy, carry
from sealedbeam.pipeline.integrity.ledger import HopAccount
from sealedbeam.pipeline.integrity.protection import CORRECT
from sealedbeam.pipeline.integrity.reconcile import Verdict, reconcile

from tests.support.blocks import BLOCK_ID, flip

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sealedbeam.pipeline.integrity.block import Block
    from sealedbeam.pipeline.integrity.ladder import Carried, Derive
    from sealedbeam.pipeline.integrity.ledger import Cell

    Damage = Callable[[bytes], bytes | None]

HOP = "pages"
RECORDS = {b"a-1": b"alpha" * 4, b"b-2": b"bravo" * 4, b"c-3": b"", b"": b"nameless", b"e": b"echo"}
ORDER = list(RECORDS)


@dataclass(slots=True)
class DamagingTransit:
    """Applies `damage[attempt]`; every record is in the cluster that its first byte names."""

    damage: Mapping[int, Damage] = field(default_factory=dict)
    delivered: list[int] = field(default_factory=list)
    settled: list[Carried] = field(default_factory=list)

    def deliver(self, data: bytes, hop: str, attempt: int) -> bytes | None:
        """Return the block after this attempt's damage."""
        assert hop == HOP
        self.delivered.append(attempt)
        return self.damage.get(attempt, bytes)(data)

    def place(self, identity: bytes, hop: str, attempt: int) -> Place:
        """Return a place that follows from the arguments alone."""
        return Place(f"cluster-{identity[:1].hex()}", f"{hop}-m", 60 * attempt)

    def compute(
        self,
        identity: bytes,  # noqa: ARG002 - the protocol's
        stage: str,  # noqa: ARG002 - the protocol's
        attempt: int,  # noqa: ARG002 - the protocol's
        result: bytes,
    ) -> bytes:
        """Compute rightly."""
        return result

    def settle(self, hop: str, carried: Carried) -> None:
        """Remember what the consumer made of it."""
        assert hop == HOP
        self.settled.append(carried)

    def journal(self) -> bytes | None:
        """No journal."""
        return None


def flips_at(*bits: int) -> Damage:
    """Return the damage that flips these bits."""
    return lambda data: flip(data, *bits)


def flips_near(mark: bytes, *bits: int) -> Damage:
    """Return the damage that flips bits counted from where `mark` first stands in the block."""
    return lambda data: flip(data, *(8 * data.index(mark) + bit for bit in bits))


def replaces_by(other: bytes | None) -> Damage:
    """Return the damage that delivers `other` instead, or nothing."""
    return lambda _: other


@dataclass(slots=True)
class Deriver:
    """Derives from a fixed table of records and remembers what it was asked for."""

    records: Mapping[bytes, bytes]
    asked: list[list[bytes]] = field(default_factory=list)

    def __call__(self, identities: Sequence[bytes]) -> list[tuple[bytes, bytes]]:
        """Return those of the records that the table has."""
        self.asked.append(list(identities))
        return [(key, self.records[key]) for key in identities if key in self.records]


def carry_block(
    block: Block,
    transit: DamagingTransit,
    derive: Derive,
    policy: Policy | None = None,
    account: HopAccount | None = None,
) -> tuple[Carried, HopAccount]:
    """Carry a block as a producer and a consumer would, and return what they know afterwards."""
    account = HopAccount() if account is None else account
    account.sealed.add(block.seals)
    policy = policy or Policy(CORRECT)
    return carry(block, HOP, transit, policy, derive=derive, account=account), account


def block_of(
    records: dict[bytes, bytes] = RECORDS, block_id: bytes = BLOCK_ID, policy: Policy | None = None
) -> Block:
    """Return these records, sealed as the policy wants it."""
    protection = policy.protection if policy else CORRECT
    return write_block(block_id, records.items(), protection)


def carried_records(carried: Carried) -> list[tuple[bytes, bytes]]:
    """Return identity and payload of each record that was accepted."""
    return [(accepted.identity, bytes(accepted.payload)) for accepted in carried.accepted]


def outcomes(carried: Carried) -> dict[bytes, str]:
    """Return what became of each record: its rung, or the reason why it was set aside."""
    good = {accepted.identity: str(accepted.outcome) for accepted in carried.accepted}
    return good | {casualty.identity: casualty.reason for casualty in carried.casualties}


def check_books(account: HopAccount, count: int = len(RECORDS)) -> Cell:
    """Assert that the account balances and each record has one outcome; return its sum."""
    total = account.total()
    assert count == total.records == account.sealed.records == account.accounted.records
    assert count == total.intact + total.corrected + total.retried + total.dropped
    assert account.sealed == account.accounted
    assert total.dropped == sum(total.dropped_reasons.values())
    assert reconcile({HOP: account}, [], sealed=True).verdict is Verdict.BALANCED
    return total
