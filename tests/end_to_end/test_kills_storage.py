"""What the file system refuses is told in one line, and once it is put right the job goes on."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.crash_points import BEFORE, Watch
from tests.support.jobs import SAMPLE, command, environment
from tests.support.kill_everywhere import differences
from tests.support.trials import Trial

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

AGAIN = "run the same command again"


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    trial = Trial.make(tmp_path_factory.mktemp("undisturbed") / "trial")
    assert trial.run() == 0
    return trial.snapshot()


def told_in_one_line(told: str) -> bool:
    return told.startswith("sealedbeam: ") and told.count("\n") == 1 and "Traceback" not in told


def goes_on(trial: Trial, expected: Mapping[str, bytes]) -> bool:
    """Give the command again, and compare what comes out."""
    return trial.run() == 0 and differences(trial, expected) == []


@pytest.mark.parametrize(
    ("step", "named", "remedy"),
    [
        ("make folder documents", "documents/part-0000", AGAIN),
        ("create documents/part-00001.parquet", "documents/part-00001.", AGAIN),
        ("sync runs/part-00000.runs", "runs/part-00000.", AGAIN),
        ("sync quarantine/part-00000.parquet", "quarantine/part-00000.", AGAIN),
        ("create faults/journal-00002.parquet", "faults/journal-00002.parquet", AGAIN),
        ("sync ledger/part-00002.json", "ledger/part-00002.json", AGAIN),
        ("rename duplicates.parquet", "duplicates.parquet", AGAIN),
        ("create shards/shard-00001.parquet", "shards/shard-00001.", AGAIN),
        ("sync summary.json", "summary.json", AGAIN),
        ("create metrics.prom", "metrics.prom", AGAIN),
        ("rename report.html", "report.html", AGAIN),
        ("sync manifest.json", "manifest.json", AGAIN),
        ("create operations.jsonl", "operations.jsonl", AGAIN),
        # Before any work another folder is as good.
        ("make folder ledger", "ledger/job.json", "--output"),
        ("sync ledger/job.json", "ledger/job.json", "--output"),
        ("create faults/plan.json", "faults/plan.json", "--output"),
    ],
)
def test_full_disk(
    tmp_path: Path, expected: Mapping[str, bytes], step: str, named: str, remedy: str
) -> None:
    """Without space the job ends with the object's name and the next step, and goes on later."""
    trial = Trial.make(tmp_path / "trial")
    code = trial.run(trial.strike(step, BEFORE, "ENOSPC"))
    assert code == (2 if remedy == "--output" else 1)
    assert told_in_one_line(trial.told)
    said = f"index/{re.escape(named)}.*: No space left on device; .*{remedy}"
    assert re.search(said, trial.told)
    assert goes_on(trial, expected)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        ("EROFS", "Read-only file system; make its file system writable"),
        ("EACCES", "Permission denied; allow access to it"),
        ("EIO", "Input/output error; check the disk"),
        ("EDQUOT", "Disk quota exceeded; free some space"),
    ],
)
def test_other_refusals(
    tmp_path: Path, expected: Mapping[str, bytes], error: str, said: str
) -> None:
    """Each reason of the file system has its remedy."""
    trial = Trial.make(tmp_path / "trial")
    assert trial.run(trial.strike("create ledger/part-00002.json", BEFORE, error)) == 1
    assert told_in_one_line(trial.told)
    assert said in trial.told
    assert goes_on(trial, expected)


@pytest.mark.parametrize("file_bytes", [600, 4000, 9000])
def test_limit_on_the_size_of_files(
    tmp_path: Path, expected: Mapping[str, bytes], file_bytes: int
) -> None:
    """Under `ulimit -f` the job stops at the first larger file, torn by the system, and says so."""
    trial = Trial.make(tmp_path / "trial")
    assert trial.run(file_bytes=file_bytes) in {1, 2}
    assert told_in_one_line(trial.told)
    assert "File too large" in trial.told
    assert goes_on(trial, expected)


def test_limit_on_open_files(tmp_path: Path, expected: Mapping[str, bytes]) -> None:
    """Under a very low `ulimit -n` the job says so instead of failing somewhere."""
    trial = Trial.make(tmp_path / "trial")
    limited = ["sh", "-c", 'ulimit -n 12; exec "$@"', "sh", *command(*trial.arguments())]
    done = subprocess.run(
        limited, cwd=trial.folder, env=environment(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert told_in_one_line(done.stderr)
    assert "Too many open files; raise the limit on open files (ulimit -n)" in done.stderr
    assert goes_on(trial, expected)


def test_read_only_output() -> None:
    """A place in which nobody can write is refused before any work, with the next step."""
    done = subprocess.run(
        command("index", str(SAMPLE), "--output", "/sys/index"),
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert told_in_one_line(done.stderr)
    assert done.stderr.startswith("sealedbeam: cannot write to /sys")
    assert done.stderr.endswith("give another folder with --output\n")


@contextmanager
def folder_in_memory() -> Iterator[Path]:
    """Make a folder that is on another file system than most temporary files, where there is."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def test_output_on_another_file_system(tmp_path: Path, expected: Mapping[str, bytes]) -> None:
    """An output elsewhere has the same bytes, and nothing is written to the temporary folder."""
    trial = Trial.make(tmp_path / "trial")
    (tmp_path / "temporary").mkdir()
    with folder_in_memory() as folder:
        trial.output.symlink_to(folder)
        done = subprocess.run(
            command(*trial.arguments()),
            cwd=trial.folder,
            env=environment() | {"TMPDIR": str(tmp_path / "temporary")},
            check=False,
        )
        assert done.returncode == 0
        assert differences(trial, expected) == []
    assert list((tmp_path / "temporary").iterdir()) == []


def test_two_jobs_on_one_folder(tmp_path: Path, expected: Mapping[str, bytes]) -> None:
    """While a job is at work a second one is refused at once, and disturbs nothing."""
    trial = Trial.make(tmp_path / "trial")
    with trial.paused("rename runs/part-00001.runs") as (process, _):
        assert trial.run() == 2
        assert told_in_one_line(trial.told)
        assert f"another job is writing to {trial.output}; wait until it ends" in trial.told
    assert process.returncode == 0
    assert differences(trial, expected) == []


@pytest.mark.parametrize("step", ["sync ledger/part-00001.json", "hand out duplicates"])
def test_output_removed_while_the_job_runs(
    tmp_path: Path, expected: Mapping[str, bytes], step: str
) -> None:
    """The job ends, says what is gone, and does not make half a folder in its place."""
    trial = Trial.make(tmp_path / "trial")
    with trial.paused(step) as (process, _):
        shutil.rmtree(trial.output.rename(tmp_path / "removed"))  # at once, for all processes
    assert process.returncode in {1, 3}
    assert told_in_one_line(trial.told)
    assert AGAIN in trial.told
    assert not trial.output.exists()
    assert goes_on(trial, expected)


def test_watch_of_nothing_names_nothing(tmp_path: Path) -> None:
    """Steps are those on the watched folder alone."""
    trial = Trial.make(tmp_path / "trial")
    watch = Watch(str(tmp_path / "other"), str(trial.folder / "steps"))
    done = subprocess.run(
        command(*trial.arguments()), cwd=trial.folder, env=watch.environment(), check=False
    )
    assert done.returncode == 0
    assert {step.partition(" ")[0] for _, step in trial.steps()} == {"hand", "tell"}
