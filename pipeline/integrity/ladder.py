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
from typing import TYPE_CHECKING

from sealedbeam.pipeline.errors import IntegrityError

from .block import LossReason, open_block, write_block
from .checksum import digest128
from .ledger import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sealedbeam.pipeline.errors import Buffer

    from .block import Block, Found, Opened, Seal
    from .channel import Place, Transit
    from .ledger import HopAccount
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


@dataclass(frozen=True, slots=True)
class Accepted:
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
        return digest128(self.found.frame) == self.found.seal.digest


@dataclass(frozen=True, slots=True)
class Casualty:
    """A record that was set aside: why, after how many deliveries, where, and its last bytes."""

    identity: bytes
    reason: str
    attempts: int
    place: Place
    raw: bytes


@dataclass(slots=True)
class Carried:
    """A block's records behind the hop: those accepted, in the producer's order, and the rest."""

    accepted: list[Accepted] = field(default_factory=list)
    casualties: list[Casualty] = field(default_factory=list)


@dataclass(slots=True)
class _Crossing:
    """What is known so far of one block's crossing."""

    block: Block
    expected: dict[bytes, Seal]
    accepted: dict[bytes, Accepted] = field(default_factory=dict)
    wounds: dict[bytes, tuple[str, bytes]] = field(default_factory=dict)

    def missing(self) -> list[bytes]:
        return [identity for identity in self.expected if identity not in self.accepted]


def carry(  # noqa: D417 - the remaining arguments are named by their types
    block: Block,
    hop: str,
    transit: Transit,
    policy: Policy,
    derive: Derive,
    account: HopAccount,
) -> Carried:
    """Deliver `block` across `hop` and return what the consumer may use of it.

    What the producer sealed is entered by the producer (`account.sealed`), not here.

    Args:
        derive: called with the identities that are missing after a delivery.
        account: the hop's ledger, entered here.

    Raises:
        IntegrityError: a record could not be corrected and the policy is to fail.
    """
    crossing = _Crossing(block, dict(zip(block.identities, block.seals, strict=True)))
    data = transit.deliver(block.data, hop, 1)
    opened = open_block(data, block.block_id, policy.protection)
    _take(crossing, opened, block, data, 1)
    _enter_repairs(account, opened, transit.place(block.block_id, hop, 1))
    attempt = 1
    while missing := crossing.missing():
        if policy.on_damage is OnDamage.FAIL:
            reason, _ = crossing.wounds[missing[0]]
            raise IntegrityError(
                f"hop {hop}: {len(missing)} records of block {block.block_id.decode()} are damaged "
                f"({reason}) and the policy is to fail; --on-damage retry derives them again"
            )
        if policy.on_damage is OnDamage.DROP or attempt >= policy.max_attempts:
            break
        attempt += 1
        _enter_retries(account, crossing, missing, hop, attempt - 1, transit)
        if not _deliver_again(crossing, missing, hop, attempt, transit, policy, derive, account):
            break
    carried = _settle(crossing, hop, attempt, transit, account)
    transit.settle(hop, carried)
    return carried


def _take(
    crossing: _Crossing, opened: Opened, sent: Block, data: bytes | None, attempt: int
) -> None:
    """Accept what was found in a delivery, and note the wound of everything else that was sent."""
    reasons: dict[int, str] = {}
    raw: dict[int, bytes] = {}
    whole_reason: str = LossReason.LOST_BLOCK
    for loss in opened.losses:
        if loss.index is None:
            whole_reason = loss.reason
        else:
            reasons[loss.index] = loss.reason
            raw[loss.index] = bytes(
                memoryview(data or b"")[loss.offset : loss.offset + loss.length]
            )
    sealed = sent.protection.seals
    for found in opened.found:
        identity = sent.identities[found.index] if found.index < len(sent.identities) else b""
        if sealed and (found.identity != identity or found.seal != crossing.expected.get(identity)):
            reasons[found.index] = LossReason.FOREIGN_BLOCK
            continue
        if identity and identity not in crossing.accepted:
            outcome = Outcome.CORRECTED if found.method else Outcome.INTACT
            outcome = Outcome.RETRIED if attempt > 1 else outcome
            crossing.accepted[identity] = Accepted(found, outcome, attempt)
    for index, identity in enumerate(sent.identities):
        if identity not in crossing.accepted:
            wound = (reasons.get(index, whole_reason), raw.get(index, data or b""))
            crossing.wounds[identity] = wound


def _deliver_again(
    crossing: _Crossing,
    missing: list[bytes],
    hop: str,
    attempt: int,
    transit: Transit,
    policy: Policy,
    derive: Derive,
    account: HopAccount,
) -> bool:
    """Derive the missing records, deliver them, take them; False when none could be derived."""
    block_id = crossing.block.block_id + b"#%d" % attempt
    again = write_block(block_id, derive(missing), policy.protection)
    faithful = [
        seal == crossing.expected.get(identity)
        for identity, seal in zip(again.identities, again.seals, strict=True)
    ]
    for identity, same in zip(again.identities, faithful, strict=True):
        if not same:
            crossing.wounds[identity] = (NOT_REPRODUCIBLE, b"")
    if not any(faithful):
        return False
    data = transit.deliver(again.data, hop, attempt)
    opened = open_block(data, block_id, policy.protection)
    _take(crossing, opened, again, data, attempt)
    for identity in again.identities:
        place = transit.place(identity, hop, attempt)
        cell = account.cell(place.cluster, place.time_seconds)
        cell.again_records += 1
        if identity in crossing.accepted:
            cell.again_bytes += len(crossing.accepted[identity].found.frame)
    return True


def _enter_retries(
    account: HopAccount,
    crossing: _Crossing,
    missing: list[bytes],
    hop: str,
    attempt: int,
    transit: Transit,
) -> None:
    for identity in missing:
        place = transit.place(identity, hop, attempt)
        attempts = account.cell(place.cluster, place.time_seconds).retry_attempts
        reason = crossing.wounds[identity][0]
        attempts[reason] = attempts.get(reason, 0) + 1


def _enter_repairs(account: HopAccount, opened: Opened, place: Place) -> None:
    """Count the bits corrected in the block's own head, which belong to no record."""
    for method, bits in opened.repairs:
        corrected = account.cell(place.cluster, place.time_seconds).corrected_bits
        corrected[method] = corrected.get(method, 0) + max(bits, 1)


def _settle(
    crossing: _Crossing, hop: str, attempts: int, transit: Transit, account: HopAccount
) -> Carried:
    """Give each record its one final outcome, at the place of its first delivery."""
    carried = Carried()
    for identity, seal in crossing.expected.items():
        place = transit.place(identity, hop, 1)
        cell = account.cell(place.cluster, place.time_seconds)
        accepted = crossing.accepted.get(identity)
        if accepted is None:
            reason, raw = crossing.wounds[identity]
            carried.casualties.append(Casualty(identity, reason, attempts, place, raw))
            cell.enter(Outcome.DROPPED, 0)
            cell.dropped_reasons[reason] = cell.dropped_reasons.get(reason, 0) + 1
            account.accounted.add((seal,))
            continue
        found = accepted.found
        carried.accepted.append(accepted)
        cell.enter(accepted.outcome, len(found.frame))
        account.accounted.add((found.seal,))
        if found.method is not None:
            bits = cell.corrected_bits
            bits[found.method] = bits.get(found.method, 0) + found.corrected_bits
    return carried
