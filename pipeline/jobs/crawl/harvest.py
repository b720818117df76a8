"""Makes archives, indexes of them, events and links of a log: the consumer of the hop `fetch`.

Every answer crosses the hop sealed, through the log. One that is damaged there is dropped; what
becomes of its address is decided in `refetch.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.crawl.frontier import State
from sealedbeam.pipeline.crawl.visitor import AnswerKind
from sealedbeam.pipeline.crawl.visits import Schedule, archive, settle
from sealedbeam.pipeline.integrity.block import Block
from sealedbeam.pipeline.integrity.ladder import Casualty, carry
from sealedbeam.pipeline.jobs.files import commit_file
from sealedbeam.pipeline.warc.cdxj import cdxj_line, encode_cdxj
from sealedbeam.pipeline.warc.writer import write_info

from .answers import decode_answer, decode_identity
from .measuring import count_fetch
from .names import WARC, object_name
from .refetch import REFETCHED, may_ask_again

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sealedbeam.pipeline.crawl.frontier import Row, Visited
    from sealedbeam.pipeline.crawl.hosts import HostRow
    from sealedbeam.pipeline.crawl.visitor import Answer
    from sealedbeam.pipeline.crawl.visits import Archived
    from sealedbeam.pipeline.integrity.channel import Transit
    from sealedbeam.pipeline.integrity.ladder import Accepted
    from sealedbeam.pipeline.jobs.entry import Entry

    from .context import CrawlContext
    from .fetching import AnswerLog

FETCH = "fetch"
UNREADABLE = "unreadable"
ARCHIVE_BYTES = 64 << 20
"""An archive is closed when it has so many bytes; one more record may go beyond."""


def take_answers(
    context: CrawlContext,
    entry: Entry,
    log: AnswerLog,
    transit: Transit,
    rows: Mapping[str, Row],
) -> Iterator[Answer | Casualty]:
    """Yield what crosses the hop of a log, in its order, and what was dropped there."""
    account = entry.hop(FETCH)
    protection = context.policy.protection
    for logged in log.logged:
        account.sealed.add([logged.seal])
        block = Block(
            log.read(logged), logged.block_id, (logged.identity,), (logged.seal,), protection
        )
        again = may_ask_again(logged.identity, rows, context.config)
        carried = carry(
            block,
            FETCH,
            transit,
            context.policy,
            derive=lambda _: (),
            account=account,
            dropped_reason=REFETCHED if again else "",
        )
        yield from carried.casualties
        for accepted in carried.accepted:
            answer = _read(accepted)
            if answer is None:  # only without seals
                place = transit.place(logged.identity, FETCH, 1)
                raw = bytes(accepted.payload)
                entry.count("answers", UNREADABLE)
                yield Casualty(logged.identity, UNREADABLE, 1, place, raw)
            else:
                yield answer


def _read(accepted: Accepted) -> Answer | None:
    """Return the answer of a record, None where its bytes are not those of the one it is named."""
    try:
        answer = decode_answer(accepted.payload)
        named = decode_identity(accepted.identity)
    except ValueError:
        return None
    return answer if (answer.kind, answer.url) == named else None


class _Line(NamedTuple):
    """What an index says of a record, but for the archive's name; and the visit that it is of."""

    answer: Answer
    mime: str
    digest: str
    offset: int
    length: int
    visit: Visited | None


@dataclass(slots=True)
class _Archive:
    """An archive that is being filled."""

    members: list[bytes] = field(default_factory=list)
    size: int = 0
    lines: list[_Line] = field(default_factory=list)

    def add(self, data: bytes) -> int:
        """Append a member; return its offset."""
        self.members.append(data)
        self.size += len(data)
        return self.size - len(data)


class Harvester:
    """Turns answers into what a fetch task commits."""

    def __init__(self, context: CrawlContext, entry: Entry, schedule: Schedule) -> None:
        """Commit archives in the name of `entry`."""
        self._context = context
        self._entry = entry
        self._schedule = schedule
        self._archive = _Archive()
        self._archives = 0
        self.visits: list[Visited] = []

    def add(self, answer: Answer, rows: Mapping[str, Row], hosts: Mapping[str, HostRow]) -> bool:
        """Take one answer; return whether it has brought a new page, with links to be read."""
        if answer.kind in {AnswerKind.ROBOTS, AnswerKind.ROBOTS_REDIRECT}:
            self._add_robots(answer)
            return False
        if answer.kind is AnswerKind.LEFT:
            self._entry.count("answers", "left")
            return False
        row = rows[answer.url]
        settled = settle(row, answer, self._schedule, hosts[answer.host])
        self._entry.count("visits", settled.visit.state)
        count_fetch(self._entry, answer, settled.visit.state)
        if answer.kind is AnswerKind.DENIED:
            self._entry.count("denials", settled.visit.state)
        if settled.visit.reason:
            self._entry.count("reasons", settled.visit.reason)
        self._entry.count("bytes", "body", len(answer.exchange.body))
        if settled.archived is None:
            self.visits.append(settled.visit)
            return False
        self._archive_answer(answer, settled.archived, settled.visit)
        self._entry.count("records", "written")
        return settled.has_links

    def close(self) -> None:
        """Commit the last archive."""
        if self._archive.members:
            self._commit()

    def _add_robots(self, answer: Answer) -> None:
        exchange = answer.exchange
        self._entry.count("robots", "asked")
        count_fetch(self._entry, answer, None)
        if not exchange.status:
            return
        self._archive_answer(answer, archive(exchange), None)

    def _archive_answer(self, answer: Answer, archived: Archived, visit: Visited | None) -> None:
        self._make_room(answer.exchange.time_seconds)
        record = archived.record
        offset = self._archive.add(record.data)
        self._archive.add(archived.request.data)
        length, digest = len(record.data), record.payload_digest
        line = _Line(answer, archived.mime, digest, offset, length, visit)
        self._archive.lines.append(line)

    def _make_room(self, time_seconds: float) -> None:
        if self._archive.size >= ARCHIVE_BYTES:
            self._commit()
        if not self._archive.members:
            values = [
                ("software", "Sealed Beam"),
                ("format", "WARC File Format 1.1"),
                ("http-header-user-agent", self._context.config.user_agent),
                ("robots", "RFC 9309"),
            ]
            self._archive.add(write_info(time_seconds, values).data)

    def _commit(self) -> None:
        """Commit the archive and its index, and say where the pages lie."""
        full, self._archive = self._archive, _Archive()
        data = b"".join(full.members)
        stem = f"{self._entry.task}-{self._archives:05d}"
        self._archives += 1
        store = self._context.store
        path = object_name(WARC, stem, data, suffix="warc.gz")
        commit_file(store, self._entry, path, data)
        for line in full.lines:
            visit, offset, length = line.visit, line.offset, line.length
            if visit is None:
                continue
            # A page that has not changed stays where it is stored; what is no page has no place.
            if visit.state is State.FETCHED:
                visit = replace(visit, warc_file=path, warc_offset=offset, length_bytes=length)
            self.visits.append(visit)
        index = encode_cdxj(_describe(line, path) for line in full.lines)
        commit_file(store, self._entry, path.removesuffix(".warc.gz") + ".cdxj", index)


def _describe(line: _Line, path: str) -> str:
    return cdxj_line(
        line.answer.url,
        line.answer.exchange.time_seconds,
        mime=line.mime,
        status=line.answer.exchange.status,
        digest=line.digest or "-",
        offset=line.offset,
        length=line.length,
        file_name=path.rpartition("/")[2],
    )
