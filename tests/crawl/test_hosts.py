"""Of several statements on a host the latest holds, and its robots.txt comes back as it was."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl.frontier_store import Damage, read_shard
from sealedbeam.pipeline.crawl.hosts import (
    HOSTS,
    HostRow,
    join_hosts,
    merge_hosts,
    robots_of,
    with_robots,
)
from sealedbeam.pipeline.crawl.robots import Outcome, Reply, Robots, interpret
from sealedbeam.pipeline.crawl.sealed_rows import rows_of

NUMBERS = st.integers(0, 3)
ROWS = st.builds(
    HostRow,
    st.just("a.org"),
    updated_at=NUMBERS,
    asked_until=st.sampled_from([0.0, 0.5, 1.7e9]),
    robots_outcome=st.sampled_from(Outcome),
    robots_text=st.sampled_from(["", "User-agent: *\r\nDisallow: /\x00\u2028"]),
    asked_at=NUMBERS,
    expires_at=NUMBERS,
    robots_failures=NUMBERS,
    robots_failing_since=NUMBERS,
    backoff_until=NUMBERS,
    pages_fetched=NUMBERS,
    delay_seconds=st.sampled_from([0.0, 0.1, 30.0]),
    failures=NUMBERS,
    address=st.sampled_from(["", "192.0.2.1", "2001:db8::1"]),
)


@given(ROWS, ROWS, ROWS)
def test_join_is_a_semilattice(one: HostRow, two: HostRow, three: HostRow) -> None:
    """The join of statements is commutative, associative and idempotent; the latest holds."""
    joined = join_hosts(one, two)
    assert joined == join_hosts(two, one)
    assert join_hosts(joined, three) == join_hosts(one, join_hosts(two, three))
    assert one == join_hosts(one, one)
    assert joined.updated_at == max(one.updated_at, two.updated_at)
    assert joined in (one, two)


@given(st.dictionaries(st.text("ab.", min_size=1, max_size=5), ROWS, max_size=6), ROWS)
def test_rows_come_back(by_host: dict[str, HostRow], later: HostRow) -> None:
    """Hosts are stored and merged as the frontier is."""
    known = {host: row._replace(host=host) for host, row in by_host.items()}
    first, second = io.BytesIO(), io.BytesIO()
    merge_hosts(None, known, first)
    first.seek(0)
    report = merge_hosts(first, {later.host: later}, second)
    second.seek(0)
    found: list[HostRow] = []
    for group in read_shard(second, HOSTS):
        assert not isinstance(group, Damage)
        found += rows_of(group, HOSTS)
    mine = join_hosts(known[later.host], later) if later.host in known else later
    expected = known | {later.host: mine}
    assert [expected[host] for host in sorted(expected)] == found
    assert report.damaged == []


@given(st.integers(0, 700), st.binary(max_size=60), st.integers(1, 10**10))
def test_robots_come_back(status: int, body: bytes, now: int) -> None:
    """What a host's robots.txt said is the same after it was stored in the host's row."""
    robots = interpret(Reply(status, body), now)
    row = with_robots(HostRow("a.org", failures=2), robots, now)
    assert robots == robots_of(row)
    assert (row.updated_at, row.failures) == (now, 2)
    assert robots_of(HostRow("a.org")) == Robots()


def test_different_hosts_do_not_join() -> None:
    """Statements on two hosts are not one."""
    with pytest.raises(ValueError, match="make no row together"):
        join_hosts(HostRow("a.org"), HostRow("b.org"))
