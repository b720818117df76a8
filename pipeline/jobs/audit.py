"""Verifies every byte of a finished output against its manifest, seals and ledger.

What is checked: the manifest proves itself; each file that it names is there with its size and
CRC-32C, and a damaged one is narrowed down to the row group or footer; each stored document still
has the seal that its record had when it crossed its hop; the ledger entries add up to a balanced
whole; summary.json says what the ledger says.

What is not: `seconds` and `faults` of summary.json, operations.jsonl, and the views (metrics.prom,
report.html), which are made from the ledger; whether the inputs are still what they were.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.integrity.block import seal_record
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.manifest import FILE_NAME, decode_manifest, format_crc32c, name_part
from sealedbeam.pipeline.parquet import read_checked
from sealedbeam.pipeline.records import Document
from sealedbeam.pipeline.warc.values import Container

from .context import JobContext
from .entry import decode_entry
from .expect import LISTING, counts_of
from .finish import COMPLETE, FAILED, INCOMPLETE, JOB, SUMMARY
from .object_store import open_store
from .plan import InputFile
from .totals import summarise, total

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.pipeline.manifest import FileEntry, Manifest

    from .entry import Entry
    from .store import Store

_NOT_COMPARED = ("seconds", "faults")
_INDEX_FOLDERS = ("documents", "shards", "quarantine", "ledger")


@dataclass(slots=True)
class Audit:
    """What an audit looked at, and every finding in one line."""

    files: int = 0
    bytes: int = 0
    documents: int = 0
    findings: list[str] = field(default_factory=list)
    sealed: bool = True


def audit(root: Path) -> Audit:
    """Verify the output in `root`, a folder or a URL.

    Raises:
        UsageError: there is no manifest, so there is nothing to verify against.
    """
    store = open_store(root)
    if not store.exists(FILE_NAME):
        raise UsageError(f"{store.name} has no {FILE_NAME}: {_why_unfinished(store)}")
    report = Audit(files=1)
    try:
        manifest = decode_manifest(store.read(FILE_NAME))
    except IntegrityError as error:
        report.findings.append(f"{error}; without it nothing else can be verified")
        return report
    report.sealed = manifest.configuration["options"]["protection"] != "none"
    for file in manifest.files:
        _check_file(store, file, manifest, report)
    _name_strangers(store, manifest, report)
    _check_ledger(store, manifest, report)
    return report


def _why_unfinished(store: Store) -> str:
    """Say what is known of a job without a manifest, and what to do."""
    try:
        summary = json.loads(store.read(SUMMARY))
    except (OSError, ValueError, RecursionError):
        summary = {}
    if isinstance(summary, dict) and summary.get("status") == FAILED:
        return (
            f"the job there failed, {SUMMARY} and quarantine tell why; index into a new folder "
            "with another --on-damage, --protection or --max-dropped-ratio"
        )
    return "no job has finished there; run the same index command again to go on with it"


def _name_strangers(store: Store, manifest: Manifest, report: Audit) -> None:
    """Name files that lie among those of the index, where other readers would take them for it."""
    known = {file.path for file in manifest.files}
    for folder in _INDEX_FOLDERS:
        for path in store.names(folder):
            if path not in known:
                report.findings.append(f"{path} does not belong to the index")


def _check_file(store: Store, file: FileEntry, manifest: Manifest, report: Audit) -> None:
    try:
        data = store.read(file.path)
    except OSError as error:
        report.findings.append(f"{file.path} cannot be read: {error.strerror}")
        return
    report.files += 1
    report.bytes += len(data)
    if len(data) != file.bytes or format_crc32c(crc32c(data)) != file.crc32c:
        report.findings.append(locate_damage(file, data))
    elif file.path.startswith("documents/"):
        _check_documents(file.path, data, manifest, report)


def locate_damage(file: FileEntry, data: bytes) -> str:
    """Say what of a damaged file is damaged."""
    if len(data) != file.bytes:
        return f"{file.path} has {len(data)} bytes instead of {file.bytes}"
    view = memoryview(data)
    damaged = [
        name_part(file, number)
        for number, part in enumerate(file.parts)
        if format_crc32c(crc32c(view[part.offset : part.offset + part.length])) != part.crc32c
    ]
    return f"{file.path} is damaged: {', '.join(damaged) or f'[0..{len(data)})'}"


def _check_documents(path: str, data: bytes, manifest: Manifest, report: Audit) -> None:
    """Make each stored document's record again and compare its CRC-32C with its seal."""
    if manifest.configuration["options"]["protection"] == "none":
        return
    sources = {file.path: number for number, file in enumerate(manifest.inputs)}
    for row in read_checked(data).to_pylist():
        report.documents += 1
        if seal_record(_identity(row, sources), _payload(row)).crc != row["seal"]:
            report.findings.append(f"{path}: document {row['doc_id']} does not agree with its seal")


def _identity(row: dict[str, Any], sources: dict[str, int]) -> bytes:
    part, ordinal = divmod(row["doc_id"], 1 << 32)
    source = sources[row["source_file"]]
    return Origin(part, ordinal, source, row["source_offset"], row["source_length"]).encode()


def _payload(row: dict[str, Any]) -> bytes:
    return Document(
        row["url"],
        row["title"],
        row["text"],
        row["language"],
        row["status"],
        row["content_type"],
        row["charset"],
        row["fetched_at"],
        bytes.fromhex(row["content_digest"]),
        tuple(row["links"]),
    ).to_payload()


def _check_ledger(store: Store, manifest: Manifest, report: Audit) -> None:
    """Add the ledger up again and compare it with the verdict and the summary."""
    entries: list[Entry] = []
    for file in manifest.files:
        if file.path.startswith("ledger/") and file.path != JOB:
            try:
                entries.append(decode_entry(store.read(file.path), file.path))
            except (IntegrityError, OSError):
                return  # the file was named above; without it no sum means anything
    try:
        context = _context(store, manifest)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return  # the job file was named above
    totals = total(context, entries)
    report.findings += [*totals.reconciliation.findings, *totals.too_many_dropped]
    unreadable = any(not file.container.is_readable for file in context.inputs)
    expected = json.loads(
        json.dumps(summarise(context, totals, INCOMPLETE if unreadable else COMPLETE))
    )
    if any(file.path == LISTING for file in manifest.files):
        try:
            expected["inputs"] |= counts_of(json.loads(store.read(LISTING)))
        except (OSError, ValueError, TypeError, AttributeError, RecursionError):
            return  # the file was named above
    try:
        summary = dict(json.loads(store.read(SUMMARY)))
    except (OSError, ValueError, TypeError, RecursionError):
        report.findings.append(f"{SUMMARY} cannot be read; the ledger still can")
        return
    found = {key: value for key, value in summary.items() if key not in _NOT_COMPARED}
    report.findings += [
        f"{SUMMARY}: {key} is {found.get(key)}, the ledger says {expected.get(key)}"
        for key in sorted({*found, *expected})
        if found.get(key) != expected.get(key)
    ]


def _context(store: Store, manifest: Manifest) -> JobContext:
    """Return the job as far as its totals need it."""
    containers = json.loads(store.read(JOB))["containers"]
    inputs = tuple(
        InputFile(file.path, file.bytes, file.crc32c, Container(container))
        for file, container in zip(manifest.inputs, containers, strict=True)
    )
    config = JobConfig.model_validate(manifest.configuration["options"])
    return JobContext(store.name, inputs, config, PerfectChannel().reference())
