"""When an address is asked for again: after a failure, and after a page was fetched.

Failures that may pass are tried again after a wait that grows fourfold, and are final after
`attempts_max` tries in a row. What was fetched is looked at again after an interval that learns
from what was found: shorter by a fifth if the page had changed, longer by two fifths if not, as
Nutch's adaptive schedule. No chance is involved: the same events give the same times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from .frontier import State

_TOO_EARLY: Final = 425
_TRANSIENT: Final = frozenset((408, _TOO_EARLY, 429, 500, 502, 503, 504, 520, 521, 522, 523, 524))
_STATES: Final = (
    {304: State.NOT_MODIFIED}
    | dict.fromkeys((301, 308), State.REDIRECT_PERMANENT)
    | dict.fromkeys((302, 303, 307), State.REDIRECT_TEMPORARY)
    | dict.fromkeys((404, 410, 451), State.GONE)
)
_SECONDS: Final = re.compile(r"\d{1,9}", re.ASCII)
_HTTP_DATE: Final = re.compile(r"[A-Za-z]{3,9},? [ -~]{10,40}")


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How failures are tried again; times in seconds."""

    attempts_max: int = 4
    first_wait_seconds: int = 60
    factor: int = 4
    wait_seconds_max: int = 86_400


@dataclass(frozen=True, slots=True)
class RefetchPolicy:
    """How the interval between two looks at a page moves; times in seconds."""

    first_seconds: int = 30 * 86_400
    seconds_min: int = 60
    seconds_max: int = 365 * 86_400
    unchanged_percent: int = 140
    changed_percent: int = 80


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an answer's status means: the page's state, a word, and whether it may pass."""

    state: State
    reason: str
    is_transient: bool = False


DEFAULT_RETRY = RetryPolicy()
DEFAULT_REFETCH = RefetchPolicy()


def judge_status(status: int) -> Verdict:
    """Return what the HTTP status of an answer means; 0 stands for no answer."""
    if status == 0:
        return Verdict(State.FAILED, "no_answer", is_transient=True)
    if 200 <= status < 300:  # noqa: PLR2004 - a class of status codes
        return Verdict(State.FETCHED, "")
    state = _STATES.get(status, State.FAILED)
    reason = "" if state is State.NOT_MODIFIED else f"status_{status}"
    return Verdict(state, reason, is_transient=status in _TRANSIENT)


def next_try(
    attempts: int,
    now: int,
    retry_after_seconds: int | None = None,
    policy: RetryPolicy = DEFAULT_RETRY,
) -> int | None:
    """Return when to try again, in seconds since the epoch, or None if that was the last try.

    Args:
        attempts: tries in a row that failed, this one included.
        now: the time of this one.
        retry_after_seconds: what the server asked to wait at least; bounded as any wait is.
        policy: how many tries, and how long between them.
    """
    if attempts >= policy.attempts_max:
        return None
    wait_seconds = policy.first_wait_seconds
    for _ in range(attempts - 1):
        wait_seconds = min(wait_seconds * policy.factor, policy.wait_seconds_max)
    wait_seconds = max(wait_seconds, retry_after_seconds or 0)
    return now + min(wait_seconds, policy.wait_seconds_max)


def next_interval(
    interval_seconds: int, *, has_changed: bool, policy: RefetchPolicy = DEFAULT_REFETCH
) -> int:
    """Return how long to leave a page alone, in seconds; an interval of 0 is a page's first."""
    if interval_seconds <= 0:
        return policy.first_seconds
    percent = policy.changed_percent if has_changed else policy.unchanged_percent
    moved = interval_seconds * percent // 100
    return min(max(moved, policy.seconds_min), policy.seconds_max)


def parse_retry_after(value: str, now: int) -> int | None:
    """Return the seconds that a Retry-After header asks to wait, None if it asks nothing legible.

    Args:
        value: the header's, a number of seconds or an HTTP date.
        now: the time of the answer, in seconds since the epoch.
    """
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return int(text)
    if not _HTTP_DATE.fullmatch(text):
        return None
    try:
        moment = parsedate_to_datetime(text)
        seconds = int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError, TypeError):
        return None
    return max(seconds - now, 0)
