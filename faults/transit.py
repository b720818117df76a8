"""One task's use of a faulty channel: alters copies of the blocks it carries, never the blocks.

What it does to records depends on neither task, worker, nor grouping into blocks; what it does to
blocks depends on the blocks alone.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from .cores import Cores
from .deliveries import find_block_strikes, find_chances, head_bit, replace_delivery
from .draws import stream_key
from .harm import FrameHarm, Harm
from .ids import OF_RECORDS, FaultIds
from .journal import NO_FAULT, Fault, FaultOutcome, describe_record, encode_journal
from .kinds import OF_OTHER_BLOCKS, BlockKind, HeadKind
from .outline import read_outline
from .truth import Crossing, decide, worst

if TYPE_CHECKING:
    from sealedbeam.pipeline.integrity.channel import Place
    from sealedbeam.pipeline.integrity.ladder import Carried

    from .deliveries import BlockStrike, Chance
    from .outline import Outline
    from .plan import Plan

_SEVERITY = list(FaultOutcome)


class _Delivery(NamedTuple):
    """What can happen to the deliveries at one hop and attempt."""

    hop: str
    attempt: int
    frames: FrameHarm | None
    blocks: list[Chance]


class _Struck(NamedTuple):
    """A fault of a block on its way, and the records whose fate is its own."""

    fault: Fault
    identities: tuple[bytes, ...]


class FaultyTransit:
    """One task's use of the channel: injects, and keeps what it injected with its outcome."""

    def __init__(self, plan: Plan, ids: FaultIds | None = None) -> None:
        """Carry blocks under `plan`; `ids` are those of a larger plan that it is a part of."""
        self._plan = plan
        self._truth_key = stream_key(plan.seed, "truth")
        self._ids = ids or FaultIds(plan.sha256)
        self._cores = Cores(plan, self._truth_key, self._ids)
        self._deliveries: dict[tuple[str, int], _Delivery | None] = {}
        self._crossings: dict[str, Crossing] = {}
        self._struck: dict[str, list[_Struck]] = {}
        self._keeps_blocks = any(fault.kind in OF_OTHER_BLOCKS for fault in plan.faults)
        self._latest: dict[str, bytes] = {}
        self._faults: dict[str, Fault] = {}

    def deliver(self, data: bytes, hop: str, attempt: int) -> bytes | None:
        """Return what arrives of a block: itself, an altered copy, another block, or nothing."""
        delivery = self._delivery(hop, attempt)
        outline = None if delivery is None else read_outline(data)
        arrives: bytes | None = data
        if delivery is not None and outline is not None:
            arrives = self._harm(data, outline, delivery)
        if self._keeps_blocks:
            self._latest.pop(hop, None)  # so that the latest of all hops is the last one
            self._latest[hop] = data
        return arrives

    def _harm(self, data: bytes, outline: Outline, delivery: _Delivery) -> bytes | None:
        """Return what arrives of a block where something can happen to it."""
        hop, attempt = delivery.hop, delivery.attempt
        if attempt == 1 or hop not in self._crossings:
            self._crossings[hop] = Crossing(self._truth_key)
            self._struck[hop] = []
        self._crossings[hop].send(data, outline, attempt)
        harm = Harm(data)
        if delivery.frames is not None:
            for frame in outline.frames:
                for hit in delivery.frames.strike(harm, frame):
                    fault = self._name(hit.fault, frame.identity, hit.number, delivery)
                    self._struck[hop].append(_Struck(fault, (frame.identity,) if hit.felt else ()))
        return self._strike_block(harm, outline, delivery)

    def place(self, identity: bytes, hop: str, attempt: int) -> Place:
        """Return where and when the record is at this delivery."""
        return self._plan.fleet.place(identity, hop, attempt)

    def compute(self, identity: bytes, stage: str, attempt: int, result: bytes) -> bytes:
        """Return what the machine makes of a computation: its result, or a wrong one."""
        return self._cores.compute(identity, stage, attempt, result)

    def settle(self, hop: str, carried: Carried) -> None:
        """Decide what became of each fault of the block that just crossed `hop`."""
        crossing = self._crossings.pop(hop, None)
        if crossing is None:  # a result that no two machines agreed on never set out
            given_up = [casualty.identity for casualty in carried.casualties]
            for _, fault in self._cores.take(hop, given_up):
                self._enter(fault, FaultOutcome.DROPPED)
            return
        receipts = crossing.receive(carried, self._cores.right(hop))
        explained: set[tuple[bytes, int]] = set()
        for fault, identities in self._struck.pop(hop):
            outcome = worst(decide(fault.attempt, receipts.get(each)) for each in identities)
            if isinstance(fault.kind, HeadKind) and fault.attempt in carried.mended_heads:
                outcome = outcome if outcome is FaultOutcome.ESCAPED else FaultOutcome.CORRECTED
            self._enter(fault, outcome)
            explained.update((identity, fault.attempt) for identity in identities)
        for identity, fault in self._cores.take(hop, crossing.identities()):
            receipt = receipts.get(identity)
            outcome = decide(1, receipt and receipt._replace(same=receipt.right))
            # The right result came through although this one was wrong: it was outvoted.
            outvoted = outcome is FaultOutcome.MASKED
            self._enter(fault, FaultOutcome.CORRECTED if outvoted else outcome)
        for identity, receipt in receipts.items():
            if not receipt.same and (identity, receipt.attempt) not in explained:
                self._enter_unexplained(identity, hop, receipt.attempt)

    def journal(self) -> bytes:
        """Return the journal of all that was injected; it exists even when that is nothing."""
        return encode_journal([*self._faults.values(), *self._cores.unsettled()])

    def _delivery(self, hop: str, attempt: int) -> _Delivery | None:
        """Return what can happen at this hop and attempt, None where nothing can."""
        if (hop, attempt) not in self._deliveries:
            plan = self._plan
            frames, blocks = FrameHarm.of(plan, hop, attempt), find_chances(plan, hop, attempt)
            watched = frames is not None or blocks or self._cores.feed(hop)
            delivery = _Delivery(hop, attempt, frames, blocks) if watched else None
            self._deliveries[hop, attempt] = delivery
        return self._deliveries[hop, attempt]

    def _strike_block(self, harm: Harm, outline: Outline, delivery: _Delivery) -> bytes | None:
        """Return what arrives of a block after what strikes it as a whole."""
        hop, attempt = delivery.hop, delivery.attempt
        if not delivery.blocks:
            return harm.result()
        place = self.place(outline.block_id, hop, attempt)
        replaced: BlockStrike | None = None
        for strike in find_block_strikes(outline.block_id, delivery.blocks, place.cluster):
            if isinstance(strike.kind, HeadKind):
                self._strike_head(harm, strike, outline, delivery)
            elif replaced is None and self._can_happen(strike, hop):
                replaced = strike
        arrives: bytes | None = harm.result()
        if replaced is not None:
            everybody = tuple(frame.identity for frame in outline.frames)
            self._note(replaced, outline.block_id, (), everybody, delivery)
            arrives = replace_delivery(replaced, harm.result(), self._earlier(replaced, hop))
        return arrives

    def _strike_head(
        self, harm: Harm, strike: BlockStrike, outline: Outline, delivery: _Delivery
    ) -> None:
        hit = head_bit(strike, outline)
        if hit is None:
            return
        bit, number = hit
        harm.flip(0, (bit,))
        struck = outline.frames if number is None else outline.frames[number : number + 1]
        identities = tuple(frame.identity for frame in struck)
        of = outline.block_id if number is None else identities[0]
        self._note(strike, of, (bit,), identities, delivery)

    def _can_happen(self, strike: BlockStrike, hop: str) -> bool:
        return strike.kind not in OF_OTHER_BLOCKS or self._earlier(strike, hop) is not None

    def _earlier(self, strike: BlockStrike, hop: str) -> bytes | None:
        """Return the block that arrives instead: of this hop, or the latest of another one."""
        if strike.kind is BlockKind.STALE_BLOCK:
            return self._latest.get(hop)
        others = [data for other, data in self._latest.items() if other != hop]
        return others[-1] if others else None

    def _note(
        self,
        strike: BlockStrike,
        struck: bytes,
        bits: tuple[int, ...],
        identities: tuple[bytes, ...],
        delivery: _Delivery,
    ) -> None:
        """Note a fault of a block; `struck` is its id, or the identity of the one record."""
        hop, attempt = delivery.hop, delivery.attempt
        place = self.place(struck, hop, attempt)
        fault = Fault(
            self._ids.name(strike.block_id, strike.kind, hop, attempt),
            strike.kind,
            hop,
            struck.hex(),
            describe_record(struck),
            bits,
            *place,
            attempt,
            flipped_bits=len(bits),
        )
        self._struck[hop].append(_Struck(fault, identities))
        self._faults.setdefault(fault.fault_id, fault)

    def _name(self, fault: Fault, identity: bytes, number: int, delivery: _Delivery) -> Fault:
        """Give a fault of a frame the name that it has in every run, and keep it."""
        hop, attempt = delivery.hop, delivery.attempt
        named = replace(fault, fault_id=self._ids.name(identity, OF_RECORDS, hop, attempt, number))
        self._faults.setdefault(named.fault_id, named)
        return named

    def _enter(self, fault: Fault, outcome: FaultOutcome) -> None:
        """Enter an outcome; where a delivery was repeated as such, the worst one stands."""
        known = self._faults.get(fault.fault_id)
        before = None if known is None else known.outcome
        if before is None or _SEVERITY.index(before) < _SEVERITY.index(outcome):
            self._faults[fault.fault_id] = replace(fault, outcome=outcome)

    def _enter_unexplained(self, identity: bytes, hop: str, attempt: int) -> None:
        """Enter a record that was accepted altered although nothing had struck it."""
        fault = Fault(
            self._ids.name(identity, NO_FAULT, hop, attempt),
            NO_FAULT,
            hop,
            identity.hex(),
            describe_record(identity),
            (),
            *self.place(identity, hop, attempt),
            attempt,
            outcome=FaultOutcome.ESCAPED,
        )
        self._faults[fault.fault_id] = fault
