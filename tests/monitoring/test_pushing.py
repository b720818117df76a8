from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sealedbeam.monitoring.pushing import (
    BATCH,
    LAST_FAILURE,
    LAST_SUCCESS,
    BatchOutcome,
    check_gateway,
    push_outcome,
)
from sealedbeam.pipeline.cli.observer import pushed_outcome
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.jobs.finish import Finished

if TYPE_CHECKING:
    from collections.abc import Iterator

HOPS = {"pages": {"records": 6, "intact": 4, "corrected": 1, "retried": 1, "dropped": 0}}
GOOD = BatchOutcome("crawl", "complete", "balanced", 12.5, 1_700_000_000.25, HOPS)
Request = tuple[str, str, str]


class Gateway(ThreadingHTTPServer):
    """Takes what is pushed, and answers as it is told."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pushed: list[Request] = []
        self.status = 200

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Gateway

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.pushed.append((self.command, self.path, body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    """Yield a gateway that is listening."""
    with Gateway() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def values(body: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


def test_outcome_is_added_to_its_batch(gateway: Gateway) -> None:
    """One request adds the batch's metrics to its group, under the names that are declared."""
    assert push_outcome(gateway.url, GOOD) is None
    ((method, path, body),) = gateway.pushed
    assert (method, path) == ("POST", "/metrics/job/sealedbeam_batch/batch/crawl")
    found = values(body)
    assert {name for name, *_ in found} == {m.name for m in BATCH} - {LAST_FAILURE.name}
    assert found[LAST_SUCCESS.name,] == 1_700_000_000.25
    assert found["sealedbeam_batch_duration_seconds",] == 12.5
    assert found["sealedbeam_batch_verdict", "balanced"] == 1
    assert found["sealedbeam_batch_verdict", "imbalanced"] == 0
    assert found["sealedbeam_batch_records", "pages", "intact"] == 4
    assert found["sealedbeam_batch_records", "pages", "dropped"] == 0


def test_failure_does_not_touch_the_last_success(gateway: Gateway) -> None:
    """A batch that failed pushes when it failed, and no time of success."""
    push_outcome(gateway.url, BatchOutcome("crawl", "failed", "imbalanced", 1, 2.0, HOPS))
    names = {name for name, *_ in values(gateway.pushed[0][2])}
    assert LAST_FAILURE.name in names
    assert LAST_SUCCESS.name not in names


def test_what_is_wrong_is_returned_as_words(gateway: Gateway) -> None:
    """A gateway that refuses, that is not there, or that never answers is told of, not raised."""
    gateway.status = 400
    assert "400" in (push_outcome(gateway.url, GOOD) or "")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        assert "refused" in (push_outcome(address, GOOD) or "")
        silent.listen()
        problem = push_outcome(address, GOOD, timeout_seconds=0.05)
        assert "timed out" in (problem or "")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:9091",
        "ftp://localhost",
        "http://",
        "http://h:99999",
        "http://[",
        "http://h?a=b",
        "http://u:p@h",
    ],
)
def test_address_is_checked_before_the_job(url: str) -> None:
    """What cannot be a gateway's address is a usage error."""
    with pytest.raises(UsageError, match="--push-gateway"):
        check_gateway(url)
    with pytest.raises(UsageError), pushed_outcome(url, Path("index")):
        pytest.fail("the job was begun")


def test_address_loses_a_slash_alone() -> None:
    """Addresses with a path and of other machines are taken."""
    assert (
        check_gateway("https://gateway.example:9091/push/") == "https://gateway.example:9091/push"
    )


def test_end_of_a_job_is_pushed(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    """Results and jobs that cannot go on are pushed; misuse, and what was finished, is not."""
    summary = {"status": "incomplete", "ledger": "balanced", "hops": HOPS}
    with pushed_outcome(gateway.url, Path("some/crawl")) as tell:
        tell(Finished(summary, (), 4))
    with pushed_outcome(gateway.url, Path("some/crawl")) as tell:
        tell(None)
    with pytest.raises(UsageError), pushed_outcome(gateway.url, Path("crawl")):
        raise UsageError("no")
    with pytest.raises(IntegrityError), pushed_outcome(gateway.url, Path("crawl")):
        raise IntegrityError("damaged")
    good, bad = gateway.pushed
    assert values(good[2])["sealedbeam_batch_records", "pages", "retried"] == 1
    assert (LAST_FAILURE.name,) in values(bad[2])
    assert {path for _, path, _ in gateway.pushed} == {"/metrics/job/sealedbeam_batch/batch/crawl"}
    assert capsys.readouterr().err == ""


def test_push_that_fails_is_a_warning(gateway: Gateway, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on standard error; the job's end is what it was."""
    gateway.status = 500
    summary = {"status": "complete", "ledger": "balanced", "hops": HOPS}
    with pushed_outcome(gateway.url, Path("crawl")) as tell:
        tell(Finished(summary, (), 0))
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"sealedbeam: warning: the outcome was not pushed to {gateway.url}: ")
