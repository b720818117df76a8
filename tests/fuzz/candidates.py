"""Digest run reader: takes what the writer writes, byte for byte, and raises ValueError else.

The first byte says what the others are: a payload as it stands; one whose columns are cut to fit;
or the texts and numbers of its candidates.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from sealedbeam.pipeline.fields import pack_fields
from sealedbeam.pipeline.index.duplicates import Candidate, decode_candidates, encode_candidates

from tests.fuzz.cursor import Cursor
from tests.fuzz.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

_LENGTHS = struct.Struct("<8I")


def check(data: bytes) -> None:
    """Decode the bytes as candidates."""
    cursor = Cursor(data)
    match cursor.number() % 3:
        case 0:
            payload = cursor.rest()
        case 1:
            payload = fitted(cursor.rest())
        case _:
            payload = laid_out(cursor)
    try:
        candidates = decode_candidates(payload)
    except ValueError:
        return
    assert encode_candidates(candidates) == payload


def fitted(payload: bytes) -> bytes:
    """Return the payload with its columns of numbers as long as its first one, URLs the rest."""
    if len(payload) < _LENGTHS.size:
        return payload
    first, *_, digests, dates, _ = _LENGTHS.unpack_from(payload)
    rest = max(len(payload) - _LENGTHS.size - 5 * first - digests - dates, 0)
    lengths = [min(number, 0xFFFFFFFF) for number in (*[first] * 5, digests, dates, rest)]
    return _LENGTHS.pack(*lengths) + payload[_LENGTHS.size :]


def laid_out(cursor: Cursor) -> bytes:
    """Return the payload of candidates with any texts, one of its columns perhaps too long."""
    count, extra = cursor.number() % 4, cursor.number()
    dates = [cursor.take(cursor.number() % 8) for _ in range(count)]
    urls = [cursor.take(cursor.number() % 32) for _ in range(count)]
    columns = [cursor.take(8 * count).ljust(8 * count, b"\0") for _ in range(5)]
    columns += [cursor.take(16 * count).ljust(16 * count, b"\0"), pack_fields(dates)]
    columns.append(pack_fields(urls))
    columns[extra % len(columns)] += bytes(extra // 128)
    return pack_fields(columns)


def seeds() -> Iterator[bytes]:
    """Yield small candidate lists."""
    one = Candidate(b"d" * 16, "2024-01-01T00:00:00Z", "http://a.example/", 7, 3, 0, 99, 1234)
    for candidates in ([], [one], [one, one._replace(url="http://\u00fc/", doc_id=-1)] * 2):
        for choice in (b"\0", b"\1"):
            yield choice + encode_candidates(candidates)
    yield b"\2\2\0\1a\0\3b://\4http"


TARGET = Target(
    check, seeds, ("sealedbeam.pipeline.index.duplicates", "sealedbeam.pipeline.fields")
)
