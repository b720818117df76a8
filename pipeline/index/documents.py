"""The Parquet file of one part's documents, written from views, without decoding a field.

One row per parsed page, by ascending doc id; one row group per appended segment. Every column is
built from the bytes of all its fields joined and the offsets between them. `length` is the number
of tokens, `source_*` say where the record lies in the archive, `content_digest` is hexadecimal,
`seal` is the record's CRC-32C (as a signed 64-bit number, which every reader knows).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .ragged import OFFSET_MAX, offsets_of, string_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sealedbeam.pipeline.errors import Buffer
    from sealedbeam.pipeline.records import DocumentView

_ZSTD_LEVEL = 1
_LINKS = pa.list_(pa.field("element", pa.string(), nullable=False))
_KINDS = {
    "doc_id": pa.int64(),
    "url": pa.string(),
    "title": pa.string(),
    "text": pa.string(),
    "language": pa.string(),
    "status": pa.int32(),
    "content_type": pa.string(),
    "charset": pa.string(),
    "fetched_at": pa.string(),
    "length": pa.int64(),
    "content_digest": pa.string(),
    "source_file": pa.string(),
    "source_offset": pa.int64(),
    "source_length": pa.int64(),
    "links": _LINKS,
    "seal": pa.int64(),
}
DOCUMENT_SCHEMA = pa.schema([pa.field(name, kind, nullable=False) for name, kind in _KINDS.items()])
_REPETITIVE = ["language", "content_type", "charset", "source_file"]


class Origin(NamedTuple):
    """Where a page's record lies: the archive, and the stored bytes in it."""

    source_file: str
    source_offset: int
    source_length: int


class DocumentsWriter:
    """Writes the documents of one part, in ascending order of doc id; the sink stays open."""

    def __init__(self, sink: BinaryIO) -> None:
        self._last = -1
        self._writer = pq.ParquetWriter(
            sink,
            DOCUMENT_SCHEMA,
            compression="zstd",
            compression_level=_ZSTD_LEVEL,
            use_dictionary=_REPETITIVE,
            column_encoding={
                name: "DELTA_BINARY_PACKED"
                for name, kind in _KINDS.items()
                if pa.types.is_integer(kind)
            },
            write_statistics=["doc_id"],
            write_page_checksum=True,
        )

    def append(
        self,
        doc_ids: NDArray[np.int64],
        views: Sequence[DocumentView],
        lengths: NDArray[np.int64],
        origins: Sequence[Origin],
        seals: NDArray[np.uint32],
    ) -> None:
        """Write one segment as one row group; all arguments have one entry per document.

        Raises:
            ValueError: doc ids do not ascend, a field is not UTF-8, or the segment is over 2 GiB.
        """
        if len(doc_ids) == 0:
            return
        if int(doc_ids[0]) <= self._last or not (doc_ids[1:] > doc_ids[:-1]).all():
            raise ValueError(f"doc ids do not ascend from {self._last}")
        table = _table_of(doc_ids, views, lengths, origins, seals)
        self._writer.write_table(table, row_group_size=len(views))
        self._last = int(doc_ids[-1])

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


def _table_of(
    doc_ids: NDArray[np.int64],
    views: Sequence[DocumentView],
    lengths: NDArray[np.int64],
    origins: Sequence[Origin],
    seals: NDArray[np.uint32],
) -> pa.Table:
    files, offsets, sizes = zip(*origins, strict=True)
    columns = {
        "doc_id": pa.array(doc_ids, pa.int64()),
        "url": _strings([view.url for view in views]),
        "title": _strings([view.title for view in views]),
        "text": _strings([view.text for view in views]),
        "language": _strings([view.language for view in views]),
        "status": pa.array([view.status for view in views], pa.int32()),
        "content_type": _strings([view.content_type for view in views]),
        "charset": _strings([view.charset for view in views]),
        "fetched_at": _strings([view.fetched_at for view in views]),
        "length": pa.array(lengths, pa.int64()),
        "content_digest": _hexadecimal([view.content_digest for view in views]),
        "source_file": pa.array(files, pa.string()),
        "source_offset": pa.array(offsets, pa.int64()),
        "source_length": pa.array(sizes, pa.int64()),
        "links": _lines([view.links for view in views]),
        "seal": pa.array(seals.astype(np.int64)),
    }
    return pa.Table.from_pydict(columns, schema=DOCUMENT_SCHEMA)


def _lengths_of(fields: Sequence[Buffer]) -> NDArray[np.int64]:
    return np.fromiter(map(len, fields), np.int64, len(fields))


def _strings(fields: Sequence[Buffer]) -> pa.StringArray:
    return string_array(b"".join(fields), offsets_of(_lengths_of(fields)))


def _hexadecimal(fields: Sequence[Buffer]) -> pa.StringArray:
    digits = b"".join(fields).hex().encode()
    return string_array(digits, offsets_of(2 * _lengths_of(fields)))


def _lines(fields: Sequence[Buffer]) -> pa.ListArray:
    """Return the lines of each field as a list of strings; an empty field has none."""
    filled = _lengths_of(fields) > 0
    joined = b"\n".join([field for field in fields if len(field)])
    if len(joined) > OFFSET_MAX:
        raise ValueError(f"links of {len(joined)} bytes exceed {OFFSET_MAX}")
    breaks = np.flatnonzero(np.frombuffer(joined, np.uint8) == ord("\n"))
    edges = np.append(breaks, len(joined)) if joined else breaks
    starts = np.concatenate(([0], edges - np.arange(len(edges))))  # once the breaks are gone
    lines = string_array(joined.translate(None, b"\n"), starts)
    ends = np.cumsum(_lengths_of(fields) + filled) - 1  # the break behind each filled field
    offsets = np.searchsorted(edges, ends, side="right").astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(np.append(np.int32(0), offsets)), lines, type=_LINKS)
