"""Claims about damage: a search reads little, checks what it reads, and never answers wrongly."""

from __future__ import annotations

import dataclasses
import re
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.index.search import Index
from sealedbeam.pipeline.index.verified import LocalFolder, VerifiedParquet
from sealedbeam.pipeline.manifest import FILE_NAME, decode_manifest

from tests.support.small_index import documents_of, write_index

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.pipeline.manifest import Manifest

WORDS = (
    *("alder", "beech", "cedar", "elm", "fir", "ginkgo"),
    *("hazel", "ivy", "juniper", "kauri", "larch", "maple"),
)
TEXTS = [f"{first} {second} tree" for first, second in pairwise(WORDS)]
QUERY = '"fir ginkgo" tree'


class MemoryFolder:
    """A folder in memory that remembers what was read."""

    name = "memory"

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.reads: set[tuple[str, int]] = set()

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        self.reads.add((path, offset))
        end = None if length is None else offset + length
        return self.files[path][offset:end]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("index")
    write_index(folder, documents_of(TEXTS), shards=3, group_rows=2)
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def manifest(files: dict[str, bytes]) -> Manifest:
    return decode_manifest(files[FILE_NAME])


def flipped(files: dict[str, bytes], path: str, offset: int) -> dict[str, bytes]:
    """Return the files with one bit of one byte flipped; which one changes from byte to byte."""
    data = bytearray(files[path])
    data[offset] ^= 1 << offset % 8
    return files | {path: bytes(data)}


def test_search_reads_little(files: dict[str, bytes], manifest: Manifest) -> None:
    """Of all row groups, only those of the query's terms and of the matching documents are read."""
    folder = MemoryFolder(files)
    results = Index.open(folder).search(QUERY)
    assert results.total == 1
    groups = {
        (entry.path, extent.offset)
        for entry in manifest.files
        for extent in entry.parts
        if extent.kind == "row_group"
    }
    read = groups & folder.reads
    assert sum(path.startswith("shards/") for path, _ in read) <= 3
    assert sum(path.startswith("documents/") for path, _ in read) == 1
    assert len(groups) > 10


def test_a_row_group_is_read_once_for_all_terms(files: dict[str, bytes]) -> None:
    """However many words of a query lie in a row group, it is read and checked once."""
    reads = []

    class Counting(MemoryFolder):
        def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
            reads.append((path, offset))
            return super().read(path, offset, length)

    Index.open(Counting(files)).search(" ".join(WORDS))
    in_shards = [read for read in reads if read[0].startswith("shards/")]
    assert len(in_shards) == len(set(in_shards))


def test_a_flipped_bit_is_found_or_does_not_matter(
    files: dict[str, bytes], manifest: Manifest
) -> None:
    """A flip in what a query needs is named with file and offset; elsewhere the answer is right."""
    folder = MemoryFolder(files)
    expected = Index.open(folder).search(QUERY)
    outcomes = set()
    for entry in manifest.files:
        for extent in entry.parts:
            needed = (entry.path, extent.offset) in folder.reads
            outcomes.add((extent.kind, needed))
            # Every byte of what is needed; a sample of the rest, whose answers take longer.
            step = 1 if needed else 97
            for offset in range(extent.offset, extent.offset + extent.length, step):
                index = Index(MemoryFolder(flipped(files, entry.path, offset)), manifest)
                if needed:
                    what = f"{re.escape(entry.path)}: .* at offset {extent.offset} is damaged"
                    with pytest.raises(IntegrityError, match=what):
                        index.search(QUERY)
                else:
                    assert expected == index.search(QUERY)
    assert {("footer", True), ("row_group", True), ("row_group", False)} <= outcomes


def test_row_group_is_named(files: dict[str, bytes], manifest: Manifest) -> None:
    """The message about a damaged row group gives its number and both checksums."""
    entry = next(e for e in manifest.files if e.path.startswith("documents/"))
    extent = entry.parts[2]
    damaged = flipped(files, entry.path, extent.offset)
    file = VerifiedParquet(MemoryFolder(damaged), entry)
    with pytest.raises(
        IntegrityError, match=rf": row group 1 at offset {extent.offset} .*{extent.crc32c}"
    ):
        file.read(1, ("url",))


def test_damaged_manifest(files: dict[str, bytes]) -> None:
    """A flipped bit in the manifest stops the index from opening."""
    with pytest.raises(IntegrityError, match=r"manifest\.json is damaged"):
        Index.open(MemoryFolder(flipped(files, FILE_NAME, 100)))


def test_missing_and_short_files(files: dict[str, bytes], manifest: Manifest) -> None:
    """A file that is gone or cut short is named."""
    path = next(e.path for e in manifest.files if e.path.startswith("documents/"))
    gone = {name: data for name, data in files.items() if name != path}
    with pytest.raises(IntegrityError, match=rf"{re.escape(path)}: .* cannot be read: No such"):
        Index.open(MemoryFolder(gone)).search("alder")
    with pytest.raises(IntegrityError, match=rf"{re.escape(path)}: .* has 0 bytes instead"):
        Index.open(MemoryFolder(files | {path: files[path][:10]})).search("alder")


def test_warm_index_checks_again(files: dict[str, bytes], manifest: Manifest) -> None:
    """Damage that appears after the index was opened and used is found by the next query."""
    folder = MemoryFolder(dict(files))
    index = Index.open(folder)
    index.search("fir")
    for entry in manifest.files:
        for extent in entry.parts:
            if extent.kind == "row_group" and entry.path.startswith("shards/"):
                folder.files |= flipped(folder.files, entry.path, extent.offset)
    with pytest.raises(IntegrityError, match="is damaged"):
        index.search("fir")


def test_only_verified_bytes_reach_the_parser(files: dict[str, bytes], manifest: Manifest) -> None:
    """A footer that points outside its row group, though checked, cannot make Arrow read there."""
    entry = next(e for e in manifest.files if e.path.startswith("documents/"))
    head, first, second, *_, footer = entry.parts
    swapped = dataclasses.replace(entry, parts=(head, second, first, *entry.parts[3:-1], footer))
    with pytest.raises(IntegrityError, match="outside the verified row group"):
        VerifiedParquet(MemoryFolder(files), swapped).read(0, ("url",))


def test_footer_and_manifest_must_agree(files: dict[str, bytes], manifest: Manifest) -> None:
    """A footer whose row groups are not those of the manifest is refused."""
    entry = next(e for e in manifest.files if e.path.startswith("documents/"))
    fewer = dataclasses.replace(entry, parts=(entry.parts[0], *entry.parts[2:]))
    with pytest.raises(IntegrityError, match="not the manifest's"):
        VerifiedParquet(MemoryFolder(files), fewer).read(0, ("url",))


def test_absent_column(files: dict[str, bytes], manifest: Manifest) -> None:
    """A column that the file does not have is named instead of left out."""
    entry = next(e for e in manifest.files if e.path.startswith("documents/"))
    with pytest.raises(IntegrityError, match="language"):
        VerifiedParquet(MemoryFolder(files), entry).read(0, ("url", "language"))


def test_verified_file_reads_like_arrow(files: dict[str, bytes], manifest: Manifest) -> None:
    """Each row group read through verification equals what Arrow reads from the whole file."""
    for entry in manifest.files:
        whole = pq.ParquetFile(pa.BufferReader(files[entry.path]))
        verified = VerifiedParquet(MemoryFolder(files), entry)
        for group in range(whole.num_row_groups):
            expected = whole.read_row_group(group)
            assert expected.equals(verified.read(group, expected.column_names))


def test_local_folder_reads_ranges(tmp_path: Path) -> None:
    """A local read gives exactly the range, and what there is of one that ends too late."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b").write_bytes(b"0123456789")
    folder = LocalFolder(tmp_path)
    assert folder.read("a/b") == b"0123456789"
    assert folder.read("a/b", 2, 3) == b"234"
    assert folder.read("a/b", 8, 1 << 60) == b"89"
    assert folder.read("a/b", 20, 5) == b""
    assert folder.read("a/b", 4) == b"456789"


def test_unreadable_manifest(tmp_path: Path) -> None:
    """A manifest that is there and cannot be read is not taken for an unfinished job."""
    (tmp_path / FILE_NAME).mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        Index.open(tmp_path)
