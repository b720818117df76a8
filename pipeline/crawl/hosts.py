"""What a crawl knows of each host: its robots.txt, its pace, its failures, where it lives.

One row for each host, in shards as those of the frontier. Within a round one task asks a host for
pages, and after each answer that matters it states the whole row anew, so that rows of one host
join to the latest of them: commutative, associative and idempotent, as events of the frontier are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, Final, NamedTuple

import pyarrow as pa

from .frontier_store import MergeReport, merge_shard
from .robots import Outcome, Robots
from .sealed_rows import Layout

if TYPE_CHECKING:
    from collections.abc import Mapping


class HostRow(NamedTuple):
    """All that is known of one host; times are seconds since the epoch, 0 for never.

    Attributes:
        host: its name, with its port where that is not the usual one.
        updated_at: when this was stated; the latest statement holds.
        asked_until: when the last request to it was over, to the fraction of a second.
        robots_outcome: which rule holds.
        robots_text: the rules that were read last.
        asked_at: when its robots.txt was last asked for.
        expires_at: when that is to be asked for again.
        robots_failures: requests for it in a row that got no answer.
        robots_failing_since: when the first of them was.
        delay_seconds: between two requests to the host.
        backoff_until: before then it is not asked for anything.
        failures: requests for pages in a row that got no answer, or 429 or 503.
        pages_fetched: in this crawl, by the statement of the task that fetched them; the frontier
            is what limits are counted from.
        address: where its name resolved to last, or what else it is to be asked for together with;
            empty if that is not known.
    """

    host: str
    updated_at: int = 0
    asked_until: float = 0.0
    robots_outcome: Outcome = Outcome.UNKNOWN
    robots_text: str = ""
    asked_at: int = 0
    expires_at: int = 0
    robots_failures: int = 0
    robots_failing_since: int = 0
    delay_seconds: float = 0.0
    backoff_until: int = 0
    failures: int = 0
    pages_fetched: int = 0
    address: str = ""


_OUTCOMES: Final = {outcome.value: outcome for outcome in Outcome}
_WHERE_OUTCOME_IS: Final = HostRow._fields.index("robots_outcome")
_TEXTS: Final = frozenset(("host", "robots_outcome", "robots_text", "address"))
_FRACTIONS: Final = frozenset(("asked_until", "delay_seconds"))


def _kind_of(name: str) -> pa.DataType:
    if name in _TEXTS:
        return pa.string()
    return pa.float64() if name in _FRACTIONS else pa.int64()


def _revive(values: tuple[Any, ...]) -> HostRow:
    outcome = _OUTCOMES[values[_WHERE_OUTCOME_IS]]
    return HostRow._make((*values[:_WHERE_OUTCOME_IS], outcome, *values[_WHERE_OUTCOME_IS + 1 :]))


HOSTS: Final = Layout(
    name="hosts 1",
    kinds={name: _kind_of(name) for name in HostRow._fields},
    key="host",
    group_rows=256,  # a robots.txt has up to half a mebibyte
    revive=_revive,
    repetitive=("robots_outcome", "robots_text"),
)


def join_hosts(one: HostRow, other: HostRow) -> HostRow:
    """Return the later of two statements on one host.

    Raises:
        ValueError: they are on different hosts.
    """
    if one.host != other.host:
        raise ValueError(f"{one.host} and {other.host} make no row together")
    return max(one, other, key=lambda row: row[1:])


def merge_hosts(
    old: BinaryIO | None, updates: Mapping[str, HostRow], sink: BinaryIO
) -> MergeReport:
    """Write the shard of hosts that `old` becomes by `updates` (see `merge_shard`)."""
    return merge_shard(old, updates, sink, HOSTS, join_hosts)


def robots_of(row: HostRow) -> Robots:
    """Return what holds for the host by its robots.txt."""
    return Robots(
        outcome=row.robots_outcome,
        text=row.robots_text,
        asked_at=row.asked_at,
        expires_at=row.expires_at,
        failures=row.robots_failures,
        failing_since=row.robots_failing_since,
    )


def with_robots(row: HostRow, robots: Robots, now: int) -> HostRow:
    """Return `row` as it is after `robots` was learned at time `now`."""
    return row._replace(
        updated_at=now,
        robots_outcome=robots.outcome,
        robots_text=robots.text,
        asked_at=robots.asked_at,
        expires_at=robots.expires_at,
        robots_failures=robots.failures,
        robots_failing_since=robots.failing_since,
    )
