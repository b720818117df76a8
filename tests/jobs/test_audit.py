"""An audit finds every change to an output, and says which file and which part of it."""

from __future__ import annotations

import json
import random
import shutil
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.jobs import segment
from sealedbeam.pipeline.jobs.audit import Audit, _check_documents, audit
from sealedbeam.pipeline.manifest import FILE_NAME, FileEntry, decode_manifest

from tests.support.archives import build_archive, flip_bit
from tests.support.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return an output with every kind of file and several row groups."""
    archive = build_archive(24, body_bytes=400)
    damaged = flip_bit(archive.data, archive.records[5].offset + 60)
    folder = tmp_path_factory.mktemp("audited")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segment, "ROW_GROUP_DOCUMENTS", 4)
        job = Job.make(folder, {"a.warc.gz": damaged}, part_bytes=2500, keep_runs=True)
        assert job.run_here().exit_code == 0
    yield job.output
    shutil.rmtree(folder)


@pytest.fixture
def output(original: Path, tmp_path: Path) -> Path:
    """Return a copy that may be damaged."""
    return shutil.copytree(original, tmp_path / "index")


def files_of(output: Path) -> list[FileEntry]:
    return list(decode_manifest((output / FILE_NAME).read_bytes()).files)


def positions(size: int, chance: random.Random) -> list[int]:
    """Return byte positions: both ends, next to them, and some between."""
    return sorted({0, 1, size - 2, size - 1, *(chance.randrange(size) for _ in range(4))})


def test_good_output_passes(output: Path) -> None:
    """Every file that the manifest names was read, and each document was compared with its seal."""
    report = audit(output)
    stored = files_of(output)
    kinds = {file.path.partition("/")[0] for file in stored}
    assert kinds == {
        "documents",
        "duplicates.parquet",
        "ledger",
        "quarantine",
        "runs",
        "shards",
    }
    assert report == Audit(len(stored) + 1, sum(file.bytes for file in stored), 23, [])


def test_every_flipped_bit_is_found_and_placed(output: Path) -> None:
    """One bit flipped anywhere in any covered file is found, with its file and its row group."""
    chance = random.Random(1)
    for file in files_of(output):
        path = output / file.path
        data = path.read_bytes()
        for position in positions(len(data), chance):
            path.write_bytes(flip_bit(data, position, chance.randrange(8)))
            (finding,) = audit(output).findings
            assert finding.startswith(f"{file.path} is damaged: ")
            assert finding.endswith(f"{expected_place(file, position)}")
        path.write_bytes(data)
    assert audit(output).findings == []


def expected_place(file: FileEntry, position: int) -> str:
    groups = [part for part in file.parts if part.kind == "row_group"]
    for part in file.parts:
        if part.offset <= position < part.offset + part.length:
            name = f"row group {groups.index(part)}" if part in groups else part.kind
            return f"{name} [{part.offset}..{part.offset + part.length})"
    return f"[0..{file.bytes})"


def test_every_flipped_bit_of_the_manifest_is_found(output: Path) -> None:
    """The manifest proves itself: no bit of it can change unseen."""
    path = output / FILE_NAME
    data = path.read_bytes()
    chance = random.Random(2)
    for position in [*positions(len(data), chance), *range(2, len(data), len(data) // 40)]:
        path.write_bytes(flip_bit(data, position, chance.randrange(8)))
        (finding,) = audit(output).findings
        assert finding.startswith("manifest.json is damaged")


@pytest.mark.parametrize("change", ["missing", "cut", "empty", "longer"])
def test_wrong_size_is_found(output: Path, change: str) -> None:
    """A file that is gone, cut short or has grown is named."""
    for file in files_of(output):
        path = output / file.path
        data = path.read_bytes()
        path.unlink()
        if change != "missing":
            path.write_bytes({"cut": data[:-1], "empty": b"", "longer": data + b"\0"}[change])
        (finding,) = audit(output).findings
        said = "cannot be read" if change == "missing" else f"instead of {file.bytes}"
        assert finding.startswith(file.path)
        assert said in finding
        path.write_bytes(data)


@pytest.mark.parametrize("folder", ["documents", "shards", "ledger", "runs"])
def test_swapped_files_are_found(output: Path, folder: str) -> None:
    """Two good files under each other's names are two damaged files."""
    first, second = sorted((output / folder).iterdir())[-2:]
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    named = {finding.partition(" ")[0] for finding in audit(output).findings}
    assert {f"{folder}/{first.name}", f"{folder}/{second.name}"} <= named


def edit(output: Path, name: str, change: Any) -> None:
    path = output / name
    value = json.loads(path.read_bytes())
    change(value)
    path.write_text(json.dumps(value))


def test_edited_summary_is_found(output: Path) -> None:
    """Every figure of the summary that the ledger knows is compared with it."""
    path = output / "summary.json"
    data = path.read_bytes()
    for key in json.loads(data):
        path.write_bytes(data)
        edit(output, "summary.json", lambda value, key=key: value.update({key: "edited"}))
        expected = [] if key == "seconds" else [f"summary.json: {key} is edited"]
        findings = audit(output).findings
        assert [finding.partition(", ")[0] for finding in findings] == expected
    path.write_bytes(data)
    edit(output, "summary.json", lambda value: value.pop("pages"))
    assert "summary.json: pages is None" in audit(output).findings[0]


@pytest.mark.parametrize("data", [b"", b"{", b"[1]", b"\xff", b"3", None])
def test_unreadable_summary_is_found(output: Path, data: bytes | None) -> None:
    """A summary that is no JSON object, or not there, is a finding and no crash."""
    path = output / "summary.json"
    path.unlink()
    if data is not None:
        path.write_bytes(data)
    (finding,) = audit(output).findings
    assert finding.startswith("summary.json cannot be read")


def test_document_that_breaks_its_seal_is_found(output: Path, tmp_path: Path) -> None:
    """A documents file written anew with other text, CRC and all, does not agree with its seals."""
    file = next(file for file in files_of(output) if file.path.startswith("documents/"))
    table = pq.read_table(output / file.path)
    rows = table.to_pylist()
    rows[1]["text"] += " forged"
    pq.write_table(table.from_pylist(rows, table.schema), tmp_path / "forged.parquet")
    report = Audit()
    manifest = decode_manifest((output / FILE_NAME).read_bytes())
    _check_documents(file.path, (tmp_path / "forged.parquet").read_bytes(), manifest, report)
    assert report.findings == [
        f"{file.path}: document {rows[1]['doc_id']} does not agree with its seal"
    ]


def test_folder_without_manifest_is_refused(tmp_path: Path) -> None:
    """Where no job has finished there is nothing to verify against."""
    with pytest.raises(UsageError, match=r"no manifest\.json"):
        audit(tmp_path)


def test_strangers_among_the_files_are_named(output: Path) -> None:
    """A file that other readers would take for a part of the index does not go unseen."""
    (output / "documents" / "extra.parquet").write_bytes(b"")
    assert audit(output).findings == ["documents/extra.parquet does not belong to the index"]
