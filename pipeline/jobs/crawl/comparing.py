"""Which new pages have the payload of one that was there before: the digests of a crawl, sorted.

The first page with a payload stands for all others with the same: the one of an earlier round, or
within a round the one that was fetched first, then the one that sorts first. A duplicate that has
not changed when it is looked at again is still one; that the first page may have changed since is
not looked at.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from sealedbeam.pipeline.crawl.frontier import DuplicateOf, Row, State, collect
from sealedbeam.pipeline.crawl.frontier_store import (
    FRONTIER,
    Damage,
    merge_shard,
    read_shard,
    shard_of,
)
from sealedbeam.pipeline.crawl.sealed_rows import Layout, rows_of
from sealedbeam.pipeline.crawl.urls import host_of
from sealedbeam.pipeline.jobs.entry import Entry, encode_entry, entry_path
from sealedbeam.pipeline.jobs.files import commit_file

from .names import DIGESTS, EVENTS, compare_task, object_name
from .rows import commit_rows, paths_in, read_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .context import CrawlContext


_STATES: Final = frozenset((State.FETCHED, State.NOT_MODIFIED))


class DigestRow(NamedTuple):
    """A payload, and the address that stands for it."""

    digest: str
    url: str


PAYLOADS: Final = Layout(
    name="payloads 1",
    kinds={"digest": pa.string(), "url": pa.string()},
    key="digest",
    group_rows=1 << 16,
    revive=lambda values: DigestRow(*values),
)


def run_compare(context: CrawlContext, number: int, fetched: Sequence[Entry]) -> Entry:
    """Compare the pages of round `number` with each other and with all before, or find that done.

    Args:
        context: the crawl.
        number: of the round.
        fetched: the entries of its fetch tasks.
    """
    task = compare_task(number)
    done = context.committed(task)
    if done is not None:
        return done
    entry = Entry(task, context.configuration_hash)
    pages = _new_pages(context, fetched)
    before = context.committed(compare_task(number - 1))
    old = _old_table(context, before)
    known = _find_known(old, {page.payload_digest for page in pages})
    duplicates = []
    for page in pages:
        original = known.setdefault(page.payload_digest, page.url)
        if original != page.url:
            duplicates.append(DuplicateOf(page.url, original, page.fetched_at, page.payload_digest))
    sink = io.BytesIO()
    rows = {digest: DigestRow(digest, url) for digest, url in known.items()}
    merge_shard(old, rows, sink, PAYLOADS, lambda _, new: new)
    data = sink.getvalue()
    commit_file(context.store, entry, object_name(DIGESTS, task, data), data)
    events = collect(duplicates)
    for shard in range(context.config.shards):
        ours = {
            url: row
            for url, row in events.items()
            if shard_of(host_of(url), context.config.shards) == shard
        }
        commit_rows(context.store, entry, (EVENTS, shard), ours, FRONTIER)
    entry.count("pages", "compared", len(pages))
    entry.count("pages", "duplicate", len(duplicates))
    context.store.write(entry_path(task), encode_entry(entry))
    return entry


def _new_pages(context: CrawlContext, fetched: Iterable[Entry]) -> list[Row]:
    """Return the pages of a round in the order in which they were fetched."""
    rows: list[Row] = []
    for entry in fetched:
        for path in paths_in(entry, EVENTS):
            found, _ = read_rows(context.store, path, FRONTIER)
            rows += [row for row in found if row.state in _STATES and row.payload_digest]
    return sorted(rows, key=lambda row: (row.fetched_at, row.url))


def _old_table(context: CrawlContext, before: Entry | None) -> io.BytesIO | None:
    paths = paths_in(before, DIGESTS) if before is not None else ()
    return io.BytesIO(context.store.read(paths[0])) if paths else None


def _find_known(old: io.BytesIO | None, digests: set[str]) -> dict[str, str]:
    """Return which of some payloads an address stands for already."""
    known: dict[str, str] = {}
    wanted = pa.array(sorted(digests), pa.string())
    for group in read_shard(old, PAYLOADS) if old is not None else ():
        if not isinstance(group, Damage):
            found = group.filter(pc.is_in(group.column("digest"), value_set=wanted))
            known.update((row.digest, row.url) for row in rows_of(found, PAYLOADS))
    return known
