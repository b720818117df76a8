"""Of pages with one and the same body the earliest is indexed; the others are listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest

from tests.support.archives import Archive, StoredRecord, pack, page_body, record_bytes
from tests.support.jobs import Job, found_urls

if TYPE_CHECKING:
    from pathlib import Path

BODIES = {"a": page_body(1, 400), "b": page_body(2, 400), "c": page_body(3, 400)}
PAGES = [
    # name of the body, URL, WARC-Date
    ("a", "http://later.example/", "2024-05-02T00:00:00Z"),
    ("b", "http://x.example/", "2024-05-01T00:00:00Z"),
    ("a", "http://earliest.example/", "2024-05-01T00:00:00Z"),
    ("a", "http://fraction.example/", "2024-05-01T00:00:00.5Z"),
    ("b", "http://a.example/", "2024-05-01T00:00:00Z"),
    ("c", "http://alone.example/", "2024-05-01T00:00:00Z"),
    ("a", "http://latest.example/", "2024-06-01T00:00:00Z"),
    ("b", "http://a.example/", "2024-05-01T00:00:00Z"),
]


def archive_of(pages: list[tuple[str, str, str]]) -> Archive:
    records = []
    for body, url, date in pages:
        block = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + BODIES[body]
        raw = record_bytes("response", block, {"WARC-Target-URI": url, "WARC-Date": date})
        records.append(StoredRecord(raw, "response", url, BODIES[body]))
    return pack(records)


@pytest.mark.parametrize("part_bytes", [200, 700, 1 << 20])
@pytest.mark.parametrize("pages", [PAGES, PAGES[::-1]], ids=["as is", "backwards"])
def test_earliest_page_stays(
    tmp_path: Path, pages: list[tuple[str, str, str]], part_bytes: int
) -> None:
    """By date, then URL, one page of each body is found, in whichever part it lies."""
    job = Job.make(tmp_path, {"a.warc.gz": archive_of(pages).data}, part_bytes=part_bytes)
    result = job.run_here()
    assert result.exit_code == 0
    pages_read = result.summary["pages"]
    assert (pages_read["read"], pages_read["indexed"], pages_read["duplicate"]) == (8, 3, 5)
    assert found_urls(job.output, '"page 1"') == ["http://earliest.example/"]
    assert found_urls(job.output, '"page 2"') == ["http://a.example/"]
    assert found_urls(job.output, '"page 3"') == ["http://alone.example/"]
    assert result.summary["documents"] == 3


def test_documents_keep_all_pages_and_tokens_add_up(tmp_path: Path) -> None:
    """Every parsed page is a document; its tokens are in the shards or belong to a duplicate."""
    job = Job.make(tmp_path, {"a.warc.gz": archive_of(PAGES).data}, part_bytes=500)
    summary = job.run_here().summary
    rows = {
        row["doc_id"]: row
        for path in (job.output / "documents").iterdir()
        for row in pq.read_table(path).to_pylist()
    }
    assert len(rows) == len(PAGES)
    duplicates = pq.read_table(job.output / "duplicates.parquet").to_pylist()
    left_out = {row["doc_id"] for row in duplicates}
    for row in duplicates:
        body = rows[row["doc_id"]]["content_digest"]
        assert body == rows[row["duplicate_of"]]["content_digest"]
        assert row["duplicate_of"] not in left_out
    kept = sum(row["length"] for doc_id, row in rows.items() if doc_id not in left_out)
    assert summary["tokens"] == kept
    counted = sum(
        sum(frequencies)
        for path in (job.output / "shards").iterdir()
        for frequencies in pq.read_table(path)["tfs"].to_pylist()
    )
    assert counted == kept
