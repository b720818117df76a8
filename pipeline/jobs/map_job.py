"""The map task: reads one part, parses it, inverts it, and commits documents and sealed runs.

    read ══ hop "pages" ══▶ parse ══ hop "documents" ══▶ invert ──▶ documents file, run file

Between two stages every record travels sealed in a block over the job's channel. After a stage its
input is verified a second time before it is let go: a record that changed while it was in use is
derived again and the stage repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealedbeam.pipeline.crawl.values import Container, Digest, WarcRecord
from sealedbeam.pipeline.crawl.warc import PartReader
from sealedbeam.pipeline.crawl.window import InflatedWindow
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.index.parse import Rejected, parse_page
from sealedbeam.pipeline.integrity.block import BLOCK_TARGET_BYTES, seal_record, write_block
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.integrity.ladder import Casualty, carry
from sealedbeam.pipeline.integrity.lineage import Origin
from sealedbeam.pipeline.records import Page

from .derive import derive_documents, derive_pages
from .entry import Entry, RunEntry
from .files import commit_file, commit_task
from .plan import Part
from .quarantine import RAW_BYTES_MAX, Quarantine
from .segment import Run, Segment, SegmentFiles, StoredDocument, build_segment, run_name
from .store import content_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.crawl.values import Region
    from sealedbeam.pipeline.integrity.channel import Transit
    from sealedbeam.pipeline.integrity.ladder import Accepted, Carried, Derive
    from sealedbeam.pipeline.records import Document

    from .context import JobContext

PAGES = "pages"
DOCUMENTS = "documents"
RUNS = "runs"
UNDECODABLE = "undecodable_payload"
DIGEST_BAD = "digest_bad"
UNKNOWN_TYPE = "unknown_record_type"
# WARC 1.1, section 6
RECORD_TYPES = frozenset(("warcinfo", "response", "resource", "request", "metadata", "revisit")) | {
    "conversion",
    "continuation",
}
CHANGED_IN_USE = "changed_in_use"


def run_map_task(context: JobContext, part: Part) -> Entry:
    """Return the committed entry of `part`, doing the work if that has not happened yet."""
    committed = context.committed(part.task)
    if committed is not None and committed.details["start"] == [part.start, part.exact_start]:
        return committed
    return _MapTask(context, part, context.transit_source.begin(part.task)).run()


def derive_runs(context: JobContext, entry: Entry) -> dict[bytes, bytes]:
    """Return the payloads of a part's runs by name, made again from its input alone."""
    (start, exact_start), details = entry.details["start"], entry.details
    number = int(entry.task.removeprefix("part-"))
    part = Part(number, details["source"], start, details["stop"], exact_start=exact_start)
    transit = PerfectChannel().begin(entry.task)
    return _MapTask(context, part, transit, frozenset(details["lost"])).run_again()


class _MapTask:
    """One attempt at a part; `lost` are the ordinals that an earlier one had to leave out."""

    def __init__(
        self,
        context: JobContext,
        part: Part,
        transit: Transit,
        lost: frozenset[int] = frozenset(),
    ) -> None:
        self._context = context
        self._part = part
        self._input = context.inputs[part.source]
        self._transit = transit
        self._lost = set(lost)
        self._again: dict[bytes, bytes] | None = None
        self._entry = Entry(part.task, context.configuration_hash)
        self._quarantine = Quarantine(part.task, context.paths)
        self._inflated: InflatedWindow | None = None
        self._segment = Segment()
        self._segments = 0
        self._blocks = 0
        self._ordinal = 0

    def run_again(self) -> dict[bytes, bytes]:
        """Do the task in memory alone; return its runs."""
        self._again = {}
        self._read()
        if self._segment.documents:
            self._flush()
        return self._again

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
        }
        commit_task(context.store, self._entry, self._quarantine, self._transit)
        return self._entry

    # Reading.

    def _read(self) -> tuple[int | None, int]:
        """Read the part and pass its pages on in blocks; return its extent."""
        part = self._part
        if part.start >= part.stop:
            return None, part.start
        reader = PartReader(
            self._context.source(part.source),
            self._input.container,
            part.start,
            part.stop,
            exact_start=part.exact_start,
        )
        batch: list[tuple[bytes, bytes]] = []
        size = 0
        for item in reader:
            if not isinstance(item, WarcRecord):
                self._set_region_aside(item)
                continue
            record = self._admit(item)
            if record is not None:
                batch.append(record)
                size += len(record[1])
                if size >= BLOCK_TARGET_BYTES:
                    self._pass_pages(batch)
                    batch, size = [], 0
        if batch:
            self._pass_pages(batch)
        extent = reader.extent
        assert extent is not None, "a reader that is exhausted knows its extent"
        return extent.first, extent.end

    def _admit(self, record: WarcRecord) -> tuple[bytes, bytes] | None:
        """Count a record; return it to be sealed if it is a page whose digest does not fail."""
        entry, page = self._entry, record.page
        entry.count("records", record.warc_type)
        entry.count("inputs", f"digest_{record.digest}")
        if page is not None:
            entry.count("pages", "read")
        if record.warc_type not in RECORD_TYPES:
            # A flipped bit may have made it of a page: only its type says that it is none.
            entry.count("inputs", "damaged_regions")
            self._set_range_aside(record.offset, record.length, UNKNOWN_TYPE)
            return None
        if record.digest is Digest.BAD:
            if page is not None:
                entry.count("pages", "quarantined")
                entry.count("pages", "arrived_damaged")
            self._set_range_aside(record.offset, record.length, DIGEST_BAD)
            return None
        if page is None:
            return None
        part, source = self._part.number, self._part.source
        origin = Origin(part, self._ordinal, source, record.offset, record.length)
        self._ordinal += 1
        return origin.encode(), page.to_payload()

    def _set_region_aside(self, region: Region) -> None:
        self._entry.count("inputs", "damaged_regions")
        self._entry.count("inputs", "damaged_bytes", region.length)
        self._set_range_aside(region.offset, region.length, region.reason)

    def _set_range_aside(self, offset: int, length: int, reason: str) -> None:
        raw = self._raw(offset, min(length, RAW_BYTES_MAX))
        self._quarantine.add_range(self._part.source, offset, length, reason, raw)

    def _raw(self, offset: int, length: int) -> bytes:
        """Return bytes of the input as the reader counts them; offsets only ascend."""
        source = self._context.source(self._part.source)
        if self._input.container is not Container.GZIP_WHOLE:
            return source.read(offset, length)
        self._inflated = self._inflated or InflatedWindow(source)  # one more pass, if need be
        data, index = self._inflated.at(offset, length)
        return bytes(data[index : index + length])

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
                if not self._context.policy.protection.seals:
                    document.check()
            except ValueError:
                self._set_undecodable_aside(accepted, DOCUMENTS)
                continue
            if document.origin.ordinal not in self._lost:
                self._segment.add(document)
        if self._segment.full:
            self._flush()

    def _cross(self, hop: str, records: list[tuple[bytes, bytes]], derive: Derive) -> Carried:
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
        """Parse one page; append the document's record, or count why there is none."""
        try:
            result = parse_page(Page.from_payload(accepted.payload))
        except ValueError:
            self._set_undecodable_aside(accepted, PAGES)
            return
        if not self._proven_again(accepted):
            result = self._parse_again(accepted)
        if isinstance(result, Rejected):
            self._entry.count("rejected", result.reason)
        else:
            documents.append((accepted.identity, result.to_payload()))

    def _parse_again(self, accepted: Accepted) -> Document | Rejected:
        """Parse a page anew whose bytes changed while they were parsed."""
        self._entry.count("operations", CHANGED_IN_USE)
        for identity, payload in derive_pages(self._context, [accepted.identity]):
            if seal_record(identity, payload) == accepted.found.seal:
                return parse_page(Page.from_payload(payload))
        raise IntegrityError(
            f"{self._part.task}: a page changed in memory and cannot be made again from "
            f"{self._input.path}; was the input changed?"
        )

    def _proven_again(self, accepted: Accepted) -> bool:
        return not self._context.policy.protection.seals or accepted.still_intact()

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
        for _ in range(self._context.policy.max_attempts):
            documents = self._segment.documents
            files = build_segment(documents, self._context.paths, self._context.shards)
            changed = [
                document for document in documents if not self._proven_again(document.accepted)
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
