"""Readers of an output folder: damage to any of its files is named, and what is shown is true.

An input is a byte that chooses a file of a small finished job, and edits to its bytes. An audit
names every change of a file that the manifest lists; a search and the list of what was set aside
give what they gave before the damage, or raise IntegrityError.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.index.search import Index
from sealedbeam.pipeline.jobs.audit import audit
from sealedbeam.pipeline.jobs.prepare import claim
from sealedbeam.pipeline.jobs.quarantine import read_quarantine
from sealedbeam.pipeline.manifest import FILE_NAME, decode_manifest

from tests.fuzz.cursor import Cursor, edited
from tests.fuzz.target import Target
from tests.support.archives import build_archive, flip_bit
from tests.support.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_QUERY = "sealed beam"


@dataclass
class _Finished:
    """A finished job, the bytes of its files, and what its readers gave before any damage."""

    folder: tempfile.TemporaryDirectory[str] = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="fuzz-folder-")
    )

    def __post_init__(self) -> None:
        root = Path(self.folder.name)
        archive = build_archive(3, body_bytes=200)
        damaged = flip_bit(archive.data, archive.records[2].offset + 60)
        self.job = Job.make(root, {"a.warc.gz": damaged}, part_bytes=400, shards=1)
        self.job.run_here()
        self.root = self.job.output
        self.paths = sorted(path for path in self.root.rglob("*") if path.is_file())
        self.bytes = {path: path.read_bytes() for path in self.paths}
        manifest = decode_manifest(self.bytes[self.root / FILE_NAME])
        self.sealed = {self.root / file.path for file in manifest.files} | {self.root / FILE_NAME}
        self.results = search(self.root)
        self.set_aside = read_quarantine(self.root)


@cache
def finished() -> _Finished:
    """Return the job that all inputs damage."""
    return _Finished()


def search(root: Path) -> Any:
    """Return the hits of a query."""
    return Index.open(root).search(_QUERY, 5)


def check(data: bytes) -> None:
    """Damage a file, let everything read the folder, and put the file right again."""
    cursor, job = Cursor(data), finished()
    path = job.paths[cursor.number() % len(job.paths)]
    damaged = edited(job.bytes[path], cursor)
    path.write_bytes(damaged)
    try:
        report = audit(job.root)
        is_changed = damaged != job.bytes[path]
        assert report.findings or not (is_changed and path in job.sealed)
        assert is_changed or not report.findings
        assert_same(job.results, lambda: search(job.root))
        assert_same(job.set_aside, lambda: read_quarantine(job.root))
        assert_same(None, lambda: claim(job.job.context))
    finally:
        path.write_bytes(job.bytes[path])


def assert_same(expected: Any, read: Callable[[], Any]) -> None:
    """Check that a reader gives what it gave before, or says that it cannot."""
    try:
        found = read()
    except (IntegrityError, UsageError):
        return
    assert found == expected


def seeds() -> Iterator[bytes]:
    """Yield no damage, and for each file a flipped bit, a cut and an insertion."""
    yield b""
    for number in range(len(finished().paths)):
        yield bytes([number]) + b"\0\x14\0\3"
        yield bytes([number]) + b"\2\x07\0\xff"
        yield bytes([number]) + b"\3\0\0\4" + b"[" * 4


TARGET = Target(
    check,
    seeds,
    (
        "sealedbeam.pipeline.jobs",
        "sealedbeam.pipeline.index.search",
        "sealedbeam.pipeline.index.catalogue",
        "sealedbeam.pipeline.index.verified",
        "sealedbeam.pipeline.manifest",
    ),
    max_bytes=256,
)
