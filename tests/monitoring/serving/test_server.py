from __future__ import annotations

import http.client
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text
from sealedbeam.monitoring.serving.api import Api
from sealedbeam.monitoring.serving.server import Application, open_socket, url_of
from sealedbeam.monitoring.serving.static_files import load_files
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.integrity.ledger import Outcome

from tests.support.archives import build_archive, flip_bit
from tests.support.jobs import Job
from tests.support.serving import (
    FixedReader,
    get,
    get_json,
    live_jobs,
    make_marker,
    send_raw,
    served,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sealedbeam.monitoring.serving.http_values import Request, Response

HOST = b"Host: localhost\r\n"
CLOSED = 0  # who still sends when the connection is closed may lose what was said before


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """Serve a folder with one job."""
    make_marker(tmp_path)
    with live_jobs(tmp_path, lambda _: FixedReader()) as jobs:
        api = Api(jobs, load_files())
        with served(api) as number:
            yield number
        api.close()


def test_everything_is_answered(port: int) -> None:
    """The page, its files, the metrics and the values come over the wire with their types."""
    for path, kind in (
        ("/", "text/html; charset=utf-8"),
        ("/static/index.html", "text/html; charset=utf-8"),
        ("/metrics", "text/plain; version=0.0.4; charset=utf-8"),
        ("/healthz", "text/plain; charset=utf-8"),
        ("/api/jobs", "application/json"),
        ("/api/timeline?until=60", "application/json"),
    ):
        status, headers, body = get(port, path)
        assert (status, headers["Content-Type"]) == (200, kind)
        assert int(headers["Content-Length"]) == len(body) > 0
        assert "Server" not in headers


def test_connection_is_kept(port: int) -> None:
    """Many requests go over one connection; HEAD answers as GET does, without the body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    opened = connection.sock
    for method in ("GET", "HEAD", "GET", "HEAD"):
        connection.request(method, "/metrics")
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200
        assert (len(body) > 0) == (method == "GET")
        assert int(response.headers["Content-Length"]) > 1000
        assert connection.sock is opened
    connection.close()


@pytest.mark.parametrize(
    ("request_bytes", "statuses"),
    [
        (b"\r\n\r\n", ()),
        (b"nonsense\r\n\r\n", (400, 404)),
        (b"GET\r\n\r\n", (400,)),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", (400, 404)),
        (b"GET / HTTP/1.1\r\n\r\n", (400,)),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", (400,)),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", (400,)),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"x" * 100_000 + b"\r\n\r\n", (431, CLOSED)),
        (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", (431, CLOSED)),
        (b"GET / HTTP/1.1\r\n" + HOST + b"X : y\r\n\r\n", (400,)),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", (400,)),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 99999999999\r\n\r\n", (413,)),
        (b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: x\r\n\r\n", (501, 400)),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\nhi", (405,)),
        (b"DELETE /api/jobs HTTP/1.1\r\n" + HOST + b"\r\n", (405,)),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", (405,)),
        (b"CONNECT evil.example:443 HTTP/1.1\r\n" + HOST + b"\r\n", (400, 405)),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\n\r\n", (400,)),
        (b"GET /static/../api.py HTTP/1.1\r\n" + HOST + b"\r\n", (404,)),
        (b"GET /static/%2e%2e/api.py HTTP/1.1\r\n" + HOST + b"\r\n", (404,)),
        (b"GET /static/..%2f..%2f..%2fetc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", (404,)),
        (b"GET /../../../../etc/passwd HTTP/1.1\r\n" + HOST + b"\r\n", (404,)),
        (b"GET /api/job?name=../.. HTTP/1.1\r\n" + HOST + b"\r\n", (404,)),
        (b"GET /api/job?name=%00 HTTP/1.1\r\n" + HOST + b"\r\n", (404,)),
        (b"GET /%ff%fe HTTP/1.1\r\n" + HOST + b"\r\n", (404,)),
        (b"GET / HTTP/9.9\r\n" + HOST + b"\r\n", (200, 400)),
        (b"GET /healthz HTTP/1.0\r\n" + HOST + b"\r\n", (200,)),
        (b"GET /metrics HTTP/1.1\r\n" + HOST + b"Accept: \xff;q=\x01,;\r\n\r\n", (200, 400)),
    ],
)
def test_what_no_browser_sends_ends_well(
    port: int, request_bytes: bytes, statuses: tuple[int, ...]
) -> None:
    """Each malformed or hostile request has its status, shows nothing, and the next is served."""
    said = send_raw(port, request_bytes)
    if statuses:
        assert (int(said.split()[1]) if said else CLOSED) in statuses
    for secret in (b"Traceback", b"root:", b'"""', b"site-packages", b"/home/", b"waitress"):
        assert secret not in said
    assert get(port, "/healthz")[0] == 200


def test_slow_clients_hold_nobody_up(port: int) -> None:
    """While many clients have begun a request and go no further, others are answered."""
    with ExitStack() as stack:
        for _ in range(40):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            slow.sendall(b"GET /metrics HTTP/1.1\r\nHost: loc")
        assert get(port, "/metrics")[0] == 200
        assert get(port, "/api/timeline")[0] == 200


def test_client_that_reads_nothing_holds_nobody_up(port: int) -> None:
    """Clients that ask for much and take none of it cost memory, and no thread."""
    with ExitStack() as stack:
        for _ in range(8):
            deaf = stack.enter_context(socket.socket())
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            deaf.connect(("127.0.0.1", port))
            deaf.sendall((b"GET /metrics HTTP/1.1\r\n" + HOST + b"\r\n") * 50)
        assert get(port, "/healthz")[0] == 200


def test_many_clients_get_the_same(port: int) -> None:
    """Fifty clients at once each get a whole answer, and it is the same."""
    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(lambda _: get(port, "/metrics"), range(200)))
    assert {status for status, _, _ in answers} == {200}
    assert len({body for _, _, body in answers}) == 1


class Broken(Api):
    """An API with a fault of its own."""

    def answer(self, request: Request) -> Response:
        raise ZeroDivisionError(f"a secret of {request.path}")


def test_fault_of_the_program_shows_nothing() -> None:
    """A client gets one line that says nothing of the machine; the user gets the rest of it."""
    complaints: list[str] = []
    told: dict[str, Any] = {}

    def start(status: str, headers: list[tuple[str, str]]) -> None:
        told.update(headers, status=status)

    application = Application(Broken.__new__(Broken), complaints.append)
    body = application({"REQUEST_METHOD": "GET", "PATH_INFO": "/x", "QUERY_STRING": ""}, start)
    assert told["status"] == "500 Internal Server Error"
    assert b"".join(body) == b'{"error":"this cannot be shown"}'
    assert complaints == ["/x: ZeroDivisionError: a secret of /x"]


def test_port_that_is_taken_is_named() -> None:
    """A port in use, an address that is none, and one of another machine are usage errors."""
    with open_socket("127.0.0.1", 0) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(UsageError, match=f"port {number} of 127.0.0.1: Address already in use"):
            open_socket("127.0.0.1", number)
    with pytest.raises(UsageError, match=r"indexer\.example is not an IP address"):
        open_socket("indexer.example", 0)
    with pytest.raises(UsageError, match="Cannot assign requested address"):
        open_socket("192.0.2.1", 0)


def test_ipv6_is_served(tmp_path: Path) -> None:
    """The loopback address of IPv6 is as good as the other."""
    make_marker(tmp_path)
    with live_jobs(tmp_path, lambda _: FixedReader()) as jobs:
        api = Api(jobs, load_files())
        with served(api, "::1") as number:
            connection = http.client.HTTPConnection("::1", number, timeout=60)
            connection.request("GET", "/healthz")
            assert connection.getresponse().read() == b"ok\n"
            connection.close()
        api.close()
    with open_socket("::1", 0) as opened:
        assert url_of(opened) == f"http://[::1]:{opened.getsockname()[1]}/"


def count_records(text: str) -> dict[tuple[str, str], float]:
    """Return the records by hop and outcome, over all clusters."""
    found: dict[tuple[str, str], float] = {}
    for family in parse_text(text):
        for sample in family.samples:
            if sample.name == "sealedbeam_records_total":
                key = sample.labels["hop"], sample.labels["outcome"]
                found[key] = found.get(key, 0) + sample.value
    return found


def test_scrapes_of_a_running_job_only_grow(tmp_path: Path) -> None:
    """While a job commits its parts no counter ever falls; in the end it is the ledger's sum."""
    archive = build_archive(60, body_bytes=200)
    damaged = flip_bit(archive.data, archive.records[5].offset + 60)
    job = Job.make(tmp_path, {"a.warc.gz": damaged}, part_bytes=900)
    with live_jobs(tmp_path / "index") as jobs:
        api = Api(jobs, load_files())
        with served(api) as number, ThreadPoolExecutor(1) as pool:
            done = pool.submit(job.run_here)
            before: dict[tuple[str, str], float] = {}
            while not done.done():
                status, _, body = get(number, "/metrics")
                assert status in {200, 503}
                if status == 200:
                    now = count_records(body.decode())
                    assert all(now[key] >= value for key, value in before.items())
                    before = now or before
            summary = done.result().summary
            while b'"status":"complete"' not in get(number, "/api/job")[2]:
                pass  # the folder was empty at first: it takes a look until the job is known
            told = {
                (hop, str(outcome)): counts[outcome]
                for hop, counts in summary["hops"].items()
                for outcome in Outcome
            }
            while count_records(get(number, "/metrics")[2].decode()) != told:
                pass
            assert get_json(number, "/api/quarantine")["total"] == 1
        api.close()
