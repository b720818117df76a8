"""Serves the sample web on this machine while a command runs, and ends with it.

    .venv/bin/python -m seeds.serve .venv/bin/sealedbeam crawl {web} --output crawl ...

{web} in the command stands for the address of the web, on a port that is free. Pages are sent as
make_sample.py says: one compressed, one in chunks, one whose charset stands in its header alone, a
redirect, a page that is missing. robots.txt asks for no pause, so that a crawl takes seconds.

The server is a thread of this process: nothing is left to be stopped, however the command ends.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from seeds import make_sample

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

STANDS_FOR_WEB = "{web}"
_USAGE = f"usage: python -m seeds.serve COMMAND..., in which {STANDS_FOR_WEB} is the web's address"
_ROBOTS = "robots.txt"
_PAUSE = b"Crawl-delay:"


class Reply(NamedTuple):
    """What the web says to a request."""

    status: HTTPStatus
    body: bytes
    headers: dict[str, str]


def answer(path: str) -> Reply:
    """Return what the web says to a request for `path`, which begins with a slash."""
    name = unquote(urlsplit(path).path).removeprefix("/")
    if name in make_sample.REDIRECTS:
        target = f"/{make_sample.REDIRECTS[name]}"
        return Reply(HTTPStatus.MOVED_PERMANENTLY, b"", {"Location": target})
    if not name or name.endswith("/"):
        name += make_sample.HOME
    files = {file.relative_to(make_sample.WEB).as_posix(): file for file in _files()}
    if name not in files:
        page = {"Content-Type": "text/html"}
        return Reply(HTTPStatus.NOT_FOUND, make_sample.MISSING_PAGE, page)
    content = files[name].read_bytes()
    if name == _ROBOTS:
        lines = content.splitlines(keepends=True)
        content = b"".join(line for line in lines if not line.startswith(_PAUSE))
    body, headers = make_sample.encode_page(name, content)
    return Reply(HTTPStatus.OK, body, headers)


def _files() -> list[Path]:
    return [file for file in make_sample.WEB.rglob("*") if file.is_file()]


class Handler(BaseHTTPRequestHandler):
    """Answers for the sample web."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each body waits 40 ms for the head to be acknowledged

    def do_GET(self) -> None:
        """Send a page."""
        reply = answer(self.path)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if "Transfer-Encoding" not in reply.headers:
            self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body)

    def log_message(self, *_words: Any) -> None:
        """Keep quiet: the command is what is to be seen."""


def run(command: list[str]) -> int:
    """Run a command while the web is served; return its exit code."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web = f"http://127.0.0.1:{server.server_address[1]}/"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    words = [word.replace(STANDS_FOR_WEB, web) for word in command]
    process = subprocess.Popen(words)  # noqa: S603 - it is the user's own command

    def pass_on(number: int, _frame: FrameType | None) -> None:
        process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal, which the command has got itself
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit(_USAGE)
    sys.exit(run(sys.argv[1:]))
