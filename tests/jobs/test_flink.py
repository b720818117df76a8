from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.jobs.flink import ask_failures

if TYPE_CHECKING:
    from collections.abc import Iterator

JOBS = {
    "jobs": [
        {"jid": "a", "name": "mine", "start-time": 1},
        {"jid": "b", "name": "mine", "start-time": 2},
        {"jid": "c", "name": "another", "start-time": 3},
    ]
}
LOST = {
    "exceptionName": "org.apache.flink.runtime.io.network.netty.exception.RemoteTransportException",
    "stacktrace": "...",
    "timestamp": 2500,
    "taskName": "Map (1/2)",
    "endpoint": "localhost:4711",
}
HISTORY = {"exceptionHistory": {"entries": [LOST, LOST | {"timestamp": 1000, "taskName": None}]}}


@contextmanager
def job_manager(pages: dict[str, Any]) -> Iterator[str]:
    """Answer as the REST interface does, from these pages."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            page = pages.get(self.path)
            self.send_response(404 if page is None else 200)
            self.end_headers()
            self.wfile.write(b"" if page is None else json.dumps(page).encode())

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_failures_of_the_newest_job_of_this_name() -> None:
    """Each failure becomes an event, oldest first, with when, where and in which step it was."""
    with job_manager({"/jobs/overview": JOBS, "/jobs/b/exceptions": HISTORY}) as master:
        events = ask_failures(master, "mine")
        assert events == ask_failures(f"http://{master}/", "mine")
    assert [event["failed_at"] for event in events] == [1.0, 2.5]
    assert events[1] == {
        "engine_failure": LOST["exceptionName"],
        "failed_at": 2.5,
        "step": "Map (1/2)",
        "at": "localhost:4711",
    }


@pytest.mark.parametrize(
    "pages",
    [
        {},
        {"/jobs/overview": {}},
        {"/jobs/overview": JOBS},
        {"/jobs/overview": {"jobs": []}},
        {"/jobs/overview": JOBS, "/jobs/b/exceptions": {"exceptionHistory": {"entries": [{}]}}},
        {"/jobs/overview": JOBS, "/jobs/b/exceptions": []},
    ],
)
def test_no_answer_harms_nobody(pages: dict[str, Any]) -> None:
    """What cannot be told is left out of the log; the job has ended as it has ended."""
    with job_manager(pages) as master:
        assert ask_failures(master, "mine") == []


def test_clusters_that_have_no_address() -> None:
    """A cluster within the runner is gone when the job is; an unknown address is not asked."""
    for master in ("[local]", "[auto]", "file:///etc/passwd", "127.0.0.1:1"):
        assert ask_failures(master, "mine") == []
