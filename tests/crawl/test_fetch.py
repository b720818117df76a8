from __future__ import annotations

import asyncio
import gzip
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.crawl.addresses import parse_networks
from sealedbeam.pipeline.crawl.fetch import Exchange, Fetcher, FetchLimits
from sealedbeam.pipeline.crawl.resolver import PinnedResolver

from tests.support.odd_server import odd_server, reset, say, say_for_ever, say_nothing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.support.odd_server import Answer

LOOPBACK = parse_networks(["127.0.0.0/8"])
LIMITS = FetchLimits(
    body_bytes=300_000, connect_seconds=2, head_seconds=1, idle_seconds=1, body_seconds=1.5
)
AGENT = "test/1.0 (+mailto:nobody@example.org)"


def fetch(
    answer: Answer, headers: Mapping[str, str] | None = None, limits: FetchLimits = LIMITS
) -> Exchange:
    """Return the exchange with a server that gives this one answer."""

    async def run() -> Exchange:
        async with (
            odd_server({"/page?q=%C3%A9": answer}) as base,
            Fetcher(AGENT, PinnedResolver(LOOPBACK), limits) as fetcher,
        ):
            return await fetcher.fetch(f"{base}/page?q=%C3%A9", headers)

    return asyncio.run(run())


def respond(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    head = "\r\n".join([f"HTTP/1.1 {status}", *fields])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def test_a_large_body_that_drips_gives_its_place_up() -> None:
    """Of large bodies few are read at a time: one that comes too slowly is cut, with its reason."""
    patient = FetchLimits(body_seconds=200, idle_seconds=200, large_grace_seconds=0.2)
    head = respond(bytes(300_000), "Content-Length: 2000000")
    exchange = fetch(say_for_ever(head, b"x", 0.02), limits=patient)
    assert exchange.truncated == "time"
    assert 300_000 <= len(exchange.body) < 400_000
    flowing = replace(patient, large_bytes_per_second=1)
    whole = respond(bytes(300_000), "Content-Length: 300100")
    exchange = fetch(say_for_ever(whole, b"xxxx", 0.02), limits=flowing)
    assert (exchange.truncated, len(exchange.body)) == ("", 300_100)


def test_a_page_is_taken_as_it_is_sent() -> None:
    """Head and body are the server's bytes, the body still compressed; the request is kept."""
    packed = gzip.compress(b"<p>a page</p>", mtime=0)
    fields = ("Content-Type: text/html", f"Content-Length: {len(packed)}", "X-Odd: \xe9")
    sent = respond(packed, *fields, "Content-Encoding: gzip")
    exchange = fetch(say(sent), {"If-None-Match": '"tag"'})
    assert (exchange.status, exchange.error, exchange.truncated) == (200, "", "")
    assert exchange.body == packed
    assert exchange.head + b"\r\n\r\n" + exchange.body == sent
    assert exchange.get("content-encoding") == "gzip"
    assert exchange.address == "127.0.0.1"
    request = exchange.request_head.decode()
    assert request.startswith("GET /page?q=%C3%A9 HTTP/1.1\r\nHost: 127.0.0.1:")
    assert f"User-Agent: {AGENT}" in request
    assert 'If-None-Match: "tag"' in request


def test_chunks_are_joined_and_said() -> None:
    """A chunked body is stored without its chunks, and its header says what it was."""
    sent = respond(b"4\r\nabcd\r\n3\r\nefg\r\n0\r\n\r\n", "Transfer-Encoding: chunked")
    exchange = fetch(say(sent))
    assert (exchange.body, exchange.truncated) == (b"abcdefg", "")
    assert b"\r\nX-Archive-Orig-Transfer-Encoding: chunked" in exchange.head


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
def test_redirects_are_answers(status: str) -> None:
    """A redirect is not followed; it is the answer."""
    fields = ("Location: http://elsewhere.example/", "Content-Length: 0")
    exchange = fetch(say(respond(b"", *fields, status=status)))
    assert exchange.status == int(status[:3])
    assert exchange.get("Location") == "http://elsewhere.example/"


@pytest.mark.parametrize(
    ("answer", "truncated", "least", "most"),
    [
        (say_for_ever(respond(b""), b"x" * 65536), "length", 300_000, 300_000),
        (say_for_ever(respond(b"", "Content-Length: 9999999"), b"x", 0.05), "time", 1, 1000),
        (say(respond(b"only this", "Content-Length: 500")), "disconnect", 9, 9),
        (say(respond(b"5\r\nonly\r\n", "Transfer-Encoding: chunked")), "disconnect", 0, 5),
    ],
    ids=["endless", "slow", "short", "broken chunks"],
)
def test_a_body_that_is_not_whole_is_kept_and_said(
    answer: Answer, truncated: str, least: int, most: int
) -> None:
    """What came of a body is kept, with the reason why it is not all."""
    exchange = fetch(answer)
    assert (exchange.status, exchange.error, exchange.truncated) == (200, "", truncated)
    assert least <= len(exchange.body) <= most


def test_a_body_beyond_its_length_is_an_error() -> None:
    """A server that says more than it announced is not believed: which of the two is right?"""
    exchange = fetch(say(respond(b"12345 and more", "Content-Length: 5")))
    assert (exchange.status, exchange.body, exchange.error) == (0, b"", "protocol")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (say_nothing, "timeout"),
        (reset, "disconnect"),
        (say(b""), "disconnect"),
        (say(b"garbage\r\n\r\n"), "protocol"),
        (say(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000), "protocol"),
        (say_for_ever(b"HTTP/1.1 200 OK\r\n", b"X-Flood: flood\r\n" * 4000), "protocol"),
        (say_for_ever(b"HTTP/1.1 200 OK\r\n", b"X-Slow: 1\r\n", 0.05), "timeout"),
    ],
    ids=["silence", "reset", "empty", "garbage", "long field", "flood", "slow header"],
)
def test_a_server_that_does_not_answer_is_told(answer: Answer, error: str) -> None:
    """Whatever a server does instead of answering ends in a word, within the limits."""
    exchange = fetch(answer)
    assert (exchange.error, exchange.status, exchange.body) == (error, 0, b"")


def test_nobody_listens() -> None:
    """A port without a server, and a name without an address, are errors with a word."""

    async def resolve(host: str, _port: int) -> list[str]:
        if host == "unknown.example":
            raise OSError("no such host")
        return ["127.0.0.1"]

    async def run(url: str) -> Exchange:
        async with Fetcher(AGENT, PinnedResolver(LOOPBACK, resolve), LIMITS) as fetcher:
            return await fetcher.fetch(url)

    closed = asyncio.run(run("http://known.example:1/"))
    assert (closed.error, closed.address) == ("connect", "127.0.0.1")
    assert asyncio.run(run("http://unknown.example/")).error == "name"


@pytest.mark.parametrize(
    ("url", "addresses"),
    [
        ("http://127.0.0.1/", []),
        ("http://[::1]/", []),
        ("http://169.254.169.254/latest/meta-data/", []),
        ("http://rebound.example/", ["10.0.0.7"]),
        ("http://mixed.example/", ["::1", "192.168.0.1"]),
    ],
)
def test_addresses_inside_are_refused(url: str, addresses: list[str]) -> None:
    """Without leave nothing inside is connected to, be it named by address or by a name."""

    async def resolve(_host: str, _port: int) -> list[str]:
        return addresses

    async def run() -> Exchange:
        async with Fetcher(AGENT, PinnedResolver((), resolve), LIMITS) as fetcher:
            return await fetcher.fetch(url)

    exchange = asyncio.run(run())
    assert (exchange.error, exchange.address, exchange.request_head) == ("refused_address", "", b"")


def test_the_address_that_was_judged_is_the_one_that_is_used() -> None:
    """A name that resolves to something else the second time gains nothing."""
    answers = iter([["127.0.0.1"], ["10.0.0.7"], ["10.0.0.7"]])

    async def resolve(_host: str, _port: int) -> list[str]:
        return next(answers)

    async def run() -> Exchange:
        page = say(respond(b"page", "Content-Length: 4"))
        async with (
            odd_server({"/": page}) as base,
            Fetcher(AGENT, PinnedResolver(LOOPBACK, resolve), LIMITS) as fetcher,
        ):
            return await fetcher.fetch(f"http://rebound.example:{base.rpartition(':')[2]}/")

    exchange = asyncio.run(run())
    assert (exchange.body, exchange.address) == (b"page", "127.0.0.1")
