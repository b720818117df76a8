"""Ground truth: what was really sent, kept apart from the pipeline, so that nothing grades itself.

For each block on its way the records' payloads are hashed as they are first handed over, before any
fault, under a key that the pipeline does not know; of a result that a mercurial core got wrong, the
right one is hashed. What the consumer accepted is compared with
that; the pipeline's own word is taken only for what it gave up, and for whether it mended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import xxhash
from sealedbeam.pipeline.integrity.layout import FRAME_OVERHEAD_BYTES

from .journal import FaultOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sealedbeam.pipeline.errors import Buffer
    from sealedbeam.pipeline.integrity.ladder import Carried

    from .outline import Frame


class Receipt(NamedTuple):
    """How a record was accepted: in which delivery, as it was sent or not, mended or not."""

    attempt: int
    same: bool
    mended: bool


@dataclass(slots=True)
class Crossing:
    """One block on its way: what was sent in each attempt; `key` is that of the hashes."""

    key: int
    _hashes: dict[bytes, int] = field(default_factory=dict)
    _orders: dict[int, list[bytes]] = field(default_factory=dict)

    def send(
        self, data: bytes, frames: Sequence[Frame], attempt: int, right: Mapping[bytes, int]
    ) -> None:
        """Note what is handed over, before anything happens to it.

        Args:
            data: the block.
            frames: its records.
            attempt: of the delivery.
            right: hashes of what some records should have been.
        """
        view = memoryview(data)
        self._orders[attempt] = [frame.identity for frame in frames]
        for identity, start, length in frames:
            if identity not in self._hashes:
                payload = view[start + FRAME_OVERHEAD_BYTES + len(identity) : start + length]
                known = right.get(identity)
                self._hashes[identity] = self.hash(payload) if known is None else known

    def identities(self) -> Iterable[bytes]:
        """Return the identities of all records that were sent."""
        return self._hashes.keys()

    def hash(self, payload: Buffer) -> int:
        """Return the hash of a payload."""
        return xxhash.xxh3_64_intdigest(payload, self.key)

    def receive(self, carried: Carried) -> dict[bytes, Receipt]:
        """Return a receipt for each record that was accepted.

        Who a record was is told by its number in the delivery: its identity may have been hit.
        """
        receipts = {}
        for accepted in carried.accepted:
            order, number = self._orders.get(accepted.attempt, ()), accepted.found.number
            sent = order[number] if number < len(order) else accepted.identity
            if sent in self._hashes:
                same = accepted.identity == sent
                same = same and self.hash(accepted.payload) == self._hashes[sent]
                mended = accepted.found.method is not None
                receipts[sent] = Receipt(accepted.attempt, same, mended)
        return receipts


_SEVERITY = list(FaultOutcome)


def worst(outcomes: Iterable[FaultOutcome]) -> FaultOutcome:
    """Return the worst of some outcomes; what touched no record made no difference."""
    return max(outcomes, key=_SEVERITY.index, default=FaultOutcome.MASKED)


def decide(attempt: int, receipt: Receipt | None) -> FaultOutcome:
    """Return what became of a fault that struck a delivery, by the receipt of its record.

    A record that was never accepted has no receipt. A fault of an earlier delivery than the
    accepted one had no further effect.
    """
    if receipt is None:
        return FaultOutcome.DROPPED
    if attempt < receipt.attempt:
        return FaultOutcome.RETRIED
    if not receipt.same:
        return FaultOutcome.ESCAPED
    return FaultOutcome.CORRECTED if receipt.mended else FaultOutcome.MASKED
