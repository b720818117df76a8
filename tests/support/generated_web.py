"""A web of made-up pages whose link graph is known: the same numbers make the same web.

    web = GeneratedWeb(hosts=30, pages=3000, port=8080, broken_percent=10)
    web.answer("127.1.0.1", "/0", 1)   # what the server of a page sends
    web.expected()                     # what a crawl from page 0 must find: states by address

Page n is on host n modulo the number of hosts, and every host is an address of 127.0.0.0/8. Half of
a page's links stay on its host, half lead anywhere, to low numbers more often; a few pages have no
link to them. Some hosts have rules in robots.txt, some a site map, on some it cannot be had. Text
follows Zipf's law, and page n alone has the word `only{n}x`.

The oracle walks the graph breadth first. It knows nothing of HTML, HTTP or the crawler.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import accumulate, product
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_STREAM_WORDS = 1 << 16
_LINKS_MAX = 12
_PRIVATE_PERCENT = 5
_ROBOTS_PERIOD = 25
_SITEMAP_PAGES = 5
_CUT_BYTES = 100
_HOSTS_IN_NETWORK = 250
HTML = "text/html; charset=utf-8"


class Kind(StrEnum):
    """What a page is; all from `REDIRECT` on are broken in some way."""

    PAGE = "page"
    PRIVATE = "private"  # robots.txt can deny it
    REDIRECT = "redirect"
    MOVED = "moved"
    LOOP = "loop"  # a redirect to itself
    MISSING = "missing"
    GONE = "gone"
    ERROR = "error"
    FLAKY = "flaky"  # an error the first time
    SHORT = "short"  # less than its Content-Length
    LONG = "long"  # more than its Content-Length
    RESET = "reset"
    MISNAMED = "misnamed"  # gzip by its header alone
    BINARY = "binary"


LASTING = (
    *(Kind.REDIRECT, Kind.MOVED, Kind.LOOP, Kind.MISSING, Kind.GONE, Kind.MISNAMED, Kind.BINARY),
)
"""What a crawl has done with once it was asked for."""
PASSING = {Kind.ERROR: 4, Kind.FLAKY: 2, Kind.SHORT: 4, Kind.LONG: 4, Kind.RESET: 4}
"""How often a crawl with time asks for what may pass."""
_WITH_TEXT = (Kind.PAGE, Kind.PRIVATE, Kind.FLAKY, Kind.SHORT, Kind.MISNAMED)
_STATES = {
    Kind.REDIRECT: "redirect_temporary",
    Kind.MOVED: "redirect_permanent",
    Kind.LOOP: "redirect_temporary",
    Kind.MISSING: "gone",
    Kind.GONE: "gone",
    Kind.ERROR: "failed",
    Kind.LONG: "failed",
    Kind.RESET: "failed",
}
_REFUSALS = {
    Kind.MISSING: (math.inf, "404 Not Found"),
    Kind.GONE: (math.inf, "410 Gone"),
    Kind.ERROR: (math.inf, "500 Internal Server Error"),
    Kind.FLAKY: (1, "500 Internal Server Error"),
}
"""How many times, and with what status."""


class Robots(StrEnum):
    """What a host says about robots."""

    NONE = "none"
    FORBIDDEN = "forbidden"
    RULES = "rules"
    SITEMAP = "sitemap"  # with the same rules
    BROKEN = "broken"


_ROBOTS = {3: Robots.RULES, 5: Robots.FORBIDDEN, 7: Robots.BROKEN, 9: Robots.SITEMAP}


class Sent(NamedTuple):
    """Bytes for a connection, and whether it is then closed or torn down; else it is kept."""

    data: bytes
    then: str = ""


@dataclass(frozen=True)
class GeneratedWeb:
    """Such a web.

    Attributes:
        hosts: how many.
        pages: on all of them.
        port: of all hosts.
        broken_percent: of the pages.
        broken: the ways in which they are.
        words: in a page, in the mean.
        seed: another one makes another web.
    """

    hosts: int
    pages: int
    port: int
    broken_percent: int = 0
    broken: tuple[Kind, ...] = (*LASTING, *PASSING)
    words: int = 200
    seed: int = 0

    def host(self, page: int) -> str:
        """Return the address of the host of a page."""
        number = page % self.hosts
        return f"127.1.{number // _HOSTS_IN_NETWORK}.{1 + number % _HOSTS_IN_NETWORK}"

    def root(self, page: int) -> str:
        """Return how the addresses of all that is on a page's host begin."""
        return f"http://{self.host(page)}:{self.port}"

    def path(self, page: int) -> str:
        """Return the path of a page."""
        return f"/private/{page}" if self.kind(page) is Kind.PRIVATE else f"/{page}"

    def url(self, page: int) -> str:
        """Return the address of a page."""
        return self.root(page) + self.path(page)

    def kind(self, page: int) -> Kind:
        """Return what a page is; the first one is sound."""
        if page == 0:
            return Kind.PAGE
        chance = random.Random((self.seed << 40) + page)
        percent = chance.randrange(100)
        if percent < self.broken_percent:
            return chance.choice(self.broken)
        is_private = percent >= 100 - _PRIVATE_PERCENT
        return Kind.PRIVATE if is_private else Kind.PAGE

    def robots(self, page: int) -> Robots:
        """Return what the host of a page says about robots; the first host says nothing."""
        robots = _ROBOTS.get(page % self.hosts % _ROBOTS_PERIOD, Robots.NONE)
        return Robots.NONE if robots is Robots.BROKEN and not self.broken_percent else robots

    def links(self, page: int) -> list[int]:
        """Return the pages that a page links to, some more than once."""
        chance = random.Random((self.seed << 40) + (1 << 39) + page)
        own, size = page % self.hosts, self.pages // self.hosts
        targets = []
        for _ in range(chance.randint(1, _LINKS_MAX)):
            if chance.random() < 0.5:
                targets.append(own + self.hosts * chance.randrange(size))
            else:
                targets.append(int(self.pages * chance.random() ** 2))
        return targets

    def sitemap(self, page: int) -> list[int]:
        """Return the pages in the site map of a page's host."""
        own = page % self.hosts
        return [own + self.hosts * number for number in range(_SITEMAP_PAGES)]

    def expected(self) -> dict[str, str]:
        """Return the states of all that a crawl from the first page finds, by address."""
        found = {0}
        states: dict[str, str] = {}
        waiting = deque(found)
        while waiting:
            page = waiting.popleft()
            states[self.url(page)] = self._state(page)
            for target in self._leads_to(page, states):
                if target not in found:
                    found.add(target)
                    waiting.append(target)
        return states

    def is_asked(self, page: int) -> bool:
        """Return whether robots.txt lets a crawler ask for a page that it has found."""
        robots = self.robots(page)
        if robots in {Robots.RULES, Robots.SITEMAP}:
            return self.kind(page) is not Kind.PRIVATE
        return robots is not Robots.BROKEN

    def has_text(self, page: int) -> bool:
        """Return whether a crawl that has fetched a page has its text."""
        return self.is_asked(page) and self.kind(page) in _WITH_TEXT

    def _state(self, page: int) -> str:
        if not self.is_asked(page):
            return "failed" if self.robots(page) is Robots.BROKEN else "robots_denied"
        return _STATES.get(self.kind(page), "fetched")

    def _leads_to(self, page: int, states: dict[str, str]) -> Iterator[int]:
        """Yield where one gets from a page that was found; note a site map on the way."""
        if self.robots(page) is Robots.SITEMAP:
            states[f"{self.root(page)}/sitemap.xml"] = "fetched"
            yield from self.sitemap(page)
        if self.is_asked(page):
            kind = self.kind(page)
            if kind in _WITH_TEXT:
                yield from self.links(page)
            elif kind in {Kind.REDIRECT, Kind.MOVED}:
                yield self.links(page)[0]

    def answer(self, host: str, path: str, times: int) -> Sent:
        """Return what a host sends for a path that it is asked for so many times now."""
        _, _, network, number = host.split(".")
        of_host = int(network) * _HOSTS_IN_NETWORK + int(number) - 1
        name = path.rpartition("/")[2]
        if name == "robots.txt":
            return self._answer_robots(of_host)
        if name == "sitemap.xml" and self.robots(of_host) is Robots.SITEMAP:
            return Sent(_respond(self._sitemap_xml(of_host), "application/xml"))
        page = int(name) if name.isdecimal() else self.pages
        is_here = page < self.pages and page % self.hosts == of_host and path == self.path(page)
        if not is_here:
            return Sent(_respond(b"there is no such page", status="404 Not Found"))
        return self._answer_page(page, times)

    def html(self, page: int) -> str:
        """Return the HTML of a page."""
        chance = random.Random((self.seed << 40) + (1 << 38) + page)
        count = chance.randint(self.words // 2, self.words * 3 // 2)
        begin = chance.randrange(_STREAM_WORDS - 2 * self.words)
        text, ends = _stream(self.seed)
        words = text[ends[begin] : ends[begin + count]]
        links = "".join(
            f'<li><a href="{self._href(page, target, place)}">page {target}</a>'
            for place, target in enumerate(self.links(page))
        )
        return (
            f"<!doctype html><html lang=en><title>Page {page}</title>"
            f"<h1>Page {page} of {self.host(page)}</h1><ul>{links}</ul><p>only{page}x {words}</p>"
        )

    def _href(self, page: int, target: int, place: int) -> str:
        """Return a link as people write them: relative where it can be, some with a fragment."""
        fragment = "#there" if place % 5 == 4 else ""
        root = "" if target % self.hosts == page % self.hosts else self.root(target)
        return f"{root}{self.path(target)}{fragment}"

    def _answer_page(self, page: int, times: int) -> Sent:
        kind = self.kind(page)
        if kind in {Kind.REDIRECT, Kind.MOVED, Kind.LOOP}:
            target = self.url(page if kind is Kind.LOOP else self.links(page)[0])
            status = "301 Moved Permanently" if kind is Kind.MOVED else "302 Found"
            return Sent(_respond(b"", HTML, f"Location: {target}", status=status))
        if kind in _REFUSALS and times <= _REFUSALS[kind][0]:
            return Sent(_respond(b"not here", status=_REFUSALS[kind][1]))
        if kind is Kind.RESET:
            return Sent(b"", "abort")
        content_type = "application/pdf" if kind is Kind.BINARY else HTML
        fields = ("Content-Encoding: gzip",) if kind is Kind.MISNAMED else ()
        whole = _respond(self.html(page).encode(), content_type, *fields)
        if kind is Kind.SHORT:
            return Sent(whole[:-_CUT_BYTES], "close")
        return Sent(whole + b"and more", "close") if kind is Kind.LONG else Sent(whole)

    def _answer_robots(self, page: int) -> Sent:
        robots = self.robots(page)
        if robots is Robots.NONE:
            return Sent(_respond(b"", status="404 Not Found"))
        if robots is Robots.FORBIDDEN:
            return Sent(_respond(b"", status="403 Forbidden"))
        if robots is Robots.BROKEN:
            return Sent(_respond(b"", status="503 Service Unavailable"))
        rules = "User-agent: *\nDisallow: /private/\n"
        if robots is Robots.SITEMAP:
            rules += f"Sitemap: {self.root(page)}/sitemap.xml\n"
        return Sent(_respond(rules.encode(), "text/plain"))

    def _sitemap_xml(self, page: int) -> bytes:
        entries = "".join(f"<url><loc>{self.url(at)}</loc></url>" for at in self.sitemap(page))
        name_space = "http://www.sitemaps.org/schemas/sitemap/0.9"
        return f'<urlset xmlns="{name_space}">{entries}</urlset>'.encode()


def _respond(body: bytes, content_type: str = HTML, *fields: str, status: str = "200 OK") -> bytes:
    head = [f"HTTP/1.1 {status}", f"Content-Type: {content_type}", *fields]
    return "\r\n".join([*head, f"Content-Length: {len(body)}\r\n\r\n"]).encode() + body


@cache
def _stream(seed: int) -> tuple[str, list[int]]:
    """Return text of words that follow Zipf's law, and where each of them begins."""
    syllables = [first + second for first, second in product("bdfgklmnprstvz", "aeiou")]
    vocabulary = ["".join(word) for word in product(syllables, repeat=2)]
    chance = random.Random(seed)
    chance.shuffle(vocabulary)
    weights = list(accumulate(1 / rank for rank in range(1, len(vocabulary) + 1)))
    words = chance.choices(vocabulary, cum_weights=weights, k=_STREAM_WORDS)
    return " ".join(words), list(accumulate((len(word) + 1 for word in words), initial=0))
