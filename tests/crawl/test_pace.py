"""What a host's answers mean for its row, and how long it is left alone."""

from __future__ import annotations

import gzip
import zlib

import pytest
from sealedbeam.pipeline.crawl.fetch import Exchange
from sealedbeam.pipeline.crawl.hosts import HostRow
from sealedbeam.pipeline.crawl.pace import (
    after_leaving,
    after_page,
    after_robots,
    inflate,
    robots_url,
)
from sealedbeam.pipeline.crawl.robots import Outcome

NOW = 1_000_000
RULES = b"User-agent: *\nDisallow: /no\nCrawl-delay: 2\n"


def answer(status: int, *fields: tuple[str, str], body: bytes = b"", at: float = NOW) -> Exchange:
    pairs = tuple((name.encode(), value.encode()) for name, value in fields)
    return Exchange("http://a.org/", at, 0.25, "192.0.2.1", status=status, fields=pairs, body=body)


def test_robots_url() -> None:
    """It lies at the root, under the scheme and the port of the page."""
    assert robots_url("https://a.org:8443/b/c?d") == "https://a.org:8443/robots.txt"


def test_rules_are_learned_with_their_delay() -> None:
    """The rules, their delay, the address and the end of the request stand in the row."""
    row = after_robots(HostRow("a.org"), answer(200, body=RULES), "sealedbeam")
    assert (row.robots_outcome, row.delay_seconds) == (Outcome.RULES, 2.0)
    assert (row.address, row.asked_until, row.updated_at) == ("192.0.2.1", NOW + 0.25, NOW)
    greedy = RULES.replace(b"2", b"86400")
    assert after_robots(HostRow("a.org"), answer(200, body=greedy), "x").delay_seconds == 30.0


@pytest.mark.parametrize("status", [500, 429, 0])
def test_a_host_that_does_not_tell_its_rules(status: int) -> None:
    """Nothing is allowed for as long as the server asks for, at least five minutes."""
    asked = answer(status, ("Retry-After", "1000"))
    row = after_robots(HostRow("a.org"), asked, "sealedbeam")
    assert (row.robots_outcome, row.expires_at) == (Outcome.DISALLOW_ALL, NOW + 1_000)
    assert after_robots(HostRow("a.org"), answer(status), "x").expires_at == NOW + 300


@pytest.mark.parametrize("status", [429, 503])
def test_back_off_grows_and_what_is_asked_for_is_kept(status: int) -> None:
    """Without a word the wait doubles up to an hour; Retry-After counts up to a day."""
    row, waits = HostRow("a.org"), []
    for _ in range(9):
        row = after_page(row, answer(status))
        waits.append(row.backoff_until - NOW)
    assert waits == [30, 60, 120, 240, 480, 960, 1_920, 3_600, 3_600]
    for asked, waited in (("7200", 7_200), ("999999", 86_400), ("5", 30), ("soon", 30)):
        told = after_page(HostRow("a.org"), answer(status, ("Retry-After", asked)))
        assert told.backoff_until - NOW == waited
    date = ("Retry-After", "Mon, 12 Jan 1970 14:46:40 GMT")
    assert after_page(HostRow("a.org"), answer(status, date)).backoff_until == NOW + 3_600
    assert after_page(row, answer(404))[-4:] == (0, 0, 1, "192.0.2.1")


def test_one_failure_is_no_pattern() -> None:
    """A request without an answer is counted; the second in a row lets the host wait."""
    first = after_page(HostRow("a.org"), answer(0))
    assert (first.failures, first.backoff_until) == (1, NOW)
    second = after_page(first, answer(0))
    assert (second.failures, second.backoff_until) == (2, NOW + 60)


def test_a_host_that_was_left_keeps_all_but_its_address() -> None:
    """The next round deals it out by the address that it was found to have."""
    row = HostRow("a.org", failures=2, asked_until=5.0)
    left = after_leaving(row, Exchange("http://a.org/", NOW, address="192.0.2.9"))
    assert left == row._replace(updated_at=NOW, address="192.0.2.9")


@pytest.mark.parametrize(
    ("coding", "body", "expected"),
    [
        ("", b"plain", b"plain"),
        ("gzip", gzip.compress(b"packed"), b"packed"),
        ("x-gzip", gzip.compress(b"packed"), b"packed"),
        ("deflate", zlib.compress(b"packed"), b"packed"),
        ("gzip", b"no gzip", b""),
        ("br", b"whatever", b""),
        ("gzip", gzip.compress(bytes(10_000_000)), bytes(100)),
    ],
)
def test_inflate(coding: str, body: bytes, expected: bytes) -> None:
    """A body is decoded up to a limit, however far it would inflate."""
    assert inflate(answer(200, ("Content-Encoding", coding), body=body), 100) == expected
