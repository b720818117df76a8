"""The HTTP server: requests from sockets to `Api` and responses back, with bounds on everything.

Waitress reads slow clients in one loop and answers in a few threads, so that none of them holds up
the others; heads, bodies, connections and idle times have limits. The socket is opened before and
by itself: a port that is taken is told before anything else is done.
"""

from __future__ import annotations

import logging
import socket
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import UsageError
from waitress import wasyncore
from waitress.server import create_server

from .http_values import Request, RequestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .api import Api

    Environ = dict[str, Any]
    StartResponse = Callable[[str, list[tuple[str, str]]], object]

_THREADS = 4
_CONNECTIONS_MAX = 100
_HEAD_BYTES_MAX = 16 << 10
_BODY_BYTES_MAX = 1 << 10  # nothing that is answered has a body
_IDLE_SECONDS = 30
_CLEANUP_SECONDS = 5
_LOOP_SECONDS = 1.0
_KEPT_IN_MEMORY_BYTES = 64 << 20  # of a response that a client takes slowly
_PORT_MAX = 65_535


def open_socket(bind: str, port: int) -> socket.socket:
    """Return a socket that listens on an address of this machine; port 0 is any free one.

    Raises:
        UsageError: the address is none, or cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            bind, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST | socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise UsageError(f"{bind} is not an IP address; give one, such as 127.0.0.1") from None
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind(address)
        opened.listen(socket.SOMAXCONN)
    except OSError as error:
        opened.close()
        raise UsageError(
            f"cannot serve on port {port} of {bind}: {error.strerror}; give another port"
        ) from None
    return opened


def url_of(opened: socket.socket) -> str:
    """Return the address at which a browser finds what listens on a socket."""
    host, port = opened.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class Application:
    """The API as WSGI: whatever goes wrong, the client is told in one line."""

    def __init__(self, api: Api, complain: Callable[[str], None]) -> None:
        """Answer with `api`; `complain` is told of errors that are this program's own."""
        self._api, self._complain = api, complain

    def __call__(self, environ: Environ, start_response: StartResponse) -> list[bytes]:
        """Answer one request."""
        request = Request(
            environ["REQUEST_METHOD"],
            environ["PATH_INFO"],
            environ["QUERY_STRING"],
            environ.get("HTTP_HOST", ""),
            environ.get("HTTP_ACCEPT", ""),
            environ.get("HTTP_IF_NONE_MATCH", ""),
        )
        try:
            response = self._api.answer(request)
        except Exception as error:  # noqa: BLE001 - a client sees no traceback, the user one line
            self._complain(f"{request.path}: {type(error).__name__}: {error}")
            response = RequestError(500, "this cannot be shown").to_response()
        status = HTTPStatus(response.status)
        headers = list(response.all_headers().items())
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if request.method == "HEAD" else [response.body]


@contextmanager
def listening(application: Application, opened: socket.socket) -> Iterator[dict[int, Any]]:
    """Answer on a socket; yields the map of what the loop looks after."""
    logging.getLogger("waitress").disabled = True  # its words are for developers, and unbounded
    logging.getLogger("waitress.queue").disabled = True
    watched: dict[int, Any] = {}
    server = create_server(
        application,
        watched,
        sockets=[opened],
        threads=_THREADS,
        connection_limit=_CONNECTIONS_MAX,
        max_request_header_size=_HEAD_BYTES_MAX,
        max_request_body_size=_BODY_BYTES_MAX,
        channel_timeout=_IDLE_SECONDS,
        cleanup_interval=_CLEANUP_SECONDS,
        outbuf_overflow=_KEPT_IN_MEMORY_BYTES,
        asyncore_use_poll=True,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    try:
        yield watched
    finally:
        server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(watched)


def loop(watched: dict[int, Any], life: int | None = None) -> None:
    """Answer until a signal's exception ends it, or a pipe to which nobody writes does."""
    if life is not None:
        _Life(life, watched)  # type: ignore[arg-type] # takes what has a descriptor, or is one
    with suppress(wasyncore.ExitNow):
        wasyncore.loop(timeout=_LOOP_SECONDS, use_poll=True, map=watched)


class _Life(wasyncore.file_dispatcher):
    """Ends the loop when the pipe's other end is closed."""

    def writable(self) -> bool:
        return False

    def handle_read(self) -> None:
        raise wasyncore.ExitNow

    handle_close = handle_read
