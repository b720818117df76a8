"""The map task: reads one part, parses it, inverts it, and commits documents and sealed runs.

    read ══ hop "pages" ══▶ parse ══ hop "documents" ══▶ invert ──▶ documents file, run file

Between two stages every record travels sealed in a block over the job's channel. After a stage its
input is verified a second time before it is let go: a record that changed while it was in use is
derived again and the stage repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.block import BLOCK_TARGET_BYTES, write_block
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.integrity.ladder import Carried, Casualty, carry
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.warc.values import Region

from .arrival import Arrival
from .derive import derive_documents, derive_pages
from .entry import Entry, RunEntry
from .files import commit_file, commit_task
from .parsing import CHANGED_IN_USE, PARSE, PageParser
from .plan import Part
from .poison import Skip, SkipList
from .quarantine import Quarantine
from .reading import RecordedReader, Unread
from .recorder import Recorder, Stage
from .redundancy import EVICTED, Sample, trusts
from .segment import Run, Segment, SegmentFiles, StoredDocument, build_segment, run_name
from .store import content_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.integrity.channel import Transit
    from sealedbeam.pipeline.integrity.ladder import Accepted, Derive

    from .context import JobContext

PAGES = "pages"
DOCUMENTS = "documents"
RUNS = "runs"
UNDECODABLE = "undecodable_payload"


def run_map_task(
    context: JobContext,
    part: Part,
    skips: Sequence[Skip],
    *,
    evicted: Sequence[str] = (),
    careful: bool,
    recorder: Recorder,
) -> Entry:
    """Return the committed entry of `part`, doing the work if that has not happened yet.

    Args:
        context: the job.
        part: what to read.
        skips: the records to do without.
        evicted: the machines to do without.
        careful: whether to do batch work on each document alone before.
        recorder: told what is in hand.
    """
    committed = committed_part(context, part, evicted)
    if committed is not None:
        return committed
    transit = context.transit_source.begin(part.task)
    task = _MapTask(context, part, transit, skips, evicted, careful=careful, recorder=recorder)
    return task.run()


def committed_part(context: JobContext, part: Part, evicted: Sequence[str] = ()) -> Entry | None:
    """Return the entry that stands for `part`, None when it must be done.

    A part that was done again from an exact start stands for the part as it was planned too: an
    attempt that began earlier and ends later must not take that back. Nor must one that knows of
    fewer `evicted` machines.
    """
    committed = context.committed(part.task)
    if committed is None or trusts(committed, evicted):
        return None
    start, exact_start = committed.details["start"]
    same = (start, exact_start) == (part.start, part.exact_start)
    return committed if same or (exact_start and not part.exact_start) else None


def derive_runs(context: JobContext, entry: Entry) -> dict[bytes, bytes]:
    """Return the payloads of a part's runs by name, made again from its input alone."""
    (start, exact_start), details = entry.details["start"], entry.details
    number = int(entry.task.removeprefix("part-"))
    part = Part(number, details["source"], start, details["stop"], exact_start=exact_start)
    transit = PerfectChannel().begin(entry.task)
    skips, lost = details["skipped"], frozenset(details["lost"])
    # Nothing is noted: what happens to the task in hand is not the fault of another one's records.
    task = _MapTask(context, part, transit, skips, lost=lost, again={}, recorder=Recorder())
    return task.run_again()


class _MapTask:
    """One attempt at a part.

    `lost` are the ordinals that an earlier one had to leave out, `again` takes the runs of one that
    commits nothing.
    """

    def __init__(
        self,
        context: JobContext,
        part: Part,
        transit: Transit,
        skips: Sequence[Skip],
        evicted: Sequence[str] = (),
        *,
        lost: frozenset[int] = frozenset(),
        again: dict[bytes, bytes] | None = None,
        careful: bool = False,
        recorder: Recorder,
    ) -> None:
        self._context = context
        self._part = part
        self._input = context.inputs[part.source]
        self._transit = transit
        self._skips = SkipList(skips)
        self._lost = set(lost)
        self._careful = careful
        self._recorder = recorder
        self._evicted = evicted
        self._again = again
        self._entry = Entry(part.task, context.configuration_hash)
        self._quarantine = Quarantine(part.task, context.paths)
        self._arrival = Arrival(context, part, self._entry, self._quarantine)
        # What is made again was voted on when it was made first.
        sample = Sample.of(context.config) if again is None else Sample.NONE
        self._parser = PageParser(
            context,
            self._entry,
            transit,
            self._skips,
            recorder,
            sample=sample,
            evicted=evicted,
        )
        self._segment = Segment()
        self._segments = 0
        self._blocks = 0

    def run_again(self) -> dict[bytes, bytes]:
        """Do the task in memory alone; return its runs."""
        self._read()
        if self._segment.documents:
            self._flush()
        return self._again or {}

    def run(self) -> Entry:
        """Do the whole task and commit it."""
        first, end = self._read()
        if self._segment.documents:
            self._flush()
        context, part = self._context, self._part
        self._entry.details = {
            "source": part.source,
            "start": [part.start, part.exact_start],
            "stop": part.stop,
            "first": first,
            "end": end,
            "lost": sorted(self._lost),
            "skipped": self._skips.met(),
        }
        if self._parser.met:
            self._entry.details[EVICTED] = self._parser.met
        committed = committed_part(context, part, self._evicted)  # by another attempt, meanwhile
        if committed is None:
            commit_task(context.store, self._entry, self._quarantine, self._transit)
        return committed or self._entry

    # Reading.

    def _read(self) -> tuple[int | None, int]:
        """Read the part and pass its pages on in blocks; return its extent."""
        reader = RecordedReader(self._context, self._part, self._skips, self._recorder)
        batch: list[tuple[bytes, bytes]] = []
        size = 0
        for item in reader:
            if isinstance(item, Unread):
                self._arrival.set_unread_aside(item)
                continue
            if isinstance(item, Region):
                self._arrival.set_region_aside(item)
                continue
            record = self._arrival.admit(item)
            if record is not None:
                batch.append(record)
                size += len(record[1])
                if size >= BLOCK_TARGET_BYTES:
                    self._pass_pages(batch)
                    batch, size = [], 0
        if batch:
            self._pass_pages(batch)
        return reader.extent.first, reader.extent.end

    # Parsing.

    def _pass_pages(self, batch: list[tuple[bytes, bytes]]) -> None:
        """Take a batch of pages over hop "pages", parse them, take the documents over theirs."""
        pages = self._cross(PAGES, batch, lambda ids: derive_pages(self._context, ids))
        documents: list[tuple[bytes, bytes]] = []
        for accepted in pages.accepted:
            self._parse(accepted, documents)
        if not documents:
            return
        crossed = self._cross(
            DOCUMENTS, documents, lambda ids: derive_documents(self._context, ids)
        )
        for accepted in crossed.accepted:
            try:
                document = StoredDocument.of(accepted)
                document.check()
            except ValueError:
                self._set_undecodable_aside(accepted, DOCUMENTS)
                continue
            if document.origin.ordinal not in self._lost:
                self._segment.add(document)
        if self._segment.full:
            self._flush()

    def _cross(self, hop: str, records: list[tuple[bytes, bytes]], derive: Derive) -> Carried:
        self._recorder.tick()
        policy = self._context.policy
        block_id = f"{self._part.task}/{hop}/{self._blocks:06d}".encode()
        self._blocks += 1
        block = write_block(block_id, records, policy.protection)
        account = self._entry.hop(hop)
        account.sealed.add(block.seals)
        carried = carry(block, hop, self._transit, policy, derive=derive, account=account)
        for casualty in carried.casualties:
            self._lose(hop, casualty)
        if not policy.protection.seals:
            self._recognise(hop, carried, records)
        return carried

    def _recognise(
        self, hop: str, carried: Carried, records: Sequence[tuple[bytes, bytes]]
    ) -> None:
        """Keep of unsealed records those that name one that was sent, each once and in order."""
        sent = {identity for identity, _ in records}
        known: dict[bytes, Accepted] = {}
        for accepted in carried.accepted:
            if accepted.identity in sent and accepted.identity not in known:
                known[accepted.identity] = accepted
            else:
                self._set_undecodable_aside(accepted, hop, named=False)
        carried.accepted = [known[identity] for identity, _ in records if identity in known]

    def _parse(self, accepted: Accepted, documents: list[tuple[bytes, bytes]]) -> None:
        """Parse one page; append the document's record, or say what became of it instead."""
        try:
            result = self._parser.parse(accepted)
        except ValueError:
            self._set_undecodable_aside(accepted, PAGES)
            return
        if isinstance(result, Skip):
            self._entry.count("pages", "quarantined")
            self._arrival.set_poison_aside(Origin.decode(accepted.identity).length, result)
        elif isinstance(result, Casualty):
            self._transit.settle(DOCUMENTS, Carried(casualties=[result]))
            self._lose(PARSE, result)
        elif result is not None:
            documents.append((accepted.identity, result))

    def _set_undecodable_aside(self, accepted: Accepted, hop: str, *, named: bool = True) -> None:
        """Set aside what only an unsealed hop can let through: bytes that are no record.

        `named` says whether at least its identity is one that was sent.
        """
        place = self._transit.place(accepted.identity, hop, accepted.attempt)
        raw = bytes(accepted.payload)
        casualty = Casualty(accepted.identity, UNDECODABLE, accepted.attempt, place, raw)
        self._lose(hop, casualty, named=named)

    def _lose(self, hop: str, casualty: Casualty, *, named: bool = True) -> None:
        origin = Origin.decode(casualty.identity) if named else None
        if origin is not None:
            self._lost.add(origin.ordinal)
        self._entry.count("pages", "quarantined")
        self._quarantine.add_record(hop, casualty, origin)

    # Writing.

    def _flush(self) -> None:
        """Turn the segment into files, and prove its documents once more before they go."""
        if self._careful:
            self._try_each_alone()
        for _ in range(self._context.policy.max_attempts):
            self._recorder.tick()
            documents = self._segment.documents
            files = build_segment(documents, self._context.paths, self._context.shards)
            changed = [
                document for document in documents if not self._parser.is_proven(document.accepted)
            ]
            if not changed:
                break
            self._replace(changed)
        else:
            raise IntegrityError(
                f"{self._part.task}: documents keep changing in memory while they are in use; "
                "this machine's memory is failing"
            )
        if self._again is None:
            self._write(files)
        else:
            self._again |= {self._run_name(run): run.payload for run in files.runs}
        self._segment = Segment()
        self._segments += 1

    def _try_each_alone(self) -> None:
        """Do the work of the segment with one document at a time: the recorder names each."""
        for document in self._segment.documents:
            _, _, _, offset, length = document.origin
            self._recorder.begin(Stage.SEGMENT, offset, length)
            build_segment([document], self._context.paths, self._context.shards)

    def _replace(self, changed: Sequence[StoredDocument]) -> None:
        identities = [document.accepted.identity for document in changed]
        self._entry.count("operations", CHANGED_IN_USE, len(changed))
        derived = derive_documents(self._context, identities)
        block = write_block(b"again", derived, self._context.policy.protection)
        carried = carry(
            block,
            DOCUMENTS,
            self._transit,
            self._context.policy,
            derive=lambda ids: derive_documents(self._context, ids),
            account=Entry("", "").hop(DOCUMENTS),
        )
        fresh = {again.identity: StoredDocument.of(again) for again in carried.accepted}
        self._segment.documents = [
            fresh.get(document.accepted.identity, document) for document in self._segment.documents
        ]

    def _write(self, files: SegmentFiles) -> None:
        self._recorder.tick()
        store, entry, task = self._context.store, self._entry, self._part.task
        documents = self._segment.documents
        entry.count("documents", "parsed", len(documents))
        entry.count("documents", "tokens", files.tokens)
        path = content_name("documents", task, "parquet", files.documents)
        commit_file(store, entry, path, files.documents)
        pieces: list[bytes] = []
        places: list[tuple[Run, int, int, int, bytes]] = []
        offset = 0
        for run in files.runs:
            name = self._run_name(run)
            block = write_block(name, [(name, run.payload)], self._context.policy.protection)
            entry.hop(RUNS).sealed.add(block.seals)
            (seal,) = block.seals
            places.append((run, offset, len(block.data), seal.crc, seal.digest))
            pieces.append(block.data)
            offset += len(block.data)
        data = b"".join(pieces)
        path = content_name("runs", task, "runs", data)
        commit_file(store, entry, path, data)
        entry.runs += [
            RunEntry(
                run.kind,
                self._segments,
                run.shard,
                path,
                start,
                length,
                crc,
                digest.hex(),
                run.tokens,
            )
            for run, start, length, crc, digest in places
        ]

    def _run_name(self, run: Run) -> bytes:
        return run_name(self._part.task, run.kind, self._segments, run.shard)
