"""Scrub, protection and repair as a user meets them: an index on a disk that loses bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.cli.looking import _search_and_repair
from sealedbeam.pipeline.index.search import Index
from sealedbeam.pipeline.jobs import segment
from sealedbeam.pipeline.jobs.audit import audit
from sealedbeam.pipeline.manifest import FILE_NAME, decode_manifest
from sealedbeam.pipeline.storage.parity import Scheme
from sealedbeam.pipeline.storage.scrub import Options, scrub

from tests.support.archives import build_archive
from tests.support.jobs import Job, command, environment
from tests.support.stored_output import damage, snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE_SECONDS = 60
QUERIES = ("page 11", '"page 7"')


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*map(str, arguments)),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment(),
        timeout=PATIENCE_SECONDS,
    )


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return an index with several row groups, protected by 3+2."""
    folder = tmp_path_factory.mktemp("rest")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment, "ROW_GROUP_DOCUMENTS", 4)
        archive = build_archive(24, body_bytes=400)
        job = Job.make(folder, {"a.warc.gz": archive.data}, part_bytes=2500)
        assert job.run_here().exit_code == 0
    scrub(job.output, Options(protect=Scheme(3, 2)))
    yield job.output
    shutil.rmtree(folder)


@pytest.fixture
def index(protected: Path, tmp_path: Path) -> Path:
    return shutil.copytree(protected, tmp_path / "index")


def test_the_story(protected: Path, tmp_path: Path) -> None:
    """Protect, lose files, find out, repair: exit codes, words, JSON and metrics."""
    index = shutil.copytree(protected, tmp_path / "index")
    shutil.rmtree(index / "parity")
    (index / "manifest.copy.json").unlink()
    made = run("scrub", index, "--protect", "--parity", "3+2")
    assert (made.returncode, made.stderr) == (0, "")
    assert "all intact\nparity 3+2 was made" in made.stdout
    whole = snapshot(index)
    assert whole == snapshot(protected)
    shard = next((index / "shards").iterdir())
    shard.unlink()
    damage(next((index / "documents").iterdir()), 100)
    found = run("scrub", index, "--rate", "500")
    assert found.returncode == 3
    assert f"DAMAGED   shards/{shard.name} cannot be read: No such file" in found.stdout
    quiet = run("scrub", index, "--quiet", "--workers", 1)
    assert (quiet.returncode, quiet.stdout) == (3, "")
    assert "is damaged" in quiet.stderr
    mended = run("scrub", index, "--repair", "--json")
    assert mended.returncode == 0
    assert [item["repair"] for item in json.loads(mended.stdout)["findings"]] == ["done", "done"]
    assert whole | {"metrics.prom": b""} == snapshot(index) | {"metrics.prom": b""}
    assert audit(index).findings == []
    metrics = (index / "scrub.prom").read_text()
    assert "sealedbeam_scrub_repaired_files_total 2.0" in metrics
    assert "sealedbeam_scrub_unrepaired_files 0.0" in metrics


def test_search_on_a_damaged_index(index: Path) -> None:
    """A search says what its answer lacks, with exit code 3; with --repair it lacks nothing."""
    expected = run("search", index, '"page 7"', "--json")
    (shard, *_) = (index / "shards").iterdir()
    for path in (index / "shards").iterdir():
        damage(path, 30)
    hurt = run("search", index, '"page 7"', "--json")
    assert hurt.returncode == 3
    answer = json.loads(hurt.stdout)
    assert (answer["hits"], answer["total"]) == ([], 0)
    assert f"shards/{shard.name}" in hurt.stderr
    assert "the answer lacks where these words occur" in hurt.stderr
    mended = run("search", index, '"page 7"', "--json", "--repair")
    assert (mended.returncode, mended.stdout) == (0, expected.stdout)
    assert "repaired" in mended.stderr
    again = run("search", index, '"page 7"', "--json")
    assert (again.returncode, again.stdout, again.stderr) == (0, expected.stdout, "")


def test_every_row_group_in_turn(
    index: Path, protected: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever part of whichever file is damaged: true hits and a warning, then all the hits."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)  # nobody cuts the power
    manifest = decode_manifest((index / FILE_NAME).read_bytes())
    expected = {query: Index.open(protected).search(query, 50) for query in QUERIES}
    met = 0
    for entry in manifest.files:
        if not entry.path.startswith(("documents/", "shards/")):
            continue
        for part in entry.parts:
            for query, answer in expected.items():
                damage(index / entry.path, part.offset + part.length // 2)
                found = Index.open(index).search(query, 50, partial=True)
                true = {hit.doc_id: (hit.url, hit.title) for hit in answer.hits}
                assert {hit.doc_id: (hit.url, hit.title) for hit in found.hits}.items() <= (
                    true.items()
                )
                assert found.damage or found == answer
                met += bool(found.damage)
                if found.damage:
                    assert _search_and_repair(index, query, 50) == answer
                else:
                    damage(index / entry.path, part.offset + part.length // 2)
    assert met > 15
    assert snapshot(protected) == snapshot(index)


def test_lost_manifests_do_not_stop_a_search_that_repairs(index: Path, protected: Path) -> None:
    """Both copies of the manifest damaged beyond merging: the group gives it back."""
    for name in (FILE_NAME, "manifest.copy.json"):
        damage(index / name, 40, 30)
    assert run("search", index, "page").returncode == 3
    assert run("search", index, "page", "--repair").returncode == 0
    assert snapshot(protected) == snapshot(index)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--parity", "4+2"], "give both, or neither"),
        (["--protect", "--parity", "many"], "give two numbers, such as 10+2"),
        (["--protect", "--parity", "250+20"], "at most 256 in all"),
        (["--rate", "0"], "--rate"),
    ],
)
def test_bad_options_are_2(index: Path, arguments: list[str], said: str) -> None:
    """What cannot work is refused in one line before anything is read."""
    before = snapshot(index)
    done = run("scrub", index, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert before == snapshot(index)


def test_interrupted_scrub_goes_on(index: Path) -> None:
    """Terminated in the middle of a slow scrub it exits 143 at once; the next one goes on."""
    arguments = command("scrub", str(index), "--rate", "0.02", "--workers", "1")
    with subprocess.Popen(arguments, env=environment(), stdin=subprocess.DEVNULL) as process:
        progress = index / "scrub.progress.jsonl"
        for _ in range(PATIENCE_SECONDS * 20):
            if progress.exists() and progress.read_bytes().count(b"intact") > 1:
                break
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_SECONDS) == 143
    done = run("scrub", index)
    assert done.returncode == 0
    assert " found intact then\n" in done.stdout
