"""Claims about what a scrub leaves: it is believed as far as it goes, and no further."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.storage.history import (
    HISTORY,
    PROGRESS,
    Progress,
    append_history,
    read_history,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Begin:
    """Begins scrubs of a folder, or goes on with them, and closes what was opened."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.opened: list[Progress] = []

    def __call__(self, subject: str = "this", now: float = 5.0) -> Progress:
        self.opened.append(Progress(self._root, subject, now))
        return self.opened[-1]


@pytest.fixture
def begin(root: Path) -> Iterator[Begin]:
    begin = Begin(root)
    yield begin
    for progress in begin.opened:
        progress.close()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    return tmp_path


def test_scrub_goes_on(root: Path, begin: Begin) -> None:
    """What was found intact is known to the next run of the same scrub, with when it began."""
    first = begin()
    assert not first.resumes
    first.note("a")
    first.close()
    second = begin(now=9.0)
    assert (second.resumes, second.begun) == (True, 5.0)
    assert (second.has("a"), second.has("b")) == (True, False)
    second.end()
    assert not (root / PROGRESS).exists()
    assert not begin().has("a")


def test_other_subject_begins_anew(begin: Begin) -> None:
    """Progress of a scrub of something else says nothing."""
    first = begin()
    first.note("a")
    first.close()
    other = begin("that", 9.0)
    assert (other.resumes, other.begun, other.has("a")) == (False, 9.0, False)
    other.close()
    assert not begin().resumes


def test_changed_file_is_looked_at_again(root: Path, begin: Begin) -> None:
    """A file whose size or time of change is another is not taken for the one that was read."""
    progress = begin()
    progress.note("a")
    progress.note("b")
    progress.close()
    os.utime(root / "a", ns=(1, 1))
    (root / "b").unlink()
    again = begin()
    assert (again.has("a"), again.has("b")) == (False, False)


@pytest.mark.parametrize(
    "head", ["", "\n", "{}", "[]", '{"subject": "this"}', '{"subject": "this", "begun": "x"}', "{"]
)
def test_damaged_head_begins_anew(root: Path, begin: Begin, head: str) -> None:
    """Progress that does not say what of is none."""
    (root / PROGRESS).write_text(head + '\n{"intact": "a", "bytes": 1, "mtime_ns": 1}\n')
    assert not begin().resumes


def test_damaged_lines_are_left_out(root: Path, begin: Begin) -> None:
    """A line that is cut short, or is none, costs what it said and nothing else."""
    progress = begin()
    progress.note("a")
    progress.close()
    path = root / PROGRESS
    data = path.read_bytes()
    path.write_bytes(data + b'[1]\n{"intact": 7, "bytes": 1, "mtime_ns": 2}\n\xff\n{"intact": "b')
    again = begin()
    assert (again.resumes, again.has("a"), again.has("b")) == (True, True, False)
    again.note("b")
    again.close()
    assert begin().has("b")


def test_history_grows_by_whole_lines(tmp_path: Path) -> None:
    """A line that was cut short by a kill is dropped when the next one is written."""
    assert read_history(tmp_path) == []
    append_history(tmp_path, {"files": 1})
    with (tmp_path / HISTORY).open("a") as file:
        file.write('{"files": 2')
    assert read_history(tmp_path) == [{"files": 1}]
    append_history(tmp_path, {"files": 3})
    lines = (tmp_path / HISTORY).read_text().splitlines()
    assert [json.loads(line) for line in lines] == read_history(tmp_path)
    assert read_history(tmp_path) == [{"files": 1}, {"files": 3}]
