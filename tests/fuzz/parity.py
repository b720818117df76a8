"""Reader of parity.json: takes what its writer writes, to the byte, else raises IntegrityError.

The first byte says what the others are: a file as it stands; JSON to be sealed as the writer does
it, so that wrong content gets past the checksums; or edits to a good file's values, sealed again.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.storage.erasure import STRIPS_MAX, cauchy_matrix
from sealedbeam.pipeline.storage.parity import (
    Group,
    Member,
    Parity,
    Scheme,
    decode_parity_file,
    encode_parity_file,
)

from tests.fuzz.cursor import Cursor
from tests.fuzz.json_edits import edit_json, seal_json
from tests.fuzz.target import Target, check_message

if TYPE_CHECKING:
    from collections.abc import Iterator


def check(data: bytes) -> None:
    """Decode the bytes as a parity.json."""
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
        parity = decode_parity_file(stored)
    except IntegrityError as error:
        check_message(error)
        return
    assert encode_parity_file(parity) == stored
    for group in parity.groups:
        assert len(group.members) <= STRIPS_MAX
        assert [len(row) for row in group.matrix] == [len(group.data)] * len(group.parity)
    for path in parity.members:
        assert not path.startswith("/")
        assert not {"", ".", ".."} & set(path.split("/"))


def _canonical(content: dict[str, Any]) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"


@cache
def _samples() -> tuple[bytes, bytes]:
    """Return a file of no group and one with something in every field."""
    group = Group(
        4096,
        cauchy_matrix(2, 1),
        (Member("a/b", 5000, "0000000a", bytes(32)), Member("manifest.json", 0, "00000000", b"")),
        (Member("parity/x.0.parity", 5056, "0000000b", bytes(range(32))),),
    )
    sha256 = "0f" * 32
    empty, full = Parity(sha256, Scheme(10, 2), ()), Parity(sha256, Scheme(2, 1), (group,))
    return encode_parity_file(empty), encode_parity_file(full)


def seeds() -> Iterator[bytes]:
    """Yield good files, as they stand and to be sealed again, and a good one with few edits."""
    for sample in _samples():
        yield b"\0" + sample
        yield b"\1" + sample
    for edits in (b"", b"\0\5\0\3", b"\1\7\0\0", b"\3\2\0\1", b"\2\3\0\x09\0\1\0\2"):
        yield b"\2" + edits


_WORDS = (
    b"format version manifest_sha256 data parity groups strip_bytes matrix path bytes crc32c"
    b" digests sha256"
).split()

TARGET = Target(
    check,
    seeds,
    ("sealedbeam.pipeline.storage.parity", "sealedbeam.pipeline.sealed_json", "json"),
    tokens=(
        *(b'"' + word + b'":' for word in _WORDS),
        *b'{} [] null true -1 1e999 NaN "" "\\ud800" "AA==" "AB==" "01" "../b"'.split(),
    ),
)
