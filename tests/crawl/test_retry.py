"""Waits grow and are bounded, tries end, intervals learn; all from numbers alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl.frontier import State
from sealedbeam.pipeline.crawl.retry import (
    RefetchPolicy,
    RetryPolicy,
    judge_status,
    next_interval,
    next_try,
    parse_retry_after,
)

NOW = 1_800_000_000


def test_waits() -> None:
    """Each wait is four times the last, and the last try is the last."""
    times = [next_try(attempts, NOW) for attempts in range(1, 5)]
    assert times == [NOW + 60, NOW + 240, NOW + 960, None]


@given(st.integers(1, 50), st.none() | st.integers(0, 10**9), st.integers(1, 60))
def test_waits_are_bounded(attempts: int, asked: int | None, attempts_max: int) -> None:
    """A wait is at least what the server asks, at most a day, and never shrinks with the tries."""
    policy = RetryPolicy(attempts_max=attempts_max)
    moment = next_try(attempts, NOW, asked, policy)
    assert (moment is None) == (attempts >= attempts_max)
    if moment is not None:
        assert min(max(60, asked or 0), 86_400) <= moment - NOW <= 86_400
        later = next_try(attempts + 1, NOW, asked, policy)
        assert later is None or later >= moment


def test_intervals_learn() -> None:
    """A page that changes is looked at sooner, one that does not later, within bounds."""
    first = next_interval(0, has_changed=True)
    assert first == 30 * 86_400
    assert next_interval(first, has_changed=True) == first * 8 // 10
    assert next_interval(first, has_changed=False) == first * 14 // 10
    policy = RefetchPolicy(100, 90, 120)
    assert next_interval(100, has_changed=False, policy=policy) == 120
    assert next_interval(100, has_changed=True, policy=policy) == 90


@pytest.mark.parametrize(
    ("status", "state", "is_transient"),
    [
        *(
            (200, State.FETCHED, False),
            (206, State.FETCHED, False),
            (304, State.NOT_MODIFIED, False),
        ),
        *((301, State.REDIRECT_PERMANENT, False), (308, State.REDIRECT_PERMANENT, False)),
        *((302, State.REDIRECT_TEMPORARY, False), (307, State.REDIRECT_TEMPORARY, False)),
        *((404, State.GONE, False), (410, State.GONE, False), (403, State.FAILED, False)),
        *((300, State.FAILED, False), (429, State.FAILED, True), (503, State.FAILED, True)),
        *((500, State.FAILED, True), (501, State.FAILED, False), (0, State.FAILED, True)),
        *((999, State.FAILED, False), (100, State.FAILED, False)),
    ],
)
def test_statuses(status: int, state: State, *, is_transient: bool) -> None:
    """Every status has a state and, unless there is a page, a reason; some may pass."""
    verdict = judge_status(status)
    assert (state, is_transient) == (verdict.state, verdict.is_transient)
    assert (verdict.reason == "") == (state in (State.FETCHED, State.NOT_MODIFIED))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        *(("120", 120), (" 0 ", 0), ("-5", None), ("1e9", None), ("", None), ("soon", None)),
        *(("Fri, 15 Jan 2027 08:00:30 GMT", 30), ("Fri, 15 Jan 2027 07:00:00 GMT", 0)),
        *(("Friday, 15-Jan-27 08:01:00 GMT", 60), ("Fri, 99 Jan 2027 08:00:30 GMT", None)),
        *(("Fri Jan 15 08:00:30 2027", 30), ("٣", None), ("9" * 400, None)),
        ("Fri, 15 Jan 99999 08:00:00 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: int | None) -> None:
    """Seconds and all forms of HTTP dates are understood, in the past too; nothing else is."""
    assert seconds == parse_retry_after(value, NOW)


@given(st.text(max_size=60))
def test_retry_after_raises_nothing(value: str) -> None:
    """Whatever a server sends gives seconds or nothing."""
    seconds = parse_retry_after(value, NOW)
    assert seconds is None or seconds >= 0
