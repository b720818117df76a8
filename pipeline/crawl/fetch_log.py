"""The append log of a fetch task: sealed blocks, one after the other, cut at the last valid one.

What a worker has fetched is in the log before it asks for more, so that a crawl that is killed goes
on from there and only requests under way are made again. An entry is its length, the CRC-32C of
that length, and a block. A block proves itself; a log that was torn ends where the next entry is
not whole. Damage in the middle costs the entry that it hits: the next one is found by its length,
or by the magic number of its block where the length itself was hit.

A page can hold the bytes of an entry with good seals. So whoever reads a log must ask for the ids
of its blocks, which carry a secret of the log that no server has seen.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.integrity.layout import MAGIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealedbeam.pipeline.errors import Buffer

_PREFIX = struct.Struct("<II")  # length of the block, CRC-32C of these four bytes
_LENGTH_BYTES = 4
ENTRY_BYTES_MAX = 1 << 30


class LogEntry(NamedTuple):
    """A block in a log: where its entry begins and ends, and its bytes as they are stored."""

    start: int
    end: int
    block: memoryview


def encode_log_entry(block: bytes) -> bytes:
    """Return a block as an entry of a log; raises ValueError when it is too large for one."""
    if len(block) > ENTRY_BYTES_MAX:
        raise ValueError(f"a block of {len(block):,} bytes is too large for a log")
    length = struct.pack("<I", len(block))
    return length + struct.pack("<I", crc32c(length)) + block


def read_log(data: Buffer) -> Iterator[LogEntry]:
    """Yield the entries of a log that are whole in length; their blocks prove themselves.

    Between entries that do not follow on each other lie damaged bytes; what comes after the last
    one was not written to its end.
    """
    view = memoryview(data).toreadonly()
    at = 0
    while at + _PREFIX.size <= len(view):
        entry = _read_entry(view, at) or _find_entry(view, at)
        if entry is None:
            return
        yield entry
        at = entry.end


def valid_bytes(data: Buffer) -> int:
    """Return where a log has to be cut to be gone on with: behind its last whole entry."""
    end = 0
    for entry in read_log(data):
        end = entry.end
    return end


def _read_entry(view: memoryview, at: int) -> LogEntry | None:
    """Return the entry that begins at `at`, None unless its length is proven and is there."""
    length, stored_crc = _PREFIX.unpack_from(view, at)
    start = at + _PREFIX.size
    if crc32c(view[at : at + _LENGTH_BYTES]) != stored_crc or length > len(view) - start:
        return None
    return LogEntry(at, start + length, view[start : start + length])


def _find_entry(view: memoryview, at: int) -> LogEntry | None:
    """Return the next entry behind damage: a block's magic number behind a proven length."""
    rest = bytes(view[at:])
    found = rest.find(MAGIC)
    while found >= 0:
        begin = at + found - _PREFIX.size
        if begin >= at and (entry := _read_entry(view, begin)) is not None:
            return entry
        found = rest.find(MAGIC, found + 1)
    return None
