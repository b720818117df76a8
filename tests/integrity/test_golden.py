from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from sealedbeam.pipeline.integrity.block import LossReason

from tests.support.blocks import SAMPLES, records_of, reopen

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
FORMAT = ROOT / "pipeline" / "integrity" / "FORMAT.md"
REWRITE = "SEALEDBEAM_REWRITE_GOLDEN"
each_sample = pytest.mark.parametrize("name", sorted(SAMPLES))


def golden(name: str) -> bytes:
    path = GOLDEN / f"{name}.block"
    if os.environ.get(REWRITE) == "1":
        path.write_bytes(SAMPLES[name].write().data)
        pytest.fail(f"{path.name} was rewritten because {REWRITE} is set; run again without it")
    return path.read_bytes()


@each_sample
def test_writer_gives_the_golden_bytes(name: str) -> None:
    """The writer gives the stored bytes, every one of them."""
    assert golden(name) == SAMPLES[name].write().data


@each_sample
def test_reader_reads_the_golden_bytes(name: str) -> None:
    """The reader gets every record out of the stored bytes and reports nothing."""
    sample = SAMPLES[name]
    opened = reopen(sample, golden(name))
    assert list(sample.records) == records_of(opened)
    assert (opened.losses, opened.repairs) == ([], [])


def test_no_golden_file_is_left_over() -> None:
    """Each golden file belongs to a sample."""
    assert set(SAMPLES) >= {path.stem for path in GOLDEN.glob("*.block")}


def test_missing_golden_file_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its golden file a check fails and writes none."""
    monkeypatch.delenv(REWRITE, raising=False)
    monkeypatch.setitem(globals(), "GOLDEN", tmp_path)
    with pytest.raises(FileNotFoundError):
        test_writer_gives_the_golden_bytes("correct_one")
    assert list(tmp_path.iterdir()) == []


def test_rewriting_needs_the_switch_and_never_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The switch writes the file and fails the run; afterwards the check passes."""
    monkeypatch.setitem(globals(), "GOLDEN", tmp_path)
    monkeypatch.setenv(REWRITE, "1")
    with pytest.raises(pytest.fail.Exception):
        test_writer_gives_the_golden_bytes("correct_one")
    monkeypatch.delenv(REWRITE)
    test_writer_gives_the_golden_bytes("correct_one")


def test_format_pins_the_golden_bytes() -> None:
    """The listing in FORMAT.md is the beginning of the golden file, header, table and frame."""
    (listing,) = re.findall(r"```hex\n(.*?)```", FORMAT.read_text(encoding="utf-8"), re.DOTALL)
    lines = [re.match(r"(?:[0-9a-f]{2} )+", line) for line in listing.splitlines()]
    pinned = b"".join(bytes.fromhex(match.group()) for match in lines if match)
    data = golden("correct_one")
    assert len(lines) == 23
    assert len(pinned) == 140
    assert len(data) == 263
    assert data[: len(pinned)] == pinned


def test_format_names_every_reason() -> None:
    """FORMAT.md lists each reason of a loss."""
    text = FORMAT.read_text(encoding="utf-8")
    assert [reason for reason in LossReason if f"| `{reason}` |" not in text] == []
