"""Writes blocks of sealed records, and reads them back with every undamaged record.

The seal of a record covers its frame: length of identity, identity, length of payload, payload,
in one pass of each code. A reader never raises for damaged bytes: what it cannot prove it returns
as a `Loss` with its place and reason, beside the records that it can.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from .checksum import DIGEST_MODULUS, crc32c, digest128
from .correction import Mended, Method, mend
from .layout import (
    BLOCK_ID_BYTES_MAX,
    FRAME_OVERHEAD_BYTES,
    HEADER_BYTES,
    Table,
    build_head,
    decode_header,
    decode_table,
    frame_prefix,
)
from .parity import correct_lanes, encode_parity, is_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sealedbeam.pipeline.errors import Buffer

    from .layout import Header
    from .parity import Corrected
    from .protection import Protection

BLOCK_TARGET_BYTES = 1 << 20


class LossReason(StrEnum):
    """Why a record or a block could not be accepted; the values are label values of metrics."""

    LOST_BLOCK = "lost_block"
    UNREADABLE_HEAD = "unreadable_head"
    FOREIGN_BLOCK = "foreign_block"
    DUPLICATE = "duplicate"
    TRUNCATED = "truncated"
    BAD_SEAL = "bad_seal"


class Seal(NamedTuple):
    """The CRC-32C and the XXH3-128 of one frame; both zero in an unsealed block."""

    crc: int = 0
    digest: bytes = bytes(16)


@dataclass(frozen=True, slots=True)
class Block:
    """A written block and what its producer must remember to account for it.

    Attributes:
        data: the block's bytes.
        block_id: its lineage, opaque here.
        identities: the identity of each record, in order.
        seals: the seal of each record, in order.
        protection: the preset it was written with.
        bounds: the n + 1 offsets in `data` that bound the n frames; empty where it is not known.
    """

    data: bytes
    block_id: bytes
    identities: tuple[bytes, ...]
    seals: tuple[Seal, ...]
    protection: Protection
    bounds: tuple[int, ...] = ()

    def frame_extent(self, index: int) -> tuple[int, int]:
        """Return where a record's frame begins and ends in `data`; where unknown, all of it."""
        return (self.bounds[index], self.bounds[index + 1]) if self.bounds else (0, len(self.data))

    def digest_sum(self) -> int:
        """Return the sum of the records' XXH3-128 modulo 2^128."""
        return sum(int.from_bytes(seal.digest) for seal in self.seals) % DIGEST_MODULUS


class Found(NamedTuple):
    """A proven record: number in its block, identity, frame, seal, and how it was proven."""

    number: int
    identity: bytes
    frame: memoryview
    seal: Seal
    method: Method | None = None
    corrected_bits: int = 0

    @property
    def payload(self) -> memoryview:
        """The record's payload, uncopied."""
        return self.frame[FRAME_OVERHEAD_BYTES + len(self.identity) :]

    @property
    def crc(self) -> int:
        """The CRC-32C of the frame as it was proven; the seal's own may be what was hit."""
        return crc32c(self.frame) if self.method is Method.SEAL else self.seal.crc

    def agrees(self, frame: Buffer) -> bool:
        """Whether these are the bytes that were proven: the second look, after use."""
        if digest128(frame) == self.seal.digest:
            return True
        # A stored digest that was hit itself disagrees with every frame; what outvoted it decides.
        again = mend(frame, *self.seal, correct=True) if self.method is Method.SEAL else None
        return again is not None and again.method is Method.SEAL


@dataclass(frozen=True, slots=True)
class Loss:
    """Bytes that could not be proven. `index` is None where a whole block is meant."""

    reason: LossReason
    offset: int
    length: int
    index: int | None = None


@dataclass(slots=True)
class Opened:
    """What a reader got out of a block's bytes.

    `repairs` lists what was corrected outside the records: (method, bits).
    """

    found: list[Found] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    repairs: list[tuple[Method, int]] = field(default_factory=list)


def seal_frame(frame: Buffer) -> Seal:
    """Return the seal of a frame."""
    return Seal(crc32c(frame), digest128(frame))


def seal_record(identity: bytes, payload: Buffer) -> Seal:
    """Return the seal of a record that is not (yet) in a block."""
    if len(payload) != memoryview(payload).nbytes:
        raise ValueError("the payload is a view of items that are not bytes")
    return seal_frame(b"".join((frame_prefix(identity, len(payload)), payload)))


def write_block(
    block_id: bytes,
    records: Iterable[tuple[bytes, Buffer]],
    protection: Protection,
    seals: Sequence[Seal] | None = None,
) -> Block:
    """Seal `records`, pairs of identity and payload, into one block.

    Args:
        block_id: the block's lineage, at most 65,535 bytes.
        records: identities (unique) and payloads; each frame under 4 GiB.
        protection: the preset that decides on seals.
        seals: the seals that the producer took earlier, for bytes that come back from storage;
            by default each record is sealed now.

    Raises:
        ValueError: an identity occurs twice, the id is too long, a payload is a view of items
            that are not bytes, or there are not as many seals as records.
    """
    pieces: list[Buffer] = []
    identities, payload_lengths, bounds, end = [], [], [0], 0
    for identity, payload in records:
        prefix = frame_prefix(identity, len(payload))
        pieces += (prefix, payload)
        identities.append(identity)
        payload_lengths.append(len(payload))
        end += len(prefix) + len(payload)
        bounds.append(end)
    frames = b"".join(pieces)
    if seals is None:
        seals = _seal_frames(frames, bounds, protection)
    fault = (
        (len(block_id) > BLOCK_ID_BYTES_MAX and "its id is too long")
        or (len(set(identities)) != len(identities) and "identities repeat")
        or (len(frames) != end and "a payload is a view of items that are not bytes")
        or (len(seals) != len(identities) and "there is not one seal for each record")
    )
    if fault:
        raise ValueError(f"block {block_id[:80]!r}: {fault}")
    table = Table(
        block_id,
        tuple(map(len, identities)),
        tuple(payload_lengths),
        tuple(seal.crc for seal in seals) if protection.seals else (),
        b"".join(seal.digest for seal in seals) if protection.seals else b"",
    )
    header, encoded = build_head(protection, table, end)
    body = (header, encoded, frames)
    parity = encode_parity(b"".join(body)) if protection.parity else b""
    mirror = (encoded, header) if protection.seals else ()
    data = b"".join((*body, parity, *mirror))
    start = len(header) + len(encoded)
    places = tuple(start + bound for bound in bounds)
    return Block(data, block_id, tuple(identities), tuple(seals), protection, places)


def _seal_frames(frames: bytes, bounds: list[int], protection: Protection) -> tuple[Seal, ...]:
    if not protection.seals:
        return (Seal(),) * (len(bounds) - 1)
    view = memoryview(frames)
    return tuple(seal_frame(view[begin:end]) for begin, end in pairwise(bounds))


def open_block(data: Buffer | None, block_id: bytes | None, protection: Protection) -> Opened:
    """Return every record of a block that can be proven, and a `Loss` for all that cannot.

    Args:
        data: the bytes as they arrived, None when nothing did.
        block_id: the id that the block must have; None when the reader cannot know.
        protection: the preset that the block was written with; it decides what is checked, so a
            flip in the header cannot switch the checks off.
    """
    opened = Opened()
    if data is None:
        opened.losses.append(Loss(LossReason.LOST_BLOCK, 0, 0))
        return opened
    view = memoryview(data).toreadonly()
    head = find_head(view, protection, opened)
    if head is None:
        opened.losses.append(Loss(LossReason.UNREADABLE_HEAD, 0, len(view)))
    elif block_id is not None and head[1].block_id != block_id and protection.seals:
        opened.losses.append(Loss(LossReason.FOREIGN_BLOCK, 0, len(view)))
    else:
        _read_frames(view, *head, protection, opened)
        if protection.parity and len(view) == head[0].block_bytes:
            _use_parity(view, *head, protection, opened)
    return opened


def find_head(
    view: memoryview, protection: Protection, opened: Opened
) -> tuple[Header, Table] | None:
    """Return the head that can be proven: the first one, else its mirror at the block's end."""
    sealed, correct, parity = protection.seals, protection.corrects, protection.parity
    for mirrored in (False, True) if sealed else (False,):
        place = view[-HEADER_BYTES:] if mirrored else view
        header = decode_header(place, sealed=sealed, correct=correct, parity=parity)
        if header is None:
            continue
        size = header[0].table_bytes
        start = len(view) - HEADER_BYTES - size if mirrored else HEADER_BYTES
        if start < 0:
            continue
        table = decode_table(view[start : start + size], header[0], correct=correct)
        if table is None:
            continue
        if mirrored:
            opened.repairs.append((Method.MIRROR, 0))
        _note_repairs(opened, header[1], table[1])
        if not mirrored and sealed:
            _check_mirror(view, header[0], opened)
        return header[0], table[0]
    return None


def _note_repairs(opened: Opened, *regions: Mended) -> None:
    for region in regions:
        if region.method is not None:
            opened.repairs.append((region.method, region.bits))


def _check_mirror(view: memoryview, header: Header, opened: Opened) -> None:
    """Note a damaged mirror, so that no flip goes unseen; a short block shows by its frames."""
    table = view[HEADER_BYTES : HEADER_BYTES + header.table_bytes]
    end = header.body_bytes + header.parity_bytes
    mirror = view[end:]
    whole = mirror[: header.table_bytes] == table
    whole = whole and mirror[header.table_bytes :] == view[:HEADER_BYTES]
    if not whole and not opened.repairs and len(view) >= header.body_bytes:
        opened.repairs.append((Method.MIRROR, 0))


def _read_frames(
    view: memoryview, header: Header, table: Table, protection: Protection, opened: Opened
) -> None:
    start = HEADER_BYTES + header.table_bytes
    # Bytes missing or added at one place leave the frames behind it where the end says they are.
    excess = len(view) - header.block_bytes if protection.seals else 0
    shifts = (0, excess) if excess else (0,)
    seen: set[bytes] = set()
    for index, (lower, upper) in enumerate(pairwise(table.frame_bounds())):
        begin, end = start + lower, start + upper
        found = None
        for shift in shifts:
            if found is None and begin + shift >= 0 and end + shift <= len(view):
                found = _prove(view[begin + shift : end + shift], index, table, protection)
        if found is not None and found.identity not in seen:
            seen.add(found.identity)
            opened.found.append(found)
            continue
        reason = LossReason.TRUNCATED if end > len(view) else LossReason.BAD_SEAL
        reason = reason if found is None else LossReason.DUPLICATE
        length = max(0, min(end, len(view)) - begin)
        opened.losses.append(Loss(reason, begin, length, index))


def _use_parity(
    view: memoryview, header: Header, table: Table, protection: Protection, opened: Opened
) -> None:
    """Put back what the parity locates, as far as the seals of lost records confirm it.

    What is proven already goes back into the region first, and so does each record that the parity
    brings: that leaves fewer flips in the lanes of the others.
    """
    parity = view[header.body_bytes : header.body_bytes + header.parity_bytes]
    if not is_whole(parity):
        opened.repairs.append((Method.PARITY, 0))
    lost = {loss.index: loss for loss in opened.losses if loss.reason is LossReason.BAD_SEAL}
    if not lost:
        return
    start = HEADER_BYTES + header.table_bytes
    places = [(start + begin, start + end) for begin, end in pairwise(table.frame_bounds())]
    region = bytearray(view[: header.body_bytes])
    region[:start] = header.encode() + table.encode()
    fresh = [found for found in opened.found if found.method]
    while lost:
        for found in fresh:
            region[slice(*places[found.number])] = found.frame
        corrected = correct_lanes(region, parity)
        if corrected is None:
            break
        fresh = list(_confirm(corrected, places, lost, table, protection))
        if not fresh:
            break
        opened.found = sorted([*opened.found, *fresh])
        for found in fresh:
            opened.losses.remove(lost.pop(found.number))


def _confirm(
    corrected: Corrected,
    places: list[tuple[int, int]],
    numbers: Iterable[int | None],
    table: Table,
    protection: Protection,
) -> Iterator[Found]:
    """Yield those of the lost records that their seals find in a corrected region."""
    view = memoryview(corrected.region)
    for number in numbers:
        assert number is not None, "a frame that is lost alone has a number"
        begin, end = places[number]
        found = _prove(view[begin:end], number, table, protection)
        if found is not None:
            bits = sum(begin <= flip.offset < end for flip in corrected.flips)
            yield found._replace(method=Method.PARITY, corrected_bits=bits)


def _prove(frame: memoryview, index: int, table: Table, protection: Protection) -> Found | None:
    if not protection.seals and _is_erased(frame):
        return None
    seal = Seal()
    mended: Mended | None = Mended(frame)
    if protection.seals:
        seal = Seal(table.crcs[index], table.digests[16 * index : 16 * index + 16])
        mended = mend(frame, seal.crc, seal.digest, correct=protection.corrects)
    if mended is None:
        return None
    proven = memoryview(mended.data)
    identity_end = 4 + table.identity_lengths[index]
    identity = bytes(proven[4:identity_end])
    return Found(index, identity, proven, seal, mended.method, mended.bits)


def _is_erased(frame: memoryview) -> bool:
    """Whether a frame is nothing but zeros: its record was lost on the way, with notice.

    No frame is written so but that of a record without identity and payload.
    """
    return len(frame) > FRAME_OVERHEAD_BYTES and not any(frame)
