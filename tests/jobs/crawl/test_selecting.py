"""Hosts of one address go to one task, and a limit on the rate is shared by tasks that work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealedbeam.pipeline.jobs.crawl.names import select_task

from tests.support.crawls import crawl_here, make_context
from tests.support.local_web import LocalWeb

if TYPE_CHECKING:
    from pathlib import Path


def test_hosts_of_one_address_are_dealt_to_one_task(tmp_path: Path) -> None:
    """Once their address is known: one task gets them all, and another address's not."""
    with LocalWeb(hosts=2, pages=3) as one, LocalWeb(pages=3) as two, LocalWeb(pages=3) as three:
        seeds = [one.url(0, 0), one.url(1, 0), two.url(0, 0), three.url(0, 0)]
        context = make_context(tmp_path, shards=1)
        crawl_here(context, seeds, workers=4)
    entry = context.committed(select_task(2))
    assert entry is not None
    counts = sorted(entry.counts["selected"].values())
    assert counts in ([2, 6], [8])  # two addresses can meet in one task, one cannot be in two
    assert entry.details["tasks"] == len(counts)
    assert entry.details["buckets"] == 4
