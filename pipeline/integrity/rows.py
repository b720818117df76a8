"""Rows in blocks: the cheap form of a seal for very many small elements. Pure functions.

A block of rows is a sealed block (FORMAT.md) whose records are

    table | page 0 | page 1 | … | the same table once more

A page is a run of rows end to end, begun in the same 64 KiB of all the block's rows. The table has
each row's length, CRC-32C and XXH3-128, and the times. So a reader proves 64 KiB with one look;
only where that fails it looks at each row by itself, and a row is corrected or lost alone.

    id     XXH3-128 of the table, 16 bytes | label, 8 | rows u32 | sum of the rows' XXH3-128, 16
    table  rows u32 | times u32 (1: all the same; else one for each row) | context u32, its bytes
           | times i64 … | lengths u32 … | CRCs u32 … | digests 16 bytes …   (little-endian)
    page   identity: its number, u32 big-endian; the tables' identities are "t" and "T"

Rules:
1. Equal rows in equal order give equal blocks, so that a bundle that is done again changes nothing.
2. Every row of a block has exactly one outcome: rows_in = intact + corrected + dropped. Label and
   context are the caller's: of what kind the rows are, and where in the data they belong.
3. Without seals (preset `none`) CRCs and digests are left out, and nothing is noticed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from itertools import islice, pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import xxhash

from .block import LossReason, Opened, find_head, open_block, write_block
from .checksum import DIGEST_MODULUS, active_provider, digest128
from .correction import Method, mend
from .damaged import Damaged, set_aside
from .layout import FRAME_OVERHEAD_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from .block import Found, Loss
    from .layout import Header
    from .protection import Protection

PAGE_BYTES = 1 << 16
CHUNK_ROWS = 64
ROW_BYTES_MAX = (1 << 32) - 1
ROW_OVERHEAD_BYTES = 2 * 28  # in the table and its copy
LABEL_BYTES = 8
NO_LABEL = bytes(LABEL_BYTES)
_ID = struct.Struct(f"<16s{LABEL_BYTES}sI16s")
_HEAD = struct.Struct("<III")
_NUMBER = struct.Struct(">I")
_TABLES = (b"t", b"T")


class SealedRows(NamedTuple):
    """A written block of rows: its bytes, how many rows, the sum of digests, the earliest time."""

    data: bytes
    rows: int
    digest_sum: int
    time_min: int


class RowsBuilder:
    """Gathers rows into a block; each is sealed as it comes, not when the block is written."""

    __slots__ = ("_context", "_crc", "_crcs", "_digests", "_label", "_lengths", "_protection",
                 "_rows", "_times", "size")  # fmt: skip

    def __init__(
        self, protection: Protection, label: bytes = NO_LABEL, context: bytes = b""
    ) -> None:
        """Build one block of rows of the kind `label`, which belong into `context`."""
        self._protection = protection
        self._label = label
        self._context = context
        self._crc = active_provider().of_bytes if protection.seals else None
        self._rows: list[bytes] = []
        self._lengths: list[int] = []
        self._crcs: list[int] = []
        self._digests: list[bytes] = []
        self._times: list[int] = []
        self.size = 0

    def add(self, rows: Sequence[bytes], times: Sequence[int]) -> int:
        """Seal and add rows; return the size of all rows so far, with what each adds.

        Raises:
            ValueError: a row is too large for a block.
        """
        if self._crc is not None:
            self._digests += map(xxhash.xxh3_128_digest, rows)
            self._crcs += map(self._crc, rows)
        lengths = list(map(len, rows))
        if max(lengths, default=0) > ROW_BYTES_MAX:
            raise ValueError(f"a row of {max(lengths)} bytes: at most {ROW_BYTES_MAX}")
        self._rows += rows
        self._lengths += lengths
        self._times += times
        self.size += sum(lengths) + ROW_OVERHEAD_BYTES * len(lengths)
        return self.size

    def close(self) -> SealedRows:
        """Return the block."""
        lengths = np.array(self._lengths, np.uint32)
        digests = b"".join(self._digests)
        times = self._times
        same = times.count(times[0]) == len(times) if times else True
        times_column = np.array(times[:1] if same else times, np.int64)
        table = b"".join((
            _HEAD.pack(len(lengths), len(times_column), len(self._context)),
            self._context,
            times_column.astype("<i8").tobytes(),
            lengths.astype("<u4").tobytes(),
            np.array(self._crcs, "<u4").tobytes(),
            digests,
        ))  # fmt: skip
        total = sum_digests(digests)
        block_id = _ID.pack(digest128(table), self._label, len(lengths), total.to_bytes(16))
        records = [(_TABLES[0], table)]
        records += [
            (_NUMBER.pack(number), b"".join(self._rows[first:last]))
            for number, (first, last) in enumerate(_pages(lengths))
        ]
        records.append((_TABLES[1], table))
        block = write_block(block_id, records, self._protection)
        return SealedRows(block.data, len(lengths), total, min(times, default=0))


def _pages(lengths: NDArray[np.uint32]) -> list[tuple[int, int]]:
    """Return the first row and the row behind the last one of each page."""
    if not len(lengths):
        return []
    ends = np.cumsum(lengths, dtype=np.int64)
    begun_in = (ends - lengths) // PAGE_BYTES
    bounds = np.flatnonzero(np.diff(begun_in)) + 1
    return list(pairwise([0, *bounds.tolist(), len(lengths)]))


def sum_digests(digests: bytes) -> int:
    """Return the sum of 16-byte digests modulo 2^128."""
    # Columns of 32 bits are summed in 64: exact for up to 2^32 digests.
    words = np.frombuffer(digests, ">u4").reshape(-1, 4).sum(0, np.uint64).tolist()
    total: int = sum(word << (96 - 32 * place) for place, word in enumerate(words))
    return total % DIGEST_MODULUS


@dataclass(frozen=True, slots=True)
class RowsTable:
    """What a block says of its rows; `crcs` and `digests` are empty in unsealed blocks."""

    context: bytes
    times: list[int]
    lengths: NDArray[np.uint32]
    crcs: list[int]
    digests: bytes

    def digest(self, index: int) -> bytes:
        """Return the XXH3-128 that a row was sealed with; zeros in unsealed blocks."""
        return self.digests[16 * index : 16 * index + 16].ljust(16, b"\0")


def parse_table(data: bytes | memoryview, *, sealed: bool) -> RowsTable | None:
    """Return the table that `data` is, None where it is none."""
    if len(data) < _HEAD.size:
        return None
    rows, times, context_bytes = _HEAD.unpack_from(data)
    per_row = 4 + (20 if sealed else 0)
    start = _HEAD.size + context_bytes
    if len(data) != start + 8 * times + per_row * rows or times not in {min(rows, 1), rows}:
        return None
    after_times = start + 8 * times
    moments = np.frombuffer(data, "<i8", times, start).tolist()
    after_lengths = after_times + 4 * rows
    sealed_rows = rows if sealed else 0
    return RowsTable(
        bytes(data[_HEAD.size : start]),
        moments * rows if times == 1 else moments,
        np.frombuffer(data, "<u4", rows, after_times),
        np.frombuffer(data, "<u4", sealed_rows, after_lengths).tolist(),
        bytes(data[after_lengths + 4 * sealed_rows :]),
    )


@dataclass(slots=True)
class OpenedRows:
    """What a block of rows held.

    Attributes:
        label: of what kind the rows are; None where the block's head cannot be proven.
        context: where they belong.
        rows: the proven rows.
        indices: their numbers.
        times: their times.
        damaged: everything else.
        digest_sum: of the proven rows, as they were sealed.
        counts: blocks and rows by outcome.
        table: what the block says of its rows.
        block_id: the block's.
    """

    label: bytes | None = None
    context: bytes = b""
    rows: list[bytes] = field(default_factory=list)
    indices: list[int] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    damaged: list[Damaged] = field(default_factory=list)
    digest_sum: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    table: RowsTable | None = None
    block_id: bytes = b""

    def reject(self, index: int, raw: bytes, reason: str, message: str, error: str) -> None:
        """Set aside a row that was proven: its one final outcome is dropped."""
        assert self.table is not None, "a row was found"
        digest = self.table.digest(index)
        self.damaged.append(
            set_aside(
                reason,
                raw,
                message=message,
                error=error,
                number=index,
                digest=digest,
                block_id=self.block_id,
            )
        )
        self.digest_sum = (self.digest_sum - int.from_bytes(digest)) % DIGEST_MODULUS
        self.counts["rows_intact" if self.counts["rows_intact"] else "rows_corrected"] -= 1
        self.counts["rows_dropped"] += 1


class _Reading(NamedTuple):
    """A block under way: its bytes, how it is protected, its head and what it says of its rows."""

    view: memoryview
    protection: Protection
    header: Header
    block_id: bytes
    table: RowsTable


def open_rows(data: bytes, protection: Protection) -> OpenedRows:
    """Return every row of a block that can be proven, and everything else as damage."""
    opened = open_block(data, None, protection)
    view = memoryview(data).toreadonly()
    result = OpenedRows()
    head = find_head(view, protection, Opened())
    identity = head[1].block_id if head else b""
    if head is None or len(identity) != _ID.size:
        result.damaged.append(set_aside(LossReason.UNREADABLE_HEAD, data, rows=0))
        result.counts = _counts(0, [], 0, [], blocks_dropped=1)
        return result
    found = {each.identity: each for each in opened.found}
    _, result.label, rows, total = _ID.unpack(identity)
    tables = (found[name] for name in _TABLES if name in found)
    parsed = (parse_table(each.payload, sealed=protection.seals) for each in tables)
    table = next((each for each in parsed if each is not None), None)
    if table is None or len(table.lengths) != rows:
        reason = opened.losses[0].reason if opened.losses else LossReason.BAD_SEAL
        result.damaged.append(set_aside(reason, data, rows=rows, digest=total, block_id=identity))
        result.counts = _counts(rows, [], 0, result.damaged, blocks_dropped=1)
        return result
    result.table, result.context, result.block_id = table, table.context, identity
    reading = _Reading(view, protection, head[0], identity, table)
    corrected = _read_pages(reading, found, {each.index: each for each in opened.losses}, result)
    lost = sum(int.from_bytes(each.digest) for each in result.damaged)
    result.digest_sum = (int.from_bytes(total) - lost) % DIGEST_MODULUS
    mended = bool(opened.repairs) or any(each.method for each in opened.found)
    result.counts = _counts(rows, result.rows, corrected, result.damaged, blocks_corrected=mended)
    return result


def _counts(
    rows: int,
    proven: list[bytes],
    corrected: int,
    damaged: list[Damaged],
    *,
    blocks_corrected: int = 0,
    blocks_dropped: int = 0,
) -> dict[str, int]:
    return {
        "blocks_in": 1,
        "blocks_corrected": int(blocks_corrected),
        "blocks_dropped": blocks_dropped,
        "rows_in": rows,
        "rows_intact": len(proven) - corrected,
        "rows_corrected": corrected,
        "rows_dropped": sum(each.rows for each in damaged),
    }


def _read_pages(
    reading: _Reading,
    found: Mapping[bytes, Found],
    losses: Mapping[int | None, Loss],
    result: OpenedRows,
) -> int:
    """Take the rows out of all pages; return how many of them were corrected."""
    table, corrected = reading.table, 0
    for number, (first, last) in enumerate(_pages(table.lengths)):
        ends = np.cumsum(table.lengths[first:last], dtype=np.int64)
        bounds = [0, *ends.tolist()]
        page = found.get(_NUMBER.pack(number))
        if page is not None and len(page.payload) == bounds[-1]:
            whole = bytes(page.payload)
            result.rows += [whole[begin:end] for begin, end in pairwise(bounds)]
            result.indices += range(first, last)
            result.times += table.times[first:last]
            if page.method is not None and page.method is not Method.SEAL:
                corrected += min(page.corrected_bits, last - first)
        else:
            loss = losses.get(number + 1)
            corrected += _salvage(reading, loss, first, bounds, result)
    return corrected


def _salvage(
    reading: _Reading, loss: Loss | None, first: int, bounds: list[int], result: OpenedRows
) -> int:
    """Prove the rows of a lost page one by one; return how many of them were corrected."""
    table, corrected = reading.table, 0
    start = (loss.offset if loss else 0) + FRAME_OVERHEAD_BYTES + _NUMBER.size
    for index, (begin, end) in enumerate(pairwise(bounds), first):
        row, mended = b"", None
        for region in _places(reading, start + begin, start + end) if loss else ():
            row = row or bytes(region)
            if len(region) == end - begin and reading.protection.seals:
                mended = mended or mend(
                    region,
                    table.crcs[index],
                    table.digest(index),
                    correct=reading.protection.corrects,
                )
        if mended is not None:
            result.rows.append(bytes(mended.data))
            result.indices.append(index)
            result.times.append(table.times[index])
            corrected += mended.method is Method.SYNDROME
            continue
        reason = loss.reason if loss else LossReason.BAD_SEAL
        result.damaged.append(
            set_aside(
                reason, row, number=index, digest=table.digest(index), block_id=reading.block_id
            )
        )
    return corrected


def _places(reading: _Reading, begin: int, end: int) -> Iterator[memoryview]:
    """Yield where a row may lie: in its place, or shifted by what is missing or too much."""
    size = len(reading.view)
    excess = size - reading.header.block_bytes
    for shift in (0, excess) if excess else (0,):
        yield reading.view[max(0, min(begin + shift, size)) : max(0, min(end + shift, size))]


def still_intact(row: bytes, table: RowsTable, index: int) -> bool:
    """Whether the very bytes that were handed out still agree with their seal: the second look."""
    return not table.digests or digest128(row) == table.digest(index)


def seal_rows(
    rows: Iterable[tuple[bytes, int]], protection: Protection, block_bytes: int
) -> Iterator[SealedRows]:
    """Yield rows, pairs of bytes and time, in blocks of about `block_bytes`."""
    builder = RowsBuilder(protection)
    left = iter(rows)
    while chunk := list(islice(left, CHUNK_ROWS)):
        if builder.add(*zip(*chunk, strict=True)) >= block_bytes:
            yield builder.close()
            builder = RowsBuilder(protection)
    if builder.size:
        yield builder.close()
