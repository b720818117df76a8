"""A web on loopback: every address of 127.0.0.0/8 is a host of its own, with pages made up.

    with LocalWeb(hosts=5, pages=20) as web:
        crawl(web.url(0, 0))
    web.asked            # every request, in order

Page n of a host links to pages 2n+1 and 2n+2 of the host and, the first one, to the next host. So
all pages can be reached from the first page of the first host, and the last ones are deepest.
"""

from __future__ import annotations

import random
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple, Self

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = [f"word{number}" for number in range(500)]
_WORDS_IN_PAGE = 60


class Reply(NamedTuple):
    """What a page answers."""

    status: int
    body: bytes
    fields: tuple[tuple[str, str], ...] = (("Content-Type", "text/html; charset=utf-8"),)


class _Server(ThreadingHTTPServer):
    """Goes on when a client breaks off."""

    daemon_threads = True

    def handle_error(self, *_request: Any) -> None:
        """Keep quiet: clients are killed here on purpose."""


class LocalWeb:
    """A web of so many hosts with so many pages each.

    `special` answers by path instead: given the request's header in lower case, it returns a reply,
    or None for what would be answered anyhow.
    """

    def __init__(self, hosts: int = 1, pages: int = 15, robots: str = "") -> None:
        """Make the web; it is served while it is entered."""
        self.hosts = hosts
        self.pages = pages
        self.robots = robots
        self.asked: list[str] = []
        self.special: dict[str, Callable[[dict[str, str]], Reply | None]] = {}
        self._lock = threading.Lock()
        self._server = _Server(("0.0.0.0", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def port(self) -> int:
        """The port of all hosts."""
        return int(self._server.server_address[1])

    def url(self, host: int, page: int) -> str:
        """Return the address of a page."""
        return f"http://127.0.1.{1 + host}:{self.port}/{page}"

    def all_urls(self) -> set[str]:
        """Return the addresses of all pages."""
        return {self.url(host, page) for host in range(self.hosts) for page in range(self.pages)}

    def answer(self, host: int, path: str, header: dict[str, str]) -> Reply:
        """Return what a host says to a request."""
        special = self.special.get(path)
        reply = None if special is None else special(header)
        if reply is not None:
            return reply
        if path == "/robots.txt":
            status = 200 if self.robots else 404
            return Reply(status, self.robots.encode(), (("Content-Type", "text/plain"),))
        page = path[1:]
        if page.isdigit() and int(page) < self.pages:
            return Reply(200, self.page(host, int(page)).encode())
        return Reply(404, b"not here")

    def page(self, host: int, page: int) -> str:
        """Return the HTML of a page."""
        chance = random.Random(host * 100_003 + page)
        words = " ".join(chance.choices(WORDS, k=_WORDS_IN_PAGE))
        targets = [str(child) for child in (2 * page + 1, 2 * page + 2) if child < self.pages]
        if page == 0 and host + 1 < self.hosts:
            targets.append(self.url(host + 1, 0))
        links = "".join(f'<a href="{target}">{target}</a> ' for target in targets)
        title = f"<title>host {host} page {page}</title>"
        return f"<!doctype html>{title}<p>only{host}x{page} {words}</p>{links}"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or bodies wait until heads are acknowledged

            def do_GET(self) -> None:
                header = {name.lower(): value for name, value in self.headers.items()}
                url = f"http://{header['host']}{self.path}"
                with web._lock:
                    web.asked.append(url)
                host = int(header["host"].split(":")[0].rpartition(".")[2]) - 1
                reply = web.answer(host, self.path, header)
                self.send_response(reply.status)
                for name, value in reply.fields:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)

            def log_message(self, *_words: Any) -> None:
                """Keep quiet."""

        return Handler
