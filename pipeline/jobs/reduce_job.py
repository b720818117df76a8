"""The reduce task: merges the runs of one shard, writes it, and reads it back over hop "shards".

The row groups are sealed in memory before the file is written; what comes back from storage must
carry these seals. A row group that has to be dropped is left out of the shard, by name and number.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.index.merge import merge_runs
from sealedbeam.pipeline.index.runs import decode_run
from sealedbeam.pipeline.index.shards import write_shard
from sealedbeam.pipeline.integrity.block import write_block
from sealedbeam.pipeline.integrity.ladder import carry

from .duplicates_job import read_duplicates
from .entry import INPUTS, Entry, inputs_digest
from .files import commit_file, commit_task
from .quarantine import Quarantine
from .recorder import Recorder
from .runs import RunReader
from .segment import POSTINGS
from .store import content_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from sealedbeam.pipeline.index.invert import Inverted
    from sealedbeam.pipeline.index.merge import PostingRange
    from sealedbeam.pipeline.index.shards import ShardTotals
    from sealedbeam.pipeline.integrity.channel import Transit
    from sealedbeam.pipeline.integrity.ladder import Accepted
    from sealedbeam.pipeline.manifest import FileEntry

    from .context import JobContext

SHARDS = "shards"


def shard_task(shard: int) -> str:
    """Return the name of the task that makes a shard."""
    return f"shard-{shard:05d}"


def run_reduce_task(
    context: JobContext,
    shard: int,
    parts: Sequence[Entry],
    duplicates: Entry,
    recorder: Recorder | None = None,
) -> Entry:
    """Return the committed entry of a shard, doing the work if that has not happened yet.

    Args:
        context: the job.
        shard: number of the shard.
        parts: the entries of all map tasks, in order.
        duplicates: the entry of the duplicates task.
        recorder: told of each step.
    """
    inputs = inputs_digest([*parts, duplicates])
    committed = context.committed(shard_task(shard))
    if committed is not None and committed.details == {INPUTS: inputs}:
        return committed
    task = _ReduceTask(context, shard, inputs, recorder or Recorder())
    return task.run(parts, read_duplicates(context, duplicates))


@dataclass(slots=True)
class _Input:
    """The runs of a shard as they were accepted, decoded, with the tokens they hold."""

    accepted: list[Accepted]
    runs: list[tuple[int, Inverted]]


class _ReduceTask:
    def __init__(self, context: JobContext, shard: int, inputs: str, recorder: Recorder) -> None:
        self._context = context
        self._recorder = recorder
        self._shard = shard
        self._task = shard_task(shard)
        self._transit: Transit = context.transit_source.begin(self._task)
        self._entry = Entry(self._task, context.configuration_hash, details={INPUTS: inputs})
        self._quarantine = Quarantine(self._task, context.paths)

    def run(self, parts: Sequence[Entry], duplicates: NDArray[np.int64]) -> Entry:
        """Do the whole task and commit it."""
        source = self._read_runs(parts, duplicates)
        data, totals = self._merge(source, duplicates, frozenset())
        file = self._commit_shard(data)
        dropped = self._read_back(file, data)
        if dropped:
            # The consumer refuses these row groups: the shard is written again without them.
            whole = totals.tokens
            self._entry.files.remove(file)
            data, totals = self._merge(source, duplicates, dropped)
            self._commit_shard(data)
            self._entry.count("shards", "tokens_dropped", whole - totals.tokens)
        self._entry.count("shards", "terms", totals.terms)
        self._entry.count("shards", "postings", totals.postings)
        self._entry.count("shards", "tokens", totals.tokens)
        commit_task(self._context.store, self._entry, self._quarantine, self._transit)
        return self._entry

    def _merge(
        self, source: _Input, duplicates: NDArray[np.int64], left_out: frozenset[int]
    ) -> tuple[memoryview, ShardTotals]:
        """Return the shard's bytes; its runs are proven once more after they were used.

        Raises:
            IntegrityError: a run changed in memory, between its first and its second look.
        """
        ranges = (found for found in merge_runs(source.runs, duplicates) if len(found.terms))
        kept = (found for number, found in enumerate(ranges) if number not in left_out)
        sink = io.BytesIO()
        totals = write_shard(self._ticking(kept), sink)
        sealed = self._context.policy.protection.seals
        if sealed and not all(accepted.still_intact() for accepted in source.accepted):
            raise IntegrityError(
                f"{self._task}: a run changed in memory while it was in use; run the same command "
                "again, on another machine if this happens twice: its memory is failing"
            )
        return sink.getbuffer(), totals

    def _ticking(self, ranges: Iterable[PostingRange]) -> Iterator[PostingRange]:
        """Tell the recorder of each range."""
        for found in ranges:
            self._recorder.tick()
            yield found

    def _read_runs(self, parts: Sequence[Entry], duplicates: NDArray[np.int64]) -> _Input:
        reader = RunReader(self._context, self._transit, self._entry, self._quarantine)
        source = _Input([], [])
        for part, run, accepted in reader.read(parts, POSTINGS, self._shard):
            self._recorder.tick()
            try:
                inverted = decode_run(accepted.payload)
            except ValueError:
                reader.set_undecodable_aside(accepted)
                self._entry.count("runs", "tokens_dropped", run.tokens)
                continue
            base = int(part.task.removeprefix("part-")) << 32
            source.accepted.append(accepted)
            source.runs.append((base, inverted))
            self._count_duplicates(base, inverted, duplicates)
        return source

    def _count_duplicates(self, base: int, run: Inverted, duplicates: NDArray[np.int64]) -> None:
        """Count the tokens that this run holds of duplicates: the merge must leave them out."""
        start, stop = np.searchsorted(duplicates, (base, base + (1 << 32)))
        if start < stop:
            of_duplicates = np.isin(run.documents, (duplicates[start:stop] - base))
            self._entry.count("shards", "tokens_duplicate", int(run.tfs[of_duplicates].sum()))

    def _commit_shard(self, data: memoryview) -> FileEntry:
        self._recorder.tick()
        path = content_name(SHARDS, self._task, "parquet", data)
        return commit_file(self._context.store, self._entry, path, data)

    def _read_back(self, file: FileEntry, data: memoryview) -> frozenset[int]:
        """Take the stored row groups over hop "shards"; return the numbers of those dropped."""
        groups = [part for part in file.parts if part.kind == "row_group"]
        names = [f"{self._task}/{number:05d}".encode() for number in range(len(groups))]
        policy, account = self._context.policy, self._entry.hop(SHARDS)

        def payloads(source: memoryview) -> list[memoryview]:
            return [source[group.offset : group.offset + group.length] for group in groups]

        sealed = write_block(
            self._task.encode(), zip(names, payloads(data), strict=True), policy.protection
        )
        account.sealed.add(sealed.seals)
        stored = zip(names, payloads(memoryview(self._context.store.read(file.path))), strict=True)
        block = write_block(self._task.encode(), stored, policy.protection, sealed.seals)
        by_name = dict(zip(names, payloads(data), strict=True))
        carried = carry(
            block,
            SHARDS,
            self._transit,
            policy,
            derive=lambda identities: [(identity, by_name[identity]) for identity in identities],
            account=account,
        )
        for casualty in carried.casualties:
            self._quarantine.add_record(SHARDS, casualty, None)
        return frozenset(names.index(casualty.identity) for casualty in carried.casualties)
