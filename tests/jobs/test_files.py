"""What is committed was read back; what the storage refuses ends the job with a message."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError
from sealedbeam.pipeline.jobs.entry import Entry
from sealedbeam.pipeline.jobs.files import commit_file, is_stored
from sealedbeam.pipeline.jobs.store import Store
from sealedbeam.pipeline.jobs.tasks import execute, map_task

from tests.support.archives import build_archive, flip_bit
from tests.support.jobs import Job

if TYPE_CHECKING:
    from pathlib import Path


class BadDisk(Store):
    """Stores the first few objects with a flipped bit."""

    bad = 0

    def write(self, path: str, data: bytes | memoryview) -> None:
        """Write, damaged while the disk is bad."""
        self.bad -= 1
        super().write(path, flip_bit(bytes(data), 1) if self.bad >= 0 else data)


def test_damaged_write_is_written_again(tmp_path: Path) -> None:
    """A file that reads back wrong is written once more, and noted only when it is right."""
    store, entry = BadDisk(tmp_path), Entry("t", "00")
    store.bad = 2
    file = commit_file(store, entry, "a", b"content")
    assert entry.files == [file]
    assert store.read("a") == b"content"
    assert is_stored(store, file)


def test_bad_disk_ends_the_job(tmp_path: Path) -> None:
    """A file that never reads back right is an error that names it; nothing is noted."""
    store, entry = BadDisk(tmp_path), Entry("t", "00")
    store.bad = 99
    with pytest.raises(IntegrityError, match="read back damaged 3 times; check the disk"):
        commit_file(store, entry, "a", b"content")
    assert entry.files == []


@pytest.mark.parametrize("data", [b"contenu", b"content ", b"", None])
def test_other_bytes_are_not_what_was_committed(tmp_path: Path, data: bytes | None) -> None:
    """A file counts as stored only with the very bytes that were committed."""
    store = Store(tmp_path)
    file = commit_file(store, Entry("t", "00"), "a", b"content")
    store.remove("a")
    if data is not None:
        store.write("a", data)
    assert not is_stored(store, file)


def test_running_out_of_descriptors_says_nothing_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that cannot be looked at for want of descriptors does not count as damaged."""
    store = Store(tmp_path)
    file = commit_file(store, Entry("t", "00"), "a", b"content")

    def fail(path: str) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)

    monkeypatch.setattr(store, "pieces", fail)
    with pytest.raises(OSError, match="Too many open files"):
        is_stored(store, file)


def test_storage_error_is_told_in_one_line(tmp_path: Path) -> None:
    """What the file system refuses reaches the user as a message with the task and the path."""
    job = Job.make(tmp_path, {"a.warc.gz": build_archive(3).data})
    job.output.mkdir()
    (job.output / "documents").write_text("in the way")
    with pytest.raises(SealedBeamError, match=r"part-00000: .*documents") as caught:
        execute(job.context, map_task(job.parts()[0]))
    assert caught.value.exit_code == 1
