"""The crawl from its seeds to its end: what the driver does, round after round.

Nothing but the entries of tasks holds state: a crawl that was killed goes on at the first task that
has none. Within a round each phase waits for the one before it; of what earlier rounds have made,
the archives stay and the rest goes once the next round has been folded.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.crawl.frontier import Discovered, collect
from sealedbeam.pipeline.crawl.frontier_store import FRONTIER, shard_of
from sealedbeam.pipeline.crawl.urls import host_of
from sealedbeam.pipeline.jobs.entry import Entry, encode_entry, entry_path

from .names import DIGESTS, EVENTS, FOLDERS, HOSTS, SEEDS, WARC, compare_task, select_task
from .names import FRONTIER as FRONTIER_FOLDER
from .rows import commit_rows, paths_in
from .selecting import next_due
from .steps import CrawlStep, StepKind, fetched_entries, required
from .summary import summarise
from .work import crawl_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sealedbeam.pipeline.jobs.driver import Workers

    from .context import CrawlContext

SUMMARY = "summary.json"
_PATIENCE_SECONDS = 90
"""A crawl waits so long for an address that is to be tried again; beyond that it ends."""


def commit_seeds(context: CrawlContext, seeds: Sequence[str]) -> Entry:
    """Commit the seeds as what round 0 has found, or find that done."""
    done = context.committed(SEEDS)
    if done is not None:
        return done
    entry = Entry(SEEDS, context.configuration_hash)
    shards = context.config.shards
    by_shard: dict[int, dict[str, Any]] = {}
    for url, row in collect(Discovered(url, 0, "", 0) for url in seeds).items():
        by_shard.setdefault(shard_of(host_of(url), shards), {})[url] = row
    for shard, rows in sorted(by_shard.items()):
        commit_rows(context.store, entry, (EVENTS, shard), rows, FRONTIER)
    entry.count("seeds", "given", len(seeds))
    context.store.write(entry_path(SEEDS), encode_entry(entry))
    return entry


@dataclass(slots=True)
class Crawl:
    """One run of a crawl."""

    context: CrawlContext
    pool: Workers
    workers: int
    show: Callable[[str, int], None]
    entries: list[Entry] = field(default_factory=list)

    def run(self) -> dict[str, Any]:
        """Do rounds until nothing is due or a limit is met; return the summary."""
        started = time.monotonic()
        self.entries.append(required(self.context, SEEDS))
        latest = self._fold(0, 0)
        number = 0
        while self._is_begun(number + 1) or self._may_go_on(started):
            selected = self._select(number + 1)
            if not selected.details["selected"]:
                # A select task that found nothing has no round behind it: it is taken back.
                self.context.store.remove(entry_path(select_task(number + 1)))
                if not self._wait_for_more(latest):
                    break
                continue
            number += 1
            latest = self._round(number, selected)
        seconds = time.monotonic() - started
        summary = summarise(self.context, self.entries, latest, number, seconds)
        self.context.store.write(SUMMARY, json.dumps(summary, indent=1).encode() + b"\n")
        return summary

    def _is_begun(self, number: int) -> bool:
        return self.context.committed(select_task(number)) is not None

    def _may_go_on(self, started: float) -> bool:
        config = self.context.config
        fetched = sum(entry.counts.get("bytes", {}).get("body", 0) for entry in self.entries)
        out_of_time = config.max_seconds and time.monotonic() - started >= config.max_seconds
        return not out_of_time and not (config.max_bytes and fetched >= config.max_bytes)

    def _select(self, number: int) -> Entry:
        step = CrawlStep(StepKind.SELECT, number, 0, self.workers, int(time.time()))
        self._do(f"round {number}: select", [step])
        return required(self.context, step.name)

    def _round(self, number: int, selected: Entry) -> list[Entry]:
        buckets = selected.details["buckets"]
        fetches = [CrawlStep(StepKind.FETCH, number, bucket, buckets) for bucket in range(buckets)]
        self._do(f"round {number}: fetch {selected.details['selected']:,}", fetches)
        self._do(f"round {number}: compare", [CrawlStep(StepKind.COMPARE, number, 0, buckets)])
        latest = self._fold(number, buckets)
        compared = required(self.context, compare_task(number))
        fetched = fetched_entries(self.context, number, buckets)
        self.entries += [selected, *fetched, compared]
        if not self._is_begun(number + 1):
            self._sweep([*latest, compared])
        return latest

    def _fold(self, number: int, buckets: int) -> list[Entry]:
        steps = [
            CrawlStep(StepKind.FOLD, number, shard, buckets)
            for shard in range(self.context.config.shards)
        ]
        self._do(f"round {number}: fold", steps)
        latest = [required(self.context, step.name) for step in steps]
        self.entries += latest
        return latest

    def _do(self, phase: str, steps: Sequence[CrawlStep]) -> None:
        left = [step for step in steps if self.context.committed(step.name) is None]
        if left:
            self.show(phase, len(left))
            self.pool.run([crawl_task(step) for step in left])

    def _wait_for_more(self, latest: Sequence[Entry]) -> bool:
        """Wait until an address is due again; return False when none is soon."""
        now = int(time.time())
        paths = [path for entry in latest for path in paths_in(entry, FRONTIER_FOLDER)]
        times = [due for path in paths if (due := next_due(self.context, path, now)) is not None]
        wait_seconds = min(times, default=now + _PATIENCE_SECONDS + 1) - now
        if wait_seconds > _PATIENCE_SECONDS:
            return False
        self.show(f"waiting {wait_seconds} s for what is to be tried again", 0)
        time.sleep(max(wait_seconds, 0.2))
        return True

    def _sweep(self, latest: Sequence[Entry]) -> None:
        """Remove what only rounds before the latest need; archives stay."""
        keep = {
            file.path
            for entry in self.entries
            for file in entry.files
            if file.path.startswith(f"{WARC}/")
        }
        wanted = (FRONTIER_FOLDER, HOSTS, DIGESTS)
        keep |= {path for entry in latest for folder in wanted for path in paths_in(entry, folder)}
        self.context.store.sweep(keep, FOLDERS)
