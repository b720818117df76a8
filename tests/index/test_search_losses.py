"""Claims about answers from a damaged index: fewer hits and a warning, never a wrong hit."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.index.search import Index, Results
from sealedbeam.pipeline.manifest import COPY_NAME, FILE_NAME, Manifest, decode_manifest

from tests.support.small_index import documents_of, write_index

if TYPE_CHECKING:
    from collections.abc import Iterator

WORDS = ("alder", "beech", "cedar", "elm", "fir", "ginkgo", "hazel", "ivy", "juniper", "kauri")
TEXTS = [f"{first} {second} tree" for first, second in pairwise(WORDS)]
QUERIES = ("tree", "elm fir", '"fir ginkgo"', '"fir ginkgo" tree', "oak", "beech tree 漢字")


class Folder:
    """An index in memory; `late` is damaged once it was read so often."""

    name = "memory"

    def __init__(self, files: dict[str, bytes]) -> None:
        self.files = files
        self.late = ("", 0)
        self.reads = 0

    def read(self, path: str, offset: int = 0, length: int | None = None) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory", path)
        end = None if length is None else offset + length
        data = self.files[path][offset:end]
        if path.startswith(self.late[0] or "none"):
            self.reads += 1
            return bytes(len(data)) if self.reads > self.late[1] else data
        return data


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("index")
    write_index(folder, documents_of(TEXTS), shards=3, group_rows=2)
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def manifest(files: dict[str, bytes]) -> Manifest:
    return decode_manifest(files[FILE_NAME])


def answer(files: dict[str, bytes], query: str) -> Results:
    return Index.open(Folder(files)).search(query, 100, partial=True)


def shown(results: Results) -> set[tuple[int, str, str]]:
    return {(hit.doc_id, hit.url, hit.title) for hit in results.hits}


def each_damage(
    files: dict[str, bytes], manifest: Manifest
) -> Iterator[tuple[str, str, dict[str, bytes]]]:
    """Yield the index with each part of each file damaged in turn, and each file gone."""
    for entry in manifest.files:
        for part in entry.parts:
            data = bytearray(files[entry.path])
            data[part.offset + part.length // 2] ^= 4
            yield entry.path, part.kind, files | {entry.path: bytes(data)}
        yield entry.path, "all", {path: files[path] for path in files if path != entry.path}


def test_hits_are_a_subset_of_the_true_ones(files: dict[str, bytes], manifest: Manifest) -> None:
    """Whatever part is damaged: the hits are true ones, and all of them unless damage is told.

    Damage is told exactly when the search that insists on all of it refuses.
    """
    met = set()
    for query in QUERIES:
        expected = answer(files, query)
        assert expected.damage == ()
        for path, kind, hurt in each_damage(files, manifest):
            found = answer(hurt, query)
            assert shown(found) <= shown(expected)
            assert found.total == len(found.hits) <= expected.total
            if not found.damage:
                assert found == expected == Index.open(Folder(hurt)).search(query, 100)
                continue
            met.add((path.partition("/")[0], kind))
            assert {damage.path for damage in found.damage} == {path}
            assert all(path in damage.problem for damage in found.damage)
            with pytest.raises(IntegrityError):
                Index.open(Folder(hurt)).search(query, 100)
    kinds = ("row_group", "footer", "all")
    assert met == {(folder, kind) for folder in ("documents", "shards") for kind in kinds}


def test_what_is_lacking_is_named(files: dict[str, bytes], manifest: Manifest) -> None:
    """Words of a damaged shard are named; of the others the occurrences still count."""
    for entry in manifest.files:
        if entry.path.startswith("shards/"):
            gone = {path: data for path, data in files.items() if path != entry.path}
            found = answer(gone, " ".join(WORDS[:4]))
            named = {word for word in WORDS if any(word in d.lacks for d in found.damage)}
            left = [word for word in WORDS[:4] if word not in named]
            assert shown(found) == shown(answer(files, " ".join(left)))
    lost = {path: data for path, data in files.items() if not path.startswith("shards/")}
    (damage, *_) = answer(lost, " ".join(WORDS)).damage
    assert damage.lacks.startswith("where these words occur: ")


def test_damage_that_comes_in_the_middle(files: dict[str, bytes]) -> None:
    """A row group that is damaged after its lengths were read is left out of the hits as well."""
    folder = Folder(files)
    index = Index.open(folder)
    expected = index.search("tree", 100)
    folder.late = ("documents/part-00000", 1)
    found = index.search("tree", 100, partial=True)
    assert 0 < len(found.hits) < len(expected.hits)
    assert shown(found) < shown(expected)
    assert len(found.damage) >= 1
    folder.late = ("", 0)
    assert index.search("tree", 100, partial=True) == expected


def test_json_has_damage_only_where_there_is_some(files: dict[str, bytes]) -> None:
    """The keys of an answer without damage are those that programs rely on."""
    assert list(answer(files, "tree").to_dict()) == ["query", "total", "hits"]
    gone = {path: data for path, data in files.items() if not path.startswith("shards/")}
    value = answer(gone, "tree").to_dict()
    assert list(value["damage"][0]) == ["path", "problem", "lacks"]


def test_copy_of_the_manifest_serves(files: dict[str, bytes]) -> None:
    """Where the manifest is damaged or gone its copy gives the whole answer, and that is told."""
    expected = answer(files, "tree")
    good = files[FILE_NAME]
    for first in (good[:-5], None):
        hurt = {path: data for path, data in files.items() if path != FILE_NAME}
        hurt |= {COPY_NAME: good} | ({} if first is None else {FILE_NAME: first})
        found = answer(hurt, "tree")
        assert (found.hits, found.total) == (expected.hits, expected.total)
        assert [damage.path for damage in found.damage] == [FILE_NAME]
        with pytest.raises(IntegrityError, match=r"manifest\.json"):
            answer({**hurt, COPY_NAME: good[:-5], FILE_NAME: good[:-9]}, "tree")
