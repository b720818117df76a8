"""The channel of a campaign: alters copies of the blocks it carries, never what it was given.

It cannot be told from the perfect channel but by what arrives. Nothing it does depends on the
task, on the worker, or on how records were grouped into blocks.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.integrity.channel import ChannelReference

from .bitflips import Shape, apply_flips, find_flips, find_strikes
from .draws import draw, stream_key
from .journal import NO_FAULT, Fault, FaultOutcome, describe_record, encode_journal
from .plan import read_plan
from .truth import Crossing, decide, find_frames

if TYPE_CHECKING:
    from sealedbeam.pipeline.integrity.channel import Place, Transit
    from sealedbeam.pipeline.integrity.ladder import Carried

    from .bitflips import HopRates
    from .plan import Plan
    from .truth import Frame

_SEVERITY = list(FaultOutcome)


@dataclass(frozen=True, slots=True)
class FaultyChannel:
    """The channel of a plan: the file that it lies in, and the file's SHA-256."""

    path: str
    sha256: str

    def begin(self, task: str) -> Transit:  # noqa: ARG002 - faults follow records, not tasks
        """Return a transit with an empty journal.

        Raises:
            IntegrityError: the plan is gone or was changed.
        """
        return FaultyTransit(read_plan(self.path, self.sha256))

    def reference(self) -> ChannelReference:
        """Return the path and the SHA-256 of the plan, for `rebuild`."""
        return ChannelReference(f"{__name__}:{rebuild.__name__}", canonical_json(asdict(self)))


def rebuild(argument: str) -> FaultyChannel:
    """Return the channel that `FaultyChannel.reference` described."""
    return FaultyChannel(**json.loads(argument))


class _Delivery(NamedTuple):
    """What holds for all deliveries at one hop and attempt: rates, and the keys of its streams.

    The streams tell where strikes fall, what they do, and what they are called.
    """

    hop: str
    attempt: int
    rates: HopRates
    strikes: int
    shapes: int
    names: int


class FaultyTransit:
    """One task's use of the channel: injects, and keeps what it injected with its outcome."""

    def __init__(self, plan: Plan) -> None:
        """Carry blocks under `plan`."""
        self._plan = plan
        self._fleet = plan.fleet
        self._truth_key = stream_key(plan.seed, "truth")
        self._deliveries: dict[tuple[str, int], _Delivery | None] = {}
        self._crossings: dict[str, Crossing] = {}
        self._struck: dict[str, list[tuple[bytes, Fault]]] = {}
        self._faults: dict[str, Fault] = {}

    def deliver(self, data: bytes, hop: str, attempt: int) -> bytes | None:
        """Return what arrives of a block: itself, or a copy with some bits flipped."""
        delivery = self._delivery(hop, attempt)
        if delivery is None:
            return data
        frames = find_frames(data)
        if attempt == 1:
            self._crossings[hop] = Crossing(self._truth_key)
            self._struck[hop] = []
        self._crossings[hop].send(data, frames, attempt)
        key, rate = delivery.strikes, delivery.rates.highest
        damaged: bytearray | None = None
        for frame in frames:
            strikes = find_strikes(frame.identity, key, 8 * frame.length, rate)
            if strikes:
                damaged = bytearray(data) if damaged is None else damaged
                self._strike(damaged, frame, strikes, delivery)
        return data if damaged is None else bytes(damaged)

    def place(self, identity: bytes, hop: str, attempt: int) -> Place:
        """Return where and when the record is at this delivery."""
        return self._fleet.place(identity, hop, attempt)

    def settle(self, hop: str, carried: Carried) -> None:
        """Decide what became of each fault of the block that just crossed `hop`."""
        crossing = self._crossings.pop(hop, None)
        if crossing is None:
            return
        receipts = crossing.receive(carried)
        explained = set()
        for identity, fault in self._struck.pop(hop):
            self._enter(fault, decide(fault.attempt, receipts.get(identity)))
            explained.add((identity, fault.attempt))
        for identity, receipt in receipts.items():
            if not receipt.same and (identity, receipt.attempt) not in explained:
                self._enter_unexplained(identity, hop, receipt.attempt)

    def journal(self) -> bytes:
        """Return the journal of all that was injected; it exists even when that is nothing."""
        return encode_journal(self._faults.values())

    def _delivery(self, hop: str, attempt: int) -> _Delivery | None:
        """Return what holds at this hop and attempt, None where nothing can happen."""
        if (hop, attempt) not in self._deliveries:
            rates, seed = self._plan.rates(hop), self._plan.seed
            keys = (stream_key(seed, use, hop, attempt) for use in ("strikes", "shapes", "names"))
            delivery = None if rates is None else _Delivery(hop, attempt, rates, *keys)
            self._deliveries[hop, attempt] = delivery
        return self._deliveries[hop, attempt]

    def _strike(
        self, damaged: bytearray, frame: Frame, strikes: list[int], delivery: _Delivery
    ) -> None:
        """Flip bits of a frame in the copy `damaged`, and note each fault."""
        identity, hop, attempt = frame.identity, delivery.hop, delivery.attempt
        place = self.place(identity, hop, attempt)
        shape = Shape(identity, delivery.shapes, 8 * frame.length)
        for flip in find_flips(strikes, shape, delivery.rates, place.cluster):
            apply_flips(damaged, frame.start, flip.bits)
            name = draw(identity, delivery.names, flip.number)
            fault = Fault(
                f"{name:016x}",
                flip.kind,
                hop,
                identity.hex(),
                describe_record(identity),
                flip.bits,
                *place,
                attempt,
            )
            self._struck[hop].append((identity, fault))
            self._faults.setdefault(fault.fault_id, fault)

    def _enter(self, fault: Fault, outcome: FaultOutcome) -> None:
        """Enter an outcome; where a delivery was repeated as such, the worst one stands."""
        before = self._faults[fault.fault_id].outcome
        if before is None or _SEVERITY.index(before) < _SEVERITY.index(outcome):
            self._faults[fault.fault_id] = replace(fault, outcome=outcome)

    def _enter_unexplained(self, identity: bytes, hop: str, attempt: int) -> None:
        """Enter a record that was accepted altered although nothing had struck it."""
        name = draw(identity, stream_key(self._plan.seed, NO_FAULT, hop, attempt))
        fault = Fault(
            f"{name:016x}",
            NO_FAULT,
            hop,
            identity.hex(),
            describe_record(identity),
            (),
            *self.place(identity, hop, attempt),
            attempt,
            FaultOutcome.ESCAPED,
        )
        self._faults[fault.fault_id] = fault
