"""The page and made-up jobs behind the headers of `sealedbeam serve`, on a port of its own.

`python -m tests.support.page_server 8300` serves them to a designer's browser.
"""

from __future__ import annotations

import json
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.support.page_jobs import Job, make_all

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

STATIC = Path(__file__).parents[2] / "monitoring" / "serving" / "static"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
}


@dataclass
class Backend:
    """What is served; tests change it while the page is open."""

    jobs: dict[str, Job] = field(default_factory=make_all)
    is_broken: bool = False
    is_gone: bool = False
    has_timeline: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        """Have the timelines ready."""
        self.has_timeline.set()

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, Any]:
        """Return status and value of one address of the API."""
        if self.is_broken:
            return 500, {"error": "the folder cannot be read"}
        if path == "/api/jobs":
            return 200, {"jobs": [job.listed for job in self.jobs.values()]}
        job = self.jobs.get(query.get("name", ""))
        if job is None:
            return 404, {"error": f"no job {query.get('name')!r}: see /api/jobs"}
        answers: dict[str, Callable[[], Any]] = {
            "/api/job": lambda: job.job,
            "/api/timeline": lambda: self.has_timeline.wait() and job.timeline,
            "/api/quarantine": lambda: list_rows(job, int(query["offset"]), int(query["limit"])),
            "/api/quarantine/bytes": lambda: cut_bytes(
                job, int(query["row"]), int(query["offset"]), int(query["limit"])
            ),
        }
        if path in answers:
            return 200, answers[path]()
        return 404, {"error": f"{path} is not served"}


def list_rows(job: Job, offset: int, limit: int) -> dict[str, Any]:
    """Return one page of what was set aside."""
    return {"total": len(job.quarantine), "rows": job.quarantine[offset : offset + limit]}


def cut_bytes(job: Job, row: int, offset: int, limit: int) -> dict[str, Any]:
    """Return some of the bytes of one thing set aside."""
    piece = job.raw[offset : offset + limit]
    return {"row": row, "total_bytes": len(job.raw), "offset": offset, "hex": piece.hex()}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, backend: Backend, *rest: Any) -> None:
        self.backend = backend
        super().__init__(*rest)

    def do_GET(self) -> None:
        """Answer with a file of the page or a value of the API."""
        if self.backend.is_gone:
            self.close_connection = True
            return
        parts = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/api/"):
            status, value = self.backend.answer(parts.path, query)
            self._send(status, ".json", json.dumps(value).encode())
        elif parts.path == "/report":
            self._send(200, ".html", b"<!doctype html><title>report</title>")
        else:
            name = parts.path.removeprefix("/static").lstrip("/") or "index.html"
            path = STATIC / name
            is_there = ".." not in name and path.is_file()
            self._send(
                200 if is_there else 404, path.suffix, path.read_bytes() if is_there else b""
            )

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _send(self, status: int, suffix: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", TYPES.get(suffix, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serve_page(backend: Backend, port: int = 0) -> Generator[str]:
    """Serve until the end of the block; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(_Handler, backend))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    with serve_page(Backend(), int(sys.argv[1])) as url:
        sys.stdout.write(f"{url}\n")
        threading.Event().wait()
