"""Reading takes work in proportion to the bytes, whatever they are; counted, never timed."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.warc import BytesSource, Container, PartReader, codec
from sealedbeam.pipeline.warc.codec import DISCARD_FACTOR
from sealedbeam.pipeline.warc.effort import WORK_FACTOR, Effort
from sealedbeam.pipeline.warc.values import MAX_HEADER_BYTES

from tests.support.archives import (
    gzip_member,
    insert,
    junk,
    lz4_frame,
    pack,
    page_record,
    record_bytes,
    zstd_frame,
)
from tests.support.reading import MeteredSource, bodies, read_part, truth

if TYPE_CHECKING:
    from sealedbeam.pipeline.warc import Region, WarcRecord

LIMIT = 1 << 16
FREE = DISCARD_FACTOR * (LIMIT + MAX_HEADER_BYTES)
SIZE = 1 << 18
HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\x03"
DIGEST = "sha1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"


class Meter:
    """Counts the bytes that are read, searched and inflated."""

    read = searched = inflated = 0


class SearchedBytes(bytes):
    """Bytes that count how far they are searched."""

    def find(self, *arguments: Any) -> int:
        """Search, and count."""
        found = super().find(*arguments)
        start = arguments[1] if len(arguments) > 1 else 0
        stop = arguments[2] if len(arguments) > 2 else len(self)
        Meter.searched += max(0, (min(len(self), stop) if found < 0 else found) - start)
        return found


class CountingSource(BytesSource):
    """A source whose bytes are counted."""

    def read(self, offset: int, length: int) -> bytes:
        data = super().read(offset, length)
        Meter.read += len(data)
        return SearchedBytes(data)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> type[Meter]:
    Meter.read = Meter.searched = Meter.inflated = 0
    take = codec._Inflater._take

    def counted(self: codec._Inflater, piece: bytes) -> None:
        Meter.inflated += len(piece)
        take(self, piece)

    monkeypatch.setattr(codec._Inflater, "_take", counted)
    return Meter


def stored(content: bytes) -> bytes:
    """Return a deflate block that holds `content` as it is."""
    return b"\0" + struct.pack("<HH", len(content), len(content) ^ 0xFFFF) + content


def bomb() -> bytes:
    engine = zlib.compressobj(9, zlib.DEFLATED, -15)
    return engine.compress(bytes(20 << 20)) + engine.flush()


def claims(size: int) -> bytes:
    """Return headers that each claim all bytes up to the far end, and a digest of them."""
    unit = len(claim(0))
    pieces = [claim(size - start - unit) for start in range(0, size - unit, unit)]
    return b"".join(pieces) + b"x" * (size % unit) + b"\r\n\r\nx"


def claim(length: int) -> bytes:
    text = f"WARC/1.0\r\nWARC-Type: a\r\nWARC-Block-Digest: {DIGEST}\r\n"
    return f"{text}Content-Length: {length:07}\r\n\r\n".encode()


GOOD = page_record(0, body_bytes=300).raw
IN_STEP = stored(b"WARC/1.0\r\n") + b"\0" + struct.pack("<HH", 10, 10 ^ 0xFFFF) + HEADER
SMALL = record_bytes("metadata", b"", {})
HOSTILE = {
    "version lines": (Container.PLAIN, b"WARC/1.0\r\n" * (SIZE // 10)),
    "versions in lines": (Container.PLAIN, b"xWARC/1.0\r\n" * (SIZE // 11)),
    "versions in fields": (Container.PLAIN, b"WARC/1.0\r\nA: WARC/1.0\r\nB:" * (SIZE // 26)),
    "versions and types": (Container.PLAIN, b"WARC/1.0\r\nWARC-Type: a\r\n" * (SIZE // 24)),
    "far ends": (Container.PLAIN, claims(SIZE)),
    "good and bad": (Container.PLAIN, (SMALL + claim(9999)) * (SIZE // 300)),
    "magics": (Container.GZIP_MEMBERS, gzip_member(GOOD) + b"\x1f\x8b\x08\0" * (SIZE // 4)),
    "endless names": (Container.GZIP_MEMBERS, b"\x1f\x8b\x08\x08aaaaaa" * (SIZE // 10)),
    "overlapping members": (
        Container.GZIP_MEMBERS,
        HEADER + IN_STEP * (SIZE // len(IN_STEP)) + bomb() + bytes(8),
    ),
    "good and overlapping": (
        Container.GZIP_MEMBERS,
        (gzip_member(SMALL) + HEADER + IN_STEP * 9) * (SIZE // 400) + bomb() + bytes(8),
    ),
    "zstd magics": (Container.ZSTD_FRAMES, b"\x28\xb5\x2f\xfd\x20\x09\x48\0\0" * (SIZE // 9)),
    "lz4 magics": (Container.LZ4_FRAMES, b"\x04\x22\x4d\x18\x64\x70" * (SIZE // 6)),
    "zstd": (Container.ZSTD_FRAMES, (zstd_frame(GOOD) + b"\x28\xb5\x2f\xfd") * (SIZE // 500)),
    "lz4": (Container.LZ4_FRAMES, (lz4_frame(GOOD, 1) + b"\x04\x22\x4d\x18") * (SIZE // 500)),
}


def read(container: Container, data: bytes) -> list[WarcRecord | Region]:
    source = CountingSource(data)
    return list(
        PartReader(source, container, 0, source.size, exact_start=True, max_record_bytes=LIMIT)
    )


@pytest.mark.parametrize("name", HOSTILE)
def test_work_is_in_proportion_to_the_bytes(name: str, meter: type[Meter]) -> None:
    """Bytes made to be tried again and again are read, searched and inflated a few times each."""
    container, data = HOSTILE[name]
    found = read(container, data)
    assert sum(item.length for item in found) == len(data)
    bound = FREE + WORK_FACTOR * len(data)
    assert meter.inflated <= bound + (1 << 20)
    assert meter.searched <= bound
    assert meter.read <= bound + 1100 * len(data) * (container is not Container.PLAIN)


def test_honest_records_behind_hostile_bytes_are_found() -> None:
    """Work that was wasted is forgiven as bytes go by: the archive goes on to be read."""
    container, data = HOSTILE["overlapping members"]
    archive = pack([page_record(n) for n in range(40)], container)
    whole = insert(archive.data, archive.records[20].offset, data)
    found = bodies(read(container, whole))
    assert truth(archive.records)[:20] == found[:20]
    assert truth(archive.records)[24:] == found[-16:]


def test_a_search_ends_with_its_part() -> None:
    """A part without a record start is searched once, not to the end of the file."""
    data = junk(9 << 20)
    source = MeteredSource(data)
    reader = PartReader(source, Container.PLAIN, 1000, 2000, exact_start=False)
    assert list(reader) == []
    assert reader.extent is not None
    assert (reader.extent.first, reader.extent.end) == (None, 2000)
    found, extent = read_part(data, Container.GZIP_MEMBERS, 5, 99, exact_start=False)
    assert (found, extent.end) == ([], 99)


def test_what_may_be_spent() -> None:
    """What is left shrinks by what is spent and grows with the bytes that were passed."""
    effort = Effort(100)
    assert effort.left(50) == 100
    effort.spend(70)
    assert effort.left(50) == 30
    assert effort.left(52) == 30 + 2 * WORK_FACTOR
    effort.spend(1000)
    assert effort.left(52) == 0
