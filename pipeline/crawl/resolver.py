"""Resolves hosts to addresses that the crawler may connect to, each once in a while.

Names are resolved here and nowhere else, so that the address that was judged is the one that is
used: a name that resolves to something else a moment later gains nothing. Of several addresses of
the kind that the system prefers it is always the least, in whatever order they come: hosts are
dealt to workers by it.

The system's resolver blocks a thread for each name, so there are many, and none is waited for long:
dead names do not hold up the others.
"""

from __future__ import annotations

import asyncio
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from aiohttp.abc import AbstractResolver, ResolveResult

from .addresses import is_allowed

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from ipaddress import IPv4Network, IPv6Network

    Resolve = Callable[[str, int], Awaitable[list[str]]]
    """Returns the addresses of a host; raises OSError if it has none."""

_RESOLVED_SECONDS = 60.0
_LOOK_UP_SECONDS = 15.0
_THREADS = 64


class RefusedAddressError(OSError):
    """A host has no address that the crawler may connect to."""


class UnknownHostError(OSError):
    """A host has no address."""


class PinnedResolver(AbstractResolver):
    """Resolves each host once in a while, to the first of its addresses that is allowed."""

    def __init__(
        self, networks: Iterable[IPv4Network | IPv6Network] = (), resolve: Resolve | None = None
    ) -> None:
        """Allow public addresses and those in `networks`; `resolve` stands for the system's."""
        self._networks = tuple(networks)
        self._threads = ThreadPoolExecutor(_THREADS, "resolver")
        self._resolve = resolve or self._ask_system
        self._known: dict[str, tuple[str, float]] = {}

    async def pin(self, host: str, port: int) -> str:
        """Return the address that requests to a host will go to.

        Raises:
            RefusedAddressError: it has addresses, and none is allowed.
            UnknownHostError: it has none.
        """
        address, until_seconds = self._known.get(host, ("", 0.0))
        if until_seconds <= time.monotonic():
            addresses = [host] if _is_address(host) else await self._look_up(host, port)
            allowed = [each for each in addresses if is_allowed(each, self._networks)]
            if not allowed:
                raise RefusedAddressError(f"{host} has no address that may be connected to")
            kind = ":" in allowed[0]
            address = min(each for each in allowed if (":" in each) == kind)
            self._known[host] = address, time.monotonic() + _RESOLVED_SECONDS
        return address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the pinned address of a host, for aiohttp."""
        address = await self.pin(host, port)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=family,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def _look_up(self, host: str, port: int) -> list[str]:
        try:
            async with asyncio.timeout(_LOOK_UP_SECONDS):
                return await self._resolve(host, port)
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            raise UnknownHostError(f"{host} has no address: {error}") from None

    async def _ask_system(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host as the operating system knows them."""
        loop = asyncio.get_running_loop()
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await loop.run_in_executor(self._threads, ask)
        return [str(entry[4][0]) for entry in found]

    async def close(self) -> None:
        """Wait for nobody."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False
