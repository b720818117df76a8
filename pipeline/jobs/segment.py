"""Turns a bounded batch of documents into files: one documents file, and runs for every shard.

A part is cut into segments by the size of their text, so that the memory of a task does not depend
on how much a part's bytes inflate to. Nearly every part is one segment.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from sealedbeam.pipeline.index.documents import DocumentsWriter
from sealedbeam.pipeline.index.documents import Origin as SourceRange
from sealedbeam.pipeline.index.duplicates import (
    DIGEST_BYTES,
    Candidate,
    digest_shard,
    encode_candidates,
)
from sealedbeam.pipeline.index.invert import invert_by_shard
from sealedbeam.pipeline.index.runs import encode_run
from sealedbeam.pipeline.index.tokens import tokenize_batch
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.records import DocumentView

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.index.tokens import TokenBatch
    from sealedbeam.pipeline.integrity.ladder import Accepted

SEGMENT_TEXT_BYTES = 32 << 20
_BATCH_TEXT_BYTES = 3 << 20  # tokenising is fastest on batches that stay in the cache

ROW_GROUP_DOCUMENTS = 512
"""A search that shows a hit decodes the text of one row group: it should not be a whole part."""

POSTINGS = "postings"
DIGESTS = "digests"


class StoredDocument(NamedTuple):
    """A document as it came over its hop."""

    origin: Origin
    accepted: Accepted
    view: DocumentView

    @classmethod
    def of(cls, accepted: Accepted) -> StoredDocument:
        """Take an accepted record apart; raises ValueError when it is no document."""
        origin = Origin.decode(accepted.identity)
        return cls(origin, accepted, DocumentView.from_payload(accepted.payload))

    def check(self) -> None:
        """Raise ValueError when a field is not what its name says.

        A seal proves the bytes, not that they are right: a core may have computed them wrongly.
        """
        view = self.view
        texts = (view.url, view.title, view.text, view.language)
        for field_bytes in (*texts, view.content_type, view.charset, view.fetched_at, view.links):
            str(field_bytes, "utf-8")
        if len(view.content_digest) != DIGEST_BYTES:
            raise ValueError(f"a content digest has {len(view.content_digest)} bytes")


class Run(NamedTuple):
    """One run before it is sealed: its kind, shard, payload and number of tokens."""

    kind: str
    shard: int
    payload: bytes
    tokens: int


@dataclass(frozen=True, slots=True)
class SegmentFiles:
    """What a segment becomes: the documents file's bytes, and the runs."""

    documents: memoryview
    runs: tuple[Run, ...]
    tokens: int


@dataclass(slots=True)
class Segment:
    """Documents in the order of their numbers, and the size of their text."""

    documents: list[StoredDocument] = field(default_factory=list)
    text_bytes: int = 0

    def add(self, document: StoredDocument) -> None:
        """Append a document."""
        self.documents.append(document)
        self.text_bytes += len(document.view.text)

    @property
    def full(self) -> bool:
        """Whether it is time to turn the segment into files."""
        return self.text_bytes >= SEGMENT_TEXT_BYTES


def run_name(task: str, kind: str, segment: int, shard: int) -> bytes:
    """Return the identity of a run, which is also the id of its block."""
    return f"{task}/{kind}/{segment:04d}/{shard:05d}".encode()


def build_segment(
    documents: Sequence[StoredDocument], paths: Sequence[str], shards: int
) -> SegmentFiles:
    """Return the files of a segment: a pure function of its documents.

    Args:
        documents: ascending by number.
        paths: the path of each input, by its number.
        shards: number of shards of the job.
    """
    batches = [tokenize_batch(texts) for texts in _text_batches(documents)]
    lengths = _lengths(batches)
    ordinals = np.array([document.origin.ordinal for document in documents], np.uint32)
    runs = []
    for shard, inverted in enumerate(invert_by_shard(batches, ordinals, shards)):
        tokens = len(inverted.positions)
        runs.append(Run(POSTINGS, shard, encode_run(inverted), tokens))
    runs += _digest_runs(documents, lengths, shards)
    data = _encode_documents(documents, lengths, paths)
    return SegmentFiles(data, tuple(runs), int(lengths.sum()))


def _text_batches(documents: Sequence[StoredDocument]) -> list[list[memoryview]]:
    batches: list[list[memoryview]] = []
    size = _BATCH_TEXT_BYTES
    for document in documents:
        if size >= _BATCH_TEXT_BYTES:
            batches.append([])
            size = 0
        batches[-1].append(document.view.text)
        size += len(document.view.text)
    return batches


def _lengths(batches: Sequence[TokenBatch]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    if not batches:
        return np.zeros(0, np.int64)
    return np.concatenate([batch.lengths for batch in batches])


def _digest_runs(
    documents: Sequence[StoredDocument],
    lengths: np.ndarray[tuple[int], np.dtype[np.int64]],
    shards: int,
) -> list[Run]:
    by_shard: list[list[Candidate]] = [[] for _ in range(shards)]
    for document, length in zip(documents, lengths.tolist(), strict=True):
        view, origin = document.view, document.origin
        candidate = Candidate(
            bytes(view.content_digest),
            str(view.fetched_at, "utf-8"),
            str(view.url, "utf-8"),
            origin.doc_id,
            length,
            origin.source,
            origin.offset,
            origin.length,
        )
        by_shard[digest_shard(candidate.digest, shards)].append(candidate)
    return [
        Run(DIGESTS, shard, encode_candidates(candidates), 0)
        for shard, candidates in enumerate(by_shard)
    ]


def _encode_documents(
    documents: Sequence[StoredDocument],
    lengths: np.ndarray[tuple[int], np.dtype[np.int64]],
    paths: Sequence[str],
) -> memoryview:
    sink = io.BytesIO()
    writer = DocumentsWriter(sink)
    for start in range(0, len(documents), ROW_GROUP_DOCUMENTS):
        group = documents[start : start + ROW_GROUP_DOCUMENTS]
        writer.append(
            np.array([document.origin.doc_id for document in group], np.int64),
            [document.view for document in group],
            lengths[start : start + ROW_GROUP_DOCUMENTS],
            [
                SourceRange(paths[origin.source], origin.offset, origin.length)
                for origin, _, _ in group
            ],
            np.array([document.accepted.found.crc for document in group], np.uint32),
        )
    writer.close()
    return sink.getbuffer()
