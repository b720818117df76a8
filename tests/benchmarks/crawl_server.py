"""Serves a generated web in a process of its own, and says what that cost.

Run by `tests.benchmarks.crawl`. The first line on standard input describes the web, as JSON; the
port comes back. After that each line is answered with what was asked for since the line before, and
the processor seconds that it took. The end of the input is the end of the server.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

from tests.support.generated_web import GeneratedWeb, Kind
from tests.support.web_server import Server


async def report(server: Server) -> None:
    """Answer each line, until there are no more."""
    loop = asyncio.get_running_loop()
    began = time.process_time()
    while await loop.run_in_executor(None, sys.stdin.readline):
        spent = time.process_time() - began
        say({"asked": dict(server.asked), "cpu_seconds": spent})
        server.asked.clear()
        began = time.process_time()


def say(value: object) -> None:
    """Write one line of JSON."""
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


async def main() -> None:
    """Serve the web that the first line describes."""
    described = json.loads(sys.stdin.readline())
    described["broken"] = tuple(map(Kind, described["broken"]))
    server = Server()
    web = GeneratedWeb(port=server.port, **described)
    web.html(0)  # the text that all pages are cut from is made once
    server.answer = web.answer
    async with server.running():
        say({"port": server.port})
        await report(server)


if __name__ == "__main__":
    asyncio.run(main())
