"""An archive inside a damaged record plants no page, and costs no neighbour."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.warc import Container

from tests.support.archives import (
    Archive,
    StoredRecord,
    flip_bit,
    insert,
    junk,
    pack,
    page_record,
    record_bytes,
    response_record,
    warcinfo_record,
)
from tests.support.reading import EVERY, FRAMES, STORED, bodies, read_all, regions, truth, without

if TYPE_CHECKING:
    from collections.abc import Iterator

NEIGHBOURS = 6
INNER = 100  # pages of the inner archive are numbered from here
SAME = [*STORED, *FRAMES]


def holding(container: Container, place: int) -> Archive:
    """Return pages, and among them at `place` a record that holds an archive of the same kind."""
    inner = pack(
        [warcinfo_record(), *(page_record(INNER + n, body_bytes=300) for n in range(12))],
        container,
        level=0,
    )
    pages = [page_record(n, body_bytes=400) for n in range(NEIGHBOURS)]
    pages.insert(place, response_record("http://example.org/archive", inner.data))
    return pack(pages, container, level=0)


def places(record: StoredRecord) -> Iterator[int]:
    """Yield the offsets of a record that are damaged: its ends, and its body here and there."""
    for offset in range(record.offset, record.end):
        if not record.offset + 520 < offset < record.end - 30 or offset % 61 == 0:
            yield offset


def expect_neighbours_only(data: bytes, archive: Archive, place: int) -> None:
    """Whatever is found of the record itself, its neighbours are all there and nothing else."""
    found = [
        (found_url, body)
        for found_url, body in bodies(read_all(data, archive.container))
        if found_url.startswith("http://example.org/page/")
    ]
    assert truth(without(archive, place)) == found


@pytest.mark.parametrize("place", [3, NEIGHBOURS])
@pytest.mark.parametrize("container", SAME)
def test_a_flipped_bit_anywhere_in_the_holder(container: Container, place: int) -> None:
    """One bit anywhere in the outer record plants no inner page and costs no outer one."""
    archive = holding(container, place)
    for offset in places(archive.records[place]):
        expect_neighbours_only(flip_bit(archive.data, offset, offset % 8), archive, place)


@pytest.mark.parametrize("place", [3, NEIGHBOURS])
@pytest.mark.parametrize("container", SAME)
def test_lost_and_added_bytes(container: Container, place: int) -> None:
    """Bytes cut out of the outer record, put into it or zeroed plant nothing and cost no other."""
    archive = holding(container, place)
    data = archive.data
    for offset in places(archive.records[place]):
        if offset % 3 or offset + 40 >= archive.records[place].end:
            continue
        for changed in (
            data[:offset] + data[offset + 7 :],
            insert(data, offset, junk(50)),
            data[:offset] + bytes(40) + data[offset + 40 :],
        ):
            expect_neighbours_only(changed, archive, place)


@pytest.mark.parametrize("container", SAME)
def test_the_lost_end_of_the_holder(container: Container) -> None:
    """An outer record without its end plants nothing, whether others follow or the file ends."""
    archive = holding(container, 3)
    holder = archive.records[3]
    before = Archive(archive.data, container, archive.records[:4])
    for offset in places(holder):
        if offset % 3 == 0 and offset > holder.offset + 30:
            expect_neighbours_only(archive.data[:offset] + archive.data[holder.end :], archive, 3)
            expect_neighbours_only(archive.data[:offset], before, 3)


@pytest.mark.parametrize("container", [Container.PLAIN, Container.GZIP_WHOLE])
@pytest.mark.parametrize("off", [-2000, -100, -1, 1, 100, 5000, 1_000_000, None])
@pytest.mark.parametrize("place", [3, NEIGHBOURS])
def test_a_wrong_content_length(container: Container, off: int | None, place: int) -> None:
    """A wrong or missing Content-Length of the outer record sets exactly its extent aside."""
    plain = holding(Container.PLAIN, place)
    holder = plain.records[place]
    length = len(holder.raw) - holder.raw.index(b"\r\n\r\n") - 8
    line = b"Content-Length: %d\r\n" % length
    wrong = b"" if off is None else b"Content-Length: %d\r\n" % (length + off)
    assert line in holder.raw
    records = list(plain.records)
    records[place] = StoredRecord(holder.raw.replace(line, wrong, 1), "", "", b"")
    archive = pack(records, container)
    found = read_all(archive.data, container)
    assert truth(without(archive, place)) == bodies(found)
    (region,) = regions(found)
    assert (archive.records[place].offset, archive.records[place].length) == (
        region.offset,
        region.length,
    )


def test_bodies_that_look_like_records() -> None:
    """A page that shows a WARC record in its text is no archive: its neighbours are read."""
    sample = record_bytes("response", b"text", {"WARC-Target-URI": "http://planted.example/"})
    page = response_record("http://example.org/format", b"<pre>\r\n\r\n" + sample + b"</pre>")
    broken = page.raw.replace(b"Content-Length: ", b"Content-Length: 1", 1)
    archive = pack(
        [page_record(0), StoredRecord(broken, "", "", b""), page_record(1)], Container.PLAIN
    )
    found = read_all(archive.data, Container.PLAIN)
    assert truth([archive.records[0], archive.records[2]]) == bodies(found)


@pytest.mark.parametrize("container", EVERY)
def test_a_pair_of_damaged_records_costs_no_third(container: Container) -> None:
    """Where nothing is nested, records between two damaged ones are read."""
    if container.is_stream:
        container = Container.PLAIN
    archive = pack([page_record(n) for n in range(9)], container)
    data = archive.data
    for number in (6, 2):
        record = archive.records[number]
        middle = record.offset + record.length // 2
        data = data[:middle] + data[middle + 9 :]
    assert truth(without(archive, 2, 6)) == bodies(read_all(data, container))


def test_line_ends_too_many() -> None:
    """An archive whose records have line ends too many loses no more to damage than another."""
    records = [
        StoredRecord(record.raw + b"\r\n\r\n", record.kind, record.url, record.body)
        for record in (page_record(n) for n in range(9))
    ]
    archive = pack(records, Container.PLAIN)
    hurt = archive.records[4]
    data = archive.data[: hurt.offset] + bytes(300) + archive.data[hurt.offset + 300 :]
    assert truth(archive.records) == bodies(read_all(archive.data, Container.PLAIN))
    assert truth(without(archive, 4)) == bodies(read_all(data, Container.PLAIN))
