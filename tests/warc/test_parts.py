"""Undamaged archives of every layout are read whole, in bounded pieces."""

from __future__ import annotations

import pytest
from sealedbeam.pipeline.warc import (
    BytesSource,
    Container,
    Digest,
    PartReader,
    Reason,
    Region,
    detect_container,
    read_record,
)

from tests.support.archives import (
    build_archive,
    flip_bit,
    gzip_member,
    junk,
    pack,
    page_record,
    response_record,
)
from tests.support.reading import (
    EVERY,
    MeteredSource,
    bodies,
    extents,
    read_all,
    records,
    truth,
)


@pytest.mark.parametrize("container", EVERY)
@pytest.mark.parametrize("answer", [Digest.GOOD, Digest.ABSENT])
def test_every_record_is_read_with_its_extent(container: Container, answer: Digest) -> None:
    """An undamaged archive of each layout gives all records, their extents, pages and digests."""
    archive = build_archive(30, container, digests=answer is Digest.GOOD)
    found = read_all(archive.data, container)
    assert extents(archive.records) == extents(found)
    assert truth(archive.records) == bodies(found)
    assert [answer] * 30 == [record.digest for record in records(found)[1:]]
    assert [record.warc_type for record in records(found)] == ["warcinfo"] + ["response"] * 30


@pytest.mark.parametrize("container", EVERY)
def test_read_record_gives_what_iteration_gave(container: Container) -> None:
    """Each record can be read again alone from its extent."""
    archive = build_archive(6, container)
    source = BytesSource(archive.data)
    for record in records(read_all(archive.data, container)):
        assert record == read_record(source, container, record.offset, record.length)


def test_read_record_names_what_is_wrong() -> None:
    """Asked for a record that is damaged or not the same any more, the reader says so."""
    archive = build_archive(3)
    record = archive.records[1]
    damaged_source = BytesSource(flip_bit(archive.data, record.end - 5))
    source = BytesSource(archive.data)
    kind = archive.container
    extent = record.offset, record.length
    assert Region(*extent, Reason.BAD_GZIP_MEMBER) == read_record(damaged_source, kind, *extent)
    assert Region(record.offset, 9, Reason.EXTENT_CHANGED) == read_record(
        source, kind, record.offset, 9
    )
    assert Region(source.size, 9, Reason.TRUNCATED) == read_record(source, kind, source.size, 9)


def test_whole_stream_in_many_members() -> None:
    """Members that are cut without regard to records are one stream."""
    raw = build_archive(20, Container.PLAIN)
    data = b"".join(gzip_member(raw.data[i : i + 1500]) for i in range(0, len(raw.data), 1500))
    assert detect_container(BytesSource(data)) is Container.GZIP_WHOLE
    assert truth(raw.records) == bodies(read_all(data, Container.GZIP_WHOLE))


def test_incompressible_member_with_magics_inside() -> None:
    """Gzip magics inside a member's data do not shorten it."""
    record = response_record("http://a.example/", b"\x1f\x8b\x08\0" * 500 + junk(5000))
    archive = pack([page_record(0), record, page_record(1)], level=0)
    found = read_all(archive.data, archive.container)
    assert truth(archive.records) == bodies(found)
    assert extents(archive.records) == extents(found)


def test_members_longer_than_the_window() -> None:
    """Records longer than the reader's window are read in every layout."""
    big = [page_record(0), response_record("http://a.example/", junk(9 << 20)), page_record(1)]
    for container in EVERY:
        archive = pack(big, container, level=1)
        found = read_all(archive.data, container)
        assert truth(archive.records) == bodies(found)
        assert extents(archive.records) == extents(found)


@pytest.mark.parametrize("container", EVERY)
def test_reads_are_bounded(container: Container) -> None:
    """The file is read about once, in pieces of a few megabytes."""
    records_ = [response_record(f"http://a.example/{n}", junk(100_000, n)) for n in range(150)]
    source = MeteredSource(pack(records_, container, level=1).data)
    found = list(PartReader(source, container, 0, source.size, exact_start=True))
    assert len(found) == 150
    assert source.longest <= 4 << 20
    assert source.total <= 1.2 * source.size
