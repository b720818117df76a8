"""Seals, opens and guards the elements of any pipeline: the pure functions under `transforms`.

Rules:
1. Equal elements in equal order give equal blocks, so that a bundle that is done again changes
   nothing: a block's id is a digest of its content.
2. A record has an identity that is unique in its block: the user's own, else its number in the
   block. A result keeps the identity of the record that it came from; where there may be several,
   their number is appended.
3. Every record of a block gets exactly one final outcome: records_in = intact + corrected +
   dropped, and behind a guard intact + corrected = used + filtered. A block without a head that
   can be proven is one casualty: how many records it held is not known.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from sealedbeam.pipeline.errors import IntegrityError

from .block import Loss, LossReason, Opened, Seal, find_head, open_block, seal_record, write_block
from .checksum import digest128
from .layout import FRAME_OVERHEAD_BYTES, HEADER_BYTES, frame_prefix

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .block import Block, Found
    from .layout import Header, Table
    from .protection import Protection

Fn: TypeAlias = Callable[[bytes], bytes | Iterable[bytes] | None]
"""A pure function of one payload; None and an empty iterable filter the record out."""

FN_FAILED = "fn_failed"
CHANGED_IN_USE = "changed_in_use"
PAYLOAD_BYTES_MAX = (1 << 32) - 1
_MESSAGE_CHARACTERS_MAX = 1000
_SINGLE = (bytes, bytearray, memoryview, str)  # iterable, but never meant as several results
_NUMBER = struct.Struct(">I")
_ID_BYTES = 16
_BLOCK_OVERHEAD_BYTES = 2 * (HEADER_BYTES + 2 + _ID_BYTES)  # the head and its mirror
_RECORD_OVERHEAD_BYTES = FRAME_OVERHEAD_BYTES + 2 * 28  # in the frame and in both tables
_LOSS_MESSAGES: Mapping[str, str] = {
    LossReason.UNREADABLE_HEAD: "neither head of the block can be proven: no record can be found",
    LossReason.TRUNCATED: "the block ends before the record does",
    LossReason.BAD_SEAL: "the record disagrees with its seal, and no correction is confirmed",
    LossReason.DUPLICATE: "a record with the same identity stands before it in the block",
}


class Element(NamedTuple):
    """A payload, its identity (None: its number in the block), and its seal if it was taken."""

    payload: bytes
    identity: bytes | None = None
    seal: Seal | None = None


@dataclass(frozen=True, slots=True)
class Damaged:
    """What could not be delivered, and why.

    Attributes:
        reason: a `LossReason`, "fn_failed" or "changed_in_use".
        message: the cause in words.
        raw: the payload if the record was proven (`identity` is known), else the bytes that stand
            in its place.
        block_id: the block's, where its head can be proven.
        identity: the record's, where it was proven.
        index: its number in the block; None where the whole block is meant.
        offset: where its frame begins in the block.
        length: the length of the frame in bytes.
    """

    reason: str
    message: str
    raw: bytes
    block_id: bytes | None
    identity: bytes | None
    index: int | None
    offset: int
    length: int


@dataclass
class Recovered:
    """What a block held: the proven records, the rest, and the counts so far."""

    data: bytes
    protection: Protection
    found: list[Found]
    damaged: list[Damaged] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @cached_property
    def head(self) -> tuple[Header, Table] | None:
        """The block's head, where it can be proven; read again for a block with damage alone."""
        return find_head(memoryview(self.data), self.protection, Opened())

    def lose(self, loss: Loss) -> None:
        """Set aside what could not be proven."""
        begin, end = loss.offset, loss.offset + loss.length
        block_id = None if self.head is None else self.head[1].block_id
        damaged = Damaged(
            loss.reason,
            _LOSS_MESSAGES.get(loss.reason, loss.reason),
            self.data[begin:end],
            block_id,
            None,
            loss.index,
            loss.offset,
            loss.length,
        )
        self.damaged.append(damaged)

    def reject(self, found: Found, payload: bytes, reason: str, message: str) -> None:
        """Set aside a record that had been proven: its one final outcome is dropped."""
        assert self.head is not None, "a record was found in this block"
        header, table = self.head
        offset = HEADER_BYTES + header.table_bytes + table.frame_bounds()[found.number]
        damaged = Damaged(
            reason,
            message[:_MESSAGE_CHARACTERS_MAX],
            payload,
            table.block_id,
            found.identity,
            found.number,
            offset,
            len(found.frame),
        )
        self.damaged.append(damaged)
        self.counts["records_corrected" if found.method else "records_intact"] -= 1
        self.counts["records_dropped"] += 1


class BlockBuilder:
    """Gathers records into blocks; each is sealed as it comes, not when its block is written."""

    def __init__(self, protection: Protection, block_bytes: int) -> None:
        """Build blocks of at most `block_bytes`, but for a record that is larger alone."""
        self._protection = protection
        self._block_bytes = block_bytes
        self._reset()

    def _reset(self) -> None:
        self._records: dict[bytes, bytes] = {}
        self._seals: list[Seal] = []
        self.size = _BLOCK_OVERHEAD_BYTES

    def add(self, element: Element) -> Block | None:
        """Add an element; return the block that had to be closed before it, if one had to be.

        An identity that is in the block begun opens the next one.

        Raises:
            ValueError: the payload is too large for a frame.
        """
        payload, identity, seal = element
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise ValueError(f"a record of {len(payload)} bytes: at most {PAYLOAD_BYTES_MAX}")
        size = (
            _RECORD_OVERHEAD_BYTES
            + len(payload)
            + (_NUMBER.size if identity is None else len(identity))
        )
        closed = None
        if self._records and (identity in self._records or self.size + size > self._block_bytes):
            closed = self.close()
        if identity is None:
            identity = _NUMBER.pack(len(self._records))
        if seal is None:
            seal = seal_record(identity, payload) if self._protection.seals else Seal()
        self._records[identity] = payload
        self._seals.append(seal)
        self.size += size
        return closed

    def close(self) -> Block | None:
        """Return the block begun, None when there is nothing in it, and begin another."""
        if not self._records:
            return None
        block_id = content_id(self._records)
        block = write_block(block_id, self._records.items(), self._protection, self._seals)
        self._reset()
        return block


def content_id(records: Mapping[bytes, bytes]) -> bytes:
    """Return the XXH3-128 of the records' lengths and bytes: equal blocks have equal ids."""
    lengths = [len(piece) for pair in records.items() for piece in pair]
    pieces = (struct.pack(f"<{len(lengths)}Q", *lengths), *records, *records.values())
    return digest128(b"".join(pieces))


def seal_elements(
    elements: Iterable[Element], protection: Protection, block_bytes: int
) -> Iterator[Block]:
    """Yield `elements` in sealed blocks."""
    builder = BlockBuilder(protection, block_bytes)
    for element in elements:
        block = builder.add(element)
        if block is not None:
            yield block
    block = builder.close()
    if block is not None:
        yield block


def open_records(data: bytes, protection: Protection) -> Recovered:
    """Return the records of a block that can be proven, and everything else as damage."""
    opened = open_block(data, None, protection)
    recovered = Recovered(data, protection, opened.found)
    for loss in opened.losses:
        recovered.lose(loss)
    corrected = sum(found.method is not None for found in opened.found)
    dropped = sum(loss.index is not None for loss in opened.losses)
    recovered.counts = {
        "blocks_in": 1,
        "blocks_dropped": len(opened.losses) - dropped,
        "blocks_corrected": int(bool(opened.repairs)),
        "records_in": len(opened.found) + dropped,
        "records_intact": len(opened.found) - corrected,
        "records_corrected": corrected,
        "records_dropped": dropped,
    }
    return recovered


def guard_records(data: bytes, fn: Fn, protection: Protection) -> tuple[list[Element], Recovered]:
    """Return what the pure function `fn` makes of each proven record of a block, and the rest.

    A result is sealed before the record that it came from is verified a second time, so that
    there is no moment at which neither of them is under seal.
    """
    recovered = open_records(data, protection)
    recovered.counts |= {"records_used": 0, "records_filtered": 0}
    elements: list[Element] = []
    for found in recovered.found:
        payload = bytes(found.payload)
        failure, results = None, []
        try:
            results = _apply(fn, found.identity, payload, protection)
        except Exception as error:  # noqa: BLE001 - whatever fn raises concerns this record alone
            failure = f"{type(error).__name__}: {error}"
        if protection.seals and not _still_intact(found, payload):
            message = "the record changed in memory while it was in use"
            recovered.reject(found, payload, CHANGED_IN_USE, message)
        elif failure is not None:
            recovered.reject(found, payload, FN_FAILED, failure)
        else:
            elements += results
            recovered.counts["records_used" if results else "records_filtered"] += 1
    check_conserved(recovered.counts)
    return elements, recovered


def _apply(fn: Fn, identity: bytes, payload: bytes, protection: Protection) -> list[Element]:
    """Return the sealed results of one record."""
    value: Any = fn(payload)
    if value is None:
        return []
    single = isinstance(value, _SINGLE)
    items = [value] if single else list(value)
    elements = []
    for number, item in enumerate(items):
        if not isinstance(item, bytes):
            kind = type(item).__name__
            raise TypeError(f"fn gave {kind}; it may give bytes, an iterable of bytes, or None")
        name = identity if single else identity + _NUMBER.pack(number)
        seal = seal_record(name, item) if protection.seals else Seal()
        elements.append(Element(item, name, seal))
    return elements


def _still_intact(found: Found, payload: bytes) -> bool:
    """Whether the very bytes that were handed out still agree with the seal: the second look."""
    frame = b"".join((frame_prefix(found.identity, len(payload)), payload))
    return found.agrees(frame)


def check_conserved(counts: Mapping[str, int]) -> None:
    """Raise IntegrityError unless each record that came in has exactly one outcome."""
    outcomes = counts["records_used"] + counts["records_filtered"] + counts["records_dropped"]
    proven = counts["records_intact"] + counts["records_corrected"] + counts["records_dropped"]
    if not counts["records_in"] == outcomes == proven:
        raise IntegrityError(f"records were not conserved across a Guard: {dict(counts)}")
