"""Pages that kill, stop or fill the worker that works on them end alone in quarantine."""

from __future__ import annotations

import gzip
import json
import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.jobs.audit import audit
from sealedbeam.pipeline.jobs.map_job import derive_runs
from sealedbeam.pipeline.jobs.poison import (
    CRASHES_WORKER,
    EXCEEDS_MEMORY,
    EXCEEDS_TIME,
    RAISES,
    Skip,
)
from sealedbeam.pipeline.jobs.prepare import claim
from sealedbeam.pipeline.jobs.tasks import execute, map_task
from sealedbeam.pipeline.parquet import read_checked
from sealedbeam.pipeline.warc.values import Container

from tests.support.archives import pack, page_record, response_record, warcinfo_record
from tests.support.jobs import Job, all_bytes, left_over, quarantined
from tests.support.poison import poison_page, poisoned_path
from tests.support.processes import await_end, children, children_of, started

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.pipeline.jobs.finish import Finished
    from sealedbeam.pipeline.jobs.index_job import Progress

    from tests.support.archives import Archive

PAGES = 12
SOON = 2.0
OPTIONS: dict[str, Any] = {"worker_memory_bytes": 512 << 20}

# Runs a job and says each time that something happens.
DRIVER = """
import json, os, sys
from sealedbeam.pipeline.jobs.context import JobContext
from sealedbeam.pipeline.jobs.finish import Unobserved
from sealedbeam.pipeline.jobs.index_job import run_index_job

os.environ["PYTHONPATH"] = sys.argv[2]  # of the workers
context = JobContext.from_json(sys.argv[1])
run_index_job(context, Unobserved(), 2, lambda step: print(json.dumps(step.event), flush=True))
"""


@pytest.fixture(autouse=True)
def _suffering(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the workers suffer from poison."""
    monkeypatch.setenv("PYTHONPATH", poisoned_path())


def archive_with(
    *poison: tuple[int, str, str], container: Container = Container.GZIP_MEMBERS
) -> Archive:
    """Return an archive some of whose pages are poison."""
    pages = {number: page_record(number, body_bytes=300) for number in range(PAGES)}
    pages |= {number: poison_page(number, stage, harm) for number, stage, harm in poison}
    return pack([warcinfo_record(), *pages.values()], container)


def make(folder: Path, archive: Archive, output: str = "index", **options: Any) -> Job:
    return Job.make(
        folder,
        {"a.warc.gz": archive.data},
        output=output,
        **({"part_bytes": 1500} | OPTIONS | options),
    )


def run(job: Job, workers: int = 2) -> tuple[Finished, list[dict[str, Any]]]:
    """Run a job to its end; return the result, and the deaths of its workers."""
    deaths: list[dict[str, Any]] = []

    def listen(progress: Progress) -> None:
        if progress.event and "lost_worker" in progress.event:
            deaths.append(progress.event)

    result = job.run(workers, listen)
    assert result is not None
    assert children() == []
    assert left_over(job.output) == []
    return result, deaths


def told(folder: Path, job: Job, skips: list[Skip]) -> Job:
    """Do the same job in this process, which nothing harms, told what to skip."""
    config = job.context.config.model_dump()
    same = Job.make(folder, job.context.paths, output="told", **config)
    claim(same.context)
    for part in same.parts():
        execute(same.context, replace(map_task(part), skips=tuple(skips)))
    same.run_here()
    return same


def skipped(job: Job) -> list[Skip]:
    """Return the skips that the ledger lists."""
    lists = [entry.details["skipped"] for entry in job.entries() if "skipped" in entry.details]
    return [Skip(*skip) for skips in lists for skip in skips]


def documents_of(output: Path) -> dict[int, dict[str, Any]]:
    rows = [
        row
        for path in (output / "documents").glob("*")
        for row in read_checked(path.read_bytes()).to_pylist()
    ]
    return {row["doc_id"]: row for row in rows}


def assert_only(job: Job, folder: Path, archive: Archive, expected: dict[int, str]) -> None:
    """Assert that these records of an archive are in quarantine, by their reasons, and only they.

    All others are as in a job that nothing harms; the ledger says what was left out.
    """
    records = archive.records
    places = {records[number].offset: reason for number, reason in expected.items()}
    rows = quarantined(job.output)
    assert places == {row.source_offset: row.reason for row in rows}
    for row in rows:
        record = next(found for found in records if found.offset == row.source_offset)
        assert (row.source_length, row.raw_length) == (record.length, record.length)
        assert row.raw == archive.data[record.offset : record.end]
        assert row.attempts >= 2
    assert places == {skip.offset: skip.reason for skip in skipped(job)}
    assert audit(job.output).findings == []
    healthy = Job.make(
        folder, job.context.paths, output="healthy", **job.context.config.model_dump()
    )
    healthy.run_here()
    documents = documents_of(healthy.output)
    others = {
        number: row for number, row in documents.items() if row["source_offset"] not in places
    }
    assert len(documents) - len(others) == len(expected)
    assert others == documents_of(job.output)
    assert all_bytes(told(folder, job, skipped(job)).output) == all_bytes(job.output)


HARMS = [
    ("parse", "segv", CRASHES_WORKER, 2),
    ("parse", "abort", CRASHES_WORKER, 2),
    ("parse", "kill", CRASHES_WORKER, 3),
    ("parse", "hang", EXCEEDS_TIME, 2),
    ("parse", "memory", EXCEEDS_MEMORY, 0),
    ("parse", "error", f"{RAISES}LookupError", 0),
    ("segment", "segv", CRASHES_WORKER, 4),
    ("segment", "memory", EXCEEDS_MEMORY, 4),
]


@pytest.mark.parametrize(("stage", "harm", "reason", "deaths"), HARMS)
def test_poison_ends_alone_in_quarantine(
    tmp_path: Path, stage: str, harm: str, reason: str, deaths: int
) -> None:
    """Whatever a page does to its worker, it alone is set aside, and the job is complete."""
    archive = archive_with((5, stage, harm))
    limits: dict[str, Any] = {"record_seconds": SOON} if harm == "hang" else {}
    job = make(tmp_path, archive, **limits)
    result, died = run(job)
    assert (result.exit_code, result.summary["status"]) == (0, "complete")
    assert result.summary["ledger"] == "balanced"
    pages = result.summary["pages"]
    assert (pages["read"], pages["indexed"], pages["quarantined"]) == (PAGES, PAGES - 1, 1)
    assert len(died) == deaths
    assert_only(job, tmp_path, archive, {6: reason})


def test_several_poison_pages(tmp_path: Path) -> None:
    """Two in one part, one in the last part, and copies of each other: all end in quarantine."""
    poison = [(2, "parse", "segv"), (3, "segment", "segv"), (PAGES - 1, "parse", "segv")]
    pages = {number: page_record(number, body_bytes=300) for number in range(PAGES)}
    pages |= {number: poison_page(number, stage, harm) for number, stage, harm in poison}
    pages[7] = response_record("http://copy.example/7", pages[2].body)
    pages[8] = response_record("http://copy.example/8", pages[PAGES - 1].body)
    archive = pack([warcinfo_record(), *pages.values()])
    job = make(tmp_path, archive, part_bytes=3000)
    result, _ = run(job, workers=1)
    assert result.exit_code == 0
    reasons = dict.fromkeys((3, 4, 8, 9, PAGES), CRASHES_WORKER)
    assert_only(job, tmp_path, archive, reasons)


def test_poison_in_one_gzip_stream(tmp_path: Path) -> None:
    """Where nothing can be read again from its middle, poison pages are set aside all the same."""
    poison = (3, "parse", "segv"), (7, "parse", "segv")
    archive = archive_with(*poison, container=Container.GZIP_WHOLE)
    job = make(tmp_path, archive)
    result, _ = run(job)
    assert result.exit_code == 0
    inflated = gzip.decompress(archive.data)
    expected = [inflated[archive.records[n].offset : archive.records[n].end] for n in (4, 8)]
    assert expected == [row.raw for row in quarantined(job.output)]
    assert all_bytes(told(tmp_path, job, skipped(job)).output) == all_bytes(job.output)


@pytest.mark.parametrize("container", [Container.GZIP_MEMBERS, Container.GZIP_WHOLE])
def test_record_that_kills_its_reader(tmp_path: Path, container: Container) -> None:
    """A record that cannot even be read is set aside with its bytes; reading goes on behind it.

    In one compressed stream nothing can be left out: what follows in it is set aside, too.
    """
    archive = archive_with((5, "read", "segv"), container=container)
    job = make(tmp_path, archive, part_bytes=1 << 20)
    result, died = run(job)
    assert (result.exit_code, len(died)) == (0, 2)
    (row,) = quarantined(job.output)
    whole = container.is_stream
    record = archive.records[6]
    assert (row.stage, row.reason, row.attempts) == ("read", CRASHES_WORKER, 2)
    assert (row.source_offset, row.source_length) == (record.offset, 0 if whole else record.length)
    assert row.raw == (b"" if whole else archive.data[record.offset : record.end])
    assert result.summary["inputs"]["damaged_regions"] == 1
    expected = {number for number in range(PAGES) if number != 5 and not (whole and number > 5)}
    pages = {int(row["url"].rpartition("/")[2]) for row in documents_of(job.output).values()}
    assert expected == pages
    assert audit(job.output).findings == []
    assert all_bytes(told(tmp_path, job, skipped(job)).output) == all_bytes(job.output)


def test_record_that_kills_its_reader_at_a_boundary(tmp_path: Path) -> None:
    """A part whose search for its first record kills gets its start from its neighbour."""
    archive = archive_with((5, "read", "segv"))
    job = make(tmp_path, archive, part_bytes=archive.records[6].offset - 1)
    result, _ = run(job)
    assert result.exit_code == 0
    rows = quarantined(job.output)
    record = archive.records[6]
    assert [(row.source_offset, row.source_length) for row in rows] == [
        (record.offset, record.length)
    ]
    assert result.summary["pages"]["indexed"] == PAGES - 1
    assert audit(job.output).findings == []


@pytest.mark.parametrize("steps", [1, 3])
def test_search_goes_on_after_the_driver_was_killed(tmp_path: Path, steps: int) -> None:
    """Killed in the middle of the search, the same command finds the same, to the same bytes."""
    archive = archive_with((4, "segment", "segv"), (5, "parse", "segv"))
    undisturbed = make(tmp_path, archive, output="undisturbed", part_bytes=3000)
    run(undisturbed)
    job = make(tmp_path, archive, part_bytes=3000)
    with started([sys.executable, "-c", DRIVER, job.context.to_json(), poisoned_path()]) as process:
        assert process.stdout is not None
        seen = 0
        while seen < steps:
            seen += "lost_worker" in (json.loads(process.stdout.readline()) or {})
        workers = children_of(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        await_end(workers)
    run(job)
    assert all_bytes(undisturbed.output) == all_bytes(job.output)


def test_limits_do_not_make_another_job(tmp_path: Path) -> None:
    """A job that stood still goes on with other limits; what was skipped stays in its ledger."""
    archive = archive_with((5, "parse", "segv"))
    job = make(tmp_path, archive)
    run(job)
    same = make(tmp_path, archive, record_seconds=99.0, worker_memory_bytes=1 << 30)
    assert job.context.configuration_hash == same.context.configuration_hash
    assert same.run(1) is None


def test_runs_of_a_part_with_poison_can_be_derived(tmp_path: Path) -> None:
    """A reduce worker that makes a part's runs again does not touch what killed before."""
    archive = archive_with((5, "parse", "segv"))
    job = make(tmp_path, archive, part_bytes=1 << 20, keep_runs=True)
    run(job)
    (entry,) = (found for found in job.entries() if found.task.startswith("part-"))
    derived = derive_runs(job.context, entry)
    stored = {
        (found.kind, found.shard): job.context.store.read(found.path, found.offset, found.length)
        for found in entry.runs
    }
    assert len(derived) == len(stored)
    for name, payload in derived.items():
        _, kind, _, shard = name.decode().split("/")
        assert payload in stored[kind, int(shard)]


def test_deaths_are_written_down(tmp_path: Path) -> None:
    """The log of operations says of each death what was in hand, and what followed from it."""
    archive = archive_with((5, "parse", "hang"))
    job = make(tmp_path, archive, part_bytes=1 << 20, record_seconds=SOON)
    run(job, workers=1)
    lines = (job.output / "operations.jsonl").read_text().splitlines()
    events = [event for event in map(json.loads, lines) if "lost_worker" in event]
    offset = archive.records[6].offset
    expected = {"task": "part-00000", "reason": "deadline", "stage": "parse", "exit": -9}
    for event in events:
        assert event | expected | {"source": 0, "offset": offset} == event
    skip = [offset, "parse", EXCEEDS_TIME, 2]
    assert [event["set_aside"] for event in events] == [[], [skip]]


@pytest.mark.parametrize("workers", [1, 2])
def test_stopped_worker_is_replaced(tmp_path: Path, workers: int) -> None:
    """A worker that was stopped holds nobody up, and is gone before another does its task.

    It cannot wake afterwards and write for a task that is no longer its own.
    """
    archive = archive_with()
    expected = make(tmp_path, archive, output="expected", part_bytes=400)
    expected.run_here()
    stopped: list[int] = []

    def stop(progress: Progress) -> None:
        if progress.event and "done" in progress.event and not stopped:
            stopped.append(children()[0])
            os.kill(stopped[0], signal.SIGSTOP)
        if progress.event and "lost_worker" in progress.event:
            assert stopped[0] not in children()

    job = make(tmp_path, archive, part_bytes=400, record_seconds=SOON)
    result = job.run(workers, stop)
    assert result is not None
    assert (result.exit_code, len(stopped)) == (0, 1)
    assert children() == []
    assert all_bytes(expected.output) == all_bytes(job.output)
