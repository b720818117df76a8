"""The Parquet file of one index shard, and where its row groups lie in the file.

One row per term, ascending in UTF-8 byte order; one row group per range of terms, of some 1 to
4 MiB, so that a search reads little. `doc_ids` and `tfs` have one element per posting;
`positions` is flat: those of all postings of the term one after the other, as many each as `tfs`
says. Encodings are by measurement on 40 MB of text: with delta encodings zstd still takes half
off the doc ids and a quarter off the terms, and nothing worth its time off anything else (12.7 MB
in all; 14.8 MB without, 12.7 MB with zstd on every column, a tenth slower to write).

Page checksums leave page headers and the footer uncovered. Therefore a file is described by
extents that tile it, so that each byte can be checked before Arrow parses it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .merge import PostingRange
from .ragged import OFFSET_MAX, offsets_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray


_NUMBERS = {
    "df": "DELTA_BINARY_PACKED",
    "cf": "DELTA_BINARY_PACKED",
    "doc_ids.list.element": "DELTA_BINARY_PACKED",
    "tfs.list.element": "DELTA_BINARY_PACKED",
    "positions.list.element": "DELTA_BINARY_PACKED",
}
_COMPRESSION = dict.fromkeys(_NUMBERS, "none") | {"term": "zstd", "doc_ids.list.element": "zstd"}


def _list_of(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind, nullable=False))


SHARD_SCHEMA = pa.schema(
    [
        pa.field("term", pa.string(), nullable=False),
        pa.field("df", pa.int64(), nullable=False),
        pa.field("cf", pa.int64(), nullable=False),
        pa.field("doc_ids", _list_of(pa.int64()), nullable=False),
        pa.field("tfs", _list_of(pa.int32()), nullable=False),
        pa.field("positions", _list_of(pa.int32()), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class ShardTotals:
    """What a shard holds: terms, postings, and tokens, which are the sum of all tfs."""

    terms: int
    postings: int
    tokens: int


class ShardWriter:
    """Writes ranges of postings, in ascending order, as one shard; the sink stays open."""

    def __init__(self, sink: BinaryIO) -> None:
        self._last_term: bytes | None = None
        self._totals = np.zeros(3, np.int64)
        self._writer = pq.ParquetWriter(
            sink,
            SHARD_SCHEMA,
            compression=_COMPRESSION,
            compression_level={"term": 1, "doc_ids.list.element": 1},
            use_dictionary=False,
            column_encoding=_NUMBERS | {"term": "DELTA_BYTE_ARRAY"},
            write_statistics=["term"],
            write_page_checksum=True,
        )

    def append(self, postings: PostingRange) -> None:
        """Write one range as one row group.

        Raises:
            ValueError: its terms do not follow those already written, or a term is too large.
        """
        if len(postings.terms) == 0:
            return
        first = postings.terms[0].as_py()
        if self._last_term is not None and not self._last_term < first:
            raise ValueError(f"term {first!r} does not follow {self._last_term!r}")
        self._writer.write_table(_table_of(postings), row_group_size=len(postings.terms))
        self._last_term = postings.terms[-1].as_py()
        self._totals += (len(postings.terms), len(postings.doc_ids), len(postings.positions))

    def close(self) -> ShardTotals:
        """Write the footer; return the totals."""
        self._writer.close()
        return ShardTotals(*self._totals.tolist())


def write_shard(ranges: Iterable[PostingRange], sink: BinaryIO) -> ShardTotals:
    """Write `ranges` as one shard into `sink`, at its start, each as one row group."""
    writer = ShardWriter(sink)
    for postings in ranges:
        writer.append(postings)
    return writer.close()


def read_postings(table: pa.Table) -> PostingRange:
    """Return rows of a shard as postings.

    Raises:
        ValueError: the columns do not fit together.
    """
    columns = table.combine_chunks().to_batches()
    batch = columns[0] if columns else pa.RecordBatch.from_pylist([], schema=SHARD_SCHEMA)
    df, cf = (np.asarray(batch.column(name)) for name in ("df", "cf"))
    doc_ids = _elements_of(batch.column("doc_ids"), df, "doc_ids")
    tfs = _elements_of(batch.column("tfs"), df, "tfs")
    positions = _elements_of(batch.column("positions"), cf, "positions")
    if int(tfs.sum(dtype=np.int64)) != len(positions):
        raise ValueError("the sum of tfs is not the number of positions")
    return PostingRange(batch.column("term").cast(pa.binary()), df, cf, doc_ids, tfs, positions)


def _table_of(postings: PostingRange) -> pa.Table:
    columns = [
        postings.terms.cast(pa.string()),
        pa.array(postings.df),
        pa.array(postings.cf),
        _lists_of(postings.doc_ids, postings.df),
        _lists_of(postings.tfs, postings.df),
        _lists_of(postings.positions, postings.cf),
    ]
    return pa.Table.from_arrays(columns, schema=SHARD_SCHEMA)


def _lists_of(values: NDArray[Any], counts: NDArray[np.int64]) -> pa.ListArray:
    if len(values) > OFFSET_MAX:
        raise ValueError(f"{len(values)} values in one row group exceed {OFFSET_MAX}")
    elements = pa.array(values)
    offsets = pa.array(offsets_of(counts).astype(np.int32))
    return pa.ListArray.from_arrays(offsets, elements, type=_list_of(elements.type))


def _elements_of(column: pa.ListArray, counts: NDArray[np.int64], name: str) -> NDArray[Any]:
    if not np.array_equal(np.diff(np.asarray(column.offsets)), counts):
        raise ValueError(f"the lists of {name} are not as long as their counts say")
    return np.asarray(column.flatten())
