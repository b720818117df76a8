"""Block reader: whatever the bytes are, what it calls a record is one, and the rest is named.

The first byte says what the others are: a block as it stands; a block whose head is sealed again,
so that lies about lengths and counts get past the seals; or records to be written into a block and
edits to its bytes, where every record that is found must be the one that was written.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from sealedbeam.pipeline.integrity.block import Opened, open_block, seal_frame, write_block
from sealedbeam.pipeline.integrity.checksum import DIGEST_MODULUS, crc32c, digest128
from sealedbeam.pipeline.integrity.layout import HEADER_BYTES, MAGIC
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT, NONE, PROTECTIONS
from sealedbeam.pipeline.integrity.rows import open_rows

from tests.fuzz.cursor import Cursor, edited
from tests.fuzz.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealedbeam.pipeline.integrity.protection import Protection

AS_IT_STANDS, SEALED_AGAIN, WRITTEN_HERE = range(3)
_MODES = 3
_PRESETS = (NONE, DETECT, CORRECT)
_BODY = struct.Struct("<8sHBBIIIQ16sI16s")  # a header without its own seal, from FORMAT.md
_RECORD_BYTES = 28  # of a record's row in the table of a sealed block


def check(data: bytes) -> None:
    """Open the bytes as a block."""
    cursor = Cursor(data)
    choice = cursor.number()
    preset = _PRESETS[choice // _MODES % len(_PRESETS)]
    match choice % _MODES:
        case 0:
            check_stored(cursor.rest(), preset)
        case 1:
            check_stored(sealed_again(cursor.rest()), preset)
        case 2:
            check_written(cursor, preset, spliced=MAGIC in data)


def check_stored(data: bytes, preset: Protection) -> None:
    """Open foreign bytes: every record has one outcome, and what is found agrees with its seal."""
    opened = open_block(data, None, preset)
    check_opened(opened, len(data), preset)
    rows = open_rows(data, preset)
    counts = rows.counts
    proven = counts["rows_intact"] + counts["rows_corrected"]
    assert counts["rows_in"] == proven + counts["rows_dropped"]
    assert len(rows.rows) == len(rows.indices) == len(rows.times) == proven
    assert counts["rows_dropped"] == sum(damaged.rows for damaged in rows.damaged)


def check_opened(opened: Opened, size: int, preset: Protection) -> None:
    """Check the books: each number once, each identity once, each loss inside the bytes."""
    numbers = sorted(
        [found.number for found in opened.found]
        + [loss.index for loss in opened.losses if loss.index is not None]
    )
    assert numbers == list(range(len(numbers)))
    assert not numbers or None not in {loss.index for loss in opened.losses}
    assert len({found.identity for found in opened.found}) == len(opened.found)
    for loss in opened.losses:
        assert loss.offset >= 0
        assert loss.length >= 0
        assert not loss.length or loss.offset + loss.length <= size
    for found in opened.found:
        now = seal_frame(found.frame)
        agrees = now.crc == found.seal.crc, now.digest == found.seal.digest
        assert not preset.seals or (any(agrees) if found.method else all(agrees))
        assert preset.corrects or found.method is None


def sealed_again(data: bytes) -> bytes:
    """Return a block whose header and table have good seals, whatever else they say."""
    head = data[: _BODY.size].ljust(_BODY.size, b"\0")
    _, _, preset, _, count, table_bytes, _, frames_bytes, *_ = _BODY.unpack(head)
    content = data[HEADER_BYTES:]
    table = content[: table_bytes & 0xFFF]
    rows = table[-_RECORD_BYTES * min(count, len(table)) :]
    digests = rows[len(rows) - 16 * count :] if 16 * count <= len(rows) else b""
    parts = (int.from_bytes(digests[i : i + 16]) for i in range(0, len(digests), 16))
    total = sum(parts) % DIGEST_MODULUS
    body = _BODY.pack(
        MAGIC, 1, preset, 1, count, len(table), 0, frames_bytes, total.to_bytes(16), crc32c(table),
        digest128(table),
    )  # fmt: skip
    return body + struct.pack("<I16s", crc32c(body), digest128(body)) + content


def check_written(cursor: Cursor, preset: Protection, *, spliced: bool) -> None:
    """Write records, damage the block, and take nothing for a record that was not written.

    Where the input brings a whole block that somebody sealed, that one is as good as ours.
    """
    records = {}
    for number in range(cursor.number() % 8):
        identity = cursor.take(cursor.number() % 4) + bytes([number])
        records[identity] = cursor.take(cursor.number())
    block = write_block(b"id", list(records.items()), preset)
    damaged = edited(block.data, cursor)
    opened = open_block(damaged, block.block_id, preset)
    check_opened(opened, len(damaged), preset)
    if not preset.seals or spliced:
        return
    for found in opened.found:
        assert found.identity == block.identities[found.number]
        assert found.seal.digest == block.seals[found.number].digest or found.method
        assert bytes(found.payload) == records[found.identity]
    if damaged == block.data:
        assert len(opened.found) == len(records)
        assert not opened.losses
        assert not opened.repairs


def seeds() -> Iterator[bytes]:
    """Yield small blocks of each preset, as they stand, to be sealed again, and to be written."""
    records = [(b"a", b"first"), (b"bb", b""), (b"c", b"x" * 70)]
    for number, preset in enumerate(PROTECTIONS.values()):
        for count in (0, 1, 3):
            block = write_block(b"block", records[:count], preset).data
            yield bytes([number * _MODES + AS_IT_STANDS]) + block
            yield bytes([number * _MODES + SEALED_AGAIN]) + block
        written = b"\x03\x01a\x05first\x00\x00\x02bb\x30" + b"x" * 48
        for edits in (b"", b"\0\x5d\0\3", b"\2\0\0\4", b"\3\x90\0\4four", b"\0\5\0\1\0\7\0\2"):
            yield bytes([number * _MODES + WRITTEN_HERE]) + written + edits


TARGET = Target(
    check,
    seeds,
    ("sealedbeam.pipeline.integrity",),
    tokens=(MAGIC, b"\1\0\2\1", b"\1\0\1\1", b"\1\0\0\0"),
)
