from __future__ import annotations

import io
from typing import TYPE_CHECKING

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index.extents import describe_parquet
from sealedbeam.pipeline.index.invert import invert_by_shard, shard_of
from sealedbeam.pipeline.index.merge import merge_runs
from sealedbeam.pipeline.index.runs import decode_run, encode_run
from sealedbeam.pipeline.index.shards import (
    ShardTotals,
    ShardWriter,
    read_postings,
    write_shard,
)
from sealedbeam.pipeline.index.tokens import tokenize_batch

from tests.support.inverted_oracle import as_dict, corpora, inverted_of, postings_of

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.pipeline.index.merge import PostingRange

NONE = np.zeros(0, np.int64)
CORPUS = {0: "the red lamp", 7: "lamp the lamp", 70_000: "die rote lampe 漢"}
PARTS = {(part << 32) + document: text for part in (0, 3) for document, text in CORPUS.items()}


def ranges_of(postings_max: int) -> list[PostingRange]:
    run = inverted_of(CORPUS)
    return list(merge_runs([(0, run), (3 << 32, run)], NONE, postings_max))


def shard_bytes(postings_max: int = 20) -> bytes:
    sink = io.BytesIO()
    write_shard(ranges_of(postings_max), sink)
    return sink.getvalue()


@given(st.lists(corpora, min_size=1, max_size=3), st.integers(1, 3), st.integers(1, 60))
def test_the_whole_way_gives_the_dict_of_dicts(
    corpus_of_part: list[dict[int, str]], shards: int, postings_max: int
) -> None:
    """Texts tokenised, inverted, split, sealed as runs, merged and written read back as said."""
    runs: list[list[bytes]] = [[] for _ in range(shards)]
    for corpus in corpus_of_part:
        documents = sorted(corpus)
        batch = tokenize_batch([corpus[document].encode() for document in documents])
        parts = invert_by_shard(batch, np.array(documents, np.uint32), shards)
        for run, part in zip(runs, parts, strict=True):
            run.append(encode_run(part))
    whole = {
        (part << 32) + document: text
        for part, corpus in enumerate(corpus_of_part)
        for document, text in corpus.items()
    }
    for shard, payloads in enumerate(runs):
        sink = io.BytesIO()
        decoded = [(part << 32, decode_run(payload)) for part, payload in enumerate(payloads)]
        totals = write_shard(merge_runs(decoded, NONE, postings_max), sink)
        expected = {t: p for t, p in postings_of(whole).items() if shard_of(t, shards) == shard}
        table = pq.read_table(io.BytesIO(sink.getvalue()), page_checksum_verification=True)
        found = as_dict(read_postings(table))
        assert list(expected.items()) == list(found.items())
        tokens = sum(len(places) for term in expected.values() for places in term.values())
        assert ShardTotals(len(expected), sum(map(len, expected.values())), tokens) == totals


def test_a_row_group_is_read_from_its_extent_alone() -> None:
    """With every other row group blanked out, each one still gives its terms."""
    data = shard_bytes()
    _, *groups, footer = describe_parquet("a.parquet", data).parts
    assert len(groups) > 1
    for number, (group, expected) in enumerate(zip(groups, ranges_of(20), strict=True)):
        sparse = bytearray(len(data))
        extents = ((0, 4), (group.offset, group.offset + group.length), (footer.offset, None))
        for start, stop in extents:
            sparse[start:stop] = data[start:stop]
        reader = pq.ParquetFile(io.BytesIO(bytes(sparse)), page_checksum_verification=True)
        found = as_dict(read_postings(reader.read_row_group(number)))
        assert as_dict(expected) == found
        assert [group.first, group.last] == [min(found).decode(), max(found).decode()]
        assert group.rows == len(found)


def test_a_sink_that_takes_more_bytes_is_noticed() -> None:
    """Bytes that somebody else wrote into the sink lie in no extent."""
    sink = io.BytesIO()
    writer = ShardWriter(sink)
    writer.append(ranges_of(20)[0])
    sink.write(b"foreign")
    writer.close()
    with pytest.raises(ValueError, match="the footer begins at"):
        describe_parquet("a.parquet", sink.getvalue())


def test_equal_postings_are_equal_bytes() -> None:
    """Writing twice gives the same file to the last bit."""
    assert shard_bytes() == shard_bytes()


def test_delta_encodings_reach_the_list_elements() -> None:
    """Numbers are DELTA_BINARY_PACKED and terms DELTA_BYTE_ARRAY, with no dictionary."""
    group = pq.read_metadata(io.BytesIO(shard_bytes())).row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    assert [
        next(encoding for encoding in column.encodings if encoding != "RLE") for column in columns
    ] == ["DELTA_BYTE_ARRAY"] + ["DELTA_BINARY_PACKED"] * 5


def test_others_read_the_same(tmp_path: Path) -> None:
    """DuckDB and pandas see the rows that were written."""
    path = tmp_path / "shard.parquet"
    path.write_bytes(shard_bytes())
    expected = [
        (
            term.decode(),
            len(documents),
            sum(map(len, documents.values())),
            list(documents),
            [len(places) for places in documents.values()],
            [place for places in documents.values() for place in places],
        )
        for term, documents in postings_of(PARTS).items()
    ]
    with duckdb.connect() as connection:
        query = "SELECT term, df, cf, doc_ids, tfs, positions FROM read_parquet(?)"
        assert expected == connection.execute(query, [str(path)]).fetchall()
    frame = pd.read_parquet(path)
    rows = zip(*(frame[name] for name in frame.columns), strict=True)
    assert expected == [(*row[:3], *(list(column) for column in row[3:])) for row in rows]


def test_terms_must_ascend_from_range_to_range() -> None:
    """A range that does not follow the last one is refused before it is written."""
    first, second, *_ = ranges_of(20)
    writer = ShardWriter(io.BytesIO())
    writer.append(second)
    with pytest.raises(ValueError, match="does not follow"):
        writer.append(first)
    writer.close()


def test_an_empty_shard_is_a_file() -> None:
    """A shard without terms is a Parquet file without row groups."""
    sink = io.BytesIO()
    assert write_shard([], sink) == ShardTotals(0, 0, 0)
    assert describe_parquet("a.parquet", sink.getvalue()).rows == 0
    assert as_dict(read_postings(pq.read_table(io.BytesIO(sink.getvalue())))) == {}


@pytest.mark.parametrize("name", ["df", "cf", "tfs"])
def test_columns_that_contradict_each_other_are_refused(name: str) -> None:
    """Counts that do not match the lists are not believed."""
    table = pq.read_table(io.BytesIO(shard_bytes()))
    values = table[name].to_pylist()
    values[0] = [value + 1 for value in values[0]] if name == "tfs" else values[0] + 1
    place = table.schema.get_field_index(name)
    changed = table.set_column(place, table.field(name), pa.array(values, table.field(name).type))
    with pytest.raises(ValueError, match=r"lists of|sum of tfs"):
        read_postings(changed)
