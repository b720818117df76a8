"""The state of a crawl as a fold: events reduce to one row for each address.

Rules:
1. An event is a row of which little is known, and two rows of one address `join` into one. The join
   is commutative, associative and idempotent (a semilattice), so that events may come in any order,
   in any grouping, and more than once: a log that is read again after a crash changes nothing.
2. How an address was found: the least depth, at that the fewest redirects, with its referrer (the
   first by name among equals), and the first round. A redirect is no link: where it leads has the
   depth of the address that redirects.
3. How it was last visited: the later visit wins as a whole. A visit is told apart by its time and
   the digest of what it got. So an event states what holds after it: who writes one starts from
   `visit_of` the row and counts attempts on from there.
4. A duplicate is said of one visit, known or not yet known: its state wins within that visit, the
   rest of the visit is kept, and a later visit ends it.
5. A trap is told of an address that was never visited, as a visit at time 0: any real one wins.

Times are whole seconds since the epoch; 0 is never, and as `next_at` at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from .urls import host_of

if TYPE_CHECKING:
    from collections.abc import Iterable

NEVER: Final = 253_402_300_799
"""The `next_at` of what is not to be asked for again: the last second of the year 9999."""

UNKNOWN: Final = (1 << 31) - 1
"""The depth and the round of an address that nobody has found yet."""

HEADER_CHARACTERS_MAX: Final = 1_024


class State(StrEnum):
    """What is known of an address; of two states of one visit the later one here wins."""

    UNFETCHED = "unfetched"
    ROBOTS_DENIED = "robots_denied"
    TRAPPED = "trapped"
    FAILED = "failed"
    GONE = "gone"
    REDIRECT_TEMPORARY = "redirect_temporary"
    REDIRECT_PERMANENT = "redirect_permanent"
    NOT_MODIFIED = "not_modified"
    FETCHED = "fetched"
    DUPLICATE = "duplicate"


PAGES: Final = frozenset((State.NOT_MODIFIED, State.FETCHED, State.DUPLICATE))
"""The states in which there is a page, and which limits on pages count."""

_RANKS: Final = {state: rank for rank, state in enumerate(State)}


class Row(NamedTuple):
    """All that is known of one address.

    Attributes:
        url: canonical.
        host: of the address, with its port where that is not the usual one.
        state: after the last visit.
        reason: a word for why, empty where the state says it all.
        depth: links from a seed, at least; `UNKNOWN` if it was never found.
        via: the address where it was found at that depth, empty for seeds.
        discovered_round: the first round in which it was found, or `UNKNOWN`.
        redirects: in a row that led to it at that depth.
        attempts: visits in a row that failed, the last one included.
        fetched_at: time of the last visit, or of the verdict that there will be none.
        next_at: when it is due.
        interval_seconds: from the last look at a page to the next.
        status: of the last answer, 0 if there was none.
        linked_depth: the depth from which the links of its page were counted, -1 if they were not.
        etag: validators of the last page that was got, empty where it had none.
        last_modified: likewise.
        payload_digest: of that page, in hexadecimal, empty if there is none.
        redirect_to: where a redirect leads, and for a duplicate, the address that stands for it.
        warc_file: the archive that holds the page, empty if none does.
        warc_offset: of its record there.
        length_bytes: of that record.
        archived_microseconds: the time in that record, since the epoch; 0 if there is none.
    """

    url: str
    host: str
    state: State = State.UNFETCHED
    reason: str = ""
    depth: int = UNKNOWN
    via: str = ""
    discovered_round: int = UNKNOWN
    redirects: int = 0
    attempts: int = 0
    fetched_at: int = 0
    next_at: int = 0
    interval_seconds: int = 0
    status: int = 0
    linked_depth: int = -1
    etag: str = ""
    last_modified: str = ""
    payload_digest: str = ""
    redirect_to: str = ""
    warc_file: str = ""
    warc_offset: int = 0
    length_bytes: int = 0
    archived_microseconds: int = 0


@dataclass(frozen=True, slots=True)
class Discovered:
    """A page, a site map or the user named the address; fields as in `Row`."""

    url: str
    depth: int
    via: str
    discovered_round: int
    redirects: int = 0

    def as_row(self) -> Row:
        """Return the row that this event alone makes."""
        return Row(
            self.url,
            host_of(self.url),
            depth=self.depth,
            redirects=self.redirects,
            via=self.via,
            discovered_round=self.discovered_round,
        )


@dataclass(frozen=True, slots=True)
class Visited:
    """The address was asked for, or it was decided not to; fields as in `Row`.

    All of them hold after the visit: a visit that got no page repeats the validators, the digest
    and the place of the last one that did (see `visit_of`).
    """

    url: str
    state: State
    fetched_at: int
    reason: str = ""
    attempts: int = 0
    next_at: int = NEVER
    interval_seconds: int = 0
    status: int = 0
    linked_depth: int = -1
    etag: str = ""
    last_modified: str = ""
    payload_digest: str = ""
    redirect_to: str = ""
    warc_file: str = ""
    warc_offset: int = 0
    length_bytes: int = 0
    archived_microseconds: int = 0

    def as_row(self) -> Row:
        """Return the row that this event alone makes."""
        return Row(
            url=self.url,
            host=host_of(self.url),
            state=self.state,
            reason=self.reason,
            attempts=self.attempts,
            fetched_at=self.fetched_at,
            next_at=self.next_at,
            interval_seconds=self.interval_seconds,
            status=self.status,
            linked_depth=self.linked_depth,
            etag=self.etag,
            last_modified=self.last_modified,
            payload_digest=self.payload_digest,
            redirect_to=self.redirect_to,
            warc_file=self.warc_file,
            warc_offset=self.warc_offset,
            length_bytes=self.length_bytes,
            archived_microseconds=self.archived_microseconds,
        )


@dataclass(frozen=True, slots=True)
class DuplicateOf:
    """The page got by the visit at `fetched_at` has the same payload as that of `original`."""

    url: str
    original: str
    fetched_at: int
    payload_digest: str

    def as_row(self) -> Row:
        """Return the row that this event alone makes."""
        return Row(
            self.url,
            host_of(self.url),
            State.DUPLICATE,
            "same_payload",
            fetched_at=self.fetched_at,
            payload_digest=self.payload_digest,
            redirect_to=self.original,
        )


Event: TypeAlias = Discovered | Visited | DuplicateOf


def fold(row: Row | None, events: Iterable[Event]) -> Row:
    """Return `row` after `events` of the same address; None stands for no row yet.

    Raises:
        ValueError: an event is of another address, or there is neither row nor event.
    """
    rows = [event.as_row() for event in events]
    if row is not None:
        rows.append(row)
    if not rows:
        raise ValueError("no events make no row")
    return reduce(join, rows)


def collect(events: Iterable[Event]) -> dict[str, Row]:
    """Return what `events` say of each address."""
    rows: dict[str, Row] = {}
    for event in events:
        row = event.as_row()
        known = rows.get(row.url)
        rows[row.url] = row if known is None else join(known, row)
    return rows


def join(one: Row, other: Row) -> Row:
    """Return what two rows of one address say together (see the module's rules).

    Raises:
        ValueError: the rows are of different addresses.
    """
    if one.url != other.url:
        raise ValueError(f"{one.url} and {other.url} make no row together")
    depth, redirects, via = min(_origin(one), _origin(other))
    this_visit = (one.fetched_at, one.payload_digest)
    other_visit = (other.fetched_at, other.payload_digest)
    if this_visit == other_visit:
        visit = _join_visits(one, other)
    else:
        visit = one if this_visit > other_visit else other
    return visit._replace(
        depth=depth,
        redirects=redirects,
        via=via,
        discovered_round=min(one.discovered_round, other.discovered_round),
    )


def _origin(row: Row) -> tuple[int, int, str]:
    return row.depth, row.redirects, row.via


def _join_visits(one: Row, other: Row) -> Row:
    """Return two rows of one visit as one: the greater verdict, and the greater of the rest."""
    rest = one if _rest(one) >= _rest(other) else other
    verdict = one if _verdict(one) >= _verdict(other) else other
    return rest._replace(
        state=verdict.state, reason=verdict.reason, redirect_to=verdict.redirect_to
    )


def _verdict(row: Row) -> tuple[int, str, str]:
    return _RANKS[row.state], row.reason, row.redirect_to


def _rest(row: Row) -> tuple[object, ...]:
    return (
        *(row.attempts, row.next_at, row.interval_seconds, row.status, row.linked_depth, row.etag),
        *(row.last_modified, row.warc_file, row.warc_offset, row.length_bytes),
        row.archived_microseconds,
    )


def visit_of(row: Row) -> Visited:
    """Return the last visit of `row`, for the next one to start from."""
    return Visited(
        url=row.url,
        state=row.state,
        fetched_at=row.fetched_at,
        reason=row.reason,
        attempts=row.attempts,
        next_at=row.next_at,
        interval_seconds=row.interval_seconds,
        status=row.status,
        linked_depth=row.linked_depth,
        etag=row.etag,
        last_modified=row.last_modified,
        payload_digest=row.payload_digest,
        redirect_to=row.redirect_to,
        warc_file=row.warc_file,
        warc_offset=row.warc_offset,
        length_bytes=row.length_bytes,
        archived_microseconds=row.archived_microseconds,
    )


def needs_links(row: Row) -> bool:
    """Whether the links of the page of `row` are not counted yet, or from too great a depth.

    Such a page is asked for without conditions: that it has not changed would say nothing of links.
    """
    return row.linked_depth < 0 or row.depth < row.linked_depth


def conditions_of(row: Row) -> dict[str, str]:
    """Return the header that asks for a page only if it is another one than is archived."""
    if needs_links(row) or not row.warc_file:
        return {}
    conditions = {"If-None-Match": row.etag, "If-Modified-Since": row.last_modified}
    return {name: value for name, value in conditions.items() if value}


def clean_header(value: str) -> str:
    """Return a header that can be stored and sent again, or "" if `value` is none.

    A validator that was cut or changed would never match: it is better left out.
    """
    text = value.strip(" \t")
    is_fit = len(text) <= HEADER_CHARACTERS_MAX and text.isascii() and text.isprintable()
    return text if is_fit else ""
