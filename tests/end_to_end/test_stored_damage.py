"""Files that are damaged while the job still needs them come back as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.jobs.lock import OPERATIONS

from tests.support.archives import build_archive, flip_bit
from tests.support.jobs import Job, all_bytes, index_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.pipeline.jobs.index_job import Progress

ARCHIVE = build_archive(24, body_bytes=300)
# With something to quarantine, so that there is a file of every kind.
DAMAGED = flip_bit(ARCHIVE.data, ARCHIVE.records[7].offset + 60)
PART_BYTES = 900


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Return the job that nothing happened to."""
    folder = tmp_path_factory.mktemp("clean")
    job = Job.make(folder, {"a.warc.gz": DAMAGED}, part_bytes=PART_BYTES)
    job.run_here()
    return job


def same_job(tmp_path: Path, clean: Job) -> Job:
    return Job.make(tmp_path, clean.context.paths, part_bytes=PART_BYTES)


def spoil(path: Path, how: str, middle: int = 100) -> None:
    """Damage a file on disk, from the byte at `middle` on or all of it."""
    data = path.read_bytes()
    changed = {
        "flip": flip_bit(data, middle),
        "double flip": flip_bit(flip_bit(data, middle), middle + 1),
        "cut": data[:middle],
        "zeros": data[:middle] + bytes(90) + data[middle + 90 :],
        "empty": b"",
        "gone": None,
    }[how]
    path.unlink()
    if changed is not None:
        path.write_bytes(changed)


@pytest.mark.parametrize("how", ["flip", "double flip", "cut", "zeros", "empty", "gone"])
def test_damaged_run_files_are_made_again(tmp_path: Path, clean: Job, how: str) -> None:
    """Whatever becomes of all run files between map and reduce, the index is the same."""
    job = same_job(tmp_path, clean)
    job.map_here()
    for entry in job.entries():
        runs = entry.runs if "flip" in how or how == "zeros" else entry.runs[:1]
        for run in runs:
            spoil(job.output / run.path, how, run.offset + run.length // 2)
    job.duplicates_here()
    job.reduce_here()
    result = job.finish_here()
    assert (result.exit_code, result.summary["ledger"]) == (0, "balanced")
    runs = result.summary["hops"]["runs"]
    assert runs["dropped"] == 0
    if how == "flip":
        assert (runs["corrected"] > 0, runs["retried"]) == (True, 0)
    else:
        assert runs["retried"] > 0
    assert index_bytes(clean.output) == index_bytes(job.output)


def test_swapped_run_files_are_noticed(tmp_path: Path, clean: Job) -> None:
    """A run in another one's place has a good seal, and is not the run that was sent."""
    job = same_job(tmp_path, clean)
    job.map_here()
    first, second, *_ = sorted((job.output / "runs").iterdir())
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    result = job.run_here()
    assert result.summary["hops"]["runs"]["retried"] > 0
    assert index_bytes(clean.output) == index_bytes(job.output)


@pytest.mark.parametrize("folder", ["documents", "shards", "quarantine", "duplicates"])
@pytest.mark.parametrize("how", ["flip", "gone"])
def test_file_damaged_before_the_end_is_made_again(
    tmp_path: Path, clean: Job, folder: str, how: str
) -> None:
    """No manifest is written over a damaged file; the same command mends it and finishes."""
    job = same_job(tmp_path, clean)
    job.map_here()
    job.duplicates_here()
    job.reduce_here()
    path = job.output / "duplicates.parquet"
    if folder != "duplicates":
        path = min((job.output / folder).iterdir())
    spoil(path, how)
    with pytest.raises(IntegrityError, match="run the same command again"):
        job.finish_here()
    assert not (job.output / "manifest.json").exists()
    assert job.run_here().exit_code == 0
    assert all_bytes(clean.output) == all_bytes(job.output)


@pytest.mark.parametrize("folder", ["documents", "shards", "runs"])
def test_driver_mends_what_is_damaged_meanwhile(tmp_path: Path, clean: Job, folder: str) -> None:
    """Files damaged while the driver is at work are made again in the same run, and logged."""
    job = same_job(tmp_path, clean)
    spoiled: list[str] = []

    def listen(progress: Progress) -> None:
        last = progress.event is not None and progress.event.get("done") == "shard-00001"
        early = progress.phase == "duplicates" and folder != "shards"
        if not spoiled and (early or last):
            path = min((job.output / folder).iterdir())
            spoil(path, "double flip")
            spoiled.append(path.name)

    result = job.run(1, listen)
    assert result is not None
    assert (result.exit_code, result.summary["ledger"]) == (0, "balanced")
    assert spoiled
    log = (job.output / OPERATIONS).read_text()
    assert ("damaged_in_storage" in log) == (folder != "runs")
    assert index_bytes(clean.output) == index_bytes(job.output)


def test_driver_gives_up_on_a_bad_disk(tmp_path: Path, clean: Job) -> None:
    """A file that is damaged again each time it is made ends the job with a clear error."""
    job = same_job(tmp_path, clean)

    def listen(progress: Progress) -> None:
        if progress.event is not None and progress.event.get("done") == "shard-00000":
            (path,) = (job.output / "shards").glob("shard-00000.*")
            spoil(path, "gone")

    with pytest.raises(IntegrityError, match="check the disk"):
        job.run(1, listen)
    assert not (job.output / "manifest.json").exists()
