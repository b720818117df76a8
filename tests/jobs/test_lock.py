"""A folder has one writer, and a job that was killed does not keep its successor out."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.jobs import lock
from sealedbeam.pipeline.jobs.lock import OPERATIONS, FolderLock, Operations
from sealedbeam.pipeline.jobs.prepare import claimed, finished

from tests.support.archives import build_archive
from tests.support.jobs import Job

if TYPE_CHECKING:
    from pathlib import Path


def give_up_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_PATIENCE_SECONDS", 0.0)


def test_folder_has_one_writer(tmp_path: Path) -> None:
    """While a driver holds a folder another job is refused at once; afterwards it is free."""
    context = Job.make(tmp_path, {"a.warc.gz": build_archive(3).data}).context
    with claimed(context), Operations(context.store.root):
        with pytest.raises(UsageError, match=r"^another job is writing to .*index; wait"):
            FolderLock.take(context.store.root)
        assert not finished(context)
    with claimed(context):
        pass


def test_lock_is_held_by_who_inherits_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder stays locked while any process has the descriptor open, as workers have."""
    give_up_at_once(monkeypatch)
    held = FolderLock.take(tmp_path)
    inherited = os.dup(held.descriptor)
    held.release()
    with pytest.raises(UsageError, match="what is left of a killed one, is writing"):
        FolderLock.take(tmp_path)
    os.close(inherited)
    FolderLock.take(tmp_path).release()


def test_workers_without_a_driver_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that only workers of a killed driver hold is taken when the last of them is gone."""
    with Operations(tmp_path):
        held = FolderLock.take(tmp_path)
    looks = iter(range(3))

    def last_worker_dies(_seconds: float) -> None:
        if next(looks) == 2:
            held.release()

    monkeypatch.setattr(time, "sleep", last_worker_dies)
    FolderLock.take(tmp_path).release()
    assert list(looks) == []


def test_log_is_read_line_by_line(tmp_path: Path) -> None:
    """Every run appends; a line that a kill or a full disk cut short is taken away."""
    for number in range(2):
        with Operations(tmp_path) as operations:
            operations.note(run=number)
        with (tmp_path / OPERATIONS).open("a") as file:
            file.write('{"time": 1795219')
    with Operations(tmp_path):
        lines = (tmp_path / OPERATIONS).read_text().splitlines()
    assert [json.loads(line)["run"] for line in lines] == [0, 1]
