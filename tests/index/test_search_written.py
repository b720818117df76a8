"""Claims about the whole way: what the writers of the index write, search finds."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sealedbeam.pipeline.index.documents import DocumentsWriter, Origin
from sealedbeam.pipeline.index.extents import describe_parquet
from sealedbeam.pipeline.index.invert import invert_by_shard
from sealedbeam.pipeline.index.merge import merge_runs
from sealedbeam.pipeline.index.search import Index
from sealedbeam.pipeline.index.shards import write_shard
from sealedbeam.pipeline.index.tokens import tokenize_batch
from sealedbeam.pipeline.manifest import Manifest, Totals, encode_manifest
from sealedbeam.pipeline.records import Document, DocumentView

from tests.support.small_index import SmallDocument, documents_of, write_index

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.pipeline.manifest import FileEntry

SHARDS = 3
TEXTS = [
    f"Title {i}\n{'lamp ' * (i % 3)}sealed beam {i % 7} caf\u00e9 \u6771\u4eac, {word} lamp"
    for i, word in enumerate(["red", "Stra\u00dfe", "lamp", "straSSe"] * 10)
]


def view_of(document: SmallDocument) -> DocumentView:
    url, title, text = document.url, document.title, document.text
    whole = Document(url, title, text, "", 200, "text/html", "UTF-8", "", b"\0" * 32, ())
    return DocumentView.from_payload(whole.to_payload())


def store(folder: Path, stem: str, sink: io.BytesIO) -> FileEntry:
    data = sink.getvalue()
    path = f"{stem}.{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    (folder / path).parent.mkdir(exist_ok=True)
    (folder / path).write_bytes(data)
    return describe_parquet(path, data)


def write_documents(documents: list[SmallDocument]) -> io.BytesIO:
    sink = io.BytesIO()
    writer = DocumentsWriter(sink)
    for start in range(0, len(documents), 6):
        members = documents[start : start + 6]
        writer.append(
            np.array([d.doc_id for d in members]),
            [view_of(d) for d in members],
            tokenize_batch([d.text.encode() for d in members]).lengths,
            [Origin("a.warc", 0, 1)] * len(members),
            np.zeros(len(members), np.uint32),
        )
    writer.close()
    return sink


def write_really(folder: Path, documents: list[SmallDocument]) -> None:
    """Write the index as a job does: two parts, inverted apart, merged by shard."""
    files, runs = [], []
    for part in range(2):
        members = [d for d in documents if d.doc_id >> 32 == part]
        files.append(store(folder, f"documents/part-{part:05d}", write_documents(members)))
        batch = tokenize_batch([d.text.encode() for d in members])
        ordinals = np.array([d.doc_id & 0xFFFFFFFF for d in members], np.uint32)
        runs.append((part << 32, invert_by_shard(batch, ordinals, SHARDS)))
    totals = np.zeros(3, np.int64)
    for shard in range(SHARDS):
        sink = io.BytesIO()
        own = [(base, by_shard[shard]) for base, by_shard in runs]
        counts = write_shard(merge_runs(own, np.empty(0, np.int64), postings_max=50), sink)
        totals += (counts.terms, counts.postings, counts.tokens)
        files.append(store(folder, f"shards/shard-{shard:05d}", sink))
    terms, postings, tokens = totals.tolist()
    counted = Totals(len(documents), tokens, terms, postings, {})
    data = encode_manifest(Manifest({}, "00", (), tuple(files), counted, SHARDS))
    (folder / "manifest.json").write_bytes(data)


@pytest.mark.parametrize(
    "query",
    ["lamp", "red caf\u00e9", '"sealed beam 3"', "strasse", "\u6771\u4eac title", '"lamp lamp"'],
)
def test_written_index_answers_like_a_plain_one(tmp_path: Path, query: str) -> None:
    """An index by the real writers gives the very answer of one made of dicts."""
    documents = sorted(documents_of(TEXTS), key=lambda document: document.doc_id)
    (tmp_path / "plain").mkdir()
    (tmp_path / "real").mkdir()
    write_index(tmp_path / "plain", documents)
    write_really(tmp_path / "real", documents)
    expected = Index.open(tmp_path / "plain").search(query, 50)
    assert expected.total > 0
    assert expected == Index.open(tmp_path / "real").search(query, 50)


def test_description_of_a_file(tmp_path: Path) -> None:
    """The entry made from a file's bytes is the one that is counted together by hand."""
    manifest = write_index(tmp_path, documents_of(TEXTS), shards=SHARDS)
    for entry in manifest.files:
        assert entry == describe_parquet(entry.path, (tmp_path / entry.path).read_bytes())


def test_description_of_an_empty_file(tmp_path: Path) -> None:
    """A file without rows is described too, with or without an empty row group."""
    manifest = write_index(tmp_path, [], shards=1)
    (entry,) = manifest.files
    assert entry == describe_parquet(entry.path, (tmp_path / entry.path).read_bytes())
    assert entry.rows == 0
    (tmp_path / "real").mkdir()
    write_really(tmp_path / "real", [])
    assert Index.open(tmp_path / "real").search("lamp").total == 0


def test_description_needs_parquet() -> None:
    """Bytes that are no Parquet file are refused."""
    with pytest.raises(ValueError, match="Parquet"):
        describe_parquet("a.parquet", b"PAR1" + b"\0" * 100)
