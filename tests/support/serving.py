"""A server on a port of its own, in a thread of the test; raw requests to it; made-up jobs."""

from __future__ import annotations

import http.client
import json
import os
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from sealedbeam.monitoring.live import LiveReader
from sealedbeam.monitoring.serving.api import Api
from sealedbeam.monitoring.serving.http_values import Request, Response
from sealedbeam.monitoring.serving.live_jobs import LiveJobs
from sealedbeam.monitoring.serving.server import Application, listening, loop, open_socket
from sealedbeam.monitoring.serving.static_files import StaticFile
from sealedbeam.monitoring.timeline import Site
from sealedbeam.monitoring.view import Campaign, View
from sealedbeam.pipeline.integrity.reconcile import Reconciliation, Verdict

from tests.support.views import make_hops, make_summary

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sealedbeam.monitoring.serving.live_jobs import MakeReader

FILES = {
    "index.html": StaticFile(b"<!doctype html>", "text/html; charset=utf-8", '"1"'),
    "vendor/a.js": StaticFile(b"'use strict'", "text/javascript; charset=utf-8", '"2"'),
}
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
RECORDS = "sealedbeam_records_total"
SITES = (Site("dublin", 53.35, -6.26, 20.0, 4), Site("oregon", 45.6, -121.2, 35.0, 4))
DURATION_SECONDS = 600


def make_view(**changes: Any) -> View:
    """Return the view of a finished job under a scenario of ten minutes."""
    hops = make_hops()
    reconciliation = Reconciliation(Verdict.BALANCED, (), 0)
    campaign = Campaign("a scenario", "far from real", DURATION_SECONDS, SITES, ("single_bit",))
    summary = make_summary(hops={})
    view = View(hops, reconciliation, (), summary, "sealedbeam index", campaign=campaign)
    return replace(view, **changes)


@dataclass
class FixedReader:
    """A reader that says what it was given, and counts how often it was asked."""

    view: View = field(default_factory=make_view)
    error: Exception | None = None
    asked: int = 0
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def read(self) -> View:
        """Return the view, once the gate is open."""
        self.asked += 1
        assert self.gate.wait(60)
        if self.error is not None:
            raise self.error
        return self.view


def make_marker(folder: Path) -> None:
    """Make a folder look like a job's."""
    (folder / "ledger").mkdir(parents=True)
    (folder / "ledger" / "job.json").write_text("{}")


@contextmanager
def live_jobs(root: Path, make_reader: MakeReader = LiveReader) -> Iterator[LiveJobs]:
    """Yield the jobs of a folder; what they complain of fails the test."""
    complaints: list[str] = []
    jobs = LiveJobs(root, make_reader, lambda _: (), complaints.append)
    yield jobs
    jobs.close()
    assert complaints == []


class Client:
    """Asks an API as a browser on this machine would."""

    def __init__(self, jobs: LiveJobs, **options: Any) -> None:
        self.api = Api(jobs, FILES, **options)

    def get(self, path: str, query: str = "", method: str = "GET", **more: str) -> Response:
        return self.api.answer(Request(method, path, query, **({"host": "localhost:1"} | more)))

    def json(self, path: str, query: str = "") -> Any:
        response = self.get(path, query)
        assert response.status == 200, response.body
        return json.loads(response.body)

    def error(self, path: str, query: str = "") -> tuple[int, str]:
        response = self.get(path, query)
        error = json.loads(response.body)["error"]
        assert "\n" not in error
        return response.status, error

    def samples(self, **more: str) -> dict[tuple[str, ...], float]:
        text = self.get("/metrics", **more).body.decode()
        parse = parse_openmetrics if more else parse_text
        return {
            (sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))): (
                sample.value
            )
            for family in parse(text)
            for sample in family.samples
        }


@contextmanager
def client_of(root: Path, make_reader: MakeReader, **options: Any) -> Iterator[Client]:
    """Yield a client of the jobs in a folder; `options` are the API's."""
    with live_jobs(root, make_reader) as jobs:
        client = Client(jobs, **options)
        yield client
        client.api.close()


@contextmanager
def served(api: Api, bind: str = "127.0.0.1") -> Iterator[int]:
    """Serve until the end of the block; yields the port."""
    complaints: list[str] = []
    opened = open_socket(bind, 0)
    port = int(opened.getsockname()[1])
    life, ours = os.pipe()

    def run() -> None:
        with listening(Application(api, complaints.append), opened) as watched:
            loop(watched, life)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield port
    finally:
        os.close(ours)
        thread.join()
        os.close(life)
    assert complaints == []


def get(port: int, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers and body of one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def get_json(port: int, path: str) -> Any:
    """Return the value at an address that must be there."""
    status, _, body = get(port, path)
    assert status == 200, body
    return json.loads(body)


def send_raw(port: int, data: bytes) -> bytes:
    """Return all that the server says to some bytes until it closes the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        said = b""
        with suppress(OSError):  # a server that closes first is an answer, too
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(1 << 16):
                said += piece
        return said
