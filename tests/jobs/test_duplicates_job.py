"""The task between map and reduce leaves the same pages out as a look at all of them would."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.index.duplicates import Duplicate
from sealedbeam.pipeline.jobs.duplicates_job import PATH, encode_duplicates, read_duplicates

from tests.support.archives import flip_bit, pack, page_record, response_record
from tests.support.jobs import Job

if TYPE_CHECKING:
    from pathlib import Path


def test_file_has_a_row_for_each_duplicate() -> None:
    """duplicates.parquet says which document is left out, and for which."""
    found = [Duplicate(3, 1, 10), Duplicate(1 << 40, 2, 0)]
    table = pq.read_table(io.BytesIO(encode_duplicates(found)))
    assert table.to_pylist() == [
        {"doc_id": 3, "duplicate_of": 1},
        {"doc_id": 1 << 40, "duplicate_of": 2},
    ]


def with_copies(tmp_path: Path) -> Job:
    """Return a job over pages of which every third is the first again."""
    pages = [
        response_record(
            f"http://{9 - number}.example/", page_record(number if number % 3 else 0).body
        )
        for number in range(9)
    ]
    return Job.make(tmp_path, {"a.warc.gz": pack(pages).data}, part_bytes=700)


def test_copies_in_several_parts_are_found(tmp_path: Path) -> None:
    """Copies that lie in different parts are compared; the first by URL stays (dates are equal)."""
    job = with_copies(tmp_path)
    assert len(job.parts()) > 3
    job.map_here()
    job.duplicates_here()
    entry = job.entry("duplicates")
    table = pq.read_table(job.output / PATH).to_pylist()
    urls = {
        row["doc_id"]: row["url"]
        for file in (job.output / "documents").iterdir()
        for row in pq.read_table(file).to_pylist()
    }
    assert [(urls[row["doc_id"]], urls[row["duplicate_of"]]) for row in table] == [
        ("http://9.example/", "http://3.example/"),
        ("http://6.example/", "http://3.example/"),
    ]
    assert entry.counts["documents"]["duplicate"] == 2
    assert read_duplicates(job.context, entry).tolist() == [row["doc_id"] for row in table]


def test_damaged_file_is_not_used(tmp_path: Path) -> None:
    """A shard is not merged by another list of duplicates than the committed one; it comes back."""
    job = with_copies(tmp_path)
    job.map_here()
    job.duplicates_here()
    path = job.output / PATH
    data = path.read_bytes()
    path.write_bytes(flip_bit(data, 100))
    with pytest.raises(IntegrityError, match=r"duplicates\.parquet is damaged"):
        job.reduce_here()
    assert job.run_here().exit_code == 0
    assert data == path.read_bytes()
