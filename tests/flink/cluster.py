"""A standalone Flink cluster with a pool of Python workers beside each TaskManager.

    with Cluster.start(folder) as cluster:
        options = cluster.beam_options()
        cluster.kill_task_manager(0)

Every process listens on the loopback, on ports that were free. TaskManager number n has its own
address for the name of the pool, 127.0.0.(n+2): that stands for the machine that both are on. All
processes die when the tests do, however those end: the kernel sees to that.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.request import ProxyHandler, build_opener

import pytest

from tests.flink.distribution import Distribution, get_distribution
from tests.support.jobs import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

CONFIG = ROOT / "configs" / "runners" / "flink.yaml"
TASK_MANAGERS = 2
SLOTS = 2  # of each TaskManager, so that one of them can take over all of a job for two
_POOL_NAME = "worker-pool"
_WATCHDOG_SECONDS = 180.0  # only ends what would hang; nothing is asserted of it
_GLANCE_SECONDS = 0.02
_OPENER = build_opener(ProxyHandler({}))  # the loopback lies behind no proxy
_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_REPORTER = "org.apache.flink.metrics.prometheus.PrometheusReporterFactory"
# What Flink's own scripts open to it in Java 17; quick to start, and modest.
_OPENED = (
    *("lang", "net", "io", "nio", "lang.reflect", "text", "time", "util", "util.concurrent"),
    *("util.concurrent.atomic", "util.concurrent.locks"),
)
_JAVA_FLAGS = (
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xmx512m",
    *(f"--add-opens=java.base/java.{name}=ALL-UNNAMED" for name in _OPENED),
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--add-exports=java.base/sun.net.util=ALL-UNNAMED",
)
_LOGGING = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = C
appender.console.name = C
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{HH:mm:ss,SSS} %-5p %-30c{1} - %m%n
"""


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


@dataclass
class Cluster:
    """A running cluster.

    Attributes:
        folder: temporary; holds configurations and logs.
        distribution: what it runs on.
        ports: of the REST interface, of the JobManager, of the worker pools, and of the Prometheus
            reporters: the JobManager's, then each TaskManager's.
    """

    folder: Path
    distribution: Distribution
    ports: list[int]
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def start(cls, folder: Path) -> Iterator[Cluster]:
        """Run a cluster for as long as the block lasts."""
        cluster = cls(folder, get_distribution(), _free_ports(4 + TASK_MANAGERS))
        try:
            cluster._run_java("job-manager", _JOB_MANAGER, cluster.ports[3])
            for number in range(TASK_MANAGERS):
                cluster.start_task_manager(number)
                cluster.start_pool(number)
            cluster.await_whole()
            yield cluster
        finally:
            for name in list(cluster._processes):
                cluster._kill(name)

    @property
    def url(self) -> str:
        """The address of the REST interface."""
        return f"http://127.0.0.1:{self.ports[0]}"

    @property
    def reporters(self) -> list[str]:
        """Where the metrics of each process are, the JobManager's first."""
        return [f"127.0.0.1:{port}" for port in self.ports[3:]]

    def beam_options(self) -> list[str]:
        """Return what the shipped configuration cannot know."""
        return [
            f"--flink_master=127.0.0.1:{self.ports[0]}",
            f"--flink_job_server_jar={self.distribution.job_server}",
            f"--environment_config={_POOL_NAME}:{self.ports[2]}",
        ]

    def ask(self, path: str) -> Any:
        """Return what the REST interface answers."""
        return json.loads(fetch(f"{self.url}/{path}"))

    def await_whole(self) -> None:
        """Wait until every TaskManager has all its slots free and every pool listens."""
        slots = TASK_MANAGERS * SLOTS
        await_true(lambda: self._slots() == (slots, slots), "all task slots")
        numbers = range(TASK_MANAGERS)
        await_true(lambda: all(map(self._pool_listens, numbers)), "the worker pools")

    def start_task_manager(self, number: int) -> None:
        """Start a TaskManager."""
        self._run_java(f"task-manager-{number}", _TASK_MANAGER, self.ports[4 + number], number)

    def kill_task_manager(self, number: int) -> None:
        """Kill a TaskManager."""
        self._kill(f"task-manager-{number}")

    def start_pool(self, number: int) -> None:
        """Start a worker pool."""
        state = str(self.folder / f"pool-{number}.json")
        command = [sys.executable, "-m", "sealedbeam.pipeline.jobs.worker_pool"]
        self._run(
            f"pool-{number}", [*command, f"{_machine(number)}:{self.ports[2]}", "--state", state]
        )

    def kill_pool(self, number: int) -> None:
        """Kill a worker pool, and by that its workers."""
        self._kill(f"pool-{number}")

    def workers(self, number: int) -> list[int]:
        """Return the process ids of a pool's workers."""
        pid = self._processes[f"pool-{number}"].pid
        found = subprocess.run(
            ["ps", "--ppid", str(pid), "-o", "pid="], capture_output=True, check=False
        )
        return [int(word) for word in found.stdout.split()]

    def log_of(self, name: str) -> str:
        """Return what a process has said."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def _slots(self) -> tuple[int, int]:
        for name, process in self._processes.items():
            assert process.poll() is None, f"{name} has ended: {self.log_of(name)[-4000:]}"
        try:
            overview = self.ask("overview")
        except OSError:
            return 0, 0
        return overview["slots-total"], overview["slots-available"]

    def _pool_listens(self, number: int) -> bool:
        try:
            socket.create_connection((_machine(number), self.ports[2]), 1).close()
        except OSError:
            return False
        return True

    def _run_java(self, name: str, main: str, reporter: int, number: int = 0) -> None:
        home = self.folder / name
        (home / "tmp").mkdir(parents=True, exist_ok=True)
        (home / "config.yaml").write_text(self._configuration(home, reporter))
        (home / "log4j.properties").write_text(_LOGGING)
        names = {"127.0.0.1": f"localhost {socket.gethostname()}", _machine(number): _POOL_NAME}
        hosts = "".join(f"{address} {name}\n" for address, name in names.items())
        (home / "hosts").write_text(hosts)
        flags = [
            f"-Djdk.net.hosts.file={home / 'hosts'}",
            f"-Dlog4j.configurationFile=file:{home / 'log4j.properties'}",
            f"-Djava.io.tmpdir={home / 'tmp'}",
        ]
        path = ":".join(map(str, self.distribution.jars))
        command = ["java", *_JAVA_FLAGS, *flags, "-cp", path, main, "--configDir", str(home)]
        self._run(name, command, FLINK_PLUGINS_DIR=str(self.distribution.plugins))

    def _configuration(self, home: Path, reporter: int) -> str:
        megabytes = {
            "task.heap.size": 256,
            "task.off-heap.size": 0,
            "framework.heap.size": 128,
            "framework.off-heap.size": 128,
            "managed.size": 64,
            "network.min": 128,
            "network.max": 128,
            "jvm-metaspace.size": 256,
            "jvm-overhead.min": 192,
            "jvm-overhead.max": 192,
        }
        options: dict[str, Any] = {
            "rest.port": self.ports[0],
            "jobmanager.rpc.port": self.ports[1],
            "metrics.reporter.prom.port": f"'{reporter}'",  # a number it would not notice
            "metrics.reporter.prom.factory.class": _REPORTER,
            "taskmanager.numberOfTaskSlots": SLOTS,
            "taskmanager.load-balance.mode": "SLOTS",
            "taskmanager.cpu.cores": SLOTS,
            "external-resources": "none",
            "taskmanager.network.sort-shuffle.min-buffers": 64,  # instead of 512 for each shuffle
            "heartbeat.interval": 1000,
            "heartbeat.timeout": 30000,
            "restart-strategy.type": "fixed-delay",
            "restart-strategy.fixed-delay.attempts": 100,
            "restart-strategy.fixed-delay.delay": "1 s",
            "io.tmp.dirs": home / "tmp",
            **{f"taskmanager.memory.{name}": f"{size}m" for name, size in megabytes.items()},
        }
        for name in ("jobmanager.rpc.address", "rest.address", "taskmanager.host"):
            options[name] = "localhost"
        for name in ("jobmanager.bind-host", "rest.bind-address", "taskmanager.bind-host"):
            options[name] = "localhost"
        return "".join(f"{name}: {value}\n" for name, value in options.items())

    def _run(self, name: str, command: list[str], **environment: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env=os.environ | environment,
            )

    def _kill(self, name: str) -> None:
        process = self._processes.pop(name)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _machine(number: int) -> str:
    return f"127.0.0.{number + 2}"


def _free_ports(count: int) -> list[int]:
    """Return different ports that nobody listens on now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for found in held:
            found.bind(("", 0))
        return [found.getsockname()[1] for found in held]
    finally:
        for found in held:
            found.close()
