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
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from .merge import PostingRange
from .ragged import OFFSET_MAX, offsets_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

MAGIC_BYTES = 4

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
class RowGroup:
    """Where one row group lies, page headers included; in shards also its first and last term."""

    offset: int
    length: int
    rows: int
    first_term: bytes | None = None
    last_term: bytes | None = None


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """The extents of a file: 4 magic bytes, row groups without a gap, the footer to the end."""

    size: int
    footer_offset: int
    row_groups: tuple[RowGroup, ...]

    @property
    def rows(self) -> int:
        """Return the number of rows in all row groups."""
        return sum(group.rows for group in self.row_groups)

    @classmethod
    def of(
        cls,
        metadata: pq.FileMetaData,
        size: int,
        terms: Iterable[tuple[bytes | None, bytes | None]] = (),
    ) -> Self:
        """Return the extents that `metadata` tells of a file of `size` bytes.

        Args:
            metadata: the footer.
            size: the length of the file.
            terms: the first and last term of each row group, when it has terms.

        Raises:
            ValueError: the extents do not tile the file.
        """
        bounds = list(terms) or [(None, None)] * metadata.num_row_groups
        groups = []
        end = MAGIC_BYTES
        for number, (first, last) in zip(range(metadata.num_row_groups), bounds, strict=True):
            start, length = _extent_of(metadata.row_group(number))
            if start != end:
                raise ValueError(f"row group {number} starts at {start} instead of {end}")
            groups.append(RowGroup(start, length, metadata.row_group(number).num_rows, first, last))
            end = start + length
        if end + _footer_length_of(metadata) != size:
            raise ValueError(f"row groups end at {end}, where the footer of {size} bytes is not")
        return cls(size, end, tuple(groups))


@dataclass(frozen=True, slots=True)
class ShardTotals:
    """What a shard holds: terms, postings, and tokens, which are the sum of all tfs."""

    terms: int
    postings: int
    tokens: int


class ShardWriter:
    """Writes ranges of postings, in ascending order, as one shard; the sink stays open."""

    def __init__(self, sink: BinaryIO) -> None:
        self._sink = sink
        self._terms: list[tuple[bytes | None, bytes | None]] = []
        self._totals = np.zeros(3, np.int64)
        self._metadata: list[pq.FileMetaData] = []
        self._writer = pq.ParquetWriter(
            sink,
            SHARD_SCHEMA,
            compression=_COMPRESSION,
            compression_level={"term": 1, "doc_ids.list.element": 1},
            use_dictionary=False,
            column_encoding=_NUMBERS | {"term": "DELTA_BYTE_ARRAY"},
            write_statistics=["term"],
            write_page_checksum=True,
            metadata_collector=self._metadata,
        )

    def append(self, postings: PostingRange) -> None:
        """Write one range as one row group.

        Raises:
            ValueError: its terms do not follow those already written, or a term is too large.
        """
        if len(postings.terms) == 0:
            return
        first, last = postings.terms[0].as_py(), postings.terms[-1].as_py()
        if self._terms and not (self._terms[-1][1] or b"") < first:
            raise ValueError(f"term {first!r} does not follow {self._terms[-1][1]!r}")
        self._writer.write_table(_table_of(postings), row_group_size=len(postings.terms))
        self._terms.append((first, last))
        self._totals += (len(postings.terms), len(postings.doc_ids), len(postings.positions))

    def close(self) -> tuple[ParquetFile, ShardTotals]:
        """Write the footer; return the extents and the totals."""
        self._writer.close()
        file = ParquetFile.of(self._metadata[0], self._sink.tell(), self._terms)
        return file, ShardTotals(*self._totals.tolist())


def write_shard(ranges: Iterable[PostingRange], sink: BinaryIO) -> tuple[ParquetFile, ShardTotals]:
    """Write `ranges` as one shard into `sink`, at its start; return the extents and the totals."""
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


def _extent_of(group: pq.RowGroupMetaData) -> tuple[int, int]:
    """Return where the column chunks of a row group begin, and their length together."""
    chunks = [group.column(i) for i in range(group.num_columns)]
    starts = [
        min(chunk.dictionary_page_offset or chunk.data_page_offset, chunk.data_page_offset)
        for chunk in chunks
    ]
    lengths = [chunk.total_compressed_size for chunk in chunks]
    for start, length, following in zip(starts, lengths, starts[1:], strict=False):
        if start + length != following:
            raise ValueError(f"a column chunk ends at {start + length}, the next is at {following}")
    return starts[0], sum(lengths)


def _footer_length_of(metadata: pq.FileMetaData) -> int:
    """Return the length of the footer with its own length and magic bytes, by writing it again."""
    footer = pa.BufferOutputStream()
    metadata.write_metadata_file(footer)
    return int(footer.getvalue().size) - MAGIC_BYTES


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
