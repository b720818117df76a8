"""What an answer makes of an address: its state, its schedule, and what is archived."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.crawl.fetch import REFUSED_ADDRESS, Exchange
from sealedbeam.pipeline.crawl.frontier import NEVER, Row, State, conditions_of, fold
from sealedbeam.pipeline.crawl.hosts import HostRow
from sealedbeam.pipeline.crawl.retry import RefetchPolicy, RetryPolicy
from sealedbeam.pipeline.crawl.robots import Outcome
from sealedbeam.pipeline.crawl.visitor import Answer, AnswerKind
from sealedbeam.pipeline.crawl.visits import Schedule, Settled, settle

if TYPE_CHECKING:
    from collections.abc import Sequence

URL = "http://a.org/page"
NOW = 1_000_000
BODY = b"<p>a page</p>"
DIGEST = hashlib.sha1(BODY, usedforsecurity=False).hexdigest()
ROW = Row(URL, "a.org", depth=2)
KNOWN = ROW._replace(
    state=State.FETCHED,
    fetched_at=NOW - 500,
    interval_seconds=1_000,
    linked_depth=2,
    etag='"one"',
    last_modified="Mon, 01 Jan 2024 00:00:00 GMT",
    payload_digest=DIGEST,
    warc_file="warc/one.warc.gz",
    warc_offset=7,
    length_bytes=9,
    archived_microseconds=(NOW - 500) * 1_000_000 + 250_000,
)
SCHEDULE = Schedule(RetryPolicy(attempts_max=3), RefetchPolicy(first_seconds=100))


def get(
    status: int,
    *fields: tuple[str, str],
    row: Row = ROW,
    body: bytes = BODY,
    truncated: str = "",
    error: str = "",
) -> Settled:
    """Return what an answer makes of a row."""
    exchange = Exchange(
        URL,
        NOW + 0.5,
        status=status,
        head=b"HTTP/1.1 " + str(status).encode(),
        fields=tuple((name.encode(), value.encode()) for name, value in fields),
        request_head=b"GET /page HTTP/1.1",
        body=body,
        truncated=truncated,
        error=error,
    )
    return settle(row, Answer(AnswerKind.PAGE, URL, "a.org", exchange), SCHEDULE, HostRow("a.org"))


def test_a_new_page() -> None:
    """A page is archived with its request, its links are read, and its validators are kept."""
    settled = get(200, ("ETag", '"x"'), ("Last-Modified", "then"), ("Content-Type", "Text/HTML; a"))
    visit = settled.visit
    assert (visit.state, visit.reason, visit.status) == (State.FETCHED, "", 200)
    assert (visit.fetched_at, visit.next_at, visit.interval_seconds) == (NOW, NOW + 100, 100)
    assert (visit.etag, visit.last_modified, visit.payload_digest) == ('"x"', "then", DIGEST)
    assert (visit.linked_depth, visit.archived_microseconds) == (2, (NOW * 10 + 5) * 100_000)
    assert settled.has_links
    assert settled.archived is not None
    assert settled.archived.mime == "text/html"


@pytest.mark.parametrize(
    ("status", "state", "next_at"),
    [
        *((301, State.REDIRECT_PERMANENT, NEVER), (308, State.REDIRECT_PERMANENT, NEVER)),
        *((302, State.REDIRECT_TEMPORARY, NOW + 100), (307, State.REDIRECT_TEMPORARY, NOW + 100)),
    ],
)
def test_redirects(status: int, state: State, next_at: int) -> None:
    """A redirect is archived, says where it leads, and is asked for again if it is temporary."""
    settled = get(status, ("Location", "../other#part"))
    assert (settled.visit.state, settled.visit.next_at) == (state, next_at)
    assert settled.visit.redirect_to == "http://a.org/other"
    assert settled.archived is not None
    assert not settled.has_links
    nowhere = get(status, ("Location", "mailto:x@a.org")).visit
    assert (nowhere.state, nowhere.reason) == (State.FAILED, "redirect_to_nowhere")


@pytest.mark.parametrize(
    ("status", "state", "reason"),
    [
        *((404, State.GONE, "status_404"), (410, State.GONE, "status_410")),
        *((403, State.FAILED, "status_403"), (300, State.FAILED, "status_300")),
    ],
)
def test_answers_without_a_page(status: int, state: State, reason: str) -> None:
    """What is no page and will not pass is archived and never asked for again."""
    settled = get(status)
    visit = settled.visit
    assert (visit.state, visit.reason, visit.next_at, visit.attempts) == (state, reason, NEVER, 0)
    assert settled.archived is not None


def test_failures_are_tried_again_and_then_final() -> None:
    """What may pass is tried again after a wait that grows or is asked for, so many times."""
    row, waits = ROW, []
    for _ in range(3):
        visit = get(503, row=row).visit
        waits.append(visit.next_at - visit.fetched_at if visit.next_at < NEVER else None)
        row = fold(row, [visit])
    assert waits == [60, 240, None]
    assert (row.state, row.reason, row.attempts) == (State.FAILED, "status_503", 3)
    assert get(429, ("Retry-After", "500")).visit.next_at == NOW + 500
    assert get(429).archived is not None
    for error, next_at in (("timeout", NOW + 60), (REFUSED_ADDRESS, NEVER)):
        settled = get(0, error=error)
        assert (settled.visit.reason, settled.visit.next_at) == (error, next_at)
        assert settled.archived is None


def test_a_page_that_did_not_change() -> None:
    """304 keeps what is known of the page and looks again later; the revisit refers to it."""
    assert conditions_of(KNOWN) == {
        "If-None-Match": '"one"',
        "If-Modified-Since": "Mon, 01 Jan 2024 00:00:00 GMT",
    }
    settled = get(304, row=KNOWN, body=b"")
    visit = settled.visit
    assert (visit.state, visit.reason, visit.status) == (State.NOT_MODIFIED, "", 304)
    assert (visit.interval_seconds, visit.next_at) == (1_400, NOW + 1_400)
    assert not settled.has_links
    assert settled.archived is not None
    assert settled.archived.mime == "warc/revisit"
    after = fold(KNOWN, [visit])
    kept = ("etag", "last_modified", "payload_digest", "warc_file", "warc_offset")
    assert [getattr(after, name) for name in kept] == [getattr(KNOWN, name) for name in kept]
    assert after.archived_microseconds == KNOWN.archived_microseconds


def test_a_page_that_came_once_more() -> None:
    """The same payload is a revisit, too; another one is a new page that is looked at sooner."""
    settled = get(200, row=KNOWN)
    assert (settled.visit.state, settled.visit.reason) == (State.NOT_MODIFIED, "same_payload")
    assert settled.visit.interval_seconds == 1_400
    changed = get(200, row=KNOWN, body=b"other")
    assert (changed.visit.state, changed.visit.interval_seconds) == (State.FETCHED, 800)
    assert changed.has_links
    cut = get(200, row=KNOWN, truncated="length")
    assert (cut.visit.state, cut.visit.reason) == (State.FETCHED, "truncated_length")


def test_nothing_new_where_nothing_was_asked() -> None:
    """304 without a condition tells nothing: it fails, and no page is made up."""
    for row in (ROW, KNOWN._replace(etag="", last_modified=""), KNOWN._replace(warc_file="")):
        assert conditions_of(row) == {}
        visit = get(304, row=row, body=b"").visit
        assert (visit.state, visit.reason, visit.attempts) == (State.FAILED, "status_304", 1)


def test_links_are_counted_from_the_nearest_way() -> None:
    """A page found nearer is asked for without conditions, and its links are read though known."""
    nearer = KNOWN._replace(depth=1)
    assert conditions_of(nearer) == {}
    settled = get(200, row=nearer)
    assert (settled.visit.state, settled.visit.linked_depth) == (State.NOT_MODIFIED, 1)
    assert settled.has_links
    failed = get(500, row=nearer)
    assert failed.visit.linked_depth == -1  # not due for its links alone, before the wait is over
    assert conditions_of(fold(nearer, [failed.visit])) == {}


@pytest.mark.parametrize("why", ["disconnect", "time"])
def test_a_body_that_broke_off(why: str) -> None:
    """It is tried again, and archived as it is at the last try, without its validators."""
    first = get(200, ("ETag", '"x"'), truncated=why)
    assert (first.visit.state, first.visit.reason) == (State.FAILED, f"broke_off_{why}")
    assert first.archived is None
    last = get(200, ("ETag", '"x"'), row=ROW._replace(attempts=2), truncated=why)
    assert (last.visit.state, last.visit.reason) == (State.FETCHED, f"truncated_{why}")
    assert last.visit.etag == ""
    assert last.archived is not None


def test_a_body_that_is_not_what_its_server_says() -> None:
    """A digest in the header that does not agree is a failure that may pass."""
    settled = get(200, ("Content-Digest", f"sha-256=:{'A' * 43}=:"))
    assert (settled.visit.state, settled.visit.reason) == (State.FAILED, "digest_mismatch")
    assert settled.visit.attempts == 1


def test_two_visits_are_never_one() -> None:
    """A visit within the same second as the one before is later than it."""
    row = KNOWN._replace(fetched_at=NOW)
    assert fold(row, [get(304, row=row, body=b"").visit]).state is State.NOT_MODIFIED


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome.RULES, (State.ROBOTS_DENIED, "", 99)),
        (Outcome.DISALLOW_ALL, (State.FAILED, "robots_unreachable", 99)),
    ],
)
def test_denials(outcome: Outcome, expected: Sequence[object]) -> None:
    """What the rules forbid is denied; where they cannot be read it has failed for now."""
    host = HostRow("a.org", robots_outcome=outcome, expires_at=99)
    answer = Answer(AnswerKind.DENIED, URL, "a.org", Exchange(URL, NOW))
    settled = settle(ROW, answer, SCHEDULE, host)
    visit = settled.visit
    assert (visit.state, visit.reason, visit.next_at) == expected
    assert settled.archived is None
