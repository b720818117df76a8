"""Visits the addresses of one task, and logs every answer sealed, before anything else sees it.

The log is a local file that is appended to. A task that was killed goes on from it: answers that
are there are not asked for again, and what they say of hosts holds. The ids of its blocks carry a
secret, so that no page can smuggle in an answer of its own.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import secrets
from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.crawl.addresses import parse_networks
from sealedbeam.pipeline.crawl.fetch import Fetcher, FetchLimits
from sealedbeam.pipeline.crawl.fetch_log import encode_log_entry, read_log
from sealedbeam.pipeline.crawl.hosts import HostRow
from sealedbeam.pipeline.crawl.pace import after_leaving, after_page, after_robots
from sealedbeam.pipeline.crawl.resolver import PinnedResolver
from sealedbeam.pipeline.crawl.visitor import Answer, AnswerKind, Manners, Visitor
from sealedbeam.pipeline.integrity.block import Opened, find_head, open_block, write_block

from .answers import decode_answer, encode_answer, encode_identity
from .claims import AddressClaims
from .config import PRODUCT_TOKEN
from .names import LOG

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from sealedbeam.pipeline.crawl.fetch_log import LogEntry
    from sealedbeam.pipeline.crawl.frontier import Row
    from sealedbeam.pipeline.integrity.block import Seal
    from sealedbeam.pipeline.integrity.protection import Protection

    from .context import CrawlContext

_SECRET_BYTES = 16
_CLAIMS = f"{LOG}/addresses.lock"


class Logged(NamedTuple):
    """An answer in the log: where its block lies and what it is, its record and its seal."""

    offset: int
    length: int
    block_id: bytes
    identity: bytes
    seal: Seal


class Share(NamedTuple):
    """A task's share of what a round may take; 0 stands for no limit.

    Attributes:
        tasks: how many tasks share the rate of requests.
        seconds: after which no further request begins.
        body_bytes: likewise.
    """

    tasks: int = 1
    seconds: float = 0.0
    body_bytes: int = 0


class AnswerLog:
    """The log of one task, open for appending."""

    def __init__(self, path: Path, task: str, protection: Protection) -> None:
        """Open the log at `path`, cut where it was torn; a new one where there is none to go on."""
        self._task = task
        self.protection = protection
        self.logged: list[Logged] = []
        self._number = 0
        path.parent.mkdir(exist_ok=True)
        self._file = path.open("a+b", buffering=0)
        self._end = self._file.seek(0, os.SEEK_END)
        self._secret = self._recall() if self._end else ""
        if not self._secret:
            self._begin()

    def close(self) -> None:
        """Make the log durable and close it."""
        os.fsync(self._file.fileno())
        self._file.close()

    def append(self, answer: Answer) -> None:
        """Seal an answer and write it down."""
        self._number += 1
        identity = encode_identity(self._task, self._number, answer)
        block_id = f"{self._prefix}{self._number}".encode()
        block = write_block(block_id, [(identity, encode_answer(answer))], self.protection)
        length = len(block.data)
        offset = self._write(block.data)
        self.logged.append(Logged(offset, length, block_id, identity, block.seals[0]))

    def read(self, logged: Logged) -> bytes:
        """Return the bytes that now lie where a block was written."""
        return os.pread(self._file.fileno(), logged.length, logged.offset)

    @property
    def _prefix(self) -> str:
        return f"{self._task}/{self._secret}/"

    def _write(self, block: bytes) -> int:
        """Append a block as an entry; return where the block itself begins."""
        data = encode_log_entry(block)
        left = memoryview(data)
        while left:
            left = left[self._file.write(left) :]
        self._end += len(data)
        return self._end - len(block)

    def _begin(self) -> None:
        os.truncate(self._file.fileno(), 0)
        self._end = 0
        self._secret = secrets.token_hex(_SECRET_BYTES)
        head = [(b"secret", self._secret.encode())]
        self._write(write_block(self._task.encode(), head, self.protection).data)

    def _recall(self) -> str:
        """Take up what an earlier process has logged, as far as it can be proven.

        The secret stands in the first entry, which was written before any page was seen; an empty
        one means that there is nothing to go on with.
        """
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            view = memoryview(data)
            try:
                entries = list(read_log(view))
                secret = self._read_secret(entries[0]) if entries else ""
                for entry in entries[1:] if secret else ():
                    self._take_up(entry, f"{self._task}/{secret}/")
                end = entries[-1].end if entries else 0
            finally:
                for entry in entries:
                    entry.block.release()
                view.release()
        os.truncate(self._file.fileno(), end)
        self._end = end
        return secret

    def _read_secret(self, first: LogEntry) -> str:
        if first.start:
            return ""
        opened = open_block(bytes(first.block), self._task.encode(), self.protection)
        return bytes(opened.found[0].payload).decode() if opened.found else ""

    def _take_up(self, entry: LogEntry, prefix: str) -> None:
        block = bytes(entry.block)
        head = find_head(memoryview(block), self.protection, Opened())
        block_id = b"" if head is None else head[1].block_id
        if not block_id.startswith(prefix.encode()):
            return
        self._number = max(self._number, int(block_id[len(prefix) :]))
        offset = entry.end - len(block)
        for found in open_block(block, block_id, self.protection).found:
            logged = Logged(offset, len(block), block_id, found.identity, found.seal)
            self.logged.append(logged)


def visit_all(
    context: CrawlContext,
    rows: Iterable[Row],
    hosts: dict[str, HostRow],
    log: AnswerLog,
    *,
    share: Share,
    tick: Callable[..., None],
) -> None:
    """Visit the rows that the log has no answer for.

    Args:
        context: the crawl.
        rows: to visit, in order.
        hosts: what is known of their hosts; updated.
        log: takes the answers.
        share: of the round's limits.
        tick: called with every answer, and without one when time has passed.
    """
    answered = recall(log, hosts)
    config = context.config
    seconds = min(config.round_seconds, share.seconds or config.round_seconds)

    def keep(answer: Answer) -> None:
        log.append(answer)
        tick(answer)

    async def beat() -> None:
        while True:  # so that waiting for slow hosts is no standing still
            tick()
            await asyncio.sleep(1)

    async def run() -> None:
        heart = asyncio.create_task(beat())
        manners = Manners(
            PRODUCT_TOKEN,
            config.delay_seconds,
            config.rate_per_second / share.tasks,
            config.connections,
            body_bytes_max=share.body_bytes,
        )
        resolver = PinnedResolver(parse_networks(config.allow_networks))
        limits = FetchLimits(body_bytes=config.body_bytes)
        clock = context.clock
        with AddressClaims(context.store.root / _CLAIMS) as claims:
            async with Fetcher(config.user_agent, resolver, limits, clock=clock) as fetcher:
                visitor = Visitor(fetcher, manners, hosts, keep, claim=claims.claim, clock=clock)
                left = [row for row in rows if row.url not in answered]
                await visitor.run(left, seconds)
        heart.cancel()

    asyncio.run(run())


def recall(log: AnswerLog, hosts: dict[str, HostRow]) -> set[str]:
    """Return the addresses that a log has answers for, and update `hosts` by all of them."""
    answered: set[str] = set()
    for logged in log.logged:
        opened = open_block(log.read(logged), logged.block_id, log.protection)
        for found in opened.found:
            answer = decode_answer(found.payload)
            learn(hosts, answer)
            if answer.kind in {AnswerKind.PAGE, AnswerKind.DENIED}:
                answered.add(answer.url)
    return answered


def learn(hosts: dict[str, HostRow], answer: Answer) -> None:
    """Update the row of a host by an answer of it."""
    row = hosts.setdefault(answer.host, HostRow(answer.host))
    if answer.kind is AnswerKind.ROBOTS:
        hosts[answer.host] = after_robots(row, answer.exchange, PRODUCT_TOKEN)
    elif answer.kind is AnswerKind.PAGE:
        hosts[answer.host] = after_page(row, answer.exchange)
    elif answer.kind is AnswerKind.LEFT:
        hosts[answer.host] = after_leaving(row, answer.exchange)
