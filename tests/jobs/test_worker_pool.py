from __future__ import annotations

import os
import queue
import signal
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]  # has no types
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc, endpoints_pb2
from sealedbeam.pipeline.jobs.worker_pool import Pool, listen, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SLEEPER = (sys.executable, "-c", "import signal; signal.pause()")
QUITTER = (sys.executable, "-c", "")
_SECONDS_MAX = 60.0  # only ends what would hang
ONE, TWO = ("1-1", "localhost:1"), ("1-1", "localhost:2")


@contextmanager
def make_pool(state: Path | None = None, command: tuple[str, ...] = SLEEPER) -> Iterator[Pool]:
    pool = Pool(command, state)
    try:
        yield pool
    finally:
        pool.close()


def pids(pool: Pool) -> list[int]:
    return [worker.process.pid for worker in pool._workers.values()]


def kill(pool: Pool, number: int) -> None:
    """Kill a worker, and wait until it is dead, without taking its exit code away."""
    os.kill(pids(pool)[number], signal.SIGKILL)
    os.waitid(os.P_PID, pids(pool)[number], os.WEXITED | os.WNOWAIT)


def test_killed_worker_is_started_again() -> None:
    """The runner still waits for the call of a worker that was killed before it."""
    with make_pool() as pool:
        pool.start(ONE)
        pool.start(TWO)
        first, second = pids(pool)
        kill(pool, 0)
        pool.look()
        again, still = pids(pool)
        assert still == second
        assert again != first


def test_worker_that_is_always_killed_is_given_up() -> None:
    """After five starts nobody is started any more."""
    with make_pool() as pool:
        pool.start(ONE)
        seen = set(pids(pool))
        for _ in range(5):
            kill(pool, 0)
            pool.look()
            seen |= set(pids(pool))
        assert pids(pool) == []
        assert len(seen) == 5


def test_worker_that_ended_by_itself_is_forgotten(tmp_path: Path) -> None:
    """Its runner has hung up: neither this pool nor the next one starts it again."""
    with make_pool(tmp_path / "state", QUITTER) as pool:
        pool.start(ONE)
        os.waitid(os.P_PID, pids(pool)[0], os.WEXITED | os.WNOWAIT)
        pool.look()
        assert pids(pool) == []
        assert (tmp_path / "state").read_text() == "[]"


def test_pool_that_was_killed_starts_what_was_asked_of_it(tmp_path: Path) -> None:
    """Requests that were neither stopped nor answered survive the pool; a damaged file does not."""
    state = tmp_path / "state"
    with make_pool(state) as killed:
        killed.start(("2-1", "localhost:1"))
        killed.start(ONE)
        killed.stop("2-1")
        with make_pool(state) as pool:
            pool.recall()
            assert list(pool._workers) == [ONE]
    for content in ("", "[[1", '{"a": 1}', "[1]"):
        state.write_text(content)
        with make_pool(state) as pool:
            pool.recall()
            assert list(pool._workers) == []


def test_worker_of_an_earlier_runner_is_stopped_too() -> None:
    """Runners number their workers from one: those of one that died have the same names."""
    with make_pool() as pool:
        pool.start(ONE)
        pool.start(TWO)
        pool.stop("1-1")
        assert pids(pool) == []


def test_orders_come_over_grpc() -> None:
    """A runner's requests start and stop workers, by their ids and the addresses to call."""
    orders: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
    server, port = listen("127.0.0.1:0", orders)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub = beam_fn_api_pb2_grpc.BeamFnExternalWorkerPoolStub(channel)
        for worker_id in ("1-1", "2-1"):
            endpoint = endpoints_pb2.ApiServiceDescriptor(url="localhost:9")
            stub.StartWorker(
                beam_fn_api_pb2.StartWorkerRequest(worker_id=worker_id, control_endpoint=endpoint),
                timeout=_SECONDS_MAX,
            )
        request = beam_fn_api_pb2.StopWorkerRequest(worker_id="1-1")
        stub.StopWorker(request, timeout=_SECONDS_MAX)
    server.stop(None).wait()
    orders.put(("stop", None))
    with make_pool() as pool:
        serve(pool, orders)
        assert list(pool._workers) == [("2-1", "localhost:9")]
