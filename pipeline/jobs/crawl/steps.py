"""One task of a round, as a small JSON value, and the one function that does it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sealedbeam.pipeline.errors import IntegrityError

from .comparing import run_compare
from .fetch_job import run_fetch
from .fetching import Share
from .folding import run_fold
from .names import SEEDS, compare_task, fetch_task, fold_task, select_task
from .selecting import run_select

if TYPE_CHECKING:
    from collections.abc import Callable

    from sealedbeam.pipeline.jobs.entry import Entry

    from .context import CrawlContext


class StepKind(StrEnum):
    """What a task of a round does."""

    SELECT = "select"
    FETCH = "fetch"
    COMPARE = "compare"
    FOLD = "fold"


@dataclass(frozen=True, slots=True)
class CrawlStep:
    """A task of a round.

    Attributes:
        kind: what it does.
        number: of the round; round 0 has folds alone.
        index: the bucket that is fetched, or the shard that is folded.
        buckets: how many fetch tasks the round has.
        now: what is due then is selected, in seconds since the epoch.
        seconds: after which a fetch task begins no further request; 0 for no limit.
        body_bytes: of pages, likewise.
    """

    kind: StepKind
    number: int
    index: int = 0
    buckets: int = 0
    now: int = 0
    seconds: float = 0.0
    body_bytes: int = 0

    @property
    def name(self) -> str:
        """The task's name."""
        names = {
            StepKind.SELECT: select_task(self.number),
            StepKind.FETCH: fetch_task(self.number, self.index),
            StepKind.COMPARE: compare_task(self.number),
            StepKind.FOLD: fold_task(self.number, self.index),
        }
        return names[self.kind]


def run_step(context: CrawlContext, step: CrawlStep, tick: Callable[..., None]) -> Entry:
    """Do a task of a round, or find it done, and return its entry; `tick` is as in `run_fetch`."""
    number = step.number
    if step.kind is StepKind.SELECT:
        return run_select(context, number, step.now, step.buckets)
    if step.kind is StepKind.FETCH:
        share = Share(seconds=step.seconds, body_bytes=step.body_bytes)
        return run_fetch(context, number, step.index, share, tick)
    fetched = fetched_entries(context, number, step.buckets)
    if step.kind is StepKind.COMPARE:
        return run_compare(context, number, fetched)
    compared = required(context, compare_task(number)) if number else None
    return run_fold(
        context, number, step.index, [*fetched, *([compared] if compared is not None else ())]
    )


def fetched_entries(context: CrawlContext, number: int, buckets: int) -> list[Entry]:
    """Return the entries of what a round has found; of round 0, what the seeds are."""
    if not number:
        return [required(context, SEEDS)]
    return [required(context, fetch_task(number, bucket)) for bucket in range(buckets)]


def required(context: CrawlContext, task: str) -> Entry:
    """Return the entry of a task that must have committed; raises IntegrityError if it has not."""
    entry = context.committed(task)
    if entry is None:
        raise IntegrityError(
            f"{task} of {context.output} is not committed, or its entry is damaged; "
            "run the same command again"
        )
    return entry
