"""One HTTP exchange, bounded in every phase: what was asked, what came, or why nothing did.

A failure is a value, too: an `Exchange` with a word for its error. Redirects are not followed: they
are answers, and the next round's requests. A body is taken as it is sent, compressed if it is, and
never inflated here, so that no bomb can go off; what goes beyond a limit is cut, and the exchange
says so.

The address that the resolver has judged is the one that is connected to.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Self

import aiohttp
from yarl import URL

from .resolver import RefusedAddressError, UnknownHostError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .resolver import PinnedResolver

_CHUNK_BYTES = 1 << 16
_SMALL_BODY_BYTES = 1 << 18
_LARGE_BODIES_MAX = 8
_HEAD_LINE_BYTES = 1 << 14
REFUSED_ADDRESS = "refused_address"
_ERRORS: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((RefusedAddressError,), REFUSED_ADDRESS),
    ((aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError), "tls"),
    ((UnknownHostError,), "name"),
    ((TimeoutError,), "timeout"),
    ((aiohttp.ClientConnectorError,), "connect"),
    ((aiohttp.ServerDisconnectedError, ConnectionError), "disconnect"),
)
"""Words for what goes wrong before there is a response; the first that fits."""
_CERTIFICATE_ERRORS = {
    9: "tls_not_yet_valid",
    10: "tls_expired",
    **dict.fromkeys((18, 19, 20, 21), "tls_untrusted"),
    **dict.fromkeys((62, 64), "tls_wrong_host"),
}
"""Words for what is wrong with a certificate, by the codes of X509_verify_cert_error_string(3)."""
_RENAMED = {b"transfer-encoding": b"X-Archive-Orig-Transfer-Encoding"}


@dataclass(frozen=True, slots=True)
class FetchLimits:
    """What one exchange may take: bytes of the body, seconds of each phase.

    A large body, of which only some are read at a time, must come at a least rate once it had a few
    seconds, so that those that drip hold up no others.
    """

    body_bytes: int = 16 << 20
    connect_seconds: float = 10.0
    head_seconds: float = 20.0
    idle_seconds: float = 20.0
    body_seconds: float = 120.0
    large_grace_seconds: float = 5.0
    large_bytes_per_second: int = 32 << 10


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request and what became of it.

    Attributes:
        url: that was asked for.
        time_seconds: when it was, since the epoch.
        seconds: how long it took.
        address: that was connected to, empty when none was.
        request_head: the request as it was sent, without the empty line.
        status: of the response, 0 without one.
        head: status line and header as they came, without the empty line.
        fields: the header's names and values.
        body: as the server sent it, without chunks.
        truncated: why the body is not whole: length, time, disconnect; else empty.
        error: a word for what went wrong before there was a response; else empty.
    """

    url: str
    time_seconds: float
    seconds: float = 0.0
    address: str = ""
    request_head: bytes = b""
    status: int = 0
    head: bytes = b""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    truncated: str = ""
    error: str = ""

    def get(self, name: str) -> str:
        """Return a field of the response's header, empty when it has none; the first of several."""
        wanted = name.lower().encode()
        values = (value for key, value in self.fields if key.lower() == wanted)
        return next(values, b"").decode("latin-1").strip()


@dataclass(slots=True)
class _Received:
    """What has come of a response so far."""

    status: int = 0
    head: bytes = b""
    fields: tuple[tuple[bytes, bytes], ...] = ()
    request_head: bytes = b""
    body: bytearray = field(default_factory=bytearray)
    truncated: str = ""


class Fetcher:
    """Makes exchanges; an asynchronous context manager, of one event loop."""

    def __init__(
        self,
        user_agent: str,
        resolver: PinnedResolver,
        limits: FetchLimits | None = None,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Introduce itself as `user_agent`; `tls` stands for the system's trusted roots."""
        self._user_agent = user_agent
        self._resolver = resolver
        self._limits = limits or FetchLimits()
        self._clock = clock
        self._tls = tls or _trusted_roots()
        self._large = asyncio.Semaphore(_LARGE_BODIES_MAX)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        limits = self._limits
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=0,
                limit_per_host=0,
                resolver=self._resolver,
                ssl=self._tls,
                use_dns_cache=False,
            ),
            headers={
                "User-Agent": self._user_agent,
                "Accept": "text/html,application/xhtml+xml,text/plain;q=0.9,*/*;q=0.5",
                "Accept-Encoding": "gzip, br, zstd",
            },
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=_HEAD_LINE_BYTES,
            max_field_size=_HEAD_LINE_BYTES,
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=limits.connect_seconds, sock_read=limits.idle_seconds
            ),
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        if self._session is not None:
            await self._session.close()
        await self._resolver.close()

    async def find_address(self, url: str) -> str:
        """Return the address that a request to `url` will go to, empty if there is none."""
        parsed = URL(url, encoded=True)
        try:
            return await self._resolver.pin(parsed.raw_host or "", parsed.port or 0)
        except OSError:
            return ""

    async def fetch(
        self,
        url: str,
        headers: Mapping[str, str] | None = None,
        body_bytes: int | None = None,
    ) -> Exchange:
        """Return the exchange with the server of `url`; never raises for what a server does.

        Args:
            url: canonical.
            headers: of the request, besides those that all have.
            body_bytes: a closer limit than that of pages.
        """
        limit = self._limits.body_bytes if body_bytes is None else body_bytes
        time_seconds, began = self._clock(), time.monotonic()
        received, address, error = _Received(), "", ""
        try:
            parsed = URL(url, encoded=True)
            address = await self._resolver.pin(parsed.raw_host or "", parsed.port or 0)
            await self._receive(parsed, headers or {}, received, limit)
        except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as problem:
            error = _name_error(problem)
        if received.status and error:
            received.truncated, error = received.truncated or "disconnect", ""
        return Exchange(
            url,
            time_seconds,
            time.monotonic() - began,
            address,
            received.request_head,
            received.status,
            received.head,
            received.fields,
            bytes(received.body),
            received.truncated,
            error,
        )

    async def _receive(
        self, url: URL, headers: Mapping[str, str], received: _Received, limit: int
    ) -> None:
        assert self._session is not None, "a fetcher is entered before it fetches"
        limits = self._limits
        async with asyncio.timeout(limits.connect_seconds + limits.head_seconds):
            response = await self._session.get(url, headers=headers, allow_redirects=False)
        try:
            received.request_head = _request_head(response)
            received.head, received.fields = _response_head(response)
            received.status = response.status
            async with asyncio.timeout(limits.body_seconds):
                await self._read_body(response, received, limit)
        except TimeoutError:
            received.truncated = "time"
        finally:
            if received.truncated:
                response.close()
            else:
                response.release()

    async def _read_body(
        self, response: aiohttp.ClientResponse, received: _Received, limit: int
    ) -> None:
        """Read a body up to its limit; only so many may be large at a time.

        Raises:
            TimeoutError: a large one comes too slowly.
        """
        limits, now = self._limits, asyncio.get_running_loop().time
        chunks = response.content.iter_chunked(_CHUNK_BYTES)
        async for chunk in chunks:
            received.body += chunk
            if len(received.body) > min(limit, _SMALL_BODY_BYTES):
                break
        else:
            return
        async with self._large, asyncio.timeout(limits.large_grace_seconds) as patience:
            last = now() + limits.large_grace_seconds
            while len(received.body) <= limit:
                chunk = await response.content.read(_CHUNK_BYTES)
                if not chunk:
                    return
                received.body += chunk
                last += len(chunk) / limits.large_bytes_per_second
                patience.reschedule(last)
        del received.body[limit:]
        received.truncated = "length"


@cache
def _trusted_roots() -> ssl.SSLContext:
    """Return the system's trusted roots, read once in a process: that takes 40 milliseconds."""
    return ssl.create_default_context()


def _request_head(response: aiohttp.ClientResponse) -> bytes:
    """Return the request that a response answers, as it was sent."""
    info = response.request_info
    lines = [f"{info.method} {info.url.raw_path_qs} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in info.headers.items()]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape")


def _response_head(
    response: aiohttp.ClientResponse,
) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    """Return status line and header as they came, and the header's fields.

    The chunks of a body are not stored, so the field that announces them gets another name.
    """
    version = response.version or aiohttp.HttpVersion11
    line = f"HTTP/{version.major}.{version.minor} {response.status} {response.reason or ''}"
    fields = tuple(
        (_RENAMED.get(name.lower(), name), value) for name, value in response.raw_headers
    )
    lines = [line.rstrip().encode("utf-8", "surrogateescape")]
    lines += [name + b": " + value for name, value in fields]
    return b"\r\n".join(lines), fields


def _name_error(problem: Exception) -> str:
    """Return the word for what went wrong before a response was there."""
    if isinstance(problem.__cause__, RefusedAddressError):
        return REFUSED_ADDRESS
    if isinstance(problem, aiohttp.ClientConnectorCertificateError):
        code = getattr(problem.certificate_error, "verify_code", 0)
        return _CERTIFICATE_ERRORS.get(code, "tls")
    return next((word for kinds, word in _ERRORS if isinstance(problem, kinds)), "protocol")
