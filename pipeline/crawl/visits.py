"""What an answer makes of an address: its next state, when it is due again, what is archived.

Pure: row and answer in, values out. What is archived:
* every response that came whole, whatever its status, with the request that it answers;
* a page that has not changed since it was archived, as a revisit that refers to its record: the
  server says so (304), or sends the same payload once more;
* a body that was cut at the limit, or, when no further try is left, broke off: with the reason.
A body that broke off, or is not what its server's digest says, is a failure that may pass. So is
an answer that there is nothing new, where nothing was asked on a condition.

When an address is due again: pages by the adaptive schedule, temporary redirects after its first
interval, failures that may pass after a wait that grows, all else never.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from sealedbeam.pipeline.warc.values import Digest
from sealedbeam.pipeline.warc.writer import (
    PROFILE_IDENTICAL,
    PROFILE_NOT_MODIFIED,
    Written,
    digest_of,
    write_request,
    write_response,
    write_revisit,
)

from .fetch import REFUSED_ADDRESS
from .frontier import NEVER, State, Visited, clean_header, conditions_of, needs_links, visit_of
from .retry import (
    DEFAULT_REFETCH,
    DEFAULT_RETRY,
    judge_status,
    next_interval,
    next_try,
    parse_retry_after,
)
from .robots import Outcome
from .urls import canonical
from .visitor import AnswerKind
from .wire_digests import compare_digests

if TYPE_CHECKING:
    from .fetch import Exchange
    from .frontier import Row
    from .hosts import HostRow
    from .retry import RefetchPolicy, RetryPolicy, Verdict
    from .visitor import Answer

_FINAL_ERRORS: Final = (REFUSED_ADDRESS,)
_BROKEN_OFF: Final = ("disconnect", "time")
_REVISIT_MIME: Final = "warc/revisit"
_MICROSECONDS: Final = 1_000_000


class Archived(NamedTuple):
    """A response as it is archived, with its request; `mime` is for an index of the archive."""

    record: Written
    request: Written
    mime: str


@dataclass(frozen=True, slots=True)
class Settled:
    """What an answer makes of an address.

    Attributes:
        visit: what holds after it, but for its place in an archive.
        archived: what goes into the archive, None where nothing does.
        has_links: whether there is a page whose links are to be read.
    """

    visit: Visited
    archived: Archived | None = None
    has_links: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """When addresses are asked for again."""

    retry: RetryPolicy = DEFAULT_RETRY
    refetch: RefetchPolicy = DEFAULT_REFETCH


def settle(row: Row, answer: Answer, schedule: Schedule, host: HostRow) -> Settled:
    """Return what `answer` makes of the address of `row`.

    Args:
        row: what was known before; its archive, if it has one, is referred to.
        answer: to the request for its page, or the denial.
        schedule: when to ask again.
        host: what is known of its host; for a denial, whether there were rules.
    """
    exchange = answer.exchange
    now = max(int(exchange.time_seconds), row.fetched_at + 1)  # two visits are never one
    linked_depth = -1 if needs_links(row) else row.linked_depth
    before = replace(
        visit_of(row),
        fetched_at=now,
        reason="",
        redirect_to="",
        status=0,
        linked_depth=linked_depth,
    )
    if answer.kind is AnswerKind.DENIED:
        return Settled(_deny(before, host))
    before = replace(before, status=exchange.status)
    failure = _find_failure(row, exchange, schedule)
    if failure:
        visit = _fail(before, failure, exchange, schedule.retry)
        is_whole = exchange.status and not exchange.truncated
        return Settled(visit, archive(exchange) if is_whole else None)
    verdict = judge_status(exchange.status)
    if verdict.state is State.NOT_MODIFIED:
        return _settle_unchanged(row, before, exchange, schedule, PROFILE_NOT_MODIFIED)
    if verdict.state is not State.FETCHED:
        return _settle_other(before, exchange, schedule, verdict)
    digest = _hexadecimal(digest_of(exchange.body))
    if digest == row.payload_digest and row.warc_file and not exchange.truncated:
        settled = _settle_unchanged(row, before, exchange, schedule, PROFILE_IDENTICAL)
        return _with_links(settled, row) if needs_links(row) else settled
    return _settle_page(row, before, exchange, schedule, digest)


def _deny(visit: Visited, host: HostRow) -> Visited:
    """Return a visit that robots.txt has forbidden, by its rules or because nobody could ask."""
    if host.robots_outcome is Outcome.RULES:
        denied = replace(visit, state=State.ROBOTS_DENIED, attempts=0)
    else:
        denied = replace(visit, state=State.FAILED, reason="robots_unreachable")
    return replace(denied, next_at=host.expires_at)


def _find_failure(row: Row, exchange: Exchange, schedule: Schedule) -> str:
    """Return a word for a failure that may pass or is final, empty when there is an answer."""
    if exchange.error:
        return exchange.error
    if judge_status(exchange.status).is_transient:
        return judge_status(exchange.status).reason
    if judge_status(exchange.status).state is State.NOT_MODIFIED and not conditions_of(row):
        return f"status_{exchange.status}"
    if exchange.truncated in _BROKEN_OFF and row.attempts + 1 < schedule.retry.attempts_max:
        return f"broke_off_{exchange.truncated}"
    if not exchange.truncated and compare_digests(exchange.fields, exchange.body) is Digest.BAD:
        return "digest_mismatch"
    return ""


def _fail(visit: Visited, reason: str, exchange: Exchange, policy: RetryPolicy) -> Visited:
    attempts = visit.attempts + 1
    asked = parse_retry_after(exchange.get("Retry-After"), visit.fetched_at)
    again = None
    if reason not in _FINAL_ERRORS:
        again = next_try(attempts, visit.fetched_at, asked, policy)
    return replace(
        visit,
        state=State.FAILED,
        reason=reason,
        attempts=attempts,
        next_at=NEVER if again is None else again,
    )


def _settle_unchanged(
    row: Row, visit: Visited, exchange: Exchange, schedule: Schedule, profile: str
) -> Settled:
    interval = next_interval(row.interval_seconds, has_changed=False, policy=schedule.refetch)
    visit = replace(
        visit,
        state=State.NOT_MODIFIED,
        reason="" if profile == PROFILE_NOT_MODIFIED else "same_payload",
        attempts=0,
        interval_seconds=interval,
        next_at=visit.fetched_at + interval,
    )
    record = write_revisit(
        row.url,
        exchange.time_seconds,
        exchange.head,
        profile=profile,
        payload_digest=_base32(row.payload_digest),
        refers_to_time_seconds=row.archived_microseconds / _MICROSECONDS or None,
        address=exchange.address,
    )
    return Settled(visit, Archived(record, _request_of(exchange, record), _REVISIT_MIME))


def _settle_other(
    visit: Visited, exchange: Exchange, schedule: Schedule, verdict: Verdict
) -> Settled:
    """Settle a redirect, or an answer without a page that will not pass."""
    state, reason, target = verdict.state, verdict.reason, ""
    if state in {State.REDIRECT_PERMANENT, State.REDIRECT_TEMPORARY}:
        location = exchange.get("Location")  # an empty one would lead to the page itself
        target = (canonical(location, visit.url) or "") if location else ""
        if not target:
            state, reason = State.FAILED, "redirect_to_nowhere"
    again = state is State.REDIRECT_TEMPORARY
    visit = replace(
        visit,
        state=state,
        reason=reason,
        attempts=0,
        redirect_to=target,
        next_at=visit.fetched_at + schedule.refetch.first_seconds if again else NEVER,
    )
    return Settled(visit, archive(exchange))


def _settle_page(
    row: Row, visit: Visited, exchange: Exchange, schedule: Schedule, digest: str
) -> Settled:
    interval = next_interval(row.interval_seconds, has_changed=True, policy=schedule.refetch)
    # A page that broke off is asked for as a whole the next time.
    is_whole = exchange.truncated not in _BROKEN_OFF
    visit = replace(
        visit,
        state=State.FETCHED,
        reason=f"truncated_{exchange.truncated}" if exchange.truncated else "",
        attempts=0,
        interval_seconds=interval,
        next_at=visit.fetched_at + interval,
        etag=clean_header(exchange.get("ETag")) if is_whole else "",
        last_modified=clean_header(exchange.get("Last-Modified")) if is_whole else "",
        payload_digest=digest,
        archived_microseconds=round(exchange.time_seconds * _MICROSECONDS),
    )
    return _with_links(Settled(visit, archive(exchange)), row)


def _with_links(settled: Settled, row: Row) -> Settled:
    """Return what is settled of a page whose links are read, from the depth that it has now."""
    return replace(settled, visit=replace(settled.visit, linked_depth=row.depth), has_links=True)


def archive(exchange: Exchange) -> Archived:
    """Return an exchange as it is archived."""
    record = write_response(
        exchange.url,
        exchange.time_seconds,
        exchange.head,
        exchange.body,
        address=exchange.address,
        truncated=exchange.truncated,
    )
    mime = exchange.get("Content-Type").partition(";")[0].strip().lower() or "unk"
    return Archived(record, _request_of(exchange, record), mime)


def _request_of(exchange: Exchange, record: Written) -> Written:
    head = exchange.request_head
    return write_request(exchange.url, exchange.time_seconds, head, record.record_id)


def _hexadecimal(digest: str) -> str:
    return base64.b32decode(digest.partition(":")[2]).hex()


def _base32(digest: str) -> str:
    return f"sha1:{base64.b32encode(bytes.fromhex(digest)).decode()}" if digest else ""
