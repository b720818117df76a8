"""Counts requests by what came of them, and by how long they took; whole numbers, to be added up.

A request is one that was made: for a page, or about robots.txt. What robots.txt denies is none.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from sealedbeam.pipeline.crawl.visitor import AnswerKind

if TYPE_CHECKING:
    from sealedbeam.pipeline.crawl.frontier import State
    from sealedbeam.pipeline.crawl.visitor import Answer
    from sealedbeam.pipeline.jobs.entry import Entry

FETCHES: Final = "fetches"
FETCH_SECONDS: Final = "fetch_seconds"
MICROSECONDS: Final = "fetch_microseconds"
ALL: Final = "all"
ROBOTS: Final = "robots"
BOUNDS_SECONDS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BEYOND: Final = "+Inf"
_BUCKETS: Final = (*map(str, BOUNDS_SECONDS), BEYOND)
_OF_ROBOTS: Final = (AnswerKind.ROBOTS, AnswerKind.ROBOTS_REDIRECT)


def count_fetch(entry: Entry, answer: Answer, state: State | None) -> None:
    """Count the request behind an answer, if there was one.

    Args:
        entry: of the task.
        answer: to it.
        state: of the page after it, None for robots.txt.
    """
    if answer.kind in _OF_ROBOTS:
        entry.count(FETCHES, ROBOTS)
    elif answer.kind is AnswerKind.PAGE and state is not None:
        entry.count(FETCHES, state)
    else:
        return
    seconds = max(answer.exchange.seconds, 0.0)
    entry.count(FETCH_SECONDS, _BUCKETS[bisect_left(BOUNDS_SECONDS, seconds)])
    entry.count(MICROSECONDS, ALL, round(seconds * 1e6))
