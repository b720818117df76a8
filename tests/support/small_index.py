"""Writes a small finished index with plain dicts and pyarrow: no code of the index writers."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import google_crc32c
import pyarrow as pa
import pyarrow.parquet as pq
from sealedbeam.pipeline.index.invert import shard_of
from sealedbeam.pipeline.index.tokens import tokenize
from sealedbeam.pipeline.manifest import (
    FILE_NAME,
    Extent,
    FileEntry,
    Manifest,
    Totals,
    encode_manifest,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

PART_BITS = 32


@dataclass(frozen=True, slots=True)
class SmallDocument:
    """One document of a test; `indexed` is False for a duplicate, which no shard knows."""

    doc_id: int
    text: str
    title: str = ""
    url: str = "http://example.org/"
    indexed: bool = True


def documents_of(texts: Iterable[str], parts: int = 2) -> list[SmallDocument]:
    """Return the texts as documents, numbered as if they came from several parts."""
    return [
        SmallDocument(
            ((i % parts) << PART_BITS) + i // parts, text, f"T{i}", f"http://example.org/{i}"
        )
        for i, text in enumerate(texts)
    ]


def write_index(
    folder: Path, documents: Sequence[SmallDocument], *, shards: int = 2, group_rows: int = 3
) -> Manifest:
    """Write the index of `documents` into `folder` and return its manifest."""
    parts = defaultdict(list)
    for document in sorted(documents, key=lambda document: document.doc_id):
        parts[document.doc_id >> PART_BITS].append(document)
    files = [
        _write(folder, f"documents/part-{part:05d}", _documents_table(members), group_rows)
        for part, members in sorted(parts.items())
    ]
    postings = _postings(documents)
    for shard in range(shards):
        members = {t: p for t, p in postings.items() if shard_of(t.encode(), shards) == shard}
        files.append(_write(folder, f"shards/shard-{shard:05d}", _shard_table(members), group_rows))
    manifest = Manifest({}, "00", (), tuple(files), _totals(documents, postings), shards)
    (folder / FILE_NAME).write_bytes(encode_manifest(manifest))
    return manifest


def _postings(documents: Sequence[SmallDocument]) -> dict[str, dict[int, list[int]]]:
    postings: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for document in sorted(documents, key=lambda document: document.doc_id):
        if document.indexed:
            for position, term in enumerate(tokenize(document.text)):
                postings[term][document.doc_id].append(position)
    return dict(sorted(postings.items()))


def _totals(
    documents: Sequence[SmallDocument], postings: dict[str, dict[int, list[int]]]
) -> Totals:
    return Totals(
        documents=sum(document.indexed for document in documents),
        tokens=sum(len(tokenize(document.text)) for document in documents if document.indexed),
        terms=len(postings),
        postings=sum(map(len, postings.values())),
        pages={},
    )


def _documents_table(documents: Sequence[SmallDocument]) -> pa.Table:
    return pa.table(
        {
            "doc_id": pa.array([d.doc_id for d in documents], pa.int64()),
            "url": pa.array([d.url for d in documents], pa.string()),
            "title": pa.array([d.title for d in documents], pa.string()),
            "text": pa.array([d.text for d in documents], pa.string()),
            "length": pa.array([len(tokenize(d.text)) for d in documents], pa.int32()),
        }
    )


def _shard_table(postings: dict[str, dict[int, list[int]]]) -> pa.Table:
    lists = list(postings.values())
    tfs = [[len(places) for places in found.values()] for found in lists]
    flat = [[place for places in found.values() for place in places] for found in lists]
    return pa.table(
        {
            "term": pa.array(list(postings), pa.string()),
            "df": pa.array(map(len, lists), pa.int32()),
            "cf": pa.array(map(sum, tfs), pa.int64()),
            "doc_ids": pa.array([list(found) for found in lists], pa.list_(pa.int64())),
            "tfs": pa.array(tfs, pa.list_(pa.int32())),
            "positions": pa.array(flat, pa.list_(pa.int32())),
        }
    )


def _write(folder: Path, stem: str, table: pa.Table, group_rows: int) -> FileEntry:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=group_rows, write_page_checksum=True)
    data = sink.getvalue().to_pybytes()
    path = f"{stem}.{hashlib.sha256(data).hexdigest()[:16]}.parquet"
    (folder / path).parent.mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(data)
    keys = [str(key) for key in table.column(0).to_pylist()]
    return FileEntry(path, len(data), _crc(data), table.num_rows, _extents(data, keys))


def _extents(data: bytes, keys: Sequence[str]) -> tuple[Extent, ...]:
    metadata = pq.read_metadata(pa.BufferReader(data))
    parts = [Extent("head", 0, 4, _crc(data[:4]), 0, None, None)]
    row = 0
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        size = sum(group.column(i).total_compressed_size for i in range(group.num_columns))
        start, rows = parts[-1].offset + parts[-1].length, group.num_rows
        end = start + size
        first, last = (keys[row], keys[row + rows - 1]) if rows else (None, None)
        parts.append(Extent("row_group", start, size, _crc(data[start:end]), rows, first, last))
        row += rows
    start = parts[-1].offset + parts[-1].length
    footer = data[start:]
    parts.append(Extent("footer", start, len(footer), _crc(footer), 0, None, None))
    return tuple(parts)


def _crc(data: bytes) -> str:
    return f"{google_crc32c.value(data):08x}"
