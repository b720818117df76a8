"""Runs crawls for tests: rounds in this process, step by step, or the real command."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.crawl.frontier_store import FRONTIER, Damage, read_shard
from sealedbeam.pipeline.crawl.sealed_rows import rows_of
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.jobs.crawl.config import CrawlConfig
from sealedbeam.pipeline.jobs.crawl.context import CrawlContext
from sealedbeam.pipeline.jobs.crawl.rounds import Crawl, commit_seeds
from sealedbeam.pipeline.jobs.crawl.steps import run_step
from sealedbeam.pipeline.jobs.crawl.watching import Unwatched

from tests.support.flipping import FlippingChannel, Rule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sealedbeam.pipeline.crawl.frontier import Row
    from sealedbeam.pipeline.jobs.crawl.watching import Watcher
    from sealedbeam.pipeline.jobs.crawl.work import CrawlTask

AGENT = "test/1.0 (+mailto:nobody@example.org)"
OPTIONS = {
    "user_agent": AGENT,
    "delay_seconds": 0.0,
    "allow_networks": ("127.0.0.0/8",),
    "shards": 3,
}


class _Here:
    """Does in this process what the pool hands out to workers."""

    def __init__(self, context: CrawlContext) -> None:
        self._context = context

    def run(self, tasks: Sequence[CrawlTask]) -> None:
        for task in tasks:
            assert task.step is not None
            run_step(self._context, task.step, lambda *_: None)


def make_context(folder: Path, rules: Sequence[Rule] = (), **options: Any) -> CrawlContext:
    """Return a crawl into `folder`."""
    channel = FlippingChannel(tuple(rules)) if rules else PerfectChannel()
    folder.mkdir(exist_ok=True)
    config = CrawlConfig.model_validate(OPTIONS | options)
    return CrawlContext(str(folder), config, channel.reference())


def crawl_here(
    context: CrawlContext,
    seeds: Sequence[str],
    workers: int = 2,
    watcher: Watcher | None = None,
) -> dict[str, Any]:
    """Crawl in this process; return the summary."""
    commit_seeds(context, seeds)
    pool: Any = _Here(context)
    return Crawl(context, pool, workers, lambda *_: None, watcher or Unwatched()).run()


def read_frontier(folder: Path) -> dict[str, Row]:
    """Return the frontier of a crawl that has ended, by address."""
    rows: dict[str, Row] = {}
    for path in (folder / "frontier").glob("*.parquet"):
        for group in read_shard(io.BytesIO(path.read_bytes()), FRONTIER):
            assert not isinstance(group, Damage)
            rows.update((row.url, row) for row in rows_of(group, FRONTIER))
    return rows
