"""The view of a folder as it stands: while its job runs, after it was stopped, and when it is over.

Nothing here waits for the job, writes, or holds anything that it needs. What was read is read again
only when it changed, so that to look again costs one listing of the ledger.
"""

from __future__ import annotations

import fcntl
import json
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from sealedbeam.pipeline.config import configuration_hash
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.integrity.checksum import crc32c
from sealedbeam.pipeline.integrity.reconcile import Reconciliation, Verdict, reconcile
from sealedbeam.pipeline.manifest import FILE_NAME, format_crc32c

from .entries import CRAWL_HOPS, HOPS, EntryReader
from .fetches import CRAWL, read_fetches
from .machine_errors import NO_ERRORS, MachineErrors
from .view import (
    COMMITTED,
    JOB_FILE,
    OPEN,
    PENDING,
    PLAN_FILE,
    UNREADABLE,
    Campaign,
    SetAside,
    View,
    audit_of,
    count_set_aside,
    describe_job,
    read_counters_file,
    read_job,
    read_journal,
    read_plan,
    read_set_aside,
    sum_journals,
    with_faults,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from .entries import CommittedFile, LedgerSum

Read = TypeVar("Read")

RUNNING, STOPPED = "running", "stopped"
SUMMARY_FILE = "summary.json"
OPERATIONS_FILE = "operations.jsonl"
_COMPUTATIONS = "computations"
_SUCCESSFUL = ("complete", "incomplete")


class _Told(NamedTuple):
    """What the log of operations says of the last run: its command, and when it ended how."""

    command: str = ""
    ended: str = ""
    ended_seconds: float | None = None


class LiveReader:
    """Reads the view of one folder again and again; for one thread at a time."""

    def __init__(self, root: Path) -> None:
        """Read the job whose output folder is `root`.

        Raises:
            UsageError: it is no job's folder, or its file cannot be read.
        """
        self._root = root
        self._job = _read_job(root)
        self._hash = configuration_hash(self._job["configuration"])
        is_crawl = self._job["configuration"].get("work") == CRAWL
        self._entries = EntryReader(root, self._hash, CRAWL_HOPS if is_crawl else HOPS)
        self._journals = _Followed("faults/", read_journal)
        self._set_aside = _Followed("quarantine/", _list_set_aside)
        self._faults = sum_journals(())
        self._plan: Campaign | None = None
        self._counters: MachineErrors = NO_ERRORS
        self._last: tuple[LedgerSum, Any, View] | None = None

    def read(self) -> View:
        """Return the view as of now; the very same one as before when nothing has changed."""
        ledger = self._entries.read()
        summary = _read_summary(self._root)
        told = _read_operations(self._root)
        seen = summary, told, (self._root / PLAN_FILE).is_file()
        if self._last is None or self._last[0] is not ledger or self._last[1] != seen:
            self._last = ledger, seen, self._make(ledger, summary, told)
        return self._last[2]

    def _make(self, ledger: LedgerSum, summary: Mapping[str, Any], told: _Told) -> View:
        open_ = summary["status"] in {RUNNING, STOPPED}
        options = self._job["configuration"]["options"]
        if open_:
            known = {name: options.get(name, "") for name in ("protection", "seed")}
            summary = {**summary, "ledger": OPEN, **known}
        sealed = options.get("protection") != "none"
        reconciliation = _judge(ledger, summary, sealed=sealed)
        self._set_aside.follow(self._root, ledger.files)
        new, grew = self._journals.follow(self._root, ledger.files)
        faults = [self._faults, *new] if grew else self._journals.found.values()
        self._faults = sum_journals(faults)
        parts = ledger.parts
        total = max(parts, self._job.get("parts", parts))
        done = summary["status"] in _SUCCESSFUL and told.ended in _SUCCESSFUL
        return View(
            ledger.hops,
            reconciliation,
            reconciliation.findings,
            summary,
            told.command,
            parts={PENDING: total - parts, COMMITTED: parts},
            campaign=with_faults(self._read_plan(), self._faults),
            counters=self._counters,
            journal_errors=self._faults.errors,
            audit=ledger.counts.get(_COMPUTATIONS, {}) if open_ else audit_of(summary),
            success_seconds=told.ended_seconds if done else None,
            fetches=read_fetches(self._job["configuration"], ledger.counts),
            **describe_job(self._job),
            **count_set_aside([row for rows in self._set_aside.found.values() for row in rows]),
        )

    def _read_plan(self) -> Campaign | None:
        """Return the scenario's plan; it and its counters are written once, before any work."""
        if self._plan is None:
            try:
                self._plan = read_plan(self._root)
                self._counters = read_counters_file(self._root)
            except UNREADABLE:
                self._plan = None  # not written yet, or damaged: then the audit tells
        return self._plan


def read_live_view(root: Path) -> View:
    """Return the view of a folder as of now; who looks more than once keeps a `LiveReader`.

    Raises:
        UsageError: it is no job's folder, or its file cannot be read.
    """
    return LiveReader(root).read()


def _read_job(root: Path) -> dict[str, Any]:
    try:
        job = read_job(root)
        describe_job(job)
    except OSError as error:
        raise UsageError(
            f"{root} holds no job ({JOB_FILE}: {error.strerror}); give the --output of one"
        ) from None
    except UNREADABLE:
        raise UsageError(f"{root / JOB_FILE} is damaged; index into a new folder") from None
    return job


def _read_summary(root: Path) -> Mapping[str, Any]:
    """Return the summary of a job that is over; of an open one only its status.

    A summary without a manifest is that of a run that failed; another run may be under way.
    """
    over = (root / FILE_NAME).is_file()
    if not over and _is_led(root):
        return {"status": RUNNING}
    try:
        summary: dict[str, Any] = json.loads((root / SUMMARY_FILE).read_bytes())
    except UNREADABLE:
        return {"status": STOPPED}
    return summary if isinstance(summary, dict) and "status" in summary else {"status": STOPPED}


def _is_led(root: Path) -> bool:
    """Whether the driver of the job is alive: it holds its log, locked."""
    try:
        with (root / OPERATIONS_FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _read_operations(root: Path) -> _Told:
    """Return what the log says; a line that is being written is not read yet."""
    told = _Told()
    try:
        lines = (root / OPERATIONS_FILE).read_bytes().splitlines()
    except OSError:
        return told
    for line in lines:
        if b'"started"' not in line and b'"ended"' not in line:
            continue
        try:
            event = json.loads(line)
            if "started" in event:
                told = _Told(str(event.get("command", "")))
            elif "ended" in event:
                told = told._replace(ended=event["ended"], ended_seconds=float(event["time"]))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            continue
    return told


def _judge(ledger: LedgerSum, summary: Mapping[str, Any], *, sealed: bool) -> Reconciliation:
    """Return the verdict of a summary, with what the hops say of it; nothing while it is open."""
    if summary["ledger"] == OPEN:
        return Reconciliation(Verdict.UNKNOWN, (), 0)
    found = reconcile(ledger.hops, (), sealed=sealed)
    reason = (str(summary["reason"]),) if "reason" in summary else ()
    verdict = Verdict(summary["ledger"])
    imbalance = found.imbalance_records if verdict is Verdict.IMBALANCED else 0
    findings = found.findings if verdict is Verdict.IMBALANCED else ()
    return Reconciliation(verdict, (*reason, *findings), imbalance)


class _Followed(Generic[Read]):
    """What the committed files of one folder say; each is read once."""

    def __init__(self, folder: str, read: Callable[[bytes], Read]) -> None:
        """Follow the files in `folder`."""
        self._folder = folder
        self._read = read
        self.found: dict[CommittedFile, Read] = {}

    def follow(self, root: Path, files: Sequence[CommittedFile]) -> tuple[list[Read], bool]:
        """Read what is new of all committed files; return it, and whether nothing known is gone.

        A file that is not as it was committed is left out: its task is about to be done again.
        """
        known = self.found
        wanted = [file for file in files if file.path.startswith(self._folder)]
        unread = [file for file in wanted if file not in known]
        new = {file: said for file in unread for said in self._load(root, file)}
        both = known | new
        self.found = {file: both[file] for file in wanted if file in both}
        return list(new.values()), known.keys() <= self.found.keys()

    def _load(self, root: Path, file: CommittedFile) -> list[Read]:
        try:
            data = (root / file.path).read_bytes()
            return [self._read(data)] if format_crc32c(crc32c(data)) == file.crc32c else []
        except UNREADABLE:
            return []


def _list_set_aside(data: bytes) -> tuple[SetAside, ...]:
    return tuple(read_set_aside(data))
