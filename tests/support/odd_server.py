"""An HTTP server on loopback that says exactly what a test has written, and then what it likes.

Each path is a coroutine that is given the writer of the connection behind the request's head; what
it writes is the response, right or wrong.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

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


@asynccontextmanager
async def odd_server(answers: Mapping[str, Answer], host: str = "127.0.0.1") -> AsyncIterator[str]:
    """Serve `answers` by path; yields the server's address, such as http://127.0.0.1:40000."""
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            await answers[path](writer)
        with suppress(ConnectionError, asyncio.CancelledError):
            writer.close()
            await writer.wait_closed()
        tasks.discard(task)

    server = await asyncio.start_server(serve, host, 0)
    _, port = server.sockets[0].getsockname()
    try:
        yield f"http://{host}:{port}"
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
