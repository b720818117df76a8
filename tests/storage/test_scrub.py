"""Claims about a whole scrub: it goes on where it was killed, and no kill costs a byte."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.jobs.lock import FolderLock
from sealedbeam.pipeline.manifest import FILE_NAME
from sealedbeam.pipeline.storage.history import PROGRESS, read_history
from sealedbeam.pipeline.storage.parity import PARITY_FILE, Scheme, decode_parity_file
from sealedbeam.pipeline.storage.scrub import Finding, Options, Report, scrub
from sealedbeam.pipeline.storage.telling import describe_progress, describe_scrub
from sealedbeam.pipeline.storage.verify import verify_file

from tests.support.stored_output import damage, small_output, snapshot

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZES = (9_000, 5_000, 4_096, 10)
SCHEME = Scheme(3, 2)
VERIFY = "sealedbeam.pipeline.storage.scrub.verify_file"
# The functions by which files come, go and become durable.
STEPS = ("replace", "link", "unlink", "fsync", "mkdir", "rmdir")


class Killed(BaseException):
    """Stands for a kill."""


class Killer:
    """Lets so many steps on the disk happen; from then on none, as in a process that is dead."""

    def __init__(self, patch: pytest.MonkeyPatch, steps: int) -> None:
        self.done, self._steps = 0, steps
        for name in STEPS:
            patch.setattr(os, name, self._wrap(getattr(os, name)))

    def _wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if self.done >= self._steps:
                raise Killed
            self.done += 1
            return function(*arguments, **options)

        return wrapped


def run_until_killed(root: Path, options: Options, steps: int) -> bool:
    """Scrub, allowing so many steps; return whether it was killed."""
    with pytest.MonkeyPatch.context() as patch:
        Killer(patch, steps)
        try:
            scrub(root, options)
        except Killed:
            return True
    return False


@pytest.fixture
def root(tmp_path: Path) -> Path:
    small_output(tmp_path / "index", SIZES)
    scrub(tmp_path / "index", Options(protect=SCHEME))
    return tmp_path / "index"


def damage_some(root: Path) -> None:
    """Damage a file, remove another one, and damage a copy of the manifest."""
    group = decode_parity_file((root / PARITY_FILE).read_bytes()).groups[0]
    damage(root / group.data[0].path, 10)
    (root / group.parity[0].path).unlink()
    damage(root / FILE_NAME, 10)


def test_repair_can_be_killed_at_any_step(root: Path, tmp_path: Path) -> None:
    """After a kill at any step each file is the old one, the new one or missing as before.

    The same command again ends with the very bytes that were protected, and nothing left over.
    """
    whole = snapshot(root)
    damage_some(root)
    hurt = snapshot(root)
    killed, steps = True, 0
    while killed:
        copy = tmp_path / f"copy-{steps}"
        shutil.copytree(root, copy)
        killed = run_until_killed(copy, Options(repair=True), steps)
        found = snapshot(copy)
        for path, data in whole.items():
            assert found.get(path) in {data, hurt.get(path)}
        assert scrub(copy, Options(repair=True)).is_clean
        assert whole == snapshot(copy)
        shutil.rmtree(copy)
        steps += 1
    assert steps > 20


def test_protection_can_be_killed_at_any_step(tmp_path: Path) -> None:
    """After a kill at any step the output is what it was; the same command again protects it."""
    original = tmp_path / "original"
    small_output(original, (700, 20))
    before = snapshot(original)
    shutil.copytree(original, tmp_path / "whole")
    scrub(tmp_path / "whole", Options(protect=SCHEME))
    whole = snapshot(tmp_path / "whole")
    killed, steps = True, 0
    while killed:
        copy = tmp_path / f"copy-{steps}"
        shutil.copytree(original, copy)
        killed = run_until_killed(copy, Options(protect=SCHEME), steps)
        assert before == {path: snapshot(copy)[path] for path in before}
        assert scrub(copy, Options(protect=SCHEME)).is_clean
        assert whole == snapshot(copy)
        steps += 1
    assert steps > 10


def test_killed_scrub_goes_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was verified before a kill is not read again, unless it has changed since."""
    seen: list[str] = []

    def dying(where: Path, expected: Any, pace: Any) -> Any:
        if len(seen) == 4:
            raise Killed
        seen.append(expected.path)
        return verify_file(where, expected, pace)

    monkeypatch.setattr(VERIFY, dying)
    with pytest.raises(Killed):
        scrub(root, Options())
    monkeypatch.setattr(VERIFY, verify_file)
    assert read_history(root)[1:] == []
    everything = len(snapshot(root)) - len(("manifest.json", "its copy", "parity.json", "its copy"))
    changed = seen[1]
    damage(root / changed, 0)
    report = scrub(root, Options())
    assert (report.files, report.files_before) == (everything - 3, 3)
    assert [finding.path for finding in report.findings] == [changed]
    assert not (root / PROGRESS).exists()
    assert scrub(root, Options()).files_before == 0


def test_every_file_is_read_however_many_threads(root: Path) -> None:
    """One thread or many find the same, and each byte is told of once."""
    damage_some(root)
    reports = []
    for workers in (1, 4):
        told: list[tuple[int, int]] = []
        report = scrub(root, Options(workers=workers), lambda *now, told=told: told.append(now))
        assert told[-1][0] == report.bytes <= told[-1][1]
        report.begun = report.seconds = 0
        reports.append(report)
    assert reports[0] == reports[1]
    assert len(reports[0].findings) == 3


def test_error_in_one_thread_ends_all(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads that wait for their turn at a slow rate do not keep a scrub that failed."""

    def failing(where: Path, expected: Any, pace: Any) -> Any:
        if expected.size_bytes == 10:
            raise Killed
        return verify_file(where, expected, pace)

    monkeypatch.setattr(VERIFY, failing)
    with pytest.raises(Killed):
        scrub(root, Options(workers=8, rate=1000.0))


def test_history_tells_of_each_scrub(root: Path) -> None:
    """One line for each scrub, with what it found and what became of it."""
    damage_some(root)
    scrub(root, Options())
    scrub(root, Options(repair=True))
    first, second, third = read_history(root)
    assert (first["protected"], first["parity"], first["damaged"]) == (True, "3+2", 0)
    assert (second["damaged"], second["repaired"]) == (3, 0)
    assert (third["damaged"], third["repaired"]) == (3, 3)
    assert [finding["repair"] for finding in third["findings"]] == ["done"] * 3
    assert first["ended"] <= second["begun"] <= second["ended"]


def test_some_files_alone(root: Path) -> None:
    """Asked for some files only these are read and repaired, beside the copies; others are not."""
    damage_some(root)
    group = decode_parity_file((root / PARITY_FILE).read_bytes()).groups[0]
    report = scrub(root, Options(repair=True, only={group.data[0].path}))
    assert [finding.path for finding in report.findings] == [group.data[0].path, FILE_NAME]
    assert report.is_clean
    assert read_history(root)[-1]["whole"] is False
    assert [finding.path for finding in scrub(root, Options()).findings] == [group.parity[0].path]


def test_refusals(root: Path, tmp_path: Path) -> None:
    """Where no job has finished there is nothing to scrub; where one is at work it is not done."""
    with pytest.raises(UsageError, match=r"has no manifest\.json: no job has finished"):
        scrub(tmp_path, Options())
    lock = FolderLock.take(root)
    (root / "operations.jsonl").touch()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sealedbeam.pipeline.jobs.lock._PATIENCE_SECONDS", 0.0)
            with pytest.raises(UsageError, match="is writing to"):
                scrub(root, Options())
    finally:
        lock.release()


def test_folder_that_cannot_be_written(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An output on a medium that cannot be written is verified all the same, without a history."""
    damage_some(root)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    report = scrub(root, Options())
    assert (report.recorded, len(report.findings)) == (False, 3)
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*")}


def test_lost_manifest_without_parity(tmp_path: Path) -> None:
    """A manifest that proves nothing, without parity, is the one finding."""
    small_output(tmp_path, SIZES)
    damage(tmp_path / FILE_NAME, 10)
    for options in (Options(), Options(repair=True), Options(protect=SCHEME)):
        report = scrub(tmp_path, options)
        assert [finding.path for finding in report.findings] == [FILE_NAME]
        assert not report.is_clean


def test_words() -> None:
    """A report in words names each file, and says what to do."""
    report = Report(begun=0.0, files=3, bytes=5_000_000, seconds=2.0, files_before=1)
    report.findings = [Finding("a", "is damaged", "done"), Finding("b", "is gone", "no parity")]
    assert describe_scrub(report).splitlines() == [
        "REPAIRED  a is damaged",
        "DAMAGED   b is gone; not repaired: no parity",
        "goes on from 1970-01-01 00:00:00 UTC: 1 file found intact then",
        "3 files, 5,000,000 bytes in 2.0 s (2 MB/s): 2 damaged, 1 of them repaired",
        "no parity: what gets damaged cannot be repaired; --protect makes it",
    ]
    whole = describe_scrub(Report(files=1, parity="10+2", protected=True)).splitlines()
    assert whole[-1] == "parity 10+2 was made"
    assert describe_progress(50, 200, 1.0) == "25% of 0 MB verified, 0 MB/s"
    assert describe_progress(0, 0, 0.0).startswith("100%")
