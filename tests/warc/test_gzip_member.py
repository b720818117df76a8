"""Members are inflated only when proven complete, and both ways of inflating agree."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
from fastwarc.stream_io import GzipReader
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.warc import BytesSource, Reason
from sealedbeam.pipeline.warc.codec import Member, inflate_exactly
from sealedbeam.pipeline.warc.effort import Effort
from sealedbeam.pipeline.warc.gzip_member import GzipCodec, _inflate_fast
from sealedbeam.pipeline.warc.values import Damage
from sealedbeam.pipeline.warc.window import StoredWindow

from tests.support.archives import flip_bit, gzip_member, junk

CONTENT = b"content of a member " * 50
MEMBER = gzip_member(CONTENT)
LIMIT = 1 << 20
CODEC = GzipCodec()


def window(data: bytes) -> StoredWindow:
    return StoredWindow(BytesSource(data))


def exactly(stored: StoredWindow, offset: int, limit: int) -> Member | Damage:
    return inflate_exactly(CODEC, stored, offset, limit, Effort(LIMIT))


def fast(stored: StoredWindow, offset: int, limit: int) -> Member | None:
    return _inflate_fast(stored, offset, limit, Effort(LIMIT))


def inflate_member(stored: StoredWindow, offset: int, limit: int) -> Member | Damage:
    return CODEC.inflate(stored, offset, limit, Effort(LIMIT))


def named(*, header_checksum: bool) -> bytes:
    head = b"\x1f\x8b\x08" + (b"\x1e" if header_checksum else b"\x1c") + bytes(6)
    head += b"\x03\x00abcname\0comment\0"
    if header_checksum:
        head += (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little")
    return head + MEMBER[10:]


@pytest.mark.parametrize("member", [named(header_checksum=True), named(header_checksum=False)])
def test_optional_header_fields(member: bytes) -> None:
    """Extra field, name, comment and header checksum are taken as part of the header."""
    assert gzip.decompress(member) == CONTENT
    for way in (fast, exactly):
        assert Member(CONTENT, len(member)) == way(window(member + MEMBER), 0, LIMIT)
    assert CODEC.may_begin(member, (CONTENT[:10],))
    assert not CODEC.may_begin(member, (CONTENT[1:11],))


def test_wrong_header_checksum() -> None:
    """A header that fails its own checksum is none."""
    member = flip_bit(named(header_checksum=True), 16)
    assert Damage(Reason.BAD_GZIP_MEMBER) == inflate_member(window(member), 0, LIMIT)


@pytest.mark.parametrize("back", [8, 4])
def test_fastwarc_checks_crc_and_size(back: int) -> None:
    """FastWARC refuses a wrong CRC and a wrong size; the fast way leans on that."""
    reader = GzipReader(io.BytesIO(flip_bit(MEMBER, len(MEMBER) - back) + MEMBER))
    with pytest.raises(OSError, match="data error"):
        reader.read(len(CONTENT) + 1)


def test_fastwarc_ends_in_silence() -> None:
    """FastWARC says nothing of a missing trailer; the fast way must not lean on that."""
    short = MEMBER[:-8]
    assert GzipReader(io.BytesIO(short)).read(LIMIT) == CONTENT
    assert Damage(Reason.TRUNCATED) == inflate_member(window(short), 0, LIMIT)


@pytest.mark.parametrize("kept", range(len(MEMBER)))
def test_every_truncation(kept: int) -> None:
    """A member cut anywhere is truncated, never taken for complete."""
    assert Damage(Reason.TRUNCATED) == inflate_member(window(MEMBER[:kept]), 0, LIMIT)


def test_over_the_limit() -> None:
    """A member over the limit is followed to its end, far over it only until that is sure."""
    member = gzip_member(bytes(1000))
    end = len(member)
    assert Damage(Reason.TOO_LARGE, end, certain=True) == inflate_member(window(member), 0, 999)
    assert Damage(Reason.TOO_LARGE) == inflate_member(window(member), 0, 9)
    assert Member(bytes(1000), end) == inflate_member(window(member), 0, 1000)


@given(st.data())
def test_the_fast_way_never_says_more_than_the_exact_one(data: st.DataObject) -> None:
    """Whatever the bytes, what the fast way accepts the exact way accepts with the same answer."""
    stored = MEMBER + gzip_member(junk(200), level=0) + MEMBER
    for _ in range(data.draw(st.integers(0, 3))):
        stored = flip_bit(stored, data.draw(st.integers(0, len(stored) - 1)))
    stored = stored[: data.draw(st.integers(1, len(stored)))]
    assert fast(window(stored), 0, LIMIT) in (None, exactly(window(stored), 0, LIMIT))
