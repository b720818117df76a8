"""Verifies every byte of a crawl that has ended against its ledger, seals and indexes.

What is checked: the ledger has an entry for each task of each round, and each entry proves itself;
each file that the entries name and that is kept is there with its size and CRC-32C; the archives
can be read from end to end, their own digests agree, and their indexes name their records; each row
of the frontier has its seal, and the page that it places in an archive is there; the ledger adds up
to a balanced whole, and summary.json says what it says.

What is not: `seconds`, `faults` and `limits` of summary.json, operations.jsonl, and the views
(metrics.prom, faults.prom, report.html); whether a server would say the same again.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.crawl.frontier_store import FRONTIER, Damage, read_shard
from sealedbeam.pipeline.crawl.hosts import HOSTS as HOST_ROWS
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.jobs.audit import locate_damage
from sealedbeam.pipeline.jobs.entry import decode_entry, entry_path
from sealedbeam.pipeline.jobs.finish import PLAN, SUMMARY
from sealedbeam.pipeline.jobs.store import Store
from sealedbeam.pipeline.manifest import format_crc32c
from sealedbeam.pipeline.warc.listing import parse_listing
from sealedbeam.pipeline.warc.parts import PartReader
from sealedbeam.pipeline.warc.source import BytesSource
from sealedbeam.pipeline.warc.values import Container, Digest, Region

from .comparing import PAYLOADS
from .config import CrawlConfig
from .context import CrawlContext
from .names import (
    DIGESTS,
    FAULTS,
    HOSTS,
    JOB,
    QUARANTINE,
    SEEDS,
    WARC,
    compare_task,
    fetch_task,
    fold_task,
    select_task,
)
from .names import FRONTIER as FRONTIER_FOLDER
from .summary import judge, summarise

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sealedbeam.pipeline.crawl.sealed_rows import Layout
    from sealedbeam.pipeline.jobs.entry import Entry
    from sealedbeam.pipeline.manifest import FileEntry

_NOT_COMPARED = ("seconds", "faults", "limits")
_OF_FAULTS = ("status", "findings")
_LAYOUTS: Mapping[str, Layout[Any]] = {
    FRONTIER_FOLDER: FRONTIER,
    HOSTS: HOST_ROWS,
    DIGESTS: PAYLOADS,
}
_OF_ALL_ROUNDS = (WARC, QUARANTINE, FAULTS)
_ARCHIVE, _INDEX = ".warc.gz", ".cdxj"

Place = tuple[str, int]
"""A record's: the path of its archive, and its offset there."""


@dataclass(slots=True)
class CrawlAudit:
    """What an audit looked at, and every finding in one line."""

    files: int = 0
    bytes: int = 0
    records: int = 0
    rows: int = 0
    findings: list[str] = field(default_factory=list)
    sealed: bool = True


def audit_crawl(root: Path) -> CrawlAudit:
    """Verify the crawl in `root`.

    Raises:
        UsageError: it has not ended, so that there is nothing to verify against.
    """
    store = Store(root)
    summary = _read_summary(store)
    audit = _Audit(store, summary["rounds"])
    audit.run(summary)
    return audit.report


def _read_summary(store: Store) -> dict[str, Any]:
    try:
        summary = json.loads(store.read(SUMMARY))
        rounds = summary["rounds"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        rounds = None
    if not isinstance(rounds, int) or store.exists(entry_path(select_task(rounds + 1))):
        raise UsageError(
            f"the crawl in {store.name} has not ended; run the same crawl command again to go on "
            "with it"
        )
    return dict(summary)


class _Audit:
    """One audit."""

    def __init__(self, store: Store, rounds: int) -> None:
        self.report = CrawlAudit(files=1)
        self._store = store
        self._rounds = rounds
        self._places: dict[Place, str] = {}

    def run(self, summary: dict[str, Any]) -> None:
        """Look at everything."""
        findings = self.report.findings
        try:
            context = _context(self._store)
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            what = f"{JOB} or {PLAN}" if self._store.exists(PLAN) else JOB
            findings.append(f"{what} is damaged; without it nothing else can be verified")
            return
        self.report.sealed = context.policy.protection.seals
        entries = list(self._read_entries(context))
        known = self._check_files(entries)
        self._name_strangers(known | {entry_path(entry.task) for entry in entries})
        if findings:
            return  # what is damaged was named; no sum over it means anything
        totals = judge(context, entries)
        findings += [*totals.reconciliation.findings, *totals.too_many_dropped]
        latest = [entry for entry in entries if entry.task.startswith(f"fold-{self._rounds:04d}-")]
        expected = summarise(context, totals, latest, self._rounds)
        unequal = _NOT_COMPARED + (_OF_FAULTS if "faults" in summary else ())
        for name in sorted({*expected, *summary} - set(unequal)):
            if summary.get(name) != json.loads(json.dumps(expected.get(name))):
                findings.append(f"{SUMMARY}: {name} is not what the ledger says")

    def _read_entries(self, context: CrawlContext) -> Iterator[Entry]:
        """Yield the entries of all tasks of all rounds; name those that are missing."""
        yield from self._read_entry(context, SEEDS)
        for number in range(self._rounds + 1):
            buckets = 0
            for entry in self._read_entry(context, select_task(number)) if number else ():
                buckets = int(entry.details["buckets"])
                yield entry
            for bucket in range(buckets):
                yield from self._read_entry(context, fetch_task(number, bucket))
            if number:
                yield from self._read_entry(context, compare_task(number))
            for shard in range(context.config.shards):
                yield from self._read_entry(context, fold_task(number, shard))

    def _read_entry(self, context: CrawlContext, task: str) -> Iterator[Entry]:
        path = entry_path(task)
        try:
            data = self._store.read(path)
            entry = decode_entry(data, path)
        except OSError as error:
            self._find(f"{path} cannot be read: {error.strerror}")
        except IntegrityError as error:
            self._find(str(error))
        else:
            self.report.files += 1
            self.report.bytes += len(data)
            if entry.configuration_hash != context.configuration_hash:
                self._find(f"{path} does not belong to the crawl that {JOB} names")
            yield entry

    def _check_files(self, entries: Sequence[Entry]) -> set[str]:
        """Look at all files that are kept, archives first; return their paths."""
        latest = (f"fold-{self._rounds:04d}-", compare_task(self._rounds))
        files = [
            file
            for entry in entries
            for file in entry.files
            if file.path.startswith(tuple(f"{folder}/" for folder in _OF_ALL_ROUNDS))
            or (
                entry.task.startswith(latest)
                and file.path.startswith(tuple(f"{folder}/" for folder in _LAYOUTS))
            )
        ]
        files.sort(key=lambda file: (not file.path.endswith(_ARCHIVE), file.path))
        for file in files:
            data = self._read_file(file)
            if data is not None:
                self._check_content(file.path, data)
        return {file.path for file in files}

    def _read_file(self, file: FileEntry) -> bytes | None:
        try:
            data = self._store.read(file.path)
        except OSError as error:
            self._find(f"{file.path} cannot be read: {error.strerror}")
            return None
        self.report.files += 1
        self.report.bytes += len(data)
        if len(data) != file.bytes or format_crc32c(crc32c(data)) != file.crc32c:
            self._find(locate_damage(file, data))
            return None
        return data

    def _check_content(self, path: str, data: bytes) -> None:
        folder = path.partition("/")[0]
        if path.endswith(_ARCHIVE):
            self._check_archive(path, data)
        elif path.endswith(_INDEX):
            self._check_index(path, data)
        elif folder in _LAYOUTS:
            self._check_rows(path, data, _LAYOUTS[folder])

    def _check_archive(self, path: str, data: bytes) -> None:
        """Read an archive from end to end."""
        source = BytesSource(data)
        for found in PartReader(source, Container.GZIP_MEMBERS, 0, len(data), exact_start=True):
            if isinstance(found, Region):
                self._find(f"{path} cannot be read at {found.offset}: {found.reason}")
                continue
            self.report.records += 1
            if found.digest is Digest.BAD:
                self._find(f"{path}: the record at {found.offset} is not as digested")
            if found.page is not None:
                self._places[path, found.offset] = found.page.url

    def _check_index(self, path: str, data: bytes) -> None:
        """Compare an index with the records of its archive."""
        archive = path.removesuffix(_INDEX) + _ARCHIVE
        for capture in parse_listing(path, data).captures:
            self._check_place(path, (archive, capture.offset or 0), capture.url)

    def _check_rows(self, path: str, data: bytes, layout: Layout[Any]) -> None:
        """Look at the seals of rows, and at where those of the frontier place pages."""
        for group in read_shard(io.BytesIO(data), layout):
            if isinstance(group, Damage):
                self._find(f"{path}: row group {group.row_group}: {group.reason}")
                continue
            self.report.rows += len(group)
            if layout is FRONTIER:
                columns = group.select(["url", "warc_file", "warc_offset"]).to_pydict().values()
                for url, archive, offset in zip(*columns, strict=True):
                    if archive:
                        self._check_place(path, (archive, offset), url)

    def _check_place(self, path: str, place: Place, url: str) -> None:
        if self._places.get(place) != url:
            archive, offset = place
            self._find(f"{path}: {url} is not at {offset} of {archive}")

    def _find(self, finding: str) -> None:
        self.report.findings.append(finding)

    def _name_strangers(self, known: set[str]) -> None:
        """Name files that lie among those of the crawl, where others would take them for it."""
        for folder in (*_LAYOUTS, *_OF_ALL_ROUNDS, "ledger"):
            for path in self._store.names(folder):
                if path not in known and not path.startswith((PLAN, "faults/counters")):
                    self._find(f"{path} does not belong to the crawl")


def _context(store: Store) -> CrawlContext:
    """Return the crawl that a folder's own file describes; raises ValueError if it does not."""
    data = store.read(JOB)
    configuration = json.loads(data)
    config = CrawlConfig.model_validate(configuration["options"])
    scenario = store.read(PLAN).decode() if store.exists(PLAN) else ""
    context = CrawlContext(str(store.root), config, PerfectChannel().reference(), scenario)
    if canonical_json(context.configuration).encode() + b"\n" != data:
        raise ValueError("this is not what the options give")
    return context
