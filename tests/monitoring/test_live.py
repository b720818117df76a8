"""Claims about folders whose jobs are not over: each committed entry counts once, and no other."""

from __future__ import annotations

import fcntl
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sealedbeam.faults.journal import Fault, decode_journal, encode_journal
from sealedbeam.monitoring.live import LiveReader, read_live_view
from sealedbeam.monitoring.machine_errors import NO_ERRORS
from sealedbeam.monitoring.publish import METRICS
from sealedbeam.monitoring.textfile import render_ledger
from sealedbeam.pipeline.cli.observer import JobObserver
from sealedbeam.pipeline.config import canonical_json, configuration_hash
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.integrity.ledger import HopAccount, Outcome, merge_accounts
from sealedbeam.pipeline.integrity.reconcile import Verdict
from sealedbeam.pipeline.jobs.entry import Entry, encode_entry, entry_path
from sealedbeam.pipeline.jobs.lock import OPERATIONS, Operations
from sealedbeam.pipeline.jobs.settle import finish_job
from sealedbeam.pipeline.jobs.totals import HOPS

from tests.support.campaigns import flips, make_plan
from tests.support.faulty_jobs import prepare_job
from tests.support.jobs import SAMPLE
from tests.support.views import make_summary

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.faults.plan import Plan

    from tests.support.jobs import Job

CONFIGURATION = {
    "inputs": [[10, "0a0b0c0d"]],
    "options": {"protection": "correct", "seed": 7, "redundancy": "audit"},
}
PARTS = 4
COMMAND = "sealedbeam index a.warc.gz"


def make_open(root: Path) -> None:
    """Write what a job writes before it begins to work."""
    (root / "ledger").mkdir(parents=True)
    job = {"configuration": CONFIGURATION, "inputs": ["a.warc.gz"], "parts": PARTS}
    (root / "ledger" / "job.json").write_text(canonical_json(job))


def make_entry(number: int, records: int = 1, **changes: str) -> Entry:
    """Return the entry of a part with so many records, some of them damaged."""
    entry = Entry(
        changes.get("task", f"part-{number:05d}"),
        changes.get("configuration_hash", configuration_hash(CONFIGURATION)),
    )
    for record in range(records):
        cell = entry.hop("pages").cell(("oslo", "lima")[record % 2], 60 * (number % 2))
        cell.enter(list(Outcome)[record % 4], 100)
        cell.note_damage(f"machine-{record:05d}")
        cell.retry_attempts["bad_seal"] = cell.retry_attempts.get("bad_seal", 0) + 1
    entry.count("computations", "agreed", records)
    return entry


def commit(root: Path, entry: Entry) -> None:
    """Commit an entry as a job does: aside first, then renamed."""
    path = root / entry_path(entry.task)
    aside = path.with_name(f".{path.name}.0123456789ab.attempt")
    aside.write_bytes(encode_entry(entry))
    aside.replace(path)


def summed(entries: list[Entry]) -> dict[str, HopAccount]:
    """Return the sum of entries as the job itself makes it."""
    merged = merge_accounts(entry.hops for entry in entries)
    return {hop: merged.get(hop, HopAccount()) for hop in HOPS}


def as_json(hops: object) -> object:
    assert isinstance(hops, dict)
    return {hop: account.to_json() for hop, account in hops.items()}


STEPS = st.lists(st.tuples(st.integers(0, PARTS - 1), st.integers(0, 5)), max_size=12)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(steps=STEPS)
def test_view_is_the_sum_of_what_is_committed(
    steps: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever is committed, replaced and taken back meanwhile, a reader has what stands there."""
    root = tmp_path_factory.mktemp("job")
    make_open(root)
    reader, standing = LiveReader(root), dict[int, Entry]()
    before = [(reader.read(), as_json(reader.read().hops))]
    for number, records in steps:
        if records:
            standing[number] = make_entry(number, records)
            commit(root, standing[number])
        elif standing.pop(number, None):
            (root / entry_path(f"part-{number:05d}")).unlink()
        view = reader.read()
        before.append((view, as_json(view.hops)))
        assert as_json(summed(list(standing.values()))) == as_json(view.hops)
        assert {"pending": PARTS - len(standing), "committed": len(standing)} == view.parts
        agreed = sum(entry.counts["computations"].get("agreed", 0) for entry in standing.values())
        assert agreed == view.audit.get("agreed", 0)
    for view, hops in before:  # what was handed out once is never changed
        assert hops == as_json(view.hops)


def test_nothing_new_gives_the_very_same_view(tmp_path: Path) -> None:
    """A reader that finds nothing changed makes nothing anew."""
    make_open(tmp_path)
    commit(tmp_path, make_entry(0))
    reader = LiveReader(tmp_path)
    first = reader.read()
    assert first is reader.read()
    commit(tmp_path, make_entry(1))
    assert first is not reader.read()


def test_what_is_no_committed_entry_of_this_job_counts_nothing(tmp_path: Path) -> None:
    """Attempts, damaged entries, those of other jobs and what vanishes while it is read are not."""
    make_open(tmp_path)
    folder = tmp_path / "ledger"
    commit(tmp_path, make_entry(0, 3))
    expected = as_json(read_live_view(tmp_path).hops)
    data = encode_entry(make_entry(1, 3))
    (folder / ".part-00001.json.0123456789ab.attempt").write_bytes(data)
    (folder / "part-00001.json").write_bytes(data.replace(b'"records":2', b'"records":3', 1))
    commit(tmp_path, make_entry(2, 3, configuration_hash="0" * 64))
    (folder / "part-00003.json").symlink_to(folder / "gone")
    (folder / "duplicates.json").mkdir()
    (folder / "shard-00000.json").write_bytes(b"[" * 100_000)
    (folder / "shard-00001.json").write_bytes(b"{")
    view = read_live_view(tmp_path)
    assert expected == as_json(view.hops)
    assert view.parts == {"pending": PARTS - 1, "committed": 1}
    (folder / "part-00001.json").write_bytes(data)
    assert read_live_view(tmp_path).parts["committed"] == 2


def test_open_job_is_running_while_its_driver_lives(tmp_path: Path) -> None:
    """The log's lock tells; the verdict is open, and says nothing of an imbalance."""
    make_open(tmp_path)
    commit(tmp_path, make_entry(0, 2))
    reader = LiveReader(tmp_path)
    with Operations(tmp_path) as operations:
        operations.note(started="hash", command=COMMAND, parts=PARTS)
        view = reader.read()
    assert (view.status, view.verdict, view.command) == ("running", "open", COMMAND)
    assert (view.reconciliation.imbalance_records, view.findings) == (0, ())
    assert {name: view.summary[name] for name in ("protection", "seed")} == {
        "protection": "correct",
        "seed": 7,
    }
    view = reader.read()
    assert (view.status, view.verdict) == ("stopped", "open")
    assert view.success_seconds is None


def test_looking_does_not_keep_a_job_from_its_log(tmp_path: Path) -> None:
    """A reader that has looked holds no lock: the next driver gets its own at once."""
    make_open(tmp_path)
    (tmp_path / OPERATIONS).touch()
    reader = LiveReader(tmp_path)
    reader.read()
    with (tmp_path / OPERATIONS).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_failed_job_is_told_until_it_runs_again(tmp_path: Path) -> None:
    """The summary of a run that failed holds until the next one begins."""
    make_open(tmp_path)
    commit(tmp_path, make_entry(0, 2))
    summary = make_summary(status="failed", ledger="unknown", reason="too many dropped")
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    reader = LiveReader(tmp_path)
    view = reader.read()
    assert (view.status, view.verdict) == ("failed", "unknown")
    assert view.findings == ("too many dropped",)
    with Operations(tmp_path):
        view = reader.read()
    assert (view.status, view.verdict) == ("running", "open")


def test_imbalance_of_a_failed_job_is_counted(tmp_path: Path) -> None:
    """Where the summary says that the ledger is out, the entries say by how much."""
    make_open(tmp_path)
    entry = make_entry(0, 2)
    entry.hop("pages").sealed.records = 5
    commit(tmp_path, entry)
    summary = make_summary(status="failed", ledger="imbalanced")
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    view = read_live_view(tmp_path)
    assert view.reconciliation.verdict is Verdict.IMBALANCED
    assert view.reconciliation.imbalance_records == 5
    assert any("5 sealed" in finding for finding in view.findings)


@pytest.mark.parametrize("line", [b'{"time": 1, "ended"', b'{"ended": "complete"}', b'"started"'])
def test_log_that_is_cut_short_is_read_as_far_as_it_goes(tmp_path: Path, line: bytes) -> None:
    """A line that is not whole, or says nothing that is known, changes nothing."""
    make_open(tmp_path)
    begun = json.dumps({"time": 1.0, "started": "hash", "command": COMMAND}).encode()
    (tmp_path / OPERATIONS).write_bytes(begun + b"\n" + line)
    assert read_live_view(tmp_path).command == COMMAND


def test_folder_without_a_job_is_refused(tmp_path: Path) -> None:
    """Without its file there is no job to show; a damaged one is told as such."""
    with pytest.raises(UsageError, match="holds no job"):
        LiveReader(tmp_path)
    make_open(tmp_path)
    (tmp_path / "ledger" / "job.json").write_bytes(b"[]")
    with pytest.raises(UsageError, match="is damaged"):
        LiveReader(tmp_path)


def plan_much(seed: int = 3) -> Plan:
    """Return a plan in which every rung of the ladder is needed, and machines count errors."""
    return make_plan(
        flips("single_bit", 200),
        flips("double_bit", 300),
        seed=seed,
        counters={"acceleration": 1e9},
        outages=[{"scope": "rack", "cluster": "dublin", "start_seconds": 0, "seconds": 60}],
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Job:
    """Return a finished job under faults, whose views were published."""
    job = prepare_job([SAMPLE], tmp_path_factory.mktemp("job") / "index", plan_much())
    job.map_here()
    job.duplicates_here()
    job.reduce_here()
    with Operations(job.output) as operations:
        operations.note(started="hash", command=COMMAND)
        finish_job(job.context, JobObserver(COMMAND, job.context.scenario), 0.0)
        operations.note(ended="complete")
    return job


def test_finished_job_reads_as_it_was_published(finished: Job) -> None:
    """The folder alone gives the metrics that the job itself wrote, and when it was done."""
    view = read_live_view(finished.output)
    assert (view.status, view.verdict, view.command) == ("complete", "balanced", COMMAND)
    assert view.success_seconds is not None
    expected = (finished.output / METRICS).read_bytes()
    assert expected == render_ledger(replace(view, success_seconds=None))
    assert len(expected) < len(render_ledger(view))


def test_exported_totals_are_those_of_the_committed_ledger(finished: Job) -> None:
    """Every count in metrics.prom is the sum of what the entries say, to the unit."""
    lines = (finished.output / METRICS).read_text().splitlines()
    totals: dict[str, float] = {}
    for line in lines:
        if line.startswith("sealedbeam_"):
            name, value = line.partition("{")[0].split()[0], line.rpartition(" ")[2]
            totals[name] = totals.get(name, 0) + float(value)
    cells = [a.total() for entry in finished.entries() for a in entry.hops.values()]
    assert sum(cell.retried for cell in cells) > 0
    assert sum(cell.records for cell in cells) == totals["sealedbeam_records_total"]
    assert sum(cell.bytes for cell in cells) == totals["sealedbeam_record_bytes_total"]
    for name, field in (
        ("sealedbeam_corrected_bits_total", "corrected_bits"),
        ("sealedbeam_retry_attempts_total", "retry_attempts"),
        ("sealedbeam_dropped_records_total", "dropped_reasons"),
    ):
        expected = sum(sum(getattr(cell, field).values()) for cell in cells)
        assert expected == totals[name]


def test_open_job_has_its_counters_from_the_start(finished: Job, tmp_path: Path) -> None:
    """What machines counted is there before any part has committed, journals' errors are not."""
    (tmp_path / "ledger").mkdir()
    (tmp_path / "faults").mkdir()
    for name in ("ledger/job.json", "faults/plan.json", "faults/counters.parquet"):
        (tmp_path / name).write_bytes((finished.output / name).read_bytes())
    (tmp_path / "faults" / "journal-00000.parquet").write_bytes(b"being written")
    view = read_live_view(tmp_path)
    assert len(view.counters) > 0
    assert view.journal_errors is NO_ERRORS or len(view.journal_errors) == 0
    assert view.campaign is not None
    assert (view.campaign.injected, view.campaign.counter_bin_seconds) == ({}, 10)
    assert view.parts == {"pending": 1, "committed": 0}


def test_journal_counts_once_it_is_as_it_was_committed(finished: Job, tmp_path: Path) -> None:
    """One that another attempt is about to replace is left out; the one committed counts."""
    for name in ("ledger/job.json", "faults/plan.json", "ledger/part-00000.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes((finished.output / name).read_bytes())
    journal = "faults/journal-00000.parquet"
    other = Fault("0", "single_bit", "pages", "00", "0", (1,), "oregon", "m", 0, 1)
    (tmp_path / journal).write_bytes(encode_journal([other]))
    campaign = read_live_view(tmp_path).campaign
    assert campaign is not None
    assert campaign.injected == {}
    (tmp_path / journal).write_bytes((finished.output / journal).read_bytes())
    campaign = read_live_view(tmp_path).campaign
    assert campaign is not None
    faults = decode_journal((finished.output / journal).read_bytes())
    assert sum(campaign.injected.values()) == len(faults) > 1
