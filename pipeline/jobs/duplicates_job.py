"""The task between map and reduce: compares all documents' digests and names the duplicates."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.index.duplicates import (
    Candidate,
    Duplicate,
    decode_candidates,
    find_duplicates,
)
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.parquet import read_checked

from .derive import derive_body_digest
from .entry import INPUTS, Entry, entry_path, inputs_digest
from .files import commit_file, commit_task, is_stored
from .quarantine import Quarantine
from .runs import RunReader
from .segment import DIGESTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from .context import JobContext
    from .recorder import Recorder

TASK = "duplicates"
PATH = "duplicates.parquet"


def run_duplicates_task(context: JobContext, parts: Sequence[Entry], recorder: Recorder) -> Entry:
    """Return the committed entry of the duplicates task.

    `parts` are all map entries, in order; `recorder` is told of each step.
    """
    inputs = inputs_digest(parts)
    committed = context.committed(TASK)
    if committed is not None and committed.details == {INPUTS: inputs}:
        return committed
    entry = Entry(TASK, context.configuration_hash, details={INPUTS: inputs})
    transit = context.transit_source.begin(TASK)
    quarantine = Quarantine(TASK, context.paths)
    reader = RunReader(context, transit, entry, quarantine)
    duplicates: list[Duplicate] = []

    def body_digest(candidate: Candidate) -> bytes | None:
        recorder.tick()
        return _body_digest(context, candidate)

    for shard in range(context.shards):
        candidates = []
        for _, _, accepted in reader.read(parts, DIGESTS, shard):
            recorder.tick()
            try:
                candidates += decode_candidates(accepted.payload)
            except ValueError:
                reader.set_undecodable_aside(accepted)
        duplicates += find_duplicates(candidates, body_digest)
    entry.count("documents", "duplicate", len(duplicates))
    entry.count("documents", "tokens_duplicate", sum(found.length for found in duplicates))
    data = encode_duplicates(sorted(duplicates))
    commit_file(context.store, entry, PATH, data)
    commit_task(context.store, entry, quarantine, transit)
    return entry


def _body_digest(context: JobContext, candidate: Candidate) -> bytes | None:
    part, ordinal = divmod(candidate.doc_id, 1 << 32)
    source, offset, size = candidate.source, candidate.offset, candidate.stored_bytes
    if min(source, offset, size) < 0 or source >= len(context.inputs):
        return None  # only an unsealed hop lets such numbers through
    return derive_body_digest(context, Origin(part, ordinal, source, offset, size))


def encode_duplicates(duplicates: Sequence[Duplicate]) -> bytes:
    """Return duplicates.parquet: doc_id, duplicate_of; ascending."""
    table = pa.table(
        {
            "doc_id": pa.array([found.doc_id for found in duplicates], pa.int64()),
            "duplicate_of": pa.array([found.duplicate_of for found in duplicates], pa.int64()),
        }
    )
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", write_page_checksum=True)
    return sink.getvalue()


def read_duplicates(context: JobContext, entry: Entry) -> NDArray[np.int64]:
    """Return the document numbers to leave out, ascending.

    Raises:
        IntegrityError: the file is not what its task committed; the task was taken back.
    """
    (file,) = (file for file in entry.files if file.path == PATH)
    if not is_stored(context.store, file):
        context.store.remove(entry_path(TASK))
        raise IntegrityError(f"{PATH} is damaged; run the same command again: it is made again")
    data = context.store.read(PATH)
    table = read_checked(data)
    doc_ids: NDArray[np.int64] = table.column("doc_id").to_numpy()
    return doc_ids
