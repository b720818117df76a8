"""What happens to the elements of any pipeline: each is one delivery, struck by itself.

Rules:
1. An element's fate is a function of (plan, hop, identity): the identity is the XXH3-128 of its key
   and bytes, with a number behind it where equal elements are told apart. Bundles, workers and
   order do not matter.
2. There are no blocks here, hence no heads to hit and no other block to arrive instead. A lost
   element is absent, a duplicated one is there twice, a truncated one ends early. Nobody asks
   again: a fault's outcome is unknown (None) but for those that made no difference.
3. Positions of bits count from the first byte of the element; its key is not struck.
"""

from __future__ import annotations

import struct
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import xxhash
from sealedbeam.pipeline.errors import UsageError

from .cores import Cores, flip
from .deliveries import find_block_strikes, find_chances, replace_delivery
from .harm import FrameHarm, Harm
from .ids import OF_RECORDS, FaultIds
from .journal import Fault, FaultOutcome, describe_record
from .kinds import OF_OTHER_BLOCKS, BlockKind
from .outline import Frame

if TYPE_CHECKING:
    from .plan import Plan

_LENGTH = struct.Struct("<Q")
_NUMBER = struct.Struct(">I")
_ATTEMPT = 1
_STAGE = "element"


_ALLOWED = tuple(kind for kind in BlockKind if kind not in OF_OTHER_BLOCKS)


class Struck(NamedTuple):
    """What arrives of an element, in most cases once, and what happened to it."""

    arrived: list[bytes]
    faults: list[Fault]


def identify(payload: bytes, key: bytes = b"", number: int = 0) -> bytes:
    """Return the identity of an element; `number` is its own among its equals."""
    digest = xxhash.xxh3_128_digest(b"".join((_LENGTH.pack(len(key)), key, payload)))
    return digest if number == 0 else digest + _NUMBER.pack(number)


class ElementHarm:
    """Strikes elements under one plan."""

    def __init__(self, plan: Plan, hop: str) -> None:
        """Strike as `plan` has it for `hop`.

        Raises:
            UsageError: the plan has faults at this hop that need blocks.
        """
        self._plan = plan
        self._hop = hop
        self._frames = FrameHarm.of(plan, hop, _ATTEMPT)
        self._chances = find_chances(plan, hop, _ATTEMPT)
        self._ids = FaultIds(plan.sha256)
        self._cores = Cores(plan, 0, self._ids)
        refused = [chance.kind for chance in self._chances if chance.kind not in _ALLOWED]
        if refused:
            raise UsageError(
                f"{plan.name}: {', '.join(refused)} cannot strike elements, which have no blocks; "
                f"allowed of the kinds with per_block: {', '.join(_ALLOWED)}"
            )

    def strike(self, identity: bytes, payload: bytes, record: str = "") -> Struck:
        """Return what becomes of an element; `record` is its name in the journal."""
        record = record or describe_record(identity)
        faults: list[Fault] = []
        wrong = self._cores.find(identity, _STAGE, _ATTEMPT, payload)
        if wrong is not None:
            payload = flip(payload, wrong)
            faults.append(wrong)
        harm = Harm(payload)
        frame = Frame(identity, 0, len(payload))
        for hit in self._frames.strike(harm, frame) if self._frames else ():
            name = self._ids.name(identity, OF_RECORDS, self._hop, _ATTEMPT, hit.number)
            outcome = None if hit.felt else FaultOutcome.MASKED
            faults.append(replace(hit.fault, fault_id=name, outcome=outcome))
        arrived = [] if harm.lost else [harm.result()]
        if self._chances:
            arrived = self._replace(identity, arrived, faults)
        return Struck(arrived, [replace(f, record=record, hop=self._hop) for f in faults])

    def _replace(self, identity: bytes, arrived: list[bytes], faults: list[Fault]) -> list[bytes]:
        """Return what arrives after what strikes the element as a whole; at most one thing does."""
        place = self._plan.fleet.place(identity, self._hop, _ATTEMPT)
        strikes = find_block_strikes(identity, self._chances, place.cluster)
        if not strikes or not arrived:
            return arrived
        strike = strikes[0]
        name = self._ids.name(identity, strike.kind, self._hop, _ATTEMPT)
        fault = Fault(name, strike.kind, self._hop, identity.hex(), "", (), *place, _ATTEMPT)
        faults.append(fault)
        if strike.kind is BlockKind.DUPLICATED_BLOCK:
            return arrived * 2
        left = replace_delivery(strike, arrived[0], None)
        return [] if left is None else [left]
