"""Ground truth: what was really sent, kept apart from the pipeline, so that nothing grades itself.

For each block on its way the records' payloads are hashed as they are first handed over, before any
fault, under a key that the pipeline does not know. What the consumer accepted is compared with
that; the pipeline's own word is taken only for what it gave up, and for whether it mended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import xxhash
from sealedbeam.pipeline.integrity.layout import (
    FRAME_OVERHEAD_BYTES,
    HEADER_BYTES,
    decode_header,
    decode_table,
)

from .journal import FaultOutcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.integrity.ladder import Carried

_IDENTITY_START = 4


class Frame(NamedTuple):
    """One record's frame inside a block: whose it is, its first byte, its length."""

    identity: bytes
    start: int
    length: int


def find_frames(data: bytes) -> list[Frame]:
    """Return the frames of a block, sealed or not; none of a block that cannot be read."""
    view = memoryview(data)
    header = decode_header(view, sealed=True, correct=False)
    header = header or decode_header(view, sealed=False, correct=False)
    if header is None:
        return []
    start = HEADER_BYTES + header[0].table_bytes
    table = decode_table(view[HEADER_BYTES:start], header[0], correct=False)
    if table is None or start + header[0].frames_bytes > len(view):
        return []
    frames = []
    lengths = zip(table[0].identity_lengths, table[0].payload_lengths, strict=True)
    for identity_length, payload_length in lengths:
        length = FRAME_OVERHEAD_BYTES + identity_length + payload_length
        begin = start + _IDENTITY_START
        frames.append(Frame(data[begin : begin + identity_length], start, length))
        start += length
    return frames


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

    def send(self, data: bytes, frames: Sequence[Frame], attempt: int) -> None:
        """Note what is handed over, before anything happens to it."""
        view = memoryview(data)
        self._orders[attempt] = [frame.identity for frame in frames]
        for identity, start, length in frames:
            if identity not in self._hashes:
                payload = view[start + FRAME_OVERHEAD_BYTES + len(identity) : start + length]
                self._hashes[identity] = xxhash.xxh3_64_intdigest(payload, self.key)

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
                same = (
                    same
                    and xxhash.xxh3_64_intdigest(accepted.payload, self.key) == (self._hashes[sent])
                )
                mended = accepted.found.method is not None
                receipts[sent] = Receipt(accepted.attempt, same, mended)
        return receipts


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
