"""Real servers of Debian's packages, each on a port of its own on the loopback, and what they say.

A server lives as long as the block that started it; its data lies in a temporary folder. Where its
program is not installed the test that asks for it is skipped, and CI makes that a failure.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import ProxyHandler, build_opener

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path

PROMETHEUS, PROMTOOL = "prometheus", "promtool"
PUSHGATEWAY, NODE_EXPORTER = "prometheus-pushgateway", "prometheus-node-exporter"
_ATTEMPTS = 3  # another process may take the port that was found free
_WATCHDOG_SECONDS = 60.0  # only ends what would hang; nothing is asserted of it
_GLANCE_SECONDS = 0.05
_OPENER = build_opener(ProxyHandler({}))  # the loopback lies behind no proxy

Labels = frozenset[tuple[str, str]]


def require(program: str) -> str:
    """Return the path of a program, or skip the test."""
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed")
    return found


def fetch(url: str) -> bytes:
    """Return what an address answers."""
    with _OPENER.open(url, timeout=_WATCHDOG_SECONDS) as answer:
        data: bytes = answer.read()
    return data


def await_true(condition: Callable[[], bool], what: str) -> None:
    """Look until `condition` holds; fail when it never does."""
    end = time.monotonic() + _WATCHDOG_SECONDS
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"waited {_WATCHDOG_SECONDS:g} s for {what}")
        time.sleep(_GLANCE_SECONDS)


def run_promtool(*arguments: str, data: bytes | None = None) -> str:
    """Return what promtool prints; fail when it objects."""
    done = subprocess.run(
        [require(PROMTOOL), *arguments], input=data, capture_output=True, check=False
    )
    text = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, text
    return text


@contextmanager
def started(program: str, ready: str, arguments: Callable[[int], Sequence[str]]) -> Iterator[str]:
    """Run a server for as long as the block lasts.

    Args:
        program: its name.
        ready: the path that answers once it is ready.
        arguments: what it is given, by its port.

    Yields:
        Its address, without a slash behind.
    """
    path = require(program)
    for attempt in range(1, _ATTEMPTS + 1):
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        with subprocess.Popen(
            [path, *arguments(port)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                if _is_up(process, f"{url}{ready}"):
                    yield url
                    return
            finally:
                process.kill()
            error = process.communicate()[1]
        if attempt == _ATTEMPTS or "address already in use" not in error:
            pytest.fail(f"{program} did not start: {error[-2000:]}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def _is_up(process: subprocess.Popen[str], url: str) -> bool:
    def has_answered() -> bool:
        if process.poll() is not None:
            return True
        try:
            fetch(url)
        except (URLError, OSError):
            return False
        return True

    await_true(has_answered, url)
    return process.poll() is None


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus, as its HTTP API shows it."""

    url: str

    def query(self, expression: str, at: float | None = None) -> dict[Labels, float]:
        """Return the instant vector of an expression, by labels; now, or at a time."""
        moment = {} if at is None else {"time": repr(at)}
        found = self._ask("query", {"query": expression, **moment})
        if found["resultType"] == "scalar":
            return {frozenset(): float(found["result"][1])}
        return {
            frozenset(series["metric"].items()): float(series["value"][1])
            for series in found["result"]
        }

    def query_range(
        self, expression: str, start: float, end: float, step_seconds: float
    ) -> dict[Labels, dict[float, float]]:
        """Return the values of an expression by labels and time."""
        asked = {"query": expression, "start": start, "end": end, "step": step_seconds}
        return {
            frozenset(series["metric"].items()): {t: float(value) for t, value in series["values"]}
            for series in self._ask("query_range", asked)["result"]
        }

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule that is loaded, with its health."""
        return [rule for group in self._ask("rules", {})["groups"] for rule in group["rules"]]

    def _ask(self, path: str, parameters: dict[str, Any]) -> dict[str, Any]:
        data = fetch(f"{self.url}/api/v1/{path}?{urlencode(parameters)}")
        found: dict[str, Any] = json.loads(data)["data"]
        return found


@contextmanager
def prometheus(config: Path, data: Path) -> Generator[Prometheus]:
    """Run Prometheus with a configuration on a data folder, of which nothing is ever too old."""

    def arguments(port: int) -> list[str]:
        return [
            f"--config.file={config}",
            f"--storage.tsdb.path={data}",
            "--storage.tsdb.retention.time=100y",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]

    with started(PROMETHEUS, "/-/ready", arguments) as url:
        yield Prometheus(url)


@contextmanager
def pushgateway() -> Generator[str]:
    """Run a Pushgateway; yields its address."""

    def arguments(port: int) -> list[str]:
        return [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]

    with started(PUSHGATEWAY, "/-/ready", arguments) as url:
        yield url


@contextmanager
def node_exporter(textfiles: Path) -> Generator[str]:
    """Run a node_exporter that reads the *.prom files of a folder alone; yields its address."""

    def arguments(port: int) -> list[str]:
        return [
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={textfiles}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]

    with started(NODE_EXPORTER, "/metrics", arguments) as url:
        yield url
