"""Ledger entry reader: takes what the writer writes, byte for byte, and raises IntegrityError else.

The first byte says what the others are: a file as it stands; JSON to be sealed as the writer does
it, so that wrong content gets past the checksums; or edits to a good file's values, sealed again.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.block import Seal
from sealedbeam.pipeline.integrity.ledger import Outcome
from sealedbeam.pipeline.jobs.entry import Entry, RunEntry, decode_entry, encode_entry
from sealedbeam.pipeline.manifest import Extent, FileEntry

from tests.fuzz.cursor import Cursor
from tests.fuzz.json_edits import edit_json, seal_json
from tests.fuzz.target import Target, check_message

if TYPE_CHECKING:
    from collections.abc import Iterator


def check(data: bytes) -> None:
    """Decode the bytes as an entry."""
    cursor = Cursor(data)
    match cursor.number() % 3:
        case 0:
            stored = cursor.rest()
        case 1:
            stored = seal_json(cursor.rest(), _canonical) + b"\n"
        case _:
            edited = edit_json(json.loads(_samples()[-1]), cursor)
            stored = seal_json(json.dumps(edited).encode(), _canonical) + b"\n"
    try:
        entry = decode_entry(stored, "part-00000")
    except IntegrityError as error:
        check_message(error)
        return
    assert encode_entry(entry) == stored


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


@cache
def _samples() -> tuple[bytes, bytes]:
    """Return an empty entry and one with something in every field."""
    empty = Entry("part-00001", "0f" * 32)
    full = Entry("part-00001", "0f" * 32)
    account = full.hop("pages")
    account.sealed.add([Seal(7, b"\x01" * 16)])
    account.cell("north", 61).enter(Outcome.CORRECTED, 99)
    account.cell("north", 61).corrected_bits["syndrome"] = 1
    full.count("pages", "read", 3)
    head, footer = (
        Extent(kind, offset, 4, "0000002a", 0, None, None)
        for kind, offset in (("head", 0), ("footer", 4))
    )
    full.files.append(FileEntry("a/b.parquet", 8, "deadbeef", 0, (head, footer)))
    full.runs.append(RunEntry("postings", 0, 1, "runs/x.runs", 4, 9, 77, "ab" * 16, 12))
    full.details = {"source": 0, "start": [0, True], "first": None, "lost": [2, 5]}
    return encode_entry(empty), encode_entry(full)


def seeds() -> Iterator[bytes]:
    """Yield good files, as they stand and to be sealed again, and a good one with few edits."""
    for sample in _samples():
        yield b"\0" + sample
        yield b"\1" + sample
    for edits in (b"", b"\0\5\0\3", b"\1\7\0\0", b"\3\2\0\1", b"\2\3\0\x09\0\1\0\2"):
        yield b"\2" + edits


_WORDS = (
    b"format version task configuration_hash hops counts files runs details crc32c sha256 sealed"
    b" accounted cells cluster window records digest_sum bytes intact corrected retried dropped"
    b" again_records corrected_bits path parts rows kind offset length first last"
).split()

TARGET = Target(
    check,
    seeds,
    ("sealedbeam.pipeline.jobs.entry", "sealedbeam.pipeline.integrity.ledger", "json"),
    tokens=(
        *(b'"' + word + b'":' for word in _WORDS),
        *b'{} [] null true -1 1e999 NaN "" "\\ud800"'.split(),
        b"00000000000000000000000000000000",
    ),
)
