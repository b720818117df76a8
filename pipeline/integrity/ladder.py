"""Takes one block across one hop: intact, corrected, retried, dropped; each rung is counted.

The rungs:
1. `intact`: the record agrees with its seal as it arrived.
2. `corrected`: one flipped bit was put back and both codes agree.
3. `retried`: the record was derived again from its lineage, sealed to the very same digest, and
   delivered again. Only missing records are derived; intact ones unite over the attempts.
4. `dropped`: set aside with its bytes and the reason, or the job fails, as the policy says.

A consumer accepts a record only if its producer sealed that identity with that digest: a stale,
foreign or repeated record with a good seal of its own is still not the record that was sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import compress
from operator import not_
from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.errors import IntegrityError

from .block import LossReason, open_block, write_block
from .ledger import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sealedbeam.pipeline.errors import Buffer

    from .block import Block, Found, Opened, Seal
    from .channel import Place, Transit
    from .ledger import Cell, HopAccount
    from .protection import Protection

    Derive = Callable[[Sequence[bytes]], Sequence[tuple[bytes, Buffer]]]
    """Makes records again from their identities alone, in the given order; may leave some out."""

NOT_REPRODUCIBLE = "not_reproducible"


class OnDamage(StrEnum):
    """What to do with a record that could not be corrected."""

    RETRY = "retry"
    DROP = "drop"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Policy:
    """Protection and damage policy of a job; `max_attempts` counts deliveries of a record."""

    protection: Protection
    on_damage: OnDamage = OnDamage.RETRY
    max_attempts: int = 3


class Accepted(NamedTuple):
    """A record that the consumer may use, and the rung that it was accepted on."""

    found: Found
    outcome: Outcome
    attempt: int

    @property
    def identity(self) -> bytes:
        """The record's identity."""
        return self.found.identity

    @property
    def payload(self) -> memoryview:
        """The record's payload."""
        return self.found.payload

    def still_intact(self) -> bool:
        """Whether the bytes still agree with their seal: the second look, after use."""
        return self.found.agrees(self.found.frame)


@dataclass(frozen=True, slots=True)
class Casualty:
    """A record that was set aside: why, after how many deliveries, where, and its last bytes.

    `raw` is what arrived in the record's place, as far as anything did.
    """

    identity: bytes
    reason: str
    attempts: int
    place: Place
    raw: bytes


@dataclass(slots=True)
class Carried:
    """A block's records behind the hop: those accepted, in the producer's order, and the rest.

    `mended_heads` are the attempts whose block had damage in its own head that was put right.
    """

    accepted: list[Accepted] = field(default_factory=list)
    casualties: list[Casualty] = field(default_factory=list)
    mended_heads: set[int] = field(default_factory=set)


class _Wound(NamedTuple):
    """Why a record was not accepted, and the bytes that came in its place."""

    reason: str
    raw: bytes


@dataclass(slots=True)
class _Crossing:
    """One block's crossing: between whom, by what rules, and what is known so far."""

    block: Block
    hop: str
    transit: Transit
    policy: Policy
    derive: Derive
    account: HopAccount
    expected: dict[bytes, Seal]
    dropped_reason: str = ""
    accepted: dict[bytes, Accepted] = field(default_factory=dict)
    wounds: dict[bytes, _Wound] = field(default_factory=dict)
    deliveries: dict[bytes, int] = field(default_factory=dict)
    mended_heads: set[int] = field(default_factory=set)

    def missing(self) -> list[bytes]:
        return [identity for identity in self.expected if identity not in self.accepted]

    def cell(self, identity: bytes, attempt: int) -> Cell:
        place = self.transit.place(identity, self.hop, attempt)
        return self.account.cell(place.cluster, place.time_seconds)

    def note_damage(self, identity: bytes, attempt: int) -> None:
        place = self.transit.place(identity, self.hop, attempt)
        self.account.cell(place.cluster, place.time_seconds).note_damage(place.machine)


def carry(
    block: Block,
    hop: str,
    transit: Transit,
    policy: Policy,
    *,
    derive: Derive,
    account: HopAccount,
    dropped_reason: str = "",
) -> Carried:
    """Deliver `block` across `hop` and return what the consumer may use of it.

    What the producer sealed is entered by the producer (`account.sealed`), not here.

    Args:
        block: what the producer sealed.
        hop: name of the hop.
        transit: the task's use of the channel.
        policy: protection and damage policy.
        derive: called with the identities that are missing after a delivery.
        account: the hop's ledger, entered here.
        dropped_reason: what stands for the reason of whatever is dropped, where the hop has a
            remedy of its own; by default what was wrong with the last delivery.

    Raises:
        IntegrityError: a record could not be corrected and the policy is to fail.
    """
    expected = dict(zip(block.identities, block.seals, strict=True))
    crossing = _Crossing(block, hop, transit, policy, derive, account, expected, dropped_reason)
    _deliver(crossing, block, 1)
    attempt = 1
    while missing := crossing.missing():
        if policy.on_damage is OnDamage.FAIL:
            name = block.block_id.decode(errors="backslashreplace")
            raise IntegrityError(
                f"hop {hop}: {len(missing)} records of block {name} are damaged "
                f"({crossing.wounds[missing[0]].reason}) and the policy is to fail; "
                "--on-damage retry derives them again"
            )
        if policy.on_damage is OnDamage.DROP or attempt >= policy.max_attempts:
            break
        attempt += 1
        again = _derive_again(crossing, missing, attempt)
        if not again.identities:
            break  # the same would be derived the next time
        _deliver(crossing, again, attempt)
    carried = _settle(crossing)
    transit.settle(hop, carried)
    return carried


def _deliver(crossing: _Crossing, sent: Block, attempt: int) -> None:
    """Deliver `sent`; accept what is proven to be in it, and note the wound of all the rest."""
    data = crossing.transit.deliver(sent.data, crossing.hop, attempt)
    opened = open_block(data, sent.block_id, crossing.policy.protection)
    strange = _accept(crossing, opened, sent, attempt)
    losses = {loss.index: loss for loss in opened.losses}
    for index, identity in enumerate(sent.identities):
        crossing.deliveries[identity] = crossing.deliveries.get(identity, 0) + 1
        if identity in crossing.accepted:
            continue
        loss = losses.get(index) or losses.get(None)
        reason = LossReason.FOREIGN_BLOCK if loss is None or index in strange else loss.reason
        begin, end = sent.frame_extent(index)
        if loss is not None and loss.index is not None:
            begin, end = loss.offset, loss.offset + loss.length
        crossing.wounds[identity] = _Wound(reason, bytes(memoryview(data or b"")[begin:end]))
        crossing.note_damage(identity, attempt)
    for method, bits in opened.repairs:  # in the block's own head: they belong to no record
        corrected = crossing.cell(sent.block_id, attempt).corrected_bits
        corrected[method] = corrected.get(method, 0) + max(bits, 1)
        crossing.mended_heads.add(attempt)
    if opened.repairs:
        crossing.note_damage(sent.block_id, attempt)


def _accept(crossing: _Crossing, opened: Opened, sent: Block, attempt: int) -> set[int]:
    """Accept what was found and sent; return the numbers of proven records that nobody sent."""
    strange: set[int] = set()
    for found in opened.found:
        if found.number >= len(sent.identities):
            continue
        identity = sent.identities[found.number]
        if crossing.policy.protection.seals and (
            found.identity != identity or found.seal != crossing.expected.get(identity)
        ):
            strange.add(found.number)
        elif identity not in crossing.accepted:
            outcome = Outcome.INTACT
            if found.method:
                outcome = Outcome.CORRECTED
                crossing.note_damage(identity, attempt)
            outcome = Outcome.RETRIED if attempt > 1 else outcome
            crossing.accepted[identity] = Accepted(found, outcome, attempt)
    return strange


def _derive_again(crossing: _Crossing, missing: list[bytes], attempt: int) -> Block:
    """Return a block of those missing records that could be made again to the very same seal."""
    for identity in missing:
        attempts = crossing.cell(identity, attempt - 1).retry_attempts
        reason = crossing.wounds[identity].reason
        attempts[reason] = attempts.get(reason, 0) + 1
    block_id = crossing.block.block_id + b"#%d" % attempt
    protection = crossing.policy.protection
    records = list(crossing.derive(missing))
    again = write_block(block_id, records, protection)
    same = [
        crossing.expected.get(i) == s for i, s in zip(again.identities, again.seals, strict=True)
    ]
    if not all(same):
        for identity in compress(again.identities, map(not_, same)):
            if identity in crossing.wounds:
                raw = crossing.wounds[identity].raw
                crossing.wounds[identity] = _Wound(NOT_REPRODUCIBLE, raw)
        again = write_block(block_id, compress(records, same), protection)
    for index, identity in enumerate(again.identities):
        begin, end = again.frame_extent(index)
        cell = crossing.cell(identity, attempt)
        cell.again_records += 1
        cell.again_bytes += end - begin
    return again


def _settle(crossing: _Crossing) -> Carried:
    """Give each record its one final outcome, at the place of its first delivery."""
    carried = Carried(mended_heads=crossing.mended_heads)
    accounted: list[Seal] = []
    for identity, seal in crossing.expected.items():
        cell = crossing.cell(identity, 1)
        accepted = crossing.accepted.get(identity)
        if accepted is None:
            carried.casualties.append(_set_aside(crossing, identity))
            reason = crossing.dropped_reason or crossing.wounds[identity].reason
            cell.enter(Outcome.DROPPED, 0)
            cell.dropped_reasons[reason] = cell.dropped_reasons.get(reason, 0) + 1
            accounted.append(seal)
            continue
        found = accepted.found
        accounted.append(found.seal)
        carried.accepted.append(accepted)
        cell.enter(accepted.outcome, len(found.frame))
        if found.method is not None:
            bits = cell.corrected_bits
            bits[found.method] = bits.get(found.method, 0) + found.corrected_bits
    crossing.account.accounted.add(accounted)
    return carried


def _set_aside(crossing: _Crossing, identity: bytes) -> Casualty:
    reason, raw = crossing.wounds[identity]
    place = crossing.transit.place(identity, crossing.hop, 1)
    return Casualty(identity, reason, crossing.deliveries[identity], place, raw)
