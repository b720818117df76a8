"""What is set aside keeps its bytes, its place and its reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.integrity.channel import PerfectChannel, Place
from sealedbeam.pipeline.integrity.ladder import Casualty
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.jobs.entry import Entry
from sealedbeam.pipeline.jobs.files import commit_task
from sealedbeam.pipeline.jobs.quarantine import (
    INPUT_STAGE,
    RAW_BYTES_MAX,
    Quarantine,
    Quarantined,
    decode_quarantine,
    encode_quarantine,
    read_quarantine,
)

from tests.support.archives import build_archive, flip_bit
from tests.support.jobs import Job, quarantined

if TYPE_CHECKING:
    from pathlib import Path


def test_rows_come_back() -> None:
    """A damaged range and a dropped record survive the file, bytes and all."""
    quarantine = Quarantine("part-00003", ("a.warc", "b.warc"))
    origin = Origin(3, 7, 1, 40, 60)
    place = Place("north", "rack", 5)
    quarantine.add_range(0, 10, 20, "junk", b"\x00\xff")
    quarantine.add_record("pages", Casualty(b"\x01\x02", "bad_seal", 3, place, b"raw"), origin)
    quarantine.add_record("runs", Casualty(b"run", "lost_block", 1, place, b""), None)
    expected = [
        Quarantined(
            "part-00003", INPUT_STAGE, "junk", "a.warc", 10, 20, "", "", 1, 20, b"\x00\xff"
        ),
        Quarantined(
            "part-00003", "pages", "bad_seal", "b.warc", 40, 60, "0102", "north", 3, 3, b"raw"
        ),
        Quarantined("part-00003", "runs", "lost_block", "", 0, 0, b"run".hex(), "north", 1, 0, b""),
    ]
    assert expected == quarantine.rows
    assert expected == decode_quarantine(encode_quarantine(quarantine.rows))


def test_long_records_keep_their_beginning() -> None:
    """Above the limit the first bytes stay, and the whole length is told."""
    quarantine = Quarantine("t", ())
    raw = b"x" * (RAW_BYTES_MAX + 5)
    quarantine.add_record("runs", Casualty(b"i", "bad_seal", 1, Place("", "", 0), raw), None)
    (row,) = quarantine.rows
    assert (len(row.raw), row.raw_length) == (RAW_BYTES_MAX, RAW_BYTES_MAX + 5)


def test_finished_job_tells_what_it_set_aside(tmp_path: Path) -> None:
    """The rows of all parts are read by way of the manifest, and only if they are intact."""
    archive = build_archive(9)
    damaged = archive.data
    hit = [archive.records[number] for number in (2, 7)]
    for record in hit:
        damaged = flip_bit(damaged, record.offset + record.length // 2)
    job = Job.make(tmp_path, {"a.warc.gz": damaged}, part_bytes=1500)
    job.run_here()
    rows = read_quarantine(job.output)
    assert rows == quarantined(job.output)
    assert [(row.source_offset, row.source_length) for row in rows] == [
        (record.offset, record.length) for record in hit
    ]
    path = next((job.output / "quarantine").glob("*.parquet"))
    path.write_bytes(flip_bit(path.read_bytes(), 50))
    with pytest.raises(IntegrityError, match=path.name):
        read_quarantine(job.output)


def test_folder_without_a_job_is_refused(tmp_path: Path) -> None:
    """Where no job ever was, nothing can be told."""
    with pytest.raises(UsageError, match="holds no job of this program"):
        read_quarantine(tmp_path)


def test_unfinished_job_tells_what_it_has(tmp_path: Path) -> None:
    """What the committed tasks of a stopped job set aside can be read at once."""
    archive = build_archive(6, body_bytes=300)
    damaged = flip_bit(archive.data, archive.records[2].offset + 60)
    job = Job.make(tmp_path, {"a.warc.gz": damaged})
    job.map_here()
    (row,) = read_quarantine(job.output)
    assert row.source_offset == archive.records[2].offset


def test_what_the_comparison_of_pages_set_aside_is_told_too(tmp_path: Path) -> None:
    """Every task counts, also the one whose name has no number."""
    job = Job.make(tmp_path, {"a.warc.gz": build_archive(3).data})
    job.map_here()
    context = job.context
    entry = Entry("duplicates", context.configuration_hash)
    quarantine = Quarantine("duplicates", ())
    quarantine.add_record(
        "runs", Casualty(b"digests-0", "bad_seal", 3, Place("", "", 0), b"?"), None
    )
    transit = PerfectChannel().begin("duplicates")
    commit_task(context.store, entry, quarantine, transit)
    assert quarantine.rows == read_quarantine(job.output)
