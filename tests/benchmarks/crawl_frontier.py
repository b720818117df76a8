"""A large frontier: what folding a round into it takes, and selecting from it, time and memory.

    python -m tests.benchmarks.crawl --frontier 1000000

A frontier of so many addresses is written as the crawl writes it, three in five of them fetched.
One round is compared with it and folded into it, shard after shard, and the next one is selected.
Each step is a process of its own, so that its memory is that of the step; the first one only
imports what the others do. The frontier of a tenth of the size stands beside it.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import sys
import tempfile
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from sealedbeam.pipeline.crawl.frontier import Discovered, Row, State, Visited, collect
from sealedbeam.pipeline.crawl.frontier_store import FRONTIER, ShardWriter, shard_of
from sealedbeam.pipeline.crawl.hosts import HostRow, merge_hosts
from sealedbeam.pipeline.crawl.sealed_rows import table_of
from sealedbeam.pipeline.crawl.urls import host_of
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.jobs.crawl import names
from sealedbeam.pipeline.jobs.crawl.comparing import PAYLOADS, DigestRow, run_compare
from sealedbeam.pipeline.jobs.crawl.config import CrawlConfig
from sealedbeam.pipeline.jobs.crawl.context import CrawlContext
from sealedbeam.pipeline.jobs.crawl.folding import run_fold
from sealedbeam.pipeline.jobs.crawl.rows import commit_rows
from sealedbeam.pipeline.jobs.crawl.selecting import run_select
from sealedbeam.pipeline.jobs.entry import Entry, encode_entry, entry_path
from sealedbeam.pipeline.jobs.files import commit_file

from tests.benchmarks.compare import MEGABYTE
from tests.benchmarks.measure import run_measured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealedbeam.pipeline.crawl.frontier import Event

SHARDS = 8
PAGES_OF_HOST = 500
VISITED = 20_000
DISCOVERED = 100_000
NOW = 1_700_000_000
STEPS = ("import", "compare", "fold", "select")
_MONTH_SECONDS = 30 * 86_400
_ROBOTS = "User-agent: *\nDisallow: /private/\n"


def url_of(number: int) -> str:
    """Return an address; they sort as their numbers do."""
    host, page = divmod(number, PAGES_OF_HOST)
    return f"http://host-{host:07d}.example/section-{page % 7}/page-{page:07d}.html"


def row_of(number: int) -> Row:
    """Return the row of an address: fetched, or not yet asked for."""
    url = url_of(number)
    found = Discovered(url, number % 9, url_of(number // 10), 0)
    return collect([found, visit_of(number)] if number % 5 < 3 else [found])[url]


def visit_of(number: int) -> Visited:
    """Return a visit that got a page."""
    return Visited(
        url_of(number),
        State.FETCHED,
        NOW - 1_000,
        next_at=NOW + _MONTH_SECONDS,
        interval_seconds=_MONTH_SECONDS,
        status=200,
        linked_depth=number % 9,
        etag=f'"{number:x}"',
        payload_digest=hashlib.sha1(b"%d" % number, usedforsecurity=False).hexdigest(),
        warc_file=f"warc/fetch-0001-{number % 100:03d}.warc.gz",
        warc_offset=number * 100 % (1 << 26),
        length_bytes=5_000,
    )


def make_frontier(context: CrawlContext, size: int) -> None:
    """Commit a frontier of `size` addresses as that of round 0, and what round 1 has found."""
    hosts = [f"host-{host:07d}.example" for host in range(-(-size // PAGES_OF_HOST))]
    for shard in range(SHARDS):
        entry = Entry(names.fold_task(0, shard), context.configuration_hash)
        ours = [number for number, host in enumerate(hosts) if shard_of(host, SHARDS) == shard]
        sink = io.BytesIO()
        writer = ShardWriter(sink, FRONTIER)
        for host in ours:
            first = host * PAGES_OF_HOST
            rows = map(row_of, range(first, min(first + PAGES_OF_HOST, size)))
            writer.append(table_of(sorted(rows), FRONTIER))
        writer.close()
        _commit(context, entry, names.FRONTIER, sink.getvalue())
        sink = io.BytesIO()
        known = {hosts[host]: HostRow(hosts[host], NOW, robots_text=_ROBOTS) for host in ours}
        merge_hosts(None, known, sink)
        _commit(context, entry, names.HOSTS, sink.getvalue())
        context.store.write(entry_path(entry.task), encode_entry(entry))
    _make_payloads(context, size)
    _make_round(context, size)


def _make_payloads(context: CrawlContext, size: int) -> None:
    """Commit the payloads of all pages, by digest."""
    entry = Entry(names.compare_task(0), context.configuration_hash)
    pages = (visit_of(number) for number in range(size) if number % 5 < 3)
    rows = sorted(DigestRow(page.payload_digest, page.url) for page in pages)
    sink = io.BytesIO()
    writer = ShardWriter(sink, PAYLOADS)
    for first in range(0, len(rows), PAYLOADS.group_rows):
        writer.append(table_of(rows[first : first + PAYLOADS.group_rows], PAYLOADS))
    writer.close()
    _commit(context, entry, names.DIGESTS, sink.getvalue())
    context.store.write(entry_path(entry.task), encode_entry(entry))


def _commit(context: CrawlContext, entry: Entry, folder: str, data: bytes) -> None:
    commit_file(context.store, entry, names.object_name(folder, entry.task, data), data)


def _make_round(context: CrawlContext, size: int) -> None:
    """Commit visits and discoveries; half of what is discovered is known already."""
    unfetched = (number for number in range(size) if number % 5 >= 3)
    known, new = range(0, size, max(2 * size // DISCOVERED, 1)), DISCOVERED // 2
    events: list[Event] = [visit_of(number) for number in islice(unfetched, VISITED)]
    found = chain(known, range(size, size + new))
    events += [Discovered(url_of(number), 3, url_of(0), 1) for number in found]
    rows = collect(events)
    entry = Entry(names.fetch_task(1, 0), context.configuration_hash)
    for shard in range(SHARDS):
        ours = {url: row for url, row in rows.items() if shard_of(host_of(url), SHARDS) == shard}
        commit_rows(context.store, entry, (names.EVENTS, shard), ours, FRONTIER)
    context.store.write(entry_path(entry.task), encode_entry(entry))


def run_step(step: str, folder: Path, size: int) -> None:
    """Do one step; its process ends with it."""
    config = CrawlConfig(shards=SHARDS)
    context = CrawlContext(str(folder), config, PerfectChannel().reference())
    if step == "make":
        make_frontier(context, size)
    elif step == "compare":
        rows = run_compare(context, 1, [_fetched(context)]).counts["pages"]["compared"]
        sys.stdout.write(json.dumps({"rows": rows}))
    elif step == "fold":
        fetched = _fetched(context)
        entries = [run_fold(context, 1, shard, [fetched]) for shard in range(SHARDS)]
        rows = sum(entry.counts[names.FRONTIER]["rows"] for entry in entries)
        sys.stdout.write(json.dumps({"rows": rows}))
    elif step == "select":
        entry = run_select(context, 2, NOW, 2)
        sys.stdout.write(json.dumps({"rows": entry.details["selected"]}))


def _fetched(context: CrawlContext) -> Entry:
    entry = context.committed(names.fetch_task(1, 0))
    assert entry is not None, "a round is made before it is folded"
    return entry


def measure(size: int, scratch: Path | None) -> Iterator[str]:
    """Yield a line of a table for each step on a frontier of `size` addresses."""
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        script = [sys.executable, "-m", "tests.benchmarks.crawl_frontier"]
        for step in ("make", *STEPS):
            cost = run_measured([*script, step, folder, str(size)])
            if cost.exit_code != 0:
                raise SystemExit(f"{step} ended with exit code {cost.exit_code}")
            rows = json.loads(cost.output)["rows"] if cost.output else 0
            if step in STEPS:
                cells = (
                    *(f"{size:,}", step, f"{rows:,}", f"{cost.wall_seconds:.1f}"),
                    *(f"{cost.cpu_seconds:.1f}", f"{cost.peak_rss_bytes / MEGABYTE:.0f}"),
                )
                yield f"| {' | '.join(cells)} |"
        for name in (names.FRONTIER, names.DIGESTS):
            files = Path(folder, name).glob("*-0000*")
            stored = sum(path.stat().st_size for path in files)
            sys.stderr.write(f"{size:,} addresses: {name} {stored / MEGABYTE:.1f} MB\n")


def report(size: int, scratch: Path | None) -> None:
    """Print the table for a frontier of `size` addresses and for a tenth of it."""
    sys.stdout.write("| addresses | step | rows | wall s | CPU s | peak RSS MB |\n")
    sys.stdout.write(f"|{'---|' * 6}\n")
    for each in (size // 10, size):
        for line in measure(each, scratch):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def main() -> None:
    """Do one step in this process."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("step", choices=("make", *STEPS))
    parser.add_argument("folder", type=Path)
    parser.add_argument("size", type=int)
    options = parser.parse_args()
    run_step(options.step, options.folder, options.size)


if __name__ == "__main__":
    main()
