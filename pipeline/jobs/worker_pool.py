"""Starts Beam workers for one runner's machine: an external worker pool, as Flink calls it.

    python -m sealedbeam.pipeline.jobs.worker_pool HOST:PORT --state FILE

Each TaskManager needs a pool of its own, which it reaches under the address in Beam's option
`environment_config`: TaskManagers number their workers alike, and what one stops must not be
another's. Beam has such a pool too (`apache_beam.runners.worker.worker_pool_main`). This one
differs where machines die:

* A worker that is killed before it has called back is started again. A TaskManager waits for that
  call without end, so the job would stand still.
* So it is when the pool itself is killed: what it was asked for stands in FILE.
* Workers die with their pool, run the same interpreter and write to its standard error. Beam's
  outlive it, run whichever `python` comes first and stop at a pipe that nobody reads.
* It listens on one address instead of on all of them.
"""

from __future__ import annotations

import argparse
import json
import logging
import queue
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_LOOK_SECONDS = 0.1
_STOP_SECONDS = 10.0
_STARTS_MAX = 5  # of one worker: whatever kills it so often would go on
_THREADS = 8
_STANDARD_ERROR = 2
_STOP, _START = "stop", "start"

Request = tuple[str, str]
"""A worker's id, and the address where its runner waits for its call."""


@dataclass
class _Worker:
    """A worker process, and how often it was started."""

    process: subprocess.Popen[bytes]
    starts: int = 1


@dataclass
class Pool:
    """The workers that were asked for and not stopped since.

    Attributes:
        command: starts a worker; its request is added to it.
        state: file that the requests are kept in, None to keep them in memory alone.
    """

    command: tuple[str, ...]
    state: Path | None = None
    _workers: dict[Request, _Worker] = field(default_factory=dict)

    def recall(self) -> None:
        """Start what a killed pool was asked for; whom nobody waits for any more ends by itself."""
        if self.state is None:
            return
        requests: list[Request] = []
        with suppress(OSError, ValueError, TypeError):  # without a file nothing was asked for
            requests = [(str(name), str(at)) for name, at in json.loads(self.state.read_bytes())]
        for request in requests:
            self._workers[request] = _Worker(self._run(request))

    def start(self, request: Request) -> None:
        """Start a worker, after it has been written down."""
        self._note({*self._workers, request})
        self._workers[request] = _Worker(self._run(request))

    def stop(self, worker_id: str) -> None:
        """Stop the workers of this id; there are several if one was left by an earlier runner."""
        for request in [request for request in self._workers if request[0] == worker_id]:
            end(self._workers.pop(request).process)
        self._note(self._workers)

    def look(self) -> None:
        """Start again those that were killed; forget those that have ended by themselves."""
        for request, worker in list(self._workers.items()):
            code = worker.process.poll()
            if code is None:
                continue
            if code < 0 and worker.starts < _STARTS_MAX:
                self._workers[request] = _Worker(self._run(request), worker.starts + 1)
            else:
                del self._workers[request]
                self._note(self._workers)

    def close(self) -> None:
        """Stop all workers; nobody is to start them again."""
        for worker in self._workers.values():
            end(worker.process)
        self._workers.clear()
        self._note(())

    def _run(self, request: Request) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [*self.command, *request], stdin=subprocess.DEVNULL, stdout=_STANDARD_ERROR
        )

    def _note(self, requests: Any) -> None:
        if self.state is not None:
            temporary = self.state.with_name(f"{self.state.name}.new")
            temporary.write_text(json.dumps(sorted(requests)))
            temporary.replace(self.state)


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask a process to end, make it end, and reap it."""
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def listen(address: str, orders: queue.SimpleQueue[tuple[str, Any]]) -> tuple[Any, int]:
    """Take orders over gRPC at `address`; returns the server and its port."""
    # It and Beam take a second: first come the workers of a killed pool.
    import grpc  # type: ignore[import-untyped]  # noqa: PLC0415 - has no types
    from apache_beam.portability.api import (  # noqa: PLC0415
        beam_fn_api_pb2,
        beam_fn_api_pb2_grpc,
    )

    base: Any = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolServicer

    class Servicer(base):  # type: ignore[misc]  # Beam is untyped
        """Passes orders on to the thread that starts processes."""

        def StartWorker(self, request: Any, _context: Any) -> Any:  # noqa: N802 - Beam's name
            """Have a worker started."""
            orders.put((_START, (request.worker_id, request.control_endpoint.url)))
            return beam_fn_api_pb2.StartWorkerResponse()

        def StopWorker(self, request: Any, _context: Any) -> Any:  # noqa: N802 - Beam's name
            """Have a worker stopped."""
            orders.put((_STOP, request.worker_id))
            return beam_fn_api_pb2.StopWorkerResponse()

    server = grpc.server(ThreadPoolExecutor(_THREADS), options=[("grpc.so_reuseport", 0)])
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(Servicer(), server)
    port = server.add_insecure_port(address)
    server.start()
    return server, port


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="worker_pool", description="Starts workers for Flink.")
    parser.add_argument("address", help="HOST:PORT to listen on")
    parser.add_argument("--state", type=Path, help="file that survives a killed pool")
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.CRITICAL)  # Beam's import warns of absent clouds
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: orders.put((_STOP, None)))
    orders: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    module = "sealedbeam.pipeline.jobs.pool_worker"
    pool = Pool((sys.executable, "-m", module), options.state)
    pool.recall()
    try:
        server, _ = listen(options.address, orders)
        serve(pool, orders)
        server.stop(None)
    except RuntimeError as error:  # gRPC's own for an address that cannot be had
        sys.stderr.write(f"worker_pool: cannot listen on {options.address}: {error}\n")
        return 2
    finally:
        pool.close()
    return 0


def serve(pool: Pool, orders: queue.SimpleQueue[tuple[str, Any]]) -> None:
    """Do what is ordered, until that is to stop all; all in one thread, that workers die with."""
    while True:
        try:
            order, value = orders.get(timeout=_LOOK_SECONDS)
        except queue.Empty:
            pool.look()
            continue
        if order == _START:
            pool.start(value)
        elif value is None:
            return
        else:
            pool.stop(value)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
