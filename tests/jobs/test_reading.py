"""Reading past records that must not be read: they are left out, and nothing else is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.jobs.poison import (
    CRASHES_WORKER,
    EXCEEDS_MEMORY,
    Skip,
    SkipList,
)
from sealedbeam.pipeline.jobs.reading import RawBytes, RecordedReader, Unread
from sealedbeam.pipeline.jobs.recorder import Recorder, Stage, read_note
from sealedbeam.pipeline.warc import members, plain
from sealedbeam.pipeline.warc.record import build_record
from sealedbeam.pipeline.warc.values import Container, WarcRecord

from tests.support.archives import build_archive
from tests.support.jobs import Job

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.archives import Archive

READABLE = [container for container in Container if container.is_readable]


def make(folder: Path, archive: Archive, part_bytes: int = 1 << 20) -> Job:
    return Job.make(folder, {"a.warc": archive.data}, part_bytes=part_bytes)


def read(job: Job, *skips: Skip) -> tuple[list[tuple[int, int]], list[Unread], SkipList]:
    """Read all parts, each from where the one before it ended.

    Returns the extents of the records, what was not read, and the skips.
    """
    records, unread, end = [], [], 0
    met = SkipList(skips)
    for part in job.parts():
        if not job.context.inputs[0].container.is_stream:
            part = replace(part, start=end, exact_start=True)  # noqa: PLW2901 - as stitched
        reader = RecordedReader(job.context, part, met, Recorder())
        for item in reader:
            if isinstance(item, Unread):
                unread.append(item)
            else:
                assert isinstance(item, WarcRecord)
                records.append((item.offset, item.length))
        end = reader.extent.end
    return records, unread, met


def extents(archive: Archive) -> list[tuple[int, int]]:
    return [(record.offset, record.length) for record in archive.records]


@pytest.mark.parametrize("container", READABLE)
@pytest.mark.parametrize("number", [0, 4, 8])
def test_record_on_the_skip_list_is_left_out(
    tmp_path: Path, container: Container, number: int
) -> None:
    """A record that must not be read is left out; in one stream so is what follows it."""
    archive = build_archive(8, container, body_bytes=300)
    job, places = make(tmp_path, archive), extents(archive)
    skip = Skip(places[number][0], "read", CRASHES_WORKER, 2)
    records, unread, met = read(job, skip)
    if container.is_stream:
        assert (places[:number], [Unread(skip.offset, 0, skip)]) == (records, unread)
    else:
        assert places[:number] + places[number + 1 :] == records
        assert [Unread(*places[number], skip)] == unread
    assert [list(skip)] == met.met()


@pytest.mark.parametrize("container", [Container.GZIP_MEMBERS, Container.PLAIN])
@pytest.mark.parametrize("part_bytes", [100, 400, 700, 3000])
def test_skips_at_boundaries(tmp_path: Path, container: Container, part_bytes: int) -> None:
    """Wherever parts are cut, each range that was not read is named once, by one of them."""
    archive = build_archive(8, container, body_bytes=300)
    job, places = make(tmp_path, archive, part_bytes), extents(archive)
    left_out = (0, 3, 4, 8)
    skips = [Skip(places[number][0], "read", CRASHES_WORKER, 2) for number in left_out]
    records, unread, met = read(job, *skips)
    assert [place for number, place in enumerate(places) if number not in left_out] == records
    assert [(places[number], skip) for number, skip in zip(left_out, skips, strict=True)] == [
        ((item.offset, item.length), item.skip) for item in unread
    ]
    assert [list(skip) for skip in skips] == met.met()


def test_search_on_the_skip_list_gives_up_the_part(tmp_path: Path) -> None:
    """Where the search for the next record kills, too, the part ends; the next one goes on."""
    archive = build_archive(8, body_bytes=300)
    places = extents(archive)
    stop = places[5][0]
    job = make(tmp_path, archive, part_bytes=stop)
    offset = places[2][0]
    skips = [Skip(offset, stage, CRASHES_WORKER, 2) for stage in ("read", "search")]
    records, unread, _ = read(job, *skips)
    assert places[:2] + places[5:] == records
    assert [Unread(offset, stop - offset, skips[1])] == unread


@pytest.mark.parametrize("container", READABLE)
def test_record_that_takes_all_memory_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, container: Container
) -> None:
    """A record for which there is no memory is given up at once, and put on the skip list."""
    archive = build_archive(8, container, body_bytes=300)
    job, places = make(tmp_path, archive), extents(archive)
    healthy = build_record

    def starving(*arguments: Any, **options: Any) -> WarcRecord:
        record = healthy(*arguments, **options)
        if record.offset == places[4][0]:
            raise MemoryError
        return record

    monkeypatch.setattr(members, "build_record", starving)
    monkeypatch.setattr(plain, "build_record", starving)
    records, unread, met = read(job)
    skip = Skip(places[4][0], "read", EXCEEDS_MEMORY, 1)
    assert records == (places[:4] if container.is_stream else places[:4] + places[5:])
    assert [skip] == [item.skip for item in unread]
    assert [list(skip)] == met.met()
    monkeypatch.undo()
    assert (records, unread) == read(job, skip)[:2]


@pytest.mark.parametrize("container", READABLE)
def test_recorder_knows_each_record_before_it_is_read(tmp_path: Path, container: Container) -> None:
    """When a record is being read its offset stands in the recorder already."""
    archive = build_archive(5, container, body_bytes=300)
    job, memory = make(tmp_path, archive), bytearray(64)
    (part,) = job.parts()
    for item in RecordedReader(job.context, part, SkipList(()), Recorder(memory)):
        note = read_note(memory)
        assert (Stage.READ, item.offset) == (note.stage, note.offset)


@pytest.mark.parametrize("container", READABLE)
def test_raw_bytes_in_any_order(tmp_path: Path, container: Container) -> None:
    """The bytes of each record are had in any order, also where each way back is a new pass."""
    archive = build_archive(5, container, body_bytes=300)
    raw = RawBytes(make(tmp_path, archive).context, 0)
    inflated = b"".join(record.raw for record in archive.records)
    source = inflated if container.is_stream else archive.data
    for number in (3, 1, 1, 4, 0):
        record = archive.records[number]
        assert source[record.offset : record.end] == raw.at(record.offset, record.length)
