"""Ground truth: what was really sent, kept apart from the pipeline, so that nothing grades itself.

For each block on its way the records' payloads are hashed as they are first handed over, before any
fault, under a key that the pipeline does not know; of a result that a mercurial core got wrong, the
right one is hashed too. What the consumer accepted is compared with
that; the pipeline's own word is taken only for what it gave up, and for whether it mended.

* A record that disagrees with its own seal as it is handed over was damaged before any fault here:
  it is no truth to compare with; the record as it is derived again is.
* A frame that arrives as nothing but zeros was lost with notice: whoever takes it for a record has
  accepted another one than was sent.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import xxhash
from sealedbeam.pipeline.integrity.layout import FRAME_OVERHEAD_BYTES

from .journal import FaultOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sealedbeam.pipeline.errors import Buffer
    from sealedbeam.pipeline.integrity.ladder import Carried

    from .outline import Outline


class Receipt(NamedTuple):
    """How a record was accepted.

    Attributes:
        attempt: the delivery.
        same: as it was sent.
        right: as it should have been computed.
        mended: by the pipeline's own word.
    """

    attempt: int
    same: bool
    right: bool
    mended: bool


@dataclass(slots=True)
class Crossing:
    """One block on its way: what was sent in each attempt; `key` is that of the hashes."""

    key: int
    _hashes: dict[bytes, int] = field(default_factory=dict)
    _orders: dict[int, list[bytes]] = field(default_factory=dict)

    def send(self, data: bytes, outline: Outline, attempt: int) -> None:
        """Note what is handed over, before anything happens to it."""
        view = memoryview(data)
        self._orders[attempt] = [frame.identity for frame in outline.frames]
        for number, (identity, start, length) in enumerate(outline.frames):
            digest = outline.digest(data, number)
            # Without a seal nothing makes what is derived again be the same: then it is the truth.
            if identity in self._hashes and digest is not None:
                continue
            frame = view[start : start + length]
            if digest is None or digest == xxhash.xxh3_128_digest(frame):
                self._hashes[identity] = self.hash(frame[FRAME_OVERHEAD_BYTES + len(identity) :])

    def identities(self) -> set[bytes]:
        """Return the identities of all records that were sent."""
        return set(chain.from_iterable(self._orders.values()))

    def hash(self, payload: Buffer) -> int:
        """Return the hash of a payload."""
        return xxhash.xxh3_64_intdigest(payload, self.key)

    def receive(self, carried: Carried, right: Mapping[bytes, int]) -> dict[bytes, Receipt]:
        """Return a receipt for each record that was accepted.

        Who a record was is told by its number in the delivery: its identity may have been hit.

        Args:
            carried: what the consumer made of the block.
            right: hashes of what some records should have been.
        """
        receipts = {}
        for accepted in carried.accepted:
            order, number = self._orders.get(accepted.attempt, ()), accepted.found.number
            sent = order[number] if number < len(order) else accepted.identity
            known = self._hashes.get(sent)
            if known is None:
                continue
            found = self.hash(accepted.payload) if accepted.identity == sent else None
            mended = accepted.found.method is not None
            is_right = found == right.get(sent, known)
            receipts[sent] = Receipt(accepted.attempt, found == known, is_right, mended)
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
