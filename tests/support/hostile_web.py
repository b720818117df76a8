"""A hostile web on loopback: a host for each way in which servers and sites go wrong.

    with hostile_web(all_hosts()) as web:
        crawl(web.seeds)
    web.expected()       # the state of each address that a crawl then knows, with its reason
    web.asked            # how often each address was asked for

Every host is an address of 127.2.0.0/16 that answers with exact bytes, right or wrong. What a crawl
should make of a host is written next to what it says. Bodies and heads are larger than `LIMITS`,
and silences longer.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import brotli
from sealedbeam.pipeline.crawl.fetch import FetchLimits

from tests.support.odd_server import in_turn, odd_web, reset, say, say_for_ever, say_nothing
from tests.support.web_server import in_thread

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.support.odd_server import Answer

LIMITS = FetchLimits(
    body_bytes=1 << 20, connect_seconds=2, head_seconds=3, idle_seconds=6, body_seconds=4
)
SECRET = "http://user:hunter2@127.3.0.1:1/"
BOMB_BYTES = 24 << 20
HTML = "Content-Type: text/html"
FETCHED = "fetched"
PERMANENT = "redirect_permanent status_301"
TEMPORARY = "redirect_temporary status_302"
UNREACHABLE = "failed robots_unreachable"
DENIED = "robots_denied"
GONE = "gone status_404"
_NUMBERS = count()


def respond(body: bytes, *fields: str, status: str = "200 OK") -> bytes:
    """Return a response that is right by itself: its length is the one of its body."""
    head = "\r\n".join([f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}"])
    return head.encode("latin-1") + b"\r\n\r\n" + body


def html(*links: str) -> str:
    """Return a page with links, unlike all others."""
    anchors = "".join(f'<a href="{link}">x</a>' for link in links)
    return f"<!doctype html><title>{next(_NUMBERS)}</title><p>{anchors}"


def page(*links: str) -> Answer:
    """Return an answer with such a page."""
    return say(respond(html(*links).encode(), HTML))


def redirect(target: str, status: str = "301 Moved") -> Answer:
    """Return a redirect."""
    return say(respond(b"", f"Location: {target}", status=status))


def robots(text: str, *fields: str, status: str = "200 OK") -> Answer:
    """Return a robots.txt."""
    return say(respond(text.encode(), "Content-Type: text/plain", *fields, status=status))


NOT_FOUND = say(respond(b"", status="404 Not Found"))


@dataclass(frozen=True)
class Host:
    """One host.

    Attributes:
        answers: by path; what is not here is not found. Each crawl begins at /.
        expected: state and reason of each path that a crawl then knows.
    """

    answers: Mapping[str, Answer]
    expected: Mapping[str, str]


def robots_hosts() -> dict[str, Host]:
    """Return hosts that differ in what they say about robots."""
    all_of_it = dict.fromkeys(("/", "/no", "/yes"), FETCHED)
    by_rule = all_of_it | {"/no": DENIED}
    rule = "User-agent: *\nDisallow: /no\n"
    padding = "# nothing but a remark\n" * 30_000
    chain = {f"step{step}": redirect(f"/step{step + 1}") for step in range(1, 5)}
    begin = redirect("/step1")

    def host(answer: Answer, expected: Mapping[str, str], **more: Answer) -> Host:
        site = {"/": page("/no", "/yes"), "/no": page(), "/yes": page()}
        paths = {f"/{name}": value for name, value in more.items()}
        return Host({**site, **paths, "/robots.txt": answer}, expected)

    return {
        "no robots.txt": host(NOT_FOUND, all_of_it),
        "forbidden": host(robots(rule, status="403 Forbidden"), all_of_it),
        "out of order": host(robots(rule, status="500 Error"), {"/": UNREACHABLE}),
        "asks for less": host(robots(rule, status="429 Too Many"), {"/": UNREACHABLE}),
        "silent": host(in_turn(say_nothing, reset), {"/": UNREACHABLE}),
        "breaks off": host(reset, {"/": UNREACHABLE}),
        "a rule": host(robots(rule), by_rule),
        "all is denied": host(robots("User-agent: *\nDisallow: /\n"), {"/": DENIED}),
        "denied by name": host(robots("User-agent: SealedBeam\nDisallow: /\n"), {"/": DENIED}),
        "another is denied": host(robots("User-agent: other\nDisallow: /\n"), all_of_it),
        "a byte order mark": host(robots("\ufeff" + rule), by_rule),
        "lines end in CR": host(robots(rule.replace("\n", "\r")), by_rule),
        "a page for robots.txt": host(page("/no"), all_of_it),
        "rule before the limit": host(robots(rule + padding), by_rule),
        "rule behind the limit": host(robots("User-agent: *\n" + padding + rule), all_of_it),
        "a bomb": host(
            say(respond(gzip.compress(bytes(BOMB_BYTES), 1), "Content-Encoding: gzip")), all_of_it
        ),
        "packed": host(
            say(respond(gzip.compress(rule.encode()), "Content-Encoding: gzip")), by_rule
        ),
        "endless": host(say_for_ever(b"HTTP/1.1 200 OK\r\n\r\n", rule.encode() * 999), by_rule),
        "a delay": host(robots(f"{rule}Crawl-delay: 0.05\n"), by_rule),
        "five redirects": host(begin, by_rule, **chain, step5=robots(rule)),
        "six redirects": host(
            begin, all_of_it, **chain, step5=redirect("/step6"), step6=robots(rule)
        ),
        "redirects in a circle": host(redirect("/robots.txt"), all_of_it),
    }


def length_hosts() -> dict[str, Host]:
    """Return hosts that lie about how much they say, say too much, or stop."""
    cut = "fetched truncated_length"
    broken_off = "fetched truncated_disconnect"  # the last try takes what there is
    start = f"HTTP/1.1 200 OK\r\n{HTML}\r\n".encode()
    word = b"<p>word</p>"
    chunked = start + b"Transfer-Encoding: chunked\r\n\r\n"
    wrong_digest = "Content-MD5: AAAAAAAAAAAAAAAAAAAAAA=="

    def body() -> bytes:
        return html("/linked").encode() + b"and so on"

    def host(state: str, answer: Answer) -> Host:
        follows = state.startswith(FETCHED)
        expected = {"/": state, "/linked": FETCHED} if follows else {"/": state}
        return Host({"/linked": page(), "/": answer}, expected)

    def short() -> Answer:
        return say(respond(body(), HTML)[:-5])

    long = say(respond(body(), HTML) + b"and more")
    drip = say_for_ever(start + b"\r\n", b"x", 0.05)
    flood = say_for_ever(start, b"X-Flood: x\r\n" * 9_999)
    return {
        "less than it says": host(broken_off, short()),
        "more than it says": host("failed protocol", long),
        "two lengths": host(
            "failed protocol", say(start + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd")
        ),
        "a negative length": host("failed protocol", say(start + b"Content-Length: -4\r\n\r\n")),
        "no length": host(FETCHED, say(start + b"\r\n" + body())),
        "broken chunks": host(broken_off, say(chunked + b"60\r\n" + body())),
        "no chunks": host("failed protocol", say(chunked + b"not a number\r\n")),
        "endless": host(cut, say_for_ever(start + b"\r\n" + body(), word * 9_999)),
        "huge": host(cut, say(respond(body() + word * 200_000 + b"<a href=/behind>", HTML))),
        "drips": host(broken_off, in_turn(drip, short())),
        "silent": host("failed disconnect", in_turn(say_nothing, reset)),
        "tears down": host("failed disconnect", reset),
        "says nothing": host("failed disconnect", say(b"")),
        "no HTTP": host("failed protocol", say(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")),
        "an endless header": host("failed protocol", flood),
        "a huge field": host("failed protocol", say(start + b"X: " + b"x" * 200_000)),
        "a wrong digest": host("failed digest_mismatch", say(respond(body(), HTML, wrong_digest))),
        "nothing to say": Host({"/": say(b"HTTP/1.1 204 No Content\r\n\r\n")}, {"/": FETCHED}),
    }


def content_hosts() -> dict[str, Host]:
    """Return hosts whose pages are packed, misnamed, or not in the language that they say."""
    linked = {"/": FETCHED, "/linked": FETCHED}
    alone = {"/": FETCHED}
    named = {"/": FETCHED, "/caf%C3%A9": FETCHED}
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "br": brotli.compress,
        "deflate": zlib.compress,
        "zstd": zstd.compress,
    }
    bombs: dict[str, Callable[[bytes], bytes]] = {
        "gzip": partial(gzip.compress, compresslevel=1),
        "br": partial(brotli.compress, quality=1),
        "zstd": zstd.compress,
    }

    def host(expected: Mapping[str, str], body: bytes, *fields: str) -> Host:
        answers = {"/": say(respond(body, *fields)), "/linked": page(), "/caf%C3%A9": page()}
        return Host(answers, expected)

    def body() -> bytes:
        return html("/linked").encode()

    def text(charset: str) -> bytes:
        return html("/café").encode(charset)

    def say_charset(charset: str) -> str:
        return f"{HTML}; charset={charset}"

    return {
        **{
            f"packed by {name}": host(linked, pack(body()), HTML, f"Content-Encoding: {name}")
            for name, pack in packers.items()
        },
        **{
            f"a bomb of {name}": host(
                linked, pack(body() + bytes(BOMB_BYTES)), HTML, f"Content-Encoding: {name}"
            )
            for name, pack in bombs.items()
        },
        "said to be packed": host(linked, body(), HTML, "Content-Encoding: gzip"),
        "packed by nobody knows": host(linked, body(), HTML, "Content-Encoding: secret"),
        "no type": host(linked, body()),
        "no HTML": host(alone, body(), "Content-Type: application/pdf"),
        "nofollow": host(alone, body(), HTML, "X-Robots-Tag: nofollow"),
        "nofollow in HTML": host(alone, body() + b"<meta name=robots content=none>", HTML),
        # Browsers would ask for the same.
        "says UTF-8, is Latin-1": host(
            {"/": FETCHED, "/caf%EF%BF%BD": GONE}, text("latin-1"), say_charset("utf-8")
        ),
        "says Latin-1, is UTF-8": host(
            {"/": FETCHED, "/caf%C3%83%C2%A9": GONE}, text("utf-8"), say_charset("latin1")
        ),
        "UTF-16": host(named, text("utf-16"), say_charset("utf-16")),
        "no such charset": host(named, text("utf-8"), say_charset("none")),
    }


def site_hosts() -> dict[str, Host]:
    """Return hosts with redirects, traps, failures that pass, and links that lead astray."""
    steps = {f"/{step}": redirect(f"/{step + 1}", "302 Found") for step in range(8)}
    busy = say(respond(b"", "Retry-After: 1", status="429 Too Many Requests"))
    broken = say(respond(b"", status="503 Service Unavailable"))
    nowhere = {"/": "failed redirect_to_nowhere"}

    def passes(first: Answer) -> Host:
        answers = {"/": in_turn(first, page("/linked")), "/linked": page()}
        return Host(answers, dict.fromkeys(answers, FETCHED))

    def trap(steps: Mapping[str, str], reason: str) -> Host:
        end = list(steps.values())[-1]
        expected = dict.fromkeys(steps, FETCHED) | {end: f"trapped {reason}"}
        return Host({at: page(to) for at, to in steps.items()}, expected)

    months = {"/": "/calendar/2050-11-01", "/calendar/2050-11-01": "/calendar/2050-12-01"}
    months["/calendar/2050-12-01"] = "/calendar/2051-01-01"  # and so on, for ever
    grown = {"/": "/more/", "/more/": "/more/more/", "/more/more/": "/more/more/more/"}
    return {
        "asks for less": passes(busy),
        "out of order once": passes(broken),
        "a chain": Host(
            {"/": redirect("/0"), **steps, "/8": page()},
            {"/": PERMANENT, **dict.fromkeys(steps, TEMPORARY), "/8": FETCHED},
        ),
        "a circle": Host(
            {"/": redirect("/b"), "/b": redirect("/")}, {"/": PERMANENT, "/b": PERMANENT}
        ),
        "to itself": Host({"/": redirect("/", "302 Found")}, {"/": TEMPORARY}),
        "to nowhere": Host({"/": say(respond(b"", status="301 Moved"))}, nowhere),
        "to a file": Host({"/": redirect("file:///etc/passwd")}, nowhere),
        "calendar": trap(months, "calendar"),
        "session ids": Host({"/": page("/?phpsessid=1", "/?PHPSESSID=abcd")}, {"/": FETCHED}),
        "growing paths": trap(grown, "repeated_segments"),
        "no pages": Host(
            {"/": page("mailto:a@b.c", "javascript:x()", "data:,x", "http://", "//", "#top")},
            {"/": FETCHED},
        ),
        "credentials": Host({"/": page(SECRET)}, {"/": FETCHED}),
    }


@dataclass
class HostileWeb:
    """Such a web while it is served.

    Attributes:
        hosts: by name.
        port: of all of them.
        asked: how often each address was asked for.
    """

    hosts: Mapping[str, Host]
    port: int = 0
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def seeds(self) -> list[str]:
        """The first page of each host."""
        return [f"http://{_address(number)}:{self.port}/" for number in range(len(self.hosts))]

    def expected(self) -> dict[str, str]:
        """Return state and reason of each address that a crawl must know, and of no other."""
        return {
            f"{seed}{path[1:]}": state
            for seed, host in zip(self.seeds, self.hosts.values(), strict=True)
            for path, state in host.expected.items()
        }


def _address(number: int) -> str:
    return f"127.2.0.{number + 1}"


def all_hosts() -> dict[str, Host]:
    """Return all hosts by name."""
    groups = (robots_hosts(), length_hosts(), content_hosts(), site_hosts())
    titles = ("robots", "length", "content", "site")
    return {
        f"{title}: {name}": host
        for title, group in zip(titles, groups, strict=True)
        for name, host in group.items()
    }


@contextmanager
def hostile_web(hosts: Mapping[str, Host]) -> Iterator[HostileWeb]:
    """Serve hosts in a thread."""
    web = HostileWeb(hosts)
    by_address = {_address(number): host for number, host in enumerate(hosts.values())}

    def find(host: str, path: str) -> Answer:
        web.asked[f"http://{host}:{web.port}{path}"] += 1
        return by_address[host].answers.get(path, NOT_FOUND)

    with in_thread(odd_web(find)) as web.port:
        yield web
