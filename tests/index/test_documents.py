from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index.documents import DOCUMENT_SCHEMA, DocumentsWriter, Origin
from sealedbeam.pipeline.index.extents import describe_parquet
from sealedbeam.pipeline.records import Document, DocumentView

if TYPE_CHECKING:
    from pathlib import Path


words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=5)
documents_strategy = st.lists(
    st.builds(
        Document,
        url=words,
        title=words,
        text=words,
        language=words,
        status=st.integers(0, 65_535),
        content_type=words,
        charset=words,
        fetched_at=words,
        content_digest=st.binary(min_size=32, max_size=32),
        links=st.lists(words.filter(bool), max_size=3).map(tuple),
    ),
    max_size=7,
)


def write(documents: list[Document], segment: int) -> bytes:
    sink = io.BytesIO()
    writer = DocumentsWriter(sink)
    for start in range(0, len(documents), segment):
        numbers = np.arange(start, min(start + segment, len(documents)))
        views = [DocumentView.from_payload(documents[i].to_payload()) for i in numbers]
        origins = [Origin("ä.warc", 100 * int(i), 99) for i in numbers]
        writer.append((5 << 32) + 2 * numbers, views, numbers + 10, origins, seals_of(numbers))
    writer.close()
    return sink.getvalue()


def seals_of(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (2**32 - 1 - numbers).astype(np.uint32)


def rows_of(documents: list[Document]) -> list[dict[str, Any]]:
    return [
        {
            "doc_id": (5 << 32) + 2 * i,
            "url": document.url,
            "title": document.title,
            "text": document.text,
            "language": document.language,
            "status": document.status,
            "content_type": document.content_type,
            "charset": document.charset,
            "fetched_at": document.fetched_at,
            "length": i + 10,
            "content_digest": document.content_digest.hex(),
            "source_file": "ä.warc",
            "source_offset": 100 * i,
            "source_length": 99,
            "links": list(document.links),
            "seal": 2**32 - 1 - i,
        }
        for i, document in enumerate(documents)
    ]


def sample() -> list[Document]:
    links = [(), ("http://a/",), (), ("http://b/", "http://ü/", "http://c/"), ()]
    return [
        Document(
            f"http://example.org/{i}",
            "Ein Titel",
            "Ein Titel\nText 漢字",
            "de",
            200,
            "text/html",
            "utf-8",
            "2024-02-29T12:00:00Z",
            hashlib.sha256(bytes(i)).digest(),
            links[i],
        )
        for i in range(5)
    ]


@given(documents_strategy, st.integers(1, 4))
def test_documents_come_back_as_they_were(documents: list[Document], segment: int) -> None:
    """Every column of every document, in row groups of a segment each, reads back equal."""
    data = write(documents, segment)
    _, *groups, _ = describe_parquet("a.parquet", data).parts
    table = pq.read_table(io.BytesIO(data), page_checksum_verification=True)
    assert rows_of(documents) == table.to_pylist()
    assert DOCUMENT_SCHEMA.equals(table.schema)
    assert [len(documents[i : i + segment]) for i in range(0, len(documents), segment)] == [
        group.rows for group in groups
    ]


def test_equal_documents_are_equal_bytes() -> None:
    """Writing twice gives the same file to the last bit."""
    assert write(sample(), 2) == write(sample(), 2)


def test_others_read_the_same(tmp_path: Path) -> None:
    """DuckDB and pandas see the rows that were written."""
    path = tmp_path / "part.parquet"
    path.write_bytes(write(sample(), 3))
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
    assert [tuple(row.values()) for row in rows_of(sample())] == found
    frame = pd.read_parquet(path)
    frame["links"] = frame["links"].map(list)
    assert rows_of(sample()) == frame.to_dict("records")


def append(writer: DocumentsWriter, doc_ids: list[int], document: Document) -> None:
    count = len(doc_ids)
    writer.append(
        np.array(doc_ids),
        [DocumentView.from_payload(document.to_payload())] * count,
        np.zeros(count, np.int64),
        [Origin("a", 0, 1)] * count,
        np.zeros(count, np.uint32),
    )


@pytest.mark.parametrize("doc_ids", [[3], [2], [4, 4], [5, 4]])
def test_documents_must_ascend(doc_ids: list[int]) -> None:
    """A doc id that does not follow the last one is refused, within a segment and between two."""
    sink = io.BytesIO()
    writer = DocumentsWriter(sink)
    append(writer, [1, 3], sample()[0])
    with pytest.raises(ValueError, match="ascend"):
        append(writer, doc_ids, sample()[0])
    writer.close()
    assert pq.read_metadata(io.BytesIO(sink.getvalue())).num_rows == 2


def test_a_field_that_is_not_utf8_is_refused() -> None:
    """Nothing is written of a segment whose text no reader could decode."""
    payload = sample()[0].to_payload().replace("漢".encode(), b"\xff\xfe\xfd")
    sink = io.BytesIO()
    writer = DocumentsWriter(sink)
    with pytest.raises(ValueError, match="UTF"):
        writer.append(
            np.array([1]),
            [DocumentView.from_payload(payload)],
            np.array([1]),
            [Origin("a", 0, 1)],
            np.zeros(1, np.uint32),
        )
    writer.close()
    assert pq.read_metadata(io.BytesIO(sink.getvalue())).num_rows == 0


def test_an_argument_that_is_short_is_refused() -> None:
    """Arguments must have one entry per document each."""
    document = DocumentView.from_payload(sample()[0].to_payload())
    writer = DocumentsWriter(io.BytesIO())
    with pytest.raises((ValueError, pa.ArrowInvalid)):
        writer.append(
            np.array([1, 2]),
            [document, document],
            np.array([1]),
            [Origin("a", 0, 1)] * 2,
            np.zeros(2, np.uint32),
        )
    writer.close()
