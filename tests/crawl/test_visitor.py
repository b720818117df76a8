from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from sealedbeam.pipeline.crawl.addresses import parse_networks
from sealedbeam.pipeline.crawl.fetch import Fetcher, FetchLimits
from sealedbeam.pipeline.crawl.frontier import Row
from sealedbeam.pipeline.crawl.hosts import HostRow
from sealedbeam.pipeline.crawl.resolver import PinnedResolver
from sealedbeam.pipeline.crawl.urls import host_of
from sealedbeam.pipeline.crawl.visitor import Answer, AnswerKind, Manners, Visitor

from tests.support.odd_server import odd_server, say, say_nothing

if TYPE_CHECKING:
    from asyncio import StreamWriter
    from collections.abc import Callable, Mapping, Sequence

    from tests.support.odd_server import Answer as Words

LOOPBACK = parse_networks(["127.0.0.0/8"])
LIMITS = FetchLimits(connect_seconds=2, head_seconds=1, idle_seconds=1, body_seconds=2)
MANNERS = Manners("sealedbeam", delay_seconds=0.01)


def respond(body: bytes = b"", status: str = "200 OK", *fields: str) -> Words:
    head = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *fields]
    return say("\r\n".join(head).encode() + b"\r\n\r\n" + body)


def visit(
    answers: Mapping[str, Words],
    paths: Sequence[str],
    manners: Manners = MANNERS,
    *,
    hosts: int = 1,
    seconds: float = 20,
    claim: Callable[[str], bool] = lambda _: True,
    known: dict[str, HostRow] | None = None,
) -> tuple[list[Answer], dict[str, HostRow]]:
    """Visit paths of so many hosts, each with an address of its own, that answer alike."""
    kept: list[Answer] = []
    known = {} if known is None else known

    async def resolve(host: str, _port: int) -> list[str]:
        return [f"127.0.0.{1 + int(host.partition('.')[0][1:])}"]

    async def run() -> None:
        async with (
            odd_server(answers, host="0.0.0.0") as base,
            Fetcher("test/1.0", PinnedResolver(LOOPBACK, resolve), LIMITS) as fetcher,
        ):
            port = base.rpartition(":")[2]
            urls = [f"http://h{n}.example:{port}{path}" for path in paths for n in range(hosts)]
            rows = [Row(url, host_of(url)) for url in urls]
            visitor = Visitor(fetcher, manners, known, kept.append, claim=claim)
            await visitor.run(rows, seconds)

    asyncio.run(run())
    return kept, known


def test_robots_is_asked_first_and_once() -> None:
    """The first request to a host is for robots.txt; what it denies is not asked for."""
    rules = b"User-agent: *\nDisallow: /private\n"
    answers = {"/robots.txt": respond(rules), "/a": respond(b"A"), "/b": respond(b"B")}
    kept, known = visit(answers, ["/a", "/private/x", "/b"])
    assert [(answer.kind, answer.url.partition("example:")[2][5:]) for answer in kept] == [
        (AnswerKind.ROBOTS, "/robots.txt"),
        (AnswerKind.DENIED, "/private/x"),
        (AnswerKind.PAGE, "/a"),
        (AnswerKind.PAGE, "/b"),
    ]
    (host,) = known.values()
    assert (host.pages_fetched, host.failures, host.address) == (2, 0, "127.0.0.1")


def test_a_robots_that_redirects_is_followed() -> None:
    """Up to five redirects lead to the rules that hold."""
    answers = {
        "/robots.txt": respond(b"", "301 Moved", "Location: /rules"),
        "/rules": respond(b"User-agent: *\nDisallow: /\n"),
    }
    kept, _ = visit(answers, ["/a"])
    assert [answer.kind for answer in kept] == [
        AnswerKind.ROBOTS_REDIRECT,
        AnswerKind.ROBOTS,
        AnswerKind.DENIED,
    ]


def test_a_server_that_fails_its_robots_is_not_asked_for_pages() -> None:
    """5xx for robots.txt denies everything for now."""
    kept, _ = visit({"/robots.txt": respond(b"", "500 Error")}, ["/a", "/b"])
    assert Counter(answer.kind for answer in kept) == {AnswerKind.ROBOTS: 1, AnswerKind.DENIED: 2}


def test_a_host_that_keeps_failing_is_left_alone() -> None:
    """After three failures in a row the rest of a host's pages wait for another round."""
    missing = respond(b"", "404 Not Found")
    answers = {"/robots.txt": missing, **{f"/{n}": say(b"") for n in range(9)}}
    kept, known = visit(answers, [f"/{n}" for n in range(9)])
    assert [answer.exchange.error for answer in kept[1:]] == ["disconnect"] * 3
    (host,) = known.values()
    assert host.failures == 3


def test_a_host_that_asks_for_a_pause_gets_it() -> None:
    """429 ends the round for its host, and its Retry-After is remembered."""
    answers = {
        "/robots.txt": respond(b"", "404 Not Found"),
        "/a": respond(b"", "429 Too Many Requests", "Retry-After: 120"),
        "/b": respond(b"B"),
    }
    kept, known = visit(answers, ["/a", "/b"])
    (host,) = known.values()
    assert [answer.kind for answer in kept] == [AnswerKind.ROBOTS, AnswerKind.PAGE]
    assert host.backoff_until >= host.updated_at + 120


def test_many_hosts_are_visited_at_once() -> None:
    """Two hundred hosts, one of which never answers, are all visited within its time-out."""
    answers = {"/robots.txt": respond(b"", "404 Not Found"), "/a": respond(b"A")}
    kept, _ = visit(answers, ["/a"], hosts=200)
    assert Counter(answer.kind for answer in kept) == {AnswerKind.ROBOTS: 200, AnswerKind.PAGE: 200}
    assert {answer.exchange.body for answer in kept if answer.kind is AnswerKind.PAGE} == {b"A"}


def test_a_round_has_an_end() -> None:
    """When its time is up nothing new is begun, and what is under way ends by its own limits."""
    answers = {"/robots.txt": respond(b"", "404 Not Found"), "/a": say_nothing, "/b": respond(b"B")}
    kept, _ = visit(answers, ["/a", "/b"], seconds=0.5)
    assert [answer.exchange.error for answer in kept] == ["", "timeout"]


def test_what_cannot_be_kept_ends_the_visit() -> None:
    """An answer that cannot be written down is no answer: the error comes out."""

    async def run() -> None:
        def refuse(_answer: Answer) -> None:
            raise OSError("no space left")

        async with (
            odd_server({"/robots.txt": respond(b"", "404 Not Found")}) as base,
            Fetcher("test/1.0", PinnedResolver(LOOPBACK), LIMITS) as fetcher,
        ):
            url = f"{base}/a"
            await Visitor(fetcher, MANNERS, {}, refuse).run([Row(url, host_of(url))], 5)

    try:
        asyncio.run(run())
    except OSError as error:
        assert str(error) == "no space left"  # noqa: PT017 - the loop's own errors are OSErrors too
    else:
        raise AssertionError("the error was swallowed")


def test_rules_at_another_host_are_asked_for_in_its_turn() -> None:
    """A hundred hosts whose robots.txt leads to one never ask that one twice at once."""
    under_way, most = [0], [0]

    async def rules(writer: StreamWriter) -> None:
        under_way[0] += 1
        most[0] = max(most[0], under_way[0])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 25\r\nConnection: close\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0)
        under_way[0] -= 1
        writer.write(b"User-agent: *\nDisallow: /\n"[:25])

    answers: dict[str, Words] = {}
    kept: list[Answer] = []

    async def resolve(host: str, _port: int) -> list[str]:
        return [f"127.0.0.{1 + int(host.partition('.')[0][1:])}"]

    async def run() -> None:
        async with (
            odd_server(answers, host="0.0.0.0") as base,
            odd_server({"/rules": rules}, host="0.0.0.0") as there,
            Fetcher("test/1.0", PinnedResolver(LOOPBACK, resolve), LIMITS) as fetcher,
        ):
            port, to = base.rpartition(":")[2], there.rpartition(":")[2]
            where = f"Location: http://h0.example:{to}/rules"
            answers["/robots.txt"] = respond(b"", "301 Moved", where)
            urls = [f"http://h{number}.example:{port}/a" for number in range(1, 101)]
            rows = [Row(url, host_of(url)) for url in urls]
            manners = Manners("sealedbeam", delay_seconds=0.001)
            await Visitor(fetcher, manners, {}, kept.append).run(rows, 20)

    asyncio.run(run())
    assert Counter(answer.kind for answer in kept) == {
        AnswerKind.ROBOTS_REDIRECT: 100,
        AnswerKind.ROBOTS: 100,
        AnswerKind.DENIED: 100,
    }
    assert most == [1]


def test_an_address_of_another_worker_is_left_to_it() -> None:
    """Its hosts are told once each, with the address; nothing is asked of them."""
    answers = {"/robots.txt": respond(b"", "404 Not Found"), "/a": respond(b"A")}
    kept, known = visit(answers, ["/a", "/b"], hosts=2, claim=lambda each: each != "127.0.0.2")
    left = [answer for answer in kept if answer.kind is AnswerKind.LEFT]
    assert [answer.host.partition(":")[0] for answer in left] == ["h1.example"]
    assert known[left[0].host].address == left[0].exchange.address == "127.0.0.2"
    assert not [answer for answer in kept if answer.host == left[0].host and answer is not left[0]]


def test_a_host_rests_from_the_round_before() -> None:
    """Its address was asked a moment ago, by any worker: the round ends before it may be again."""
    answers = {"/robots.txt": respond(b"", "404 Not Found"), "/a": respond(b"A")}
    manners = replace(MANNERS, delay_seconds=3_600.0)
    just = HostRow("elsewhere.example", asked_until=time.time(), address="127.0.0.1")
    kept, _ = visit(answers, ["/a"], manners, seconds=0.3, known={just.host: just})
    assert kept == []  # that the host is at this address is found out, and nothing asked of it


def test_a_limit_on_bytes_ends_the_round() -> None:
    """Once so many bytes have come nothing new is begun."""
    answers = {"/robots.txt": respond(b"", "404 Not Found")}
    answers |= {f"/{number}": respond(b"x" * 100) for number in range(9)}
    manners = replace(MANNERS, body_bytes_max=250)
    kept, _ = visit(answers, [f"/{number}" for number in range(9)], manners)
    assert sum(len(answer.exchange.body) for answer in kept) == 300
