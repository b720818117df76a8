"""A segment's files are a pure function of its documents."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pyarrow.parquet as pq
import pytest
from sealedbeam.pipeline.index.duplicates import decode_candidates, digest_shard
from sealedbeam.pipeline.index.invert import shard_of
from sealedbeam.pipeline.index.runs import decode_run
from sealedbeam.pipeline.index.tokens import tokenize
from sealedbeam.pipeline.integrity.block import open_block, write_block
from sealedbeam.pipeline.integrity.ladder import Accepted
from sealedbeam.pipeline.integrity.ledger import Outcome
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.integrity.protection import CORRECT
from sealedbeam.pipeline.jobs import segment
from sealedbeam.pipeline.jobs.segment import DIGESTS, POSTINGS, StoredDocument, build_segment
from sealedbeam.pipeline.records import Document

from tests.support.inverted_oracle import as_dict, postings_of

SHARDS = 3
PATHS = ("a.warc", "b.warc")


def document(number: int, text: str) -> Document:
    return Document(
        f"http://example.org/{number}",
        f"title {number}",
        text,
        "en",
        200,
        "text/html",
        "utf-8",
        f"2024-01-0{number % 9 + 1}T00:00:00Z",
        hashlib.md5(text.encode()).digest(),
        (f"http://example.org/{number + 1}",),
    )


def stored(documents: list[Document]) -> list[StoredDocument]:
    """Return documents as they come over their hop; every second number is missing."""
    records = [
        (Origin(4, 2 * n, 1, 100 * n, 90).encode(), document.to_payload())
        for n, document in enumerate(documents)
    ]
    opened = open_block(write_block(b"b", records, CORRECT).data, b"b", CORRECT)
    return [StoredDocument.of(Accepted(found, Outcome.INTACT, 1)) for found in opened.found]


TEXTS = ["the sealed beam", "", "beam, BEAM! beam?", "lamp\nin the rain é 漢字", "the end"] * 3
DOCUMENTS = [document(number, text) for number, text in enumerate(TEXTS)]


def test_documents_file_has_every_document() -> None:
    """Each document is a row with its number, its place in the input, its length and its seal."""
    found = stored(DOCUMENTS)
    files = build_segment(found, PATHS, SHARDS)
    rows = pq.read_table(io.BytesIO(files.documents)).to_pylist()
    assert [row["doc_id"] for row in rows] == [(4 << 32) + 2 * n for n in range(len(TEXTS))]
    assert [row["text"] for row in rows] == TEXTS
    assert [row["length"] for row in rows] == [len(tokenize(text)) for text in TEXTS]
    assert {row["source_file"] for row in rows} == {"b.warc"}
    assert [row["source_offset"] for row in rows] == [100 * n for n in range(len(TEXTS))]
    assert [row["seal"] for row in rows] == [f.accepted.found.seal.crc for f in found]
    assert files.tokens == sum(row["length"] for row in rows)


def test_postings_runs_hold_every_token_once() -> None:
    """Over all shards the runs say what an inverted file made slowly says; terms go by shard."""
    files = build_segment(stored(DOCUMENTS), PATHS, SHARDS)
    runs = [run for run in files.runs if run.kind == POSTINGS]
    assert [run.shard for run in runs] == list(range(SHARDS))
    merged: dict[bytes, dict[int, list[int]]] = {}
    for run in runs:
        decoded = as_dict(decode_run(run.payload))
        assert {shard_of(term, SHARDS) for term in decoded} <= {run.shard}
        tfs = [len(places) for found in decoded.values() for places in found.values()]
        assert run.tokens == sum(tfs)
        merged |= decoded
    assert merged == postings_of({2 * n: text for n, text in enumerate(TEXTS)})


def test_digest_runs_hold_every_document_once() -> None:
    """Each document's digest goes to the shard that compares it, with what decides who stays."""
    files = build_segment(stored(DOCUMENTS), PATHS, SHARDS)
    found = {}
    for run in files.runs:
        if run.kind == DIGESTS:
            for candidate in decode_candidates(run.payload):
                assert digest_shard(candidate.digest, SHARDS) == run.shard
                found[candidate.doc_id] = candidate
    assert sorted(found) == [(4 << 32) + 2 * n for n in range(len(TEXTS))]
    for n, expected in enumerate(DOCUMENTS):
        candidate = found[(4 << 32) + 2 * n]
        assert candidate.digest == expected.content_digest
        assert (candidate.fetched_at, candidate.url) == (expected.fetched_at, expected.url)


def test_batches_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs are the same however many batches the texts are tokenised in."""
    expected = build_segment(stored(DOCUMENTS), PATHS, SHARDS)
    monkeypatch.setattr(segment, "_BATCH_TEXT_BYTES", 20)
    assert build_segment(stored(DOCUMENTS), PATHS, SHARDS) == expected


def test_row_groups_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A documents file has a row group for every so many documents."""
    monkeypatch.setattr(segment, "ROW_GROUP_DOCUMENTS", 4)
    files = build_segment(stored(DOCUMENTS), PATHS, SHARDS)
    metadata = pq.read_metadata(io.BytesIO(files.documents))
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [4, 4, 4, 3]


def test_segment_is_full_by_text_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text counts, since it is what takes memory later."""
    monkeypatch.setattr(segment, "SEGMENT_TEXT_BYTES", 10)
    filling = segment.Segment()
    full = []
    for found in stored([document(0, "x" * 9), document(1, "y")]):
        filling.add(found)
        full.append(filling.full)
    assert full == [False, True]


def test_wrong_fields_are_found() -> None:
    """What only an unsealed hop lets through, bytes that no text has or half a digest, is named."""
    (good,) = stored([DOCUMENTS[0]])
    good.check()
    wrong = good.view._replace(title=memoryview(b"\xff"))
    with pytest.raises(UnicodeDecodeError):
        good._replace(view=wrong).check()
    short = good.view._replace(content_digest=memoryview(bytes(15)))
    with pytest.raises(ValueError, match="15 bytes"):
        good._replace(view=short).check()


def test_no_documents_make_empty_files() -> None:
    """Nothing in, nothing out, but files that can be read."""
    files = build_segment([], PATHS, SHARDS)
    assert pq.read_table(io.BytesIO(files.documents)).num_rows == 0
    assert files.tokens == 0
    assert np.sum([run.tokens for run in files.runs]) == 0
