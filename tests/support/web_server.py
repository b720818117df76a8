"""Serves made-up hosts on loopback, fast: every address of 127.0.0.0/8 is a host, on one port.

    with serve(web.answer) as server:     # in a thread
        ...
    server.asked[url]                     # how often

What is served is a function from host, path and the number of times that it was asked for this to
the bytes to send. HTTP is read as far as a crawler writes it: one request after the other, without
a body.
"""

from __future__ import annotations

import asyncio
import socket
import threading
from collections import Counter
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Self, TypeVar

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from tests.support.generated_web import Sent

    Answer = Callable[[str, str, int], Sent]

T = TypeVar("T")


class _Connection(asyncio.Protocol):
    """One connection: answers each request at once."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._waiting = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.connections.add(transport)

    def connection_lost(self, _error: Exception | None) -> None:
        self._server.connections.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._waiting += data
        while (end := self._waiting.find(b"\r\n\r\n")) >= 0:
            head, self._waiting = self._waiting[:end], self._waiting[end + 4 :]
            self._answer(head.decode("latin-1"))

    def _answer(self, head: str) -> None:
        path = head.split(" ", 2)[1]
        host = head.partition("\r\nHost: ")[2].partition("\r\n")[0]
        self._server.asked[url := f"http://{host}{path}"] += 1
        sent = self._server.answer(host.partition(":")[0], path, self._server.asked[url])
        self._transport.write(sent.data)
        if sent.then == "close":
            self._transport.close()
        elif sent.then == "abort":
            self._transport.abort()


class Server:
    """A server that listens once it is made, and serves while it is `running`."""

    def __init__(self, port: int = 0) -> None:
        """Listen on all addresses of the loopback network, on some free port if none is given."""
        self.asked: Counter[str] = Counter()
        self.connections: set[asyncio.Transport] = set()
        self.answer: Answer = _say_nothing
        self._socket = socket.create_server(("0.0.0.0", port), backlog=4096)
        self.port = int(self._socket.getsockname()[1])

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Serve while this is entered."""
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Connection(self), sock=self._socket)
        try:
            yield self
        finally:
            server.close()
            for transport in list(self.connections):
                transport.abort()


def _say_nothing(_host: str, _path: str, _times: int) -> Sent:
    raise AssertionError("nothing is served yet")


@contextmanager
def serve(make_answer: Callable[[int], Answer]) -> Iterator[Server]:
    """Serve in a thread what `make_answer` makes of the port."""
    server = Server()
    server.answer = make_answer(server.port)
    with in_thread(server.running()):
        yield server


@contextmanager
def in_thread(manager: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """Enter `manager` in a thread with an event loop of its own, and leave it there."""
    entered: Future[tuple[asyncio.AbstractEventLoop, T]] = Future()
    stop = asyncio.Event()

    async def run() -> None:
        async with manager as value:
            entered.set_result((asyncio.get_running_loop(), value))
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    loop, value = entered.result(timeout=60)
    try:
        yield value
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
