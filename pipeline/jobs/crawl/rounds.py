"""The crawl from its seeds to its end: what the driver does, round after round.

Nothing but the entries of tasks holds state: a crawl that was killed goes on at the first task that
has none. Within a round each phase waits for the one before it; of what earlier rounds have made,
the archives stay and the rest goes once the next round has been folded.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.crawl.frontier import Discovered, collect
from sealedbeam.pipeline.crawl.frontier_store import FRONTIER, shard_of
from sealedbeam.pipeline.crawl.urls import host_of
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.jobs.entry import Entry, encode_entry, entry_path
from sealedbeam.pipeline.jobs.finish import FAILED, SUMMARY

from .names import (
    DIGESTS,
    EVENTS,
    FAULTS,
    FOLDERS,
    HOSTS,
    SEEDS,
    STAYING,
    compare_task,
    select_task,
)
from .names import FRONTIER as FRONTIER_FOLDER
from .rows import commit_rows, paths_in
from .steps import CrawlStep, StepKind, fetched_entries, required
from .summary import judge, summarise
from .watching import Unwatched
from .work import crawl_task

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sealedbeam.pipeline.jobs.driver import Workers

    from .context import CrawlContext
    from .watching import Watcher

_PATIENCE_SECONDS = 90
"""A crawl waits so long for an address that is to be tried again; beyond that it ends."""


def commit_seeds(context: CrawlContext, seeds: Sequence[str]) -> Entry:
    """Commit the seeds as what round 0 has found, or find that done.

    Raises:
        UsageError: the crawl has begun with other seeds.
    """
    digest = sha256("\n".join(sorted(seeds)).encode()).hexdigest()
    done = context.committed(SEEDS)
    if done is not None:
        if done.details["sha256"] != digest:
            raise UsageError(
                f"{context.output} holds a crawl that began with other seeds "
                f"({done.counts['seeds']['given']:,}; now {len(seeds):,}); give the same ones to "
                "go on with it, or a new folder with --output"
            )
        return done
    entry = Entry(SEEDS, context.configuration_hash, details={"sha256": digest})
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
    watcher: Watcher = field(default_factory=Unwatched)
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
                if not self._wait_until(selected.details["next_at"]):
                    break
                continue
            number += 1
            latest = self._round(number, selected, started)
        return self._finish(latest, number, started)

    def _finish(self, latest: Sequence[Entry], rounds: int, started: float) -> dict[str, Any]:
        """Judge the ledger, write the summary and let the views be written; return the summary."""
        store, watcher = self.context.store, self.watcher
        totals = judge(self.context, self.entries)
        summary = summarise(self.context, totals, latest, rounds)
        journals = [
            store.read(file.path)
            for entry in self.entries
            for file in entry.files
            if file.path.startswith(f"{FAULTS}/")
        ]
        faults = watcher.count_faults(journals)
        if faults is not None:
            sealed = self.context.policy.protection.seals
            summary["faults"] = faults
            if objections := watcher.judge_faults(faults, sealed=sealed):
                summary["status"] = FAILED
                summary["findings"] = [*summary.get("findings", ()), *objections]
        summary["seconds"] = round(time.monotonic() - started, 3)
        store.write(SUMMARY, json.dumps(summary, indent=1).encode() + b"\n")
        watcher.publish(self.context, totals, summary)
        return summary

    def _is_begun(self, number: int) -> bool:
        return self.context.committed(select_task(number)) is not None

    def _may_go_on(self, started: float) -> bool:
        config = self.context.config
        out_of_time = config.max_seconds and time.monotonic() - started >= config.max_seconds
        return not out_of_time and not (config.max_bytes and self._fetched() >= config.max_bytes)

    def _fetched(self) -> int:
        """Return how many bytes of bodies have come so far."""
        return sum(entry.counts.get("bytes", {}).get("body", 0) for entry in self.entries)

    def _left(self, tasks: int, started: float) -> tuple[float, int]:
        """Return what each fetch task of a round may take: seconds, bytes; 0 for no limit.

        What was begun is done: a limit that has been met in between leaves the least there is.
        """
        config = self.context.config
        seconds, body_bytes = 0.0, 0
        if config.max_seconds:
            seconds = max(config.max_seconds - (time.monotonic() - started), 0.001)
        if config.max_bytes:
            body_bytes = max(-(-(config.max_bytes - self._fetched()) // max(tasks, 1)), 1)
        return seconds, body_bytes

    def _select(self, number: int) -> Entry:
        now = int(self.context.clock())
        step = CrawlStep(StepKind.SELECT, number, 0, self.workers, now)
        self._do([step])
        return required(self.context, step.name)

    def _round(self, number: int, selected: Entry, started: float) -> list[Entry]:
        buckets = selected.details["buckets"]
        seconds, body_bytes = self._left(selected.details["tasks"], started)
        fetches = [
            CrawlStep(
                StepKind.FETCH, number, bucket, buckets, seconds=seconds, body_bytes=body_bytes
            )
            for bucket in range(buckets)
        ]
        self.show(f"round {number}", selected.details["selected"])
        self._do(fetches)
        self.show(f"round {number}: folding", 0)
        self._do([CrawlStep(StepKind.COMPARE, number, 0, buckets)])
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
        self._do(steps)
        latest = [required(self.context, step.name) for step in steps]
        self.entries += latest
        return latest

    def _do(self, steps: Sequence[CrawlStep]) -> None:
        left = [step for step in steps if self.context.committed(step.name) is None]
        if left:
            self.pool.run([crawl_task(step) for step in left])

    def _wait_until(self, next_at: int) -> bool:
        """Wait until an address is due again; return False when that is not soon."""
        wait_seconds = next_at - self.context.clock()
        if wait_seconds > _PATIENCE_SECONDS:
            return False
        self.show(f"waiting {wait_seconds:.0f} s for what is to be tried again", 0)
        time.sleep(max(wait_seconds, 0.2))
        return True

    def _sweep(self, latest: Sequence[Entry]) -> None:
        """Remove what only rounds before the latest need; archives stay."""
        keep = {
            file.path
            for entry in self.entries
            for file in entry.files
            if file.path.startswith(STAYING)
        }
        wanted = (FRONTIER_FOLDER, HOSTS, DIGESTS)
        keep |= {path for entry in latest for folder in wanted for path in paths_in(entry, folder)}
        self.context.store.sweep(keep, FOLDERS)
