"""Makes archives, indexes of them, events and links of a log: the consumer of the hop `fetch`.

Every answer crosses the hop sealed, through the log. One that is damaged there cannot be made
again, since a server need not say the same twice: it is dropped as `refetched`, nothing is said of
its address, and so the address stays due and is asked for again, as a new record.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.crawl.frontier import State
from sealedbeam.pipeline.crawl.visitor import AnswerKind
from sealedbeam.pipeline.crawl.visits import Schedule, settle
from sealedbeam.pipeline.integrity.block import Block
from sealedbeam.pipeline.integrity.ladder import carry
from sealedbeam.pipeline.jobs.files import commit_file
from sealedbeam.pipeline.warc.cdxj import cdxj_line, encode_cdxj
from sealedbeam.pipeline.warc.writer import write_info, write_request, write_response

from .answers import decode_answer
from .names import WARC, object_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sealedbeam.pipeline.crawl.frontier import Row, Visited
    from sealedbeam.pipeline.crawl.hosts import HostRow
    from sealedbeam.pipeline.crawl.visitor import Answer
    from sealedbeam.pipeline.integrity.channel import Transit
    from sealedbeam.pipeline.integrity.ladder import Casualty
    from sealedbeam.pipeline.jobs.entry import Entry

    from .context import CrawlContext
    from .fetching import AnswerLog

FETCH = "fetch"
REFETCHED = "refetched"
ARCHIVE_BYTES = 64 << 20
"""An archive is closed when it has so many bytes; one more record may go beyond."""


def take_answers(
    context: CrawlContext, entry: Entry, log: AnswerLog, transit: Transit
) -> Iterator[Answer | Casualty]:
    """Yield what crosses the hop of a log, in its order, and what was dropped there."""
    account = entry.hop(FETCH)
    protection = context.policy.protection
    for logged in log.logged:
        account.sealed.add([logged.seal])
        block = Block(
            log.read(logged), logged.block_id, (logged.identity,), (logged.seal,), protection
        )
        carried = carry(
            block,
            FETCH,
            transit,
            context.policy,
            derive=lambda _: (),
            account=account,
            dropped_reason=REFETCHED,
        )
        yield from carried.casualties
        for accepted in carried.accepted:
            yield decode_answer(accepted.payload)


class _Line(NamedTuple):
    """What an index says of a record, but for the archive's name, and the visit it is of."""

    visit: Visited
    mime: str
    digest: str
    offset: int
    length: int


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
        row = rows[answer.url]
        settled = settle(row, answer, self._schedule, hosts[answer.host])
        self._entry.count("visits", settled.visit.state)
        if settled.visit.reason:
            self._entry.count("reasons", settled.visit.reason)
        self._entry.count("bytes", "body", len(answer.exchange.body))
        if settled.record is None:
            self.visits.append(settled.visit)
            return False
        self._make_room(answer.exchange.time_seconds)
        offset = self._archive.add(settled.record.data)
        record = settled.record
        line = _Line(settled.visit, settled.mime, record.payload_digest, offset, len(record.data))
        self._archive.lines.append(line)
        if settled.request is not None:
            self._archive.add(settled.request.data)
        self._entry.count("records", "written")
        return settled.has_links

    def close(self) -> None:
        """Commit the last archive."""
        if self._archive.members:
            self._commit()

    def _add_robots(self, answer: Answer) -> None:
        exchange = answer.exchange
        self._entry.count("robots", "asked")
        if not exchange.status:
            return
        self._make_room(exchange.time_seconds)
        record = write_response(
            exchange.url,
            exchange.time_seconds,
            exchange.head,
            exchange.body,
            address=exchange.address,
            truncated=exchange.truncated,
        )
        request = write_request(
            exchange.url, exchange.time_seconds, exchange.request_head, record.record_id
        )
        self._archive.add(record.data)
        self._archive.add(request.data)

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
        archive, self._archive = self._archive, _Archive()
        data = b"".join(archive.members)
        stem = f"{self._entry.task}-{self._archives:05d}"
        self._archives += 1
        store = self._context.store
        path = object_name(WARC, stem, data, suffix="warc.gz")
        commit_file(store, self._entry, path, data)
        for line in archive.lines:
            visit, offset, length = line.visit, line.offset, line.length
            # A page that has not changed stays where it was stored.
            if visit.state is not State.NOT_MODIFIED:
                visit = replace(visit, warc_file=path, warc_offset=offset, length_bytes=length)
            self.visits.append(visit)
        index = encode_cdxj(_describe(line, path) for line in archive.lines)
        commit_file(store, self._entry, path.removesuffix(".warc.gz") + ".cdxj", index)


def _describe(line: _Line, path: str) -> str:
    return cdxj_line(
        line.visit.url,
        line.visit.fetched_at,
        mime=line.mime,
        status=line.visit.status,
        digest=line.digest or "-",
        offset=line.offset,
        length=line.length,
        file_name=path.rpartition("/")[2],
    )
