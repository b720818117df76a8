"""Ends a job: adds up the ledger, judges it, writes summary and views, and the manifest last."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.integrity.reconcile import Verdict
from sealedbeam.pipeline.manifest import (
    FILE_NAME,
    FileEntry,
    InputEntry,
    Manifest,
    decode_manifest,
    encode_manifest,
    format_crc32c,
)
from sealedbeam.pipeline.manifest import (
    Totals as ManifestTotals,
)

from .entry import entry_path
from .expect import LISTING, compare_inputs, counts_of, encode_differences
from .plan import plan_parts
from .totals import summarise, total, unreadable_inputs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .context import JobContext
    from .entry import Entry
    from .store import Store
    from .totals import Totals

OUTPUT_FOLDERS = ("documents", "runs", "shards", "quarantine", "ledger", "faults")
SUMMARY = "summary.json"
JOB = "ledger/job.json"
PLAN = "faults/plan.json"
PARTS = "parts"
COMPLETE, INCOMPLETE, FAILED = "complete", "incomplete", "failed"


class Observer(Protocol):
    """What looks at a job's results from outside: the fault campaign and the monitoring."""

    @property
    def command(self) -> str:
        """The command line that runs the job, empty where there is none."""

    def count_faults(self, journals: Sequence[bytes]) -> dict[str, int] | None:
        """Return the fault figures of the summary, None without a scenario."""

    def judge_faults(self, figures: dict[str, int], *, sealed: bool) -> list[str]:
        """Return why a job with these fault figures has failed; nothing when it has not."""

    def publish(self, context: JobContext, totals: Totals, summary: dict[str, Any]) -> None:
        """Write views of the ledger into the output folder."""


class Unobserved:
    """Looks at nothing and writes no views."""

    command = ""

    def count_faults(self, journals: Sequence[bytes]) -> dict[str, int] | None:  # noqa: ARG002
        """Return None: no scenario."""
        return None

    def judge_faults(self, figures: dict[str, int], *, sealed: bool) -> list[str]:  # noqa: ARG002
        """Return no objection."""
        return []

    def publish(self, context: JobContext, totals: Totals, summary: dict[str, Any]) -> None:
        """Write nothing."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a job ended: its summary, and every reason why it is not simply complete."""

    summary: dict[str, Any]
    findings: tuple[str, ...]
    exit_code: int


def finish(
    context: JobContext, entries: Sequence[Entry], observer: Observer, seconds: float
) -> Finished:
    """Judge the ledger and end the job.

    Args:
        context: the job.
        entries: of all its tasks, in the order parts, duplicates, shards.
        observer: told of the results before the manifest appears.
        seconds: how long this run of the job took.
    """
    totals = total(context, entries)
    store, sealed = context.store, context.policy.protection.seals
    journals = [
        store.read(file.path)
        for entry in entries
        for file in entry.files
        if file.path.startswith("faults/")
    ]
    faults = observer.count_faults(journals)
    objections = [] if faults is None else observer.judge_faults(faults, sealed=sealed)
    unreadable = unreadable_inputs(context)
    status = COMPLETE if not unreadable else INCOMPLETE
    if objections or not totals.passes:
        status = FAILED
    summary = summarise(context, totals, status)
    if faults is not None:
        summary["faults"] = faults
    summary["seconds"] = round(seconds, 3)
    if context.expect:
        differences = compare_inputs(context)
        store.write(LISTING, encode_differences(differences))
        summary["inputs"] |= counts_of(differences)
    files = _files(context, entries)
    kept = {file.path for file in files}
    runs = {run.path for entry in entries for run in entry.runs}
    store.sweep(kept | runs, OUTPUT_FOLDERS)
    store.write(SUMMARY, json.dumps(summary, indent=1).encode() + b"\n")
    observer.publish(context, totals, summary)
    if status != FAILED:
        if store.shared and store.read(JOB) != job_json(context):
            raise IntegrityError(
                f"another job has claimed {store.name} meanwhile; index into an output of its own"
            )
        store.write(FILE_NAME, encode_manifest(_manifest(context, files, summary)))
        tidy(store)
    findings = (
        *totals.reconciliation.findings,
        *totals.too_many_dropped,
        *objections,
        *(f"{path} is not a web archive that can be read" for path in unreadable),
    )
    return Finished(summary, findings, {COMPLETE: 0, INCOMPLETE: 4, FAILED: 3}[status])


def write_failure(context: JobContext, entries: Sequence[Entry], reason: str) -> None:
    """Write the summary of a job that cannot go on; `entries` are of its committed tasks.

    Where another machine has finished the job meanwhile, its summary stays.
    """
    if context.store.shared and context.store.exists(FILE_NAME):
        return
    summary = summarise(context, total(context, entries), FAILED)
    summary |= {"ledger": Verdict.UNKNOWN, "reason": reason}  # the sums of half a job say nothing
    context.store.write(SUMMARY, json.dumps(summary, indent=1).encode() + b"\n")


def tidy(store: Store) -> None:
    """Remove from a finished folder what a run left that was killed behind its manifest."""
    try:
        manifest = decode_manifest(store.read(FILE_NAME))
    except IntegrityError:
        return  # nothing can be told of such a folder; audit says so
    store.sweep({file.path for file in manifest.files}, OUTPUT_FOLDERS)


def covered_files(context: JobContext, entry: Entry) -> list[FileEntry]:
    """Return those of a task's files that the manifest will cover."""
    return [file for file in entry.files if context.keep_runs or not file.path.startswith("runs/")]


def _files(context: JobContext, entries: Sequence[Entry]) -> list[FileEntry]:
    """Return every file that the manifest covers, by path."""
    files = [file for entry in entries for file in covered_files(context, entry)]
    plan = (PLAN,) if context.scenario else ()
    listing = (LISTING,) if context.expect else ()
    given = (JOB, *plan, *context.attached, *listing)
    for path in (*given, *(entry_path(entry.task) for entry in entries)):
        data = context.store.read(path)
        files.append(FileEntry(path, len(data), format_crc32c(crc32c(data)), None, ()))
    return sorted(files, key=lambda file: file.path)


def _manifest(context: JobContext, files: Sequence[FileEntry], summary: dict[str, Any]) -> Manifest:
    return Manifest(
        context.configuration,
        context.configuration_hash,
        tuple(InputEntry(file.path, file.size, file.crc32c) for file in context.inputs),
        tuple(files),
        ManifestTotals(
            summary["documents"],
            summary["tokens"],
            summary["terms"],
            summary["postings"],
            summary["pages"],
        ),
        context.shards,
    )


def job_json(context: JobContext) -> bytes:
    """Return the file that marks a folder as this job's, written before any work."""
    content = {
        "configuration": context.configuration,
        "containers": [file.container for file in context.inputs],
        "inputs": list(context.paths),
        PARTS: len(plan_parts(context.inputs, context.config.part_bytes)),
    }
    return canonical_json(content).encode() + b"\n"
