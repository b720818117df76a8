"""Damage of every kind costs the record it hit, and is named."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sealedbeam.pipeline.warc import (
    Container,
    Digest,
    Reason,
    Region,
)

from tests.support.archives import (
    Archive,
    build_archive,
    flip_bit,
    insert,
    junk,
    pack,
    page_record,
    record_bytes,
    with_nested,
)
from tests.support.archives import StoredRecord as Stored
from tests.support.reading import (
    ALL,
    STORED,
    bodies,
    damaged,
    extents,
    read_all,
    records,
    regions,
    truth,
    without,
)

VICTIM = 250  # of the 500 pages; record 0 is the warcinfo


@pytest.fixture(scope="module")
def gzipped() -> Archive:
    return build_archive(500)


@pytest.fixture(scope="module")
def plain() -> Archive:
    return build_archive(500, Container.PLAIN)


def inflates_to(member: bytes, content: bytes) -> bool:
    """Return whether damage had no effect: it hit the bits that pad the last byte of the data."""
    try:
        return gzip.decompress(member) == content
    except (OSError, EOFError, zlib.error):
        return False


@pytest.mark.parametrize("back", [8, 5, 4, 1])
def test_gzip_trailer_flip(gzipped: Archive, back: int) -> None:
    """One bit in CRC or ISIZE costs that record alone and names its extent."""
    victim = gzipped.records[VICTIM]
    found = read_all(flip_bit(gzipped.data, victim.end - back, 3), Container.GZIP_MEMBERS)
    assert truth(without(gzipped, VICTIM)) == bodies(found)
    assert [Region(victim.offset, victim.length, Reason.BAD_GZIP_MEMBER)] == regions(found)


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_any_flip_in_gzip_data(place: float, bit: int) -> None:
    """One bit anywhere in the deflate data costs that record alone and names its extent."""
    archive = build_archive(20)
    victim = archive.records[10]
    offset = victim.offset + 10 + int(place * (victim.length - 10))
    stored = flip_bit(archive.data, offset, bit)
    assume(not inflates_to(stored[victim.offset : victim.end], victim.raw))
    found = read_all(stored, Container.GZIP_MEMBERS)
    assert truth(without(archive, 10)) == bodies(found)
    assert [(victim.offset, victim.length)] == extents(regions(found))


@pytest.mark.parametrize("byte", [0, 1, 2])
def test_gzip_magic_flip(gzipped: Archive, byte: int) -> None:
    """One bit in a magic costs that record alone."""
    victim = gzipped.records[VICTIM]
    found = read_all(flip_bit(gzipped.data, victim.offset + byte), Container.GZIP_MEMBERS)
    assert truth(without(gzipped, VICTIM)) == bodies(found)
    assert [Region(victim.offset, victim.length, Reason.JUNK)] == regions(found)


@pytest.mark.parametrize("extra", [junk(1024), bytes(1024), b"\x1f\x8b\x08" * 300])
@pytest.mark.parametrize("container", STORED)
def test_junk_between_records(container: Container, extra: bytes) -> None:
    """Junk between records costs no record and is named with its exact extent."""
    archive = build_archive(40, container)
    offset = archive.records[20].offset
    found = read_all(insert(archive.data, offset, extra), container)
    assert truth(archive.records) == bodies(found)
    assert [(offset, len(extra))] == extents(regions(found))


@pytest.mark.parametrize("extra", [junk(1024), bytes(1024), b"\0"])
@pytest.mark.parametrize("container", ALL)
def test_junk_at_the_end(container: Container, extra: bytes) -> None:
    """Junk behind the last record costs no record and does not pass in silence."""
    archive = build_archive(5, container)
    found = read_all(archive.data + extra, container)
    assert truth(archive.records) == bodies(found)
    (region,) = regions(found)
    assert region.reason in {Reason.JUNK, Reason.TRUNCATED}
    if container is not Container.GZIP_WHOLE:
        assert (len(archive.data), len(extra)) == (region.offset, region.length)


@pytest.mark.parametrize("kept", [1, 2, 5, 9, 11, 60, 400])
def test_cut_in_mid_member(gzipped: Archive, kept: int) -> None:
    """A file cut in a member gives all records before it and says that it is short."""
    victim = gzipped.records[VICTIM]
    found = read_all(gzipped.data[: victim.offset + kept], Container.GZIP_MEMBERS)
    assert truth(gzipped.records[:VICTIM]) == bodies(found)
    assert [Region(victim.offset, kept, Reason.TRUNCATED)] == regions(found)


@pytest.mark.parametrize("missing", range(1, 12))
@pytest.mark.parametrize("container", ALL)
def test_missing_last_bytes(container: Container, missing: int) -> None:
    """A file that lacks its last bytes never passes in silence, whatever the layout."""
    archive = build_archive(9, container)
    found = read_all(archive.data[:-missing], container)
    assert truth(archive.records[:-1]) == bodies(found)[:8]
    (region,) = regions(found)
    assert region.reason is Reason.TRUNCATED
    if container is Container.GZIP_MEMBERS or (container is Container.PLAIN and missing > 4):
        assert len(bodies(found)) == 8
        last = archive.records[-1]
        assert (last.offset, last.length - missing) == (region.offset, region.length)


def test_payload_bit_in_a_plain_archive(plain: Archive) -> None:
    """One payload bit in a plain archive flags that record's digest and nothing else."""
    victim = plain.records[VICTIM]
    found = read_all(flip_bit(plain.data, victim.end - 40), Container.PLAIN)
    assert extents(plain.records) == extents(found)
    bad = [n for n, record in enumerate(records(found)) if record.digest is Digest.BAD]
    assert bad == [VICTIM]


@pytest.mark.parametrize(
    ("number", "off"), [(250, -100), (250, 100), (250, None), (500, -100), (500, 100), (0, 1)]
)
def test_wrong_content_length(plain: Archive, number: int, off: int | None) -> None:
    """A wrong or missing Content-Length in a plain archive costs that record alone."""
    victim = plain.records[number]
    line = victim.raw[victim.raw.index(b"Content-Length:") :].split(b"\r\n")[0] + b"\r\n"
    value = int(line.split(b":")[1])
    wrong = victim.raw.replace(
        line, b"" if off is None else b"Content-Length: %d\r\n" % (value + off)
    )
    data = plain.data[: victim.offset] + wrong + plain.data[victim.end :]
    found = read_all(data, Container.PLAIN)
    assert truth(without(plain, number)) == bodies(found)
    (region,) = regions(found)
    assert (victim.offset, len(wrong)) == (region.offset, region.length)
    reason = Reason.TRUNCATED if (number, off) == (500, 100) else Reason.BAD_CONTENT_LENGTH
    assert reason is region.reason


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_extents_tile_whatever_happened(data: st.DataObject) -> None:
    """After any damage the extents of records and regions tile the file without gap or overlap."""
    container = data.draw(st.sampled_from(STORED))
    archive = build_archive(12, container, body_bytes=300)
    stored = damaged(data, archive.data)
    position = 0
    for item in read_all(stored, container):
        assert position == item.offset
        position += item.length
    assert len(stored) == position


@pytest.mark.parametrize("container", ALL)
def test_a_record_over_the_limit(container: Container) -> None:
    """A record over the limit is set aside and the next one is read."""
    large = page_record(1, body_bytes=200_000)
    archive = pack([page_record(0), large, page_record(2)], container)
    found = read_all(archive.data, container, max_record_bytes=70_000)
    assert [extents(archive.records)[1]] == extents(regions(found))
    assert [region.reason for region in regions(found)] == [Reason.TOO_LARGE]
    assert [int(url[-1]) for url, _ in bodies(found)] == [0, 2]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"WARC/1.0\r\nX: " + b"x" * 100_000, Reason.BAD_HEADER),
        (b"WARC/1.0\r\nContent-Length: 0\r\n\r\n\r\n\r\n", Reason.BAD_HEADER),
        (b"WARC/1.0\r\nWARC-Type: response\r\n\r\n\r\n\r\n", Reason.BAD_CONTENT_LENGTH),
        (record_bytes("response", b"x", {}, content_length="9" * 30), Reason.BAD_CONTENT_LENGTH),
        (record_bytes("response", b"x", {}, content_length="-1"), Reason.BAD_CONTENT_LENGTH),
        (record_bytes("response", b"x", {}, content_length=str(2**41)), Reason.BAD_CONTENT_LENGTH),
        (b"", Reason.BAD_HEADER),
        (b"<html>no archive", Reason.BAD_HEADER),
    ],
)
@pytest.mark.parametrize("container", STORED)
def test_hostile_headers(container: Container, raw: bytes, reason: Reason) -> None:
    """An endless, empty or absurd header is one region between two good records."""
    victim = Stored(raw, "", "", b"")
    archive = pack([page_record(0), victim, page_record(1)], container)
    found = read_all(archive.data, container)
    assert truth([archive.records[0], archive.records[2]]) == bodies(found)
    if container is Container.GZIP_MEMBERS:
        middle = archive.records[1]
        assert [Region(middle.offset, middle.length, reason)] == regions(found)
    elif raw:
        assert [(archive.records[1].offset, len(raw))] == extents(regions(found))


def test_wrong_content_length_in_gzip_keeps_to_the_member() -> None:
    """In gzip a wrong Content-Length costs one member, though its body holds other members."""
    inner = build_archive(4, body_bytes=300).data
    raw = record_bytes("response", inner, {"WARC-Target-URI": "http://a/"}, content_length="7")
    archive = pack([page_record(0), Stored(raw, "", "", b""), page_record(1)], level=0)
    found = read_all(archive.data, archive.container)
    middle = archive.records[1]
    assert [Region(middle.offset, middle.length, Reason.BAD_CONTENT_LENGTH)] == regions(found)
    assert truth([archive.records[0], archive.records[2]]) == bodies(found)


def test_a_flip_in_a_stored_nested_archive_plants_nothing() -> None:
    """A damaged member whose own end is plain to see is skipped whole, nested members and all."""
    archive = with_nested(Container.GZIP_MEMBERS, Container.GZIP_MEMBERS, level=0)
    victim = archive.records[3]
    found = read_all(flip_bit(archive.data, victim.end - 100), archive.container)
    assert truth(without(archive, 3)) == bodies(found)
    assert [(victim.offset, victim.length)] == extents(regions(found))


def test_whole_stream_checksum() -> None:
    """A wrong checksum over a whole stream is reported though every record was read."""
    archive = build_archive(5, Container.GZIP_WHOLE)
    found = read_all(flip_bit(archive.data, len(archive.data) - 8), Container.GZIP_WHOLE)
    assert truth(archive.records) == bodies(found)
    assert [Region(archive.records[-1].end, 0, Reason.BAD_GZIP_MEMBER)] == regions(found)


def test_a_stream_that_falls_into_step_with_its_neighbour() -> None:
    """A damaged member that decodes on to the end of the next one does not take that one along."""
    archive = build_archive(60, body_bytes=1500)
    victim = archive.records[40]
    for bit in range(8):
        for back in range(9, 60):
            stored = flip_bit(archive.data, victim.end - back, bit)
            if inflates_to(stored[victim.offset : victim.end], victim.raw):
                continue
            found = read_all(stored, archive.container)
            assert truth(without(archive, 40)) == bodies(found)
            assert [(victim.offset, victim.length)] == extents(regions(found))
