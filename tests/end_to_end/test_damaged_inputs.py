"""Archives that arrive damaged: every page that is whole is found, all else is named and kept."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.jobs.quarantine import INPUT_STAGE
from sealedbeam.pipeline.warc.values import Container

from tests.support.archives import (
    Archive,
    StoredRecord,
    build_archive,
    flip_bit,
    gzip_member,
    insert,
    junk,
    pack,
    page_record,
    warcinfo_record,
    with_nested,
)
from tests.support.jobs import Job, found_urls, quarantined, summary_of
from tests.support.reading import FRAMES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGES = 25
HIT = (4, 5, 13)
STORED = [Container.GZIP_MEMBERS, Container.PLAIN]


def flip(archive: Archive, number: int) -> bytes:
    record = archive.records[number]
    return flip_bit(archive.data, record.offset + 2 * record.length // 3)


def cut_out(archive: Archive, number: int) -> bytes:
    record = archive.records[number]
    middle = record.offset + record.length // 2
    return archive.data[:middle] + archive.data[middle + 7 :]


def put_in(archive: Archive, number: int) -> bytes:
    record = archive.records[number]
    return insert(archive.data, record.offset + record.length // 2, junk(50))


def zero(archive: Archive, number: int) -> bytes:
    record = archive.records[number]
    middle = record.offset + record.length // 2
    return archive.data[:middle] + bytes(40) + archive.data[middle + 40 :]


def damage(archive: Archive, how: Callable[[Archive, int], bytes]) -> bytes:
    """Damage the records in `HIT`, the last one first so that offsets before it stay."""
    data = archive.data
    for number in sorted(HIT, reverse=True):
        data = how(Archive(data, archive.container, archive.records), number)
    return data


def numbered(found: list[str]) -> set[int]:
    return {int(url.rpartition("/")[2]) for url in found}


@pytest.mark.parametrize("container", STORED)
@pytest.mark.parametrize("how", [flip, cut_out, put_in, zero])
@pytest.mark.parametrize("part_bytes", [900, 1 << 20])
def test_undamaged_pages_are_found_and_damage_is_kept(
    tmp_path: Path,
    container: Container,
    how: Callable[[Archive, int], bytes],
    part_bytes: int,
) -> None:
    """Damaged records cost themselves alone, however the parts are cut; the bytes are kept."""
    archive = pack(
        [warcinfo_record(), *(page_record(n, body_bytes=600) for n in range(1, PAGES + 1))],
        container,
    )
    data = damage(archive, how)
    job = Job.make(tmp_path, {"a.warc": data}, part_bytes=part_bytes)
    result = job.run_here()
    assert (result.exit_code, result.findings) == (0, ())
    assert result.summary["ledger"] == "balanced"
    whole = set(range(1, PAGES + 1)) - set(HIT)
    assert numbered(found_urls(job.output, "page")) == whole
    for number in HIT:
        assert found_urls(job.output, f'"page {number}"') == []
    rows = quarantined(job.output)
    kept = bytearray(len(data))
    for row in rows:
        end = row.source_offset + row.source_length
        assert row.raw == data[row.source_offset : end]
        assert (row.stage, row.source_file, row.raw_length) == (
            INPUT_STAGE,
            str(tmp_path / "a.warc"),
            row.source_length,
        )
        assert row.reason
        kept[row.source_offset : end] = bytes([1]) * row.source_length
    pages = result.summary["pages"]
    assert pages["read"] == pages["indexed"] + pages["quarantined"]
    inputs = result.summary["inputs"]
    assert len(rows) == inputs["damaged_regions"] + inputs["digest_bad"]
    shift = len(data) - len(archive.data)
    for record in archive.records[-10:]:
        assert not any(kept[record.offset + shift : record.end + shift])


@pytest.mark.parametrize("container", [*FRAMES, Container.ZSTD_WHOLE, Container.LZ4_WHOLE])
def test_other_compressions(tmp_path: Path, container: Container) -> None:
    """Zstandard and LZ4 archives are indexed in parts, and their damage is kept."""
    archive = pack([warcinfo_record(), *(page_record(n) for n in range(1, 13))], container)
    data = archive.data if container.is_stream else flip(archive, 7)
    job = Job.make(tmp_path, {"a.warc.x": data}, part_bytes=3000)
    result = job.run_here()
    assert (result.exit_code, result.summary["ledger"]) == (0, "balanced")
    lost = set() if container.is_stream else {7}
    assert numbered(found_urls(job.output, "page")) == set(range(1, 13)) - lost
    kept = [row.raw for row in quarantined(job.output)]
    hurt = archive.records[7]
    assert kept == [data[hurt.offset : hurt.end] for _ in lost]
    assert (len(job.parts()) > 1) == (not container.is_stream)


@pytest.mark.parametrize("container", STORED)
def test_damaged_holder_of_an_archive_plants_nothing(tmp_path: Path, container: Container) -> None:
    """A damaged record that holds an archive is set aside whole, however the parts are cut."""
    archive = with_nested(container, container)
    holder = archive.records[3]
    data = archive.data[: holder.offset + 700] + archive.data[holder.offset + 709 :]
    job = Job.make(tmp_path, {"a.warc": data}, part_bytes=400)
    result = job.run_here()
    assert (result.exit_code, result.summary["pages"]["read"]) == (0, 6)
    assert numbered(found_urls(job.output, "page")) == set(range(6))


def test_flipped_payload_is_found_by_its_digest(tmp_path: Path) -> None:
    """In plain bytes only the archive's own digest can tell: the page is set aside, not indexed."""
    archive = build_archive(6, Container.PLAIN)
    data = flip(archive, 3)
    job = Job.make(tmp_path, {"a.warc": data})
    summary = job.run_here().summary
    assert summary["inputs"]["digest_bad"] == 1
    assert summary["pages"] == {
        "read": 6,
        "indexed": 5,
        "duplicate": 0,
        "rejected": {},
        "quarantined": 1,
    }
    (row,) = quarantined(job.output)
    record = archive.records[3]
    assert (row.reason, row.raw) == ("digest_bad", data[record.offset : record.end])


@pytest.mark.parametrize("container", [*STORED, Container.GZIP_WHOLE])
def test_truncated_archive_gives_its_beginning(tmp_path: Path, container: Container) -> None:
    """What lies before the cut is indexed; what is left of the last record is set aside."""
    archive = build_archive(10, container)
    job = Job.make(tmp_path, {"a.warc": archive.data[: 2 * len(archive.data) // 3]})
    result = job.run_here()
    assert (result.exit_code, result.summary["ledger"]) == (0, "balanced")
    found = numbered(found_urls(job.output, "page"))
    assert found == set(range(len(found)))
    assert 5 <= len(found) <= 8
    assert quarantined(job.output)[-1].reason == "truncated"


def test_damage_in_one_gzip_stream_keeps_its_bytes(tmp_path: Path) -> None:
    """Where the whole archive is one stream, what is set aside is the inflated bytes."""
    plain = build_archive(8, Container.PLAIN)
    inner = flip(plain, 2)
    inner = flip_bit(inner, plain.records[5].offset + 2 * plain.records[5].length // 3)
    job = Job.make(tmp_path, {"a.warc.gz": gzip_member(inner)})
    result = job.run_here()
    assert (result.exit_code, result.summary["inputs"]["digest_bad"]) == (0, 2)
    assert [row.raw for row in quarantined(job.output)] == [
        inner[record.offset : record.end] for record in (plain.records[2], plain.records[5])
    ]
    assert numbered(found_urls(job.output, "page")) == {0, 2, 3, 5, 6, 7}


def test_file_that_is_no_archive_makes_the_job_incomplete(tmp_path: Path) -> None:
    """The rest is indexed, the file is named, and the exit code is 4."""
    archives = {"a.warc.gz": build_archive(3).data, "notes.txt": b"no archive", "empty.warc": b""}
    job = Job.make(tmp_path, archives)
    result = job.run_here()
    assert result.exit_code == 4
    assert summary_of(job.output)["status"] == "incomplete"
    assert [finding.rpartition("/")[2] for finding in result.findings] == [
        "notes.txt is not a web archive that can be read",
        "empty.warc is not a web archive that can be read",
    ]
    assert len(found_urls(job.output, "page")) == 3


def test_only_files_that_are_no_archives(tmp_path: Path) -> None:
    """Without a single archive there is an empty index, incomplete; a search finds nothing."""
    job = Job.make(tmp_path, {"notes.txt": b"no archive"})
    result = job.run_here()
    assert (result.exit_code, result.summary["status"]) == (4, "incomplete")
    assert result.summary["ledger"] == "balanced"
    assert found_urls(job.output, "page") == []


@pytest.mark.parametrize("container", STORED)
@pytest.mark.parametrize("nested", STORED)
@pytest.mark.parametrize("part_bytes", [60, 150, 400, 1000])
def test_archive_inside_an_archive_plants_nothing(
    tmp_path: Path, container: Container, nested: Container, part_bytes: int
) -> None:
    """Where parts begin inside a stored archive they are done again: none of its pages shows."""
    archive = with_nested(container, nested)
    job = Job.make(tmp_path, {"a.warc": archive.data}, part_bytes=part_bytes)
    result = job.run_here()
    assert result.exit_code == 0
    assert result.summary["pages"]["read"] == len(archive.records)
    assert result.summary["pages"]["quarantined"] == 0
    found = set(found_urls(job.output, "page")) - {"http://example.org/archive"}
    assert numbered(sorted(found)) == set(range(6))
    entries = {entry.task: entry for entry in job.entries()}
    again = [
        part.task
        for part in job.parts()
        if entries[part.task].details["start"] != [part.start, part.exact_start]
    ]
    inner = archive.records[3]
    inside = [part for part in job.parts() if inner.offset < part.start < inner.end]
    assert inside
    # Only a search for gzip members, which plain records are not, cannot be misled.
    misleading = container is Container.PLAIN or nested is Container.GZIP_MEMBERS
    assert bool(again) == misleading


def test_random_damage_never_ends_a_job(tmp_path: Path) -> None:
    """Whatever bytes are changed, a job ends with a balanced ledger and finds what is whole."""
    chance = random.Random(11)
    for number in range(30):
        archive = build_archive(12, chance.choice(STORED), body_bytes=300)
        data = bytearray(archive.data)
        for _ in range(chance.randrange(1, 12)):
            offset = chance.randrange(len(data))
            data[offset : offset + chance.randrange(1, 40)] = chance.randbytes(chance.randrange(40))
        job = Job.make(tmp_path, {"a.warc": bytes(data)}, output=f"{number}", part_bytes=500)
        result = job.run_here()
        assert result.exit_code in (0, 4)
        assert result.summary["ledger"] == "balanced"
        whole = {r.url for r in archive.records if r.url and is_in(r, archive, data)}
        assert whole <= set(found_urls(job.output, "page"))


def is_in(record: StoredRecord, archive: Archive, data: bytearray) -> bool:
    """Whether a record's stored bytes are somewhere in the damaged archive."""
    return archive.data[record.offset : record.end] in data


def test_page_whose_type_was_hit_is_not_lost_silently(tmp_path: Path) -> None:
    """In a plain archive a flip can make a record's type unknown: it is set aside, not skipped."""
    archive = build_archive(5, Container.PLAIN, body_bytes=200)
    place = archive.data.index(b"response", archive.records[2].offset)
    job = Job.make(tmp_path, {"a.warc": flip_bit(archive.data, place, 1)})
    summary = job.run_here().summary
    assert (summary["pages"]["read"], summary["inputs"]["damaged_regions"]) == (4, 1)
    (row,) = quarantined(job.output)
    assert (row.source_offset, row.reason) == (archive.records[2].offset, "unknown_record_type")
