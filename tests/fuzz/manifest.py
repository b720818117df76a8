"""Manifest reader: takes what the writer writes, byte for byte, and raises IntegrityError else.

The first byte says what the others are: a file as it stands; JSON to be sealed as the writer does
it, so that wrong content gets past the checksums; or edits to a good file's values, sealed again.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.manifest import (
    Extent,
    FileEntry,
    InputEntry,
    Manifest,
    Totals,
    decode_manifest,
    encode_manifest,
)

from tests.fuzz.cursor import Cursor
from tests.fuzz.json_edits import edit_json, seal_json
from tests.fuzz.target import Target, check_message

if TYPE_CHECKING:
    from collections.abc import Iterator


def check(data: bytes) -> None:
    """Decode the bytes as a manifest."""
    cursor = Cursor(data)
    match cursor.number() % 3:
        case 0:
            stored = cursor.rest()
        case 1:
            stored = seal_json(cursor.rest(), _canonical)
        case _:
            edited = edit_json(json.loads(_samples()[-1]), cursor)
            stored = seal_json(json.dumps(edited).encode(), _canonical)
    try:
        manifest = decode_manifest(stored)
    except IntegrityError as error:
        check_message(error)
        return
    assert encode_manifest(manifest) == stored
    for file in manifest.files:
        assert not file.path.startswith("/")
        assert not {"", ".", ".."} & set(file.path.split("/"))
        assert not file.parts or sum(part.length for part in file.parts) == file.bytes


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"


@cache
def _samples() -> tuple[bytes, bytes]:
    """Return an empty manifest and one with something in every field."""
    parts = (
        Extent("head", 0, 4, "00000001", 0, None, None),
        Extent("row_group", 4, 6, "00000002", 2, "a", "b"),
        Extent("footer", 10, 2, "00000003", 0, None, None),
    )
    files = (
        FileEntry("shards/shard-00000.aa.parquet", 12, "deadbeef", 2, parts),
        FileEntry("report.html", 5, "deadbeef", None, ()),
    )
    empty = Manifest({}, "0f", (), (), Totals(0, 0, 0, 0, {}), 0)
    full = Manifest(
        {"seed": 0},
        "0f" * 32,
        (InputEntry("/a/b.warc.gz", 9, "00000000"),),
        files,
        Totals(1, 2, 3, 4, {"read": 1}),
        1,
    )
    return encode_manifest(empty), encode_manifest(full)


def seeds() -> Iterator[bytes]:
    """Yield good files, as they stand and to be sealed again, and a good one with few edits."""
    for sample in _samples():
        yield b"\0" + sample
        yield b"\1" + sample
    for edits in (b"", b"\0\5\0\3", b"\1\7\0\0", b"\3\2\0\1", b"\2\3\0\x09\0\1\0\2"):
        yield b"\2" + edits


_WORDS = (
    b"format version configuration configuration_hash inputs files totals shards crc32c sha256"
    b" path bytes rows parts kind offset length first last documents tokens terms postings pages"
).split()

TARGET = Target(
    check,
    seeds,
    ("sealedbeam.pipeline.manifest", "sealedbeam.pipeline.sealed_json", "json"),
    tokens=(
        *(b'"' + word + b'":' for word in _WORDS),
        *b'{} [] null true -1 1e999 NaN "" "\\ud800" "head" "row_group" "footer" "../b"'.split(),
    ),
)
