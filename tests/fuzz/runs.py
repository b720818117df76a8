"""Run reader: takes what the writer would have written, byte for byte, and raises ValueError else.

The first byte says what the others are: a run as it stands; one whose count of term bytes is set to
what is really there; or terms, counts and numbers, to be laid out as the head then says.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np
from sealedbeam.pipeline.index.invert import invert_by_shard
from sealedbeam.pipeline.index.runs import decode_run, encode_run
from sealedbeam.pipeline.index.tokens import tokenize_batch

from tests.fuzz.cursor import Cursor
from tests.fuzz.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

_HEAD = struct.Struct("<IIQQ5B3x")


def check(data: bytes) -> None:
    """Decode the bytes as a run."""
    cursor = Cursor(data)
    match cursor.number() % 3:
        case 0:
            payload = cursor.rest()
        case 1:
            payload = fitted(cursor.rest())
        case _:
            payload = laid_out(cursor)
    try:
        run = decode_run(payload)
    except ValueError:
        return
    assert encode_run(run) == payload


def fitted(payload: bytes) -> bytes:
    """Return the run with the number of term bytes that the length of the payload asks for."""
    if len(payload) < _HEAD.size:
        return payload
    terms, postings, positions, _, *widths = _HEAD.unpack_from(payload)
    counts = (terms, terms, postings, postings, positions)
    arrays = sum(count * width for count, width in zip(counts, widths, strict=True))
    term_bytes = max(len(payload) - _HEAD.size - arrays, 0)
    head = _HEAD.pack(terms, postings, positions, term_bytes, *widths)
    return head + payload[_HEAD.size :]


def laid_out(cursor: Cursor) -> bytes:
    """Return a run whose sums are right, whatever the order and the widths of its numbers."""
    widths = [1 << cursor.number() % 3 for _ in range(5)]
    terms = [cursor.take(cursor.number() % 6) for _ in range(cursor.number() % 8)]
    df = [cursor.number() % 4 for _ in terms]
    documents = [cursor.number(widths[2]) for _ in range(sum(df))]
    tfs = [cursor.number() % 4 for _ in documents]
    positions = [cursor.number(widths[4]) for _ in range(sum(tfs))]
    columns = ([len(term) for term in terms], df, documents, tfs, positions)
    data = b"".join(terms)
    head = _HEAD.pack(len(terms), len(documents), len(positions), len(data), *widths)
    arrays = [
        number.to_bytes(width, "little")
        for column, width in zip(columns, widths, strict=True)
        for number in column
    ]
    return b"".join((head, *arrays, data))


def seeds() -> Iterator[bytes]:
    """Yield the runs of small texts."""
    for texts in ([], ["a"], ["a b a", "b c"], ["one two " * 5, "\u00fc\u4e2d x", "y " * 300]):
        batch = tokenize_batch([memoryview(text.encode()) for text in texts])
        numbers = np.arange(len(texts), dtype=np.uint32) * 300
        for run in invert_by_shard([batch], numbers, 1):
            for choice in (b"\0", b"\1"):
                yield choice + encode_run(run)
    yield b"\2\0\0\0\0\0" + b"\2\1a\2bc" + b"\2\1" + b"\1\5\7" + b"\1\2\1" + b"\0\3\4\1"


# Not `ragged`: what it compares are whole arrays, and atheris never lets go of those.
TARGET = Target(check, seeds, ("sealedbeam.pipeline.index.runs",))
