from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
import pytest
from sealedbeam.monitoring.serving import quarantine_rows
from sealedbeam.monitoring.serving.quarantine_rows import QuarantineRows
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.jobs.entry import Entry, encode_entry
from sealedbeam.pipeline.jobs.files import commit_file
from sealedbeam.pipeline.jobs.quarantine import Quarantined, encode_quarantine
from sealedbeam.pipeline.jobs.store import Store, content_name

from tests.support.archives import flip_bit

if TYPE_CHECKING:
    from pathlib import Path

MIB = 1 << 20


def make_row(task: str, number: int, raw: bytes, **changes: str) -> Quarantined:
    texts = {"stage": "input", "reason": "bad_gzip", "source_file": "a.warc.gz"} | changes
    return Quarantined(
        task, **texts, source_offset=number, source_length=len(raw), identity="", cluster="",
        attempts=number % 3, raw_length=len(raw) + number, raw=raw,
    )  # fmt: skip


def commit(root: Path, task: str, rows: list[Quarantined]) -> Path:
    """Commit a task that sets rows aside, as jobs do; return the file."""
    store, entry, data = Store(root), Entry(task, "0" * 64), encode_quarantine(rows)
    path = content_name("quarantine", task, "parquet", data)
    commit_file(store, entry, path, data)
    store.write(f"ledger/{task}.json", encode_entry(entry))
    return root / path


@pytest.fixture
def rows(tmp_path: Path) -> list[Quarantined]:
    """Commit rows of three tasks; return them in the order of their numbers."""
    source = random.Random(0)
    made = []
    for part, size in enumerate((3, 1, 5)):
        task = f"part-{part:05d}"
        raws = [source.randbytes(source.choice((0, 10, 5000))) for _ in range(size)]
        mine = [make_row(task, number, raw) for number, raw in enumerate(raws)]
        commit(tmp_path, task, mine)
        made += mine
    return made


def test_pages_of_the_list_are_the_list(tmp_path: Path, rows: list[Quarantined]) -> None:
    """For every offset and limit the rows are those that were set aside, in order."""
    listed = QuarantineRows(tmp_path)
    assert listed.total == len(rows) == 9
    for offset in range(11):
        for limit in range(11):
            told = listed.list_rows(offset, limit)
            wanted = rows[offset : offset + limit]
            assert [row["row"] for row in told] == list(range(offset, offset + len(wanted)))
            assert [(row["task"], row["source_offset"], row["attempts"]) for row in told] == [
                (row.task, row.source_offset, row.attempts) for row in wanted
            ]
            assert [row["length_bytes"] for row in told] == [row.raw_length for row in wanted]
    assert listed.list_rows(1 << 52, 1 << 52) == []


def test_pieces_are_the_raw_bytes(tmp_path: Path, rows: list[Quarantined]) -> None:
    """Every row's bytes come back in pieces of any size, and beyond the end there are none."""
    listed = QuarantineRows(tmp_path)
    for number, row in enumerate(rows):
        joined = b""
        for offset in range(0, len(row.raw) + 999, 999):
            found = listed.read_bytes(number, offset, 999)
            assert found is not None
            assert found.total_bytes == len(row.raw)
            joined += found.piece
        assert joined == row.raw
    assert listed.read_bytes(len(rows), 0, 1) is None


def test_text_of_pages_is_harmless(tmp_path: Path) -> None:
    """A name that was chosen by who made the archive moves no cursor and turns no text round."""
    commit(tmp_path, "part-00000", [make_row("part-00000", 0, b"", source_file="a\x1b[2J\u202eb")])
    assert QuarantineRows(tmp_path).list_rows(0, 1)[0]["source_file"] == "a\ufffd[2J\ufffdb"


def test_large_rows_are_listed_without_their_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list needs no raw bytes; a row of 10 MiB is shown; too many of them are left to the export.

    The file with the limit lowered below one row's size can still be listed, so nothing decoded it.
    """
    raws = [bytes([number]) * (10 * MIB) for number in range(4)]
    commit(tmp_path, "part-00000", [make_row("part-00000", n, raw) for n, raw in enumerate(raws)])
    listed = QuarantineRows(tmp_path)
    found = listed.read_bytes(3, 10 * MIB - 2, 4096)
    assert found is not None
    assert (found.total_bytes, found.piece) == (10 * MIB, b"\x03\x03")
    monkeypatch.setattr(quarantine_rows, "DECODED_BYTES_MAX", 1000)
    assert len(listed.list_rows(0, 10)) == 4
    with pytest.raises(UsageError, match="holds too much to be shown; use sealedbeam quarantine"):
        listed.read_bytes(0, 0, 1)


def test_only_what_was_committed_counts(tmp_path: Path, rows: list[Quarantined]) -> None:
    """A file of an attempt that has not committed, or was replaced, is not shown."""
    data = encode_quarantine(rows)
    (tmp_path / "quarantine" / "part-00001.0123456789abcdef.parquet").write_bytes(data)
    (tmp_path / "quarantine" / "part-00099.0123456789abcdef.parquet").write_bytes(data)
    assert QuarantineRows(tmp_path).total == len(rows)


def test_any_flipped_bit_is_found_before_anything_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever bit of a file is wrong: it is said to be damaged, and no parser has seen it."""
    path = commit(tmp_path, "part-00000", [make_row("part-00000", 0, b"raw bytes")])
    good = path.read_bytes()

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("damaged bytes were parsed")

    monkeypatch.setattr(pq, "ParquetFile", refuse)
    for bit in range(0, 8 * len(good), 37):
        path.write_bytes(flip_bit(good, *divmod(bit, 8)))
        listed = QuarantineRows(tmp_path)
        with pytest.raises(IntegrityError, match="is damaged; audit tells what else is"):
            listed.list_rows(0, 1)
        with pytest.raises(IntegrityError, match="is damaged; audit tells what else is"):
            listed.read_bytes(0, 0, 1)


def test_file_that_changes_is_checked_again(tmp_path: Path) -> None:
    """That a file was good says nothing about what stands there now."""
    path = commit(tmp_path, "part-00000", [make_row("part-00000", 0, b"raw bytes")])
    listed = QuarantineRows(tmp_path)
    assert len(listed.list_rows(0, 1)) == 1
    good = path.read_bytes()
    for bad in (good[:-1], b"", flip_bit(good, 100)):
        path.write_bytes(bad)
        with pytest.raises(IntegrityError):
            listed.list_rows(0, 1)
    path.unlink()
    with pytest.raises(IntegrityError):
        listed.list_rows(0, 1)


@pytest.mark.parametrize(
    "entry", [b"", b"{", b"[]", b'{"files": 7}', b'{"files": [{"path": "quarantine/x"}]}', b"\xff"]
)
def test_damaged_entry_is_told(tmp_path: Path, rows: list[Quarantined], entry: bytes) -> None:
    """An entry that cannot be read is an error in one line, and no missing row."""
    assert rows
    (tmp_path / "ledger" / "part-00001.json").write_bytes(entry)
    with pytest.raises(IntegrityError, match=r"ledger entry part-00001\.json is damaged"):
        QuarantineRows(tmp_path)


def test_link_is_no_file(tmp_path: Path) -> None:
    """What a link leads to is not read, whatever its bytes are."""
    path = commit(tmp_path, "part-00000", [make_row("part-00000", 0, b"raw bytes")])
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError):
        QuarantineRows(tmp_path).list_rows(0, 1)
