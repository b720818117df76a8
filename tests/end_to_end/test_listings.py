"""A record that was dropped or doubled as a whole is found when a list of the input is given."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.display import describe_differences, describe_summary
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.jobs.audit import audit
from sealedbeam.pipeline.jobs.expect import read_differences
from sealedbeam.pipeline.warc import Container

from tests.support.archives import Archive, build_archive
from tests.support.jobs import Job, found_urls, summary_of

if TYPE_CHECKING:
    from pathlib import Path

TIME = "20240229123456"
NO_DIFFERENCE = {
    "missing_files": 0,
    "missing_records": 0,
    "unlisted_records": 0,
    "wrong_checksums": 0,
}


def cdx(archive: Archive, name: str = "a.warc.gz") -> str:
    """Return the CDX of an archive, as it was when it was written."""
    return " CDX N b a m s k r M S V g\n" + "".join(
        f"k {TIME} {record.url} text/html 200 AAAA - - {record.length} {record.offset} {name}\n"
        for record in archive.records
        if record.url
    )


def without(archive: Archive, number: int) -> bytes:
    record = archive.records[number]
    return archive.data[: record.offset] + archive.data[record.end :]


def doubled(archive: Archive, number: int) -> bytes:
    record = archive.records[number]
    return archive.data[: record.end] + archive.data[record.offset :]


def run(folder: Path, data: bytes, listing: str) -> Job:
    (folder / "list").write_text(listing)
    job = Job.make(folder, {"a.warc.gz": data}, expect=[folder / "list"])
    assert job.run_here().exit_code == 0
    assert audit(job.output).findings == []
    return job


def inputs(job: Job) -> dict[str, int]:
    found = summary_of(job.output)["inputs"]
    return {name: found[name] for name in NO_DIFFERENCE}


@pytest.mark.parametrize("container", [Container.GZIP_MEMBERS, Container.PLAIN])
def test_a_dropped_record_is_named(tmp_path: Path, container: Container) -> None:
    """A record that is listed and not there is named with address, time and listed place."""
    archive = build_archive(30, container)
    job = run(tmp_path, without(archive, 12), cdx(archive))
    victim = archive.records[12]
    expected = {
        "file": "a.warc.gz",
        "url": victim.url,
        "timestamp": TIME,
        "offset": victim.offset,
    }
    assert inputs(job) == NO_DIFFERENCE | {"missing_records": 1}
    differences = read_differences(job.output)
    assert differences is not None
    assert [expected] == differences["missing_records"]
    assert victim.url in describe_differences(differences)
    shown = describe_summary(summary_of(job.output), "x")
    assert "against the lists: 1 record missing, 0 unlisted; 0 files missing" in shown


@pytest.mark.parametrize("container", [Container.GZIP_MEMBERS, Container.PLAIN])
def test_a_doubled_record_is_named(tmp_path: Path, container: Container) -> None:
    """A record that is there once more than it is listed is named with its place."""
    archive = build_archive(30, container)
    job = run(tmp_path, doubled(archive, 12), cdx(archive))
    assert inputs(job) == NO_DIFFERENCE | {"unlisted_records": 1}
    differences = read_differences(job.output)
    assert differences is not None
    (row,) = differences["unlisted_records"]
    assert archive.records[12].url == row["url"]


def test_an_archive_as_listed(tmp_path: Path) -> None:
    """An archive that agrees with its CDX and its checksum shows no difference."""
    archive = build_archive(20)
    checksum = hashlib.sha256(archive.data).hexdigest()
    (tmp_path / "sums").write_text(f"{checksum}  data/a.warc.gz\n")
    (tmp_path / "list").write_text(cdx(archive))
    lists = [tmp_path / "sums", tmp_path / "list"]
    job = Job.make(tmp_path, {"a.warc.gz": archive.data}, expect=lists)
    job.run_here()
    assert inputs(job) == NO_DIFFERENCE
    assert len(found_urls(job.output, "page")) == 20


def test_checksums_and_files(tmp_path: Path) -> None:
    """A file with another checksum and a listed one that is not an input are named."""
    archive = build_archive(5)
    listing = f"{'a' * 64}  a.warc.gz\n{'b' * 40} *b.warc.gz\n"
    job = run(tmp_path, archive.data, listing)
    assert inputs(job) == NO_DIFFERENCE | {"missing_files": 1, "wrong_checksums": 1}
    differences = read_differences(job.output)
    assert differences is not None
    assert differences["missing_files"] == ["b.warc.gz"]
    (row,) = differences["wrong_checksums"]
    assert hashlib.sha256(archive.data).hexdigest() == row["actual"]


def test_without_lists_nothing_is_said(tmp_path: Path) -> None:
    """A job without lists has neither the figures nor the file."""
    job = Job.make(tmp_path, {"a.warc.gz": build_archive(3).data})
    job.run_here()
    assert "missing_records" not in summary_of(job.output)["inputs"]
    assert read_differences(job.output) is None


def test_another_list_is_another_job(tmp_path: Path) -> None:
    """The content of a list is part of the configuration: a finished folder is not taken for it."""
    archive = build_archive(3)
    job = run(tmp_path, archive.data, cdx(archive))
    (tmp_path / "list").write_text(cdx(archive) + "\n")
    other = Job.make(tmp_path, {"a.warc.gz": archive.data}, expect=[tmp_path / "list"])
    assert job.context.configuration_hash != other.context.configuration_hash
    with pytest.raises(UsageError, match="listing was"):
        other.run_here()


def test_what_is_no_list(tmp_path: Path) -> None:
    """A list that is none, or is not there, stops the job before any work."""
    (tmp_path / "list").write_text("hello\n")
    with pytest.raises(UsageError, match="line 1"):
        Job.make(tmp_path, {"a.warc.gz": b""}, expect=[tmp_path / "list"])
    with pytest.raises(UsageError, match="cannot read --expect"):
        Job.make(tmp_path, {"a.warc.gz": b""}, expect=[tmp_path / "none"])
    assert not (tmp_path / "index").exists()


def test_a_damaged_result_is_found_by_audit(tmp_path: Path) -> None:
    """What was found against the lists is covered by the manifest."""
    archive = build_archive(3)
    job = run(tmp_path, without(archive, 2), cdx(archive))
    path = job.output / "listing.json"
    path.write_text(json.dumps({"missing_records": []}))
    findings = audit(job.output).findings
    assert any(finding.startswith("listing.json") for finding in findings)
