"""HTTP servers on loopback that say exactly what a test has written, and then what they like.

Each path is a coroutine that is given the writer of the connection behind the request's head; what
it writes is the response, right or wrong. One server can play many hosts, each of them an address
of 127.0.0.0/8.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
    from ssl import SSLContext

    Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


def say(data: bytes) -> Answer:
    """Return an answer that writes these bytes and closes the connection."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return answer


def say_for_ever(first: bytes, again: bytes, pause_seconds: float = 0.0) -> Answer:
    """Return an answer that goes on until the client has had enough."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(first)
        while True:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause_seconds)

    return answer


async def say_nothing(_writer: asyncio.StreamWriter) -> None:
    """Keep the connection open without a word."""
    await asyncio.Event().wait()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Tear the connection down."""
    writer.transport.abort()


def in_turn(*answers: Answer) -> Answer:
    """Return an answer that is the first one at first, and so on, and then always the last."""
    left = list(answers)

    async def answer(writer: asyncio.StreamWriter) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(writer)

    return answer


@asynccontextmanager
async def odd_server(
    answers: Mapping[str, Answer], host: str = "127.0.0.1", tls: SSLContext | None = None
) -> AsyncIterator[str]:
    """Serve `answers` by path; yields the server's address, such as http://127.0.0.1:40000."""
    async with odd_web(lambda _host, path: answers[path], host, tls=tls) as port:
        yield f"{'http' if tls is None else 'https'}://{host}:{port}"


@asynccontextmanager
async def odd_web(
    find: Callable[[str, str], Answer],
    host: str = "0.0.0.0",
    port: int = 0,
    tls: SSLContext | None = None,
) -> AsyncIterator[int]:
    """Serve what `find` answers with for the host and the path of a request; yields the port."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            named = head.partition("\r\nHost: ")[2].partition("\r\n")[0].partition(":")[0]
            await find(named, head.split(" ", 2)[1])(writer)
        with suppress(ConnectionError, asyncio.CancelledError):
            writer.close()
            await writer.wait_closed()
        tasks.discard(task)

    server = await asyncio.start_server(serve, host, port, ssl=tls)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
