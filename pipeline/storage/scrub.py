"""Scrubs an output at rest: verifies all of it, repairs what is damaged, keeps a history.

1. Each file is verified by what manifest and parity say of it; the two lie there twice and prove
   themselves.
2. With `repair` damaged copies are replaced by good ones and damaged files are made again from
   their groups, each read back from the disk.
3. With `protect` parity is made, once nothing is damaged.
4. The scrub is noted in the history: this commits the repair, and lets go of what was damaged.

A scrub that was killed goes on with the files that it had not found intact.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.jobs.lock import FolderLock
from sealedbeam.pipeline.jobs.store import TEMPORARY_SUFFIX, Store, storage_error
from sealedbeam.pipeline.manifest import FILE_NAME

from .history import Progress, append_history
from .pace import Pace
from .parity import FOLDER
from .protect import protect
from .repair import drop_kept, repair_files, replace_copy
from .subject import MANIFESTS, PARITIES, read_subject
from .threads import each_in_threads
from .verify import verify_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator
    from pathlib import Path

    from .parity import Group, Scheme
    from .verify import Condition, Expected

    Tell: TypeAlias = Callable[[int, int], None]

DONE = "done"
_CHECK_DISK = "check the disk"
_FINDINGS_KEPT = 100  # of one scrub, in the history


@dataclass(frozen=True, slots=True)
class Options:
    """How to scrub.

    Attributes:
        workers: threads that read.
        rate: bytes a second that are read at most, over all threads.
        repair: whether what is damaged is made again.
        protect: the scheme of the parity to make.
        only: the files to look at; all if None.
    """

    workers: int = 1
    rate: float | None = None
    repair: bool = False
    protect: Scheme | None = None
    only: Collection[str] | None = None


@dataclass(slots=True)
class Finding:
    """A damaged file; `repair` is "done", why it could not be, or empty if nobody asked."""

    path: str
    problem: str
    repair: str = ""

    @property
    def is_open(self) -> bool:
        """Whether the file is still damaged."""
        return self.repair != DONE


@dataclass(slots=True)
class Report:
    """What a scrub has seen and done."""

    begun: float = 0.0
    files: int = 0
    bytes: int = 0
    seconds: float = 0.0
    files_before: int = 0
    parity: str | None = None
    protected: bool = False
    recorded: bool = True
    findings: list[Finding] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        """Whether all is as it has to be, now."""
        return not any(finding.is_open for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain JSON values."""
        return asdict(self)


def scrub(root: Path, options: Options, tell: Tell = lambda _done, _all: None) -> Report:
    """Scrub the output in `root`; `tell` is told of bytes read and bytes to read.

    Raises:
        UsageError: no job has finished there, or another one is at work.
        OSError: the folder cannot be written.
    """
    if not any((root / path).is_file() for path in (*MANIFESTS, *PARITIES)):
        raise UsageError(
            f"{root} has no {FILE_NAME}: no job has finished there; "
            "run the same index command again to go on with it"
        )
    lock = FolderLock.take(root)
    try:
        return _Scrub(root, options, tell).run()
    finally:
        lock.release()


class _Scrub:
    """One scrub of a locked folder."""

    def __init__(self, root: Path, options: Options, tell: Tell) -> None:
        self._root = root
        self._store = Store(root)
        self._options = options
        self._tell = tell
        self._pace = Pace(options.rate)
        self._report = Report(begun=round(time.time(), 3), recorded=os.access(root, os.W_OK))
        self._subject = read_subject(root)
        self._looked_at: set[str] = {*MANIFESTS, *PARITIES}
        self._progress: Progress | None = None
        if self._report.recorded and options.only is None:
            self._progress = Progress(root, self._subject.identity, self._report.begun)
            self._report.begun = self._progress.begun

    def run(self) -> Report:
        """Do all of it."""
        try:
            self._verify()
            if self._options.repair:
                self._repair()
            if (parity := self._subject.parity.value) is not None:
                self._report.parity = str(parity.scheme)
            if self._options.protect is not None:
                self._protect(self._options.protect)
            if self._report.recorded:
                self._commit()
        finally:
            if self._progress is not None:
                self._progress.close()
        return self._report

    # Verifying.

    def _verify(self) -> None:
        started, report, only = time.monotonic(), self._report, self._options.only
        for path, problem in self._subject.problems.items():
            self._find(path, problem)
        files = [
            file for path, file in self._subject.expected.items() if only is None or path in only
        ]
        todo = [file for file in files if not self._progress or not self._progress.has(file.path)]
        report.files_before = len(files) - len(todo)
        size, done = sum(file.size_bytes for file in todo), 0
        for condition in self._conditions(todo):
            done += condition.bytes_read
            self._tell(done, size)
            if condition.problem:
                self._find(condition.path, condition.problem)
            elif self._progress is not None:
                self._progress.note(condition.path)
        self._looked_at |= {file.path for file in files}
        report.findings.sort(key=lambda finding: finding.path)
        report.files, report.bytes = len(todo), done
        report.seconds = round(time.monotonic() - started, 3)

    def _conditions(self, files: Iterable[Expected]) -> Iterator[Condition]:
        return each_in_threads(
            lambda file: verify_file(self._root, file, self._pace),
            files,
            self._options.workers,
            self._pace,
        )

    def _find(self, path: str, problem: str) -> None:
        if not any(finding.path == path for finding in self._report.findings):
            self._report.findings.append(Finding(path, problem))

    # Repairing.

    def _repair(self) -> None:
        knew_nothing = self._subject.manifest.data is None
        self._repair_findings()
        self._subject = read_subject(self._root)
        if knew_nothing and self._subject.manifest.data is not None:
            # It was made again from its group: only now the rest can be verified by it.
            if self._progress is not None:
                self._progress.end()
                self._progress = None
            self._verify()
            self._repair_findings()
            self._subject = read_subject(self._root)

    def _repair_findings(self) -> None:
        """Repair copies one by one, and the files of each group together: it is read once."""
        groups: dict[int, list[Finding]] = {}
        for finding in self._report.findings:
            group = self._subject.group_of(finding.path)
            copy = self._copy_of(finding.path)
            if not finding.is_open:
                continue
            if copy is not None:
                finding.repair = self._replace_copy(finding.path, copy)
            elif group is not None:
                groups.setdefault(group, []).append(finding)
            elif finding.path in PARITIES:
                finding.repair = "nothing says what the parity is: make it again with --protect"
            else:
                finding.repair = "no parity protects it: restore it from elsewhere, or index again"
        for number, findings in groups.items():
            self._repair_group(self._subject.groups[number], findings)

    def _copy_of(self, path: str) -> bytes | None:
        """Return the bytes of a file that lies there twice, if they are known."""
        if path in MANIFESTS:
            return self._subject.manifest.data
        return self._subject.parity.data if path in PARITIES else None

    def _replace_copy(self, path: str, data: bytes) -> str:
        try:
            replace_copy(self._store, path, data)
            good = self._store.read(path) == data
        except OSError as error:
            return str(storage_error(error))
        return DONE if good else f"it reads back wrong: {_CHECK_DISK}"

    def _repair_group(self, group: Group, findings: Iterable[Finding]) -> None:
        numbers = {member.path: number for number, member in enumerate(group.members)}
        reasons = repair_files(self._root, group, [numbers[found.path] for found in findings])
        for finding in findings:
            finding.repair = reasons[numbers[finding.path]] or self._read_back(finding.path)

    def _read_back(self, path: str) -> str:
        problem = verify_file(self._root, self._subject.expected[path], self._pace).problem
        return f"it was made again, and {problem}: {_CHECK_DISK}" if problem else DONE

    # Protecting, and the end.

    def _protect(self, scheme: Scheme) -> None:
        """Make parity, unless it is there and whole, or what it would protect is not."""
        manifest, report = self._subject.manifest.value, self._report
        damaged = [finding for finding in report.findings if finding.is_open]
        of_parity = [finding for finding in damaged if finding.path.startswith(f"{FOLDER}/")]
        if manifest is None or len(of_parity) < len(damaged):
            return
        if of_parity or report.parity != str(scheme):
            protect(self._store, manifest, scheme, self._options.workers, self._pace)
            report.parity, report.protected = str(scheme), True
            for finding in of_parity:
                finding.repair = DONE

    def _commit(self) -> None:
        report = self._report
        record = report.to_dict() | {"whole": self._options.only is None}
        record["findings"] = record["findings"][:_FINDINGS_KEPT]
        record["damaged"] = len(report.findings)
        record["repaired"] = sum(not finding.is_open for finding in report.findings)
        append_history(self._root, {"ended": round(time.time(), 3), **record})
        if self._options.repair:
            damaged = {finding.path for finding in report.findings if finding.is_open}
            drop_kept(self._root, self._looked_at - damaged)
        for folder in (self._root, self._root / FOLDER):
            for left in folder.glob(f".*{TEMPORARY_SUFFIX}"):  # by a scrub that was killed
                left.unlink()
        if self._progress is not None:
            self._progress.end()
