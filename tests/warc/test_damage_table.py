"""Every kind of damage in every layout: each undamaged record is read, each damaged one is named.

A table of faults by layouts, each fault in the middle of an archive of 60 pages. Where the fault is
a matter of compressed data, plain archives are told by their digests; in one stream, what follows
data that do not inflate is lost and said to be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.warc import Container, Digest, Reason, Region

from tests.support.archives import (
    Archive,
    StoredRecord,
    build_archive,
    flip_bit,
    insert,
    junk,
    pack,
)
from tests.support.reading import (
    EVERY,
    FRAMES,
    STORED,
    bodies,
    extents,
    read_all,
    records,
    regions,
    truth,
    without,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PAGES = 60
VICTIM = 30
BY_RECORD = [*STORED, *FRAMES]
STREAMS = [container for container in EVERY if container.is_stream]


def bit_in_the_middle(archive: Archive, victim: StoredRecord) -> bytes:
    return flip_bit(archive.data, victim.offset + victim.length // 2, 5)


def bit_in_the_magic(archive: Archive, victim: StoredRecord) -> bytes:
    return flip_bit(archive.data, victim.offset + 1, 1)


def bit_at_the_end(archive: Archive, victim: StoredRecord) -> bytes:
    return flip_bit(archive.data, victim.end - 1, 0)


def bit_in_the_last_but_six(archive: Archive, victim: StoredRecord) -> bytes:
    return flip_bit(archive.data, victim.end - 6, 2)


def byte_cut_out(archive: Archive, victim: StoredRecord) -> bytes:
    middle = victim.offset + victim.length // 2
    return archive.data[:middle] + archive.data[middle + 1 :]


def sector_of_zeros(archive: Archive, victim: StoredRecord) -> bytes:
    middle = victim.offset + victim.length // 2
    return archive.data[:middle] + bytes(128) + archive.data[middle + 128 :]


@pytest.mark.parametrize("container", BY_RECORD)
@pytest.mark.parametrize(
    "hit",
    [
        bit_in_the_middle,
        bit_in_the_magic,
        bit_at_the_end,
        bit_in_the_last_but_six,
        byte_cut_out,
        sector_of_zeros,
    ],
)
def test_damage_inside_a_record(
    container: Container, hit: Callable[[Archive, StoredRecord], bytes]
) -> None:
    """One record is named at its exact place, by a region or by its digest; 60 of 61 are read."""
    archive = build_archive(PAGES, container)
    victim = archive.records[VICTIM]
    data = hit(archive, victim)
    length = victim.length + len(data) - len(archive.data)
    found = read_all(data, container)
    bad = [item for item in records(found) if item.digest is Digest.BAD]
    assert [(victim.offset, length)] == extents(regions(found)) + extents(bad)
    good = [item for item in records(found) if item.digest is not Digest.BAD]
    assert truth(without(archive, VICTIM)) == bodies(good)


@pytest.mark.parametrize("container", BY_RECORD)
@pytest.mark.parametrize("extra", [junk(1024), bytes(1024), b"\r\n\r\n", b"\0"])
def test_between_records(container: Container, extra: bytes) -> None:
    """Junk, zeros and line ends between records cost none and are named at their exact place."""
    archive = build_archive(PAGES, container)
    offset = archive.records[VICTIM].offset
    found = read_all(insert(archive.data, offset, extra), container)
    assert truth(archive.records) == bodies(found)
    assert [(offset, len(extra))] == extents(regions(found))


@pytest.mark.parametrize("container", BY_RECORD)
@pytest.mark.parametrize("kept", [1, 30, 300, 700])
def test_cut_in_a_record(container: Container, kept: int) -> None:
    """A file cut in a record gives all before it, and the rest is named as cut short."""
    archive = build_archive(PAGES, container)
    victim = archive.records[VICTIM]
    found = read_all(archive.data[: victim.offset + kept], container)
    assert truth(archive.records[:VICTIM]) == bodies(found)
    assert [Region(victim.offset, kept, Reason.TRUNCATED)] == regions(found)


@pytest.mark.parametrize("container", STREAMS)
def test_a_cut_stream(container: Container) -> None:
    """A stream that ends early gives a beginning of its records and says that it is short."""
    archive = build_archive(PAGES, container, body_bytes=20_000)
    found = read_all(archive.data[: len(archive.data) // 2], container)
    read = bodies(found)
    assert truth(archive.records)[: len(read)] == read
    assert regions(found)[-1].reason is Reason.TRUNCATED


@pytest.mark.parametrize("container", STREAMS)
def test_a_bit_in_a_stream(container: Container) -> None:
    """A bit in a stream never passes: a digest fails, or the stream is named as damaged."""
    archive = build_archive(PAGES, container)
    for place in range(1, 20):
        offset = place * len(archive.data) // 20
        found = read_all(flip_bit(archive.data, offset, place % 8), container)
        bad = [record for record in records(found) if record.digest is Digest.BAD]
        assert regions(found) or bad
        good = [record for record in records(found) if record.digest is Digest.GOOD]
        assert set(bodies(good)) <= set(truth(archive.records))


@pytest.mark.parametrize("container", [Container.PLAIN, Container.GZIP_MEMBERS, *FRAMES])
@pytest.mark.parametrize("off", [-100, 100, None])
def test_content_length_off(container: Container, off: int | None) -> None:
    """A Content-Length that is off or missing costs that record, named at its exact place."""
    clean = build_archive(PAGES, Container.PLAIN)
    victim = clean.records[VICTIM]
    line = victim.raw[victim.raw.index(b"Content-Length:") :].split(b"\r\n", 1)[0] + b"\r\n"
    value = int(line.split(b":", 1)[1])
    wrong = b"" if off is None else b"Content-Length: %d\r\n" % (value + off)
    stored = list(clean.records)
    stored[VICTIM] = StoredRecord(victim.raw.replace(line, wrong, 1), "", "", b"")
    archive = pack(stored, container)
    found = read_all(archive.data, container)
    assert truth(without(archive, VICTIM)) == bodies(found)
    (region,) = regions(found)
    hurt = archive.records[VICTIM]
    assert (hurt.offset, hurt.length) == (region.offset, region.length)
    assert region.reason is Reason.BAD_CONTENT_LENGTH


def test_any_bit_of_a_plain_record() -> None:
    """Whichever bit of a plain record is hit, all others are read and no region goes past it."""
    archive = build_archive(3, Container.PLAIN, body_bytes=60)
    victim = archive.records[2]
    for offset in range(victim.offset, victim.end):
        for bit in range(8):
            found = read_all(flip_bit(archive.data, offset, bit), Container.PLAIN)
            pages = bodies(found)
            assert set(truth(without(archive, 2))) <= set(pages)
            assert len(pages) <= 3
            assert extents(regions(found)) in ([], [(victim.offset, victim.length)])
