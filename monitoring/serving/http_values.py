"""Requests and responses as values, and the headers that every response has.

Pages that were indexed are hostile, and so may be a page in another tab: nothing may be framed,
guessed at, kept, or read by another origin, and scripts come from this server's files alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from .job_json import encode_json

if TYPE_CHECKING:
    from collections.abc import Mapping

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=utf-8"
_FIELDS_MAX = 16
_WHOLE = re.compile(r"[0-9]{1,15}")
_SECONDS = re.compile(r"[0-9]{1,12}(\.[0-9]{1,6})?")
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
"""A job's own page: its style stands in it, and it has nothing else."""

_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


@dataclass(frozen=True, slots=True)
class Request:
    """What of a request is looked at; a header that is not there is empty."""

    method: str
    path: str
    query: str = ""
    host: str = ""
    accept: str = ""
    if_none_match: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """What is answered; `headers` win over those that every response has."""

    status: int
    body: bytes
    content_type: str
    headers: Mapping[str, str]

    def all_headers(self) -> dict[str, str]:
        """Return every header but those that depend on the connection."""
        own = {"Content-Type": self.content_type, "Content-Length": str(len(self.body))}
        return {**_HEADERS, **own, **self.headers}


class RequestError(Exception):
    """A request that cannot be answered: the status, and why in one line."""

    def __init__(self, status: int, message: str, **headers: str) -> None:
        """Refuse with `message`."""
        super().__init__(message)
        self.status, self.headers = status, headers

    def to_response(self) -> Response:
        """Return the refusal."""
        body = encode_json({"error": str(self)})
        return Response(self.status, body, JSON_TYPE, _with_hyphens(self.headers))


def respond(body: bytes, content_type: str, **headers: str) -> Response:
    """Return a response; underscores in the names of headers are hyphens."""
    return Response(200, body, content_type, _with_hyphens(headers))


def _with_hyphens(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def respond_json(value: object) -> Response:
    """Return a value as JSON."""
    return respond(encode_json(value), JSON_TYPE)


class Query:
    """The parameters of a request, each at most once."""

    def __init__(self, text: str) -> None:
        """Read what stands behind the question mark.

        Raises:
            RequestError: there are too many, or one stands there twice.
        """
        self._values: dict[str, str] = {}
        try:
            pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=_FIELDS_MAX)
        except ValueError:
            raise RequestError(400, "the address has too many parameters") from None
        for name, value in pairs:
            if name in self._values:
                raise RequestError(400, f"{name[:40]} stands in the address twice")
            self._values[name] = value

    def text(self, name: str) -> str | None:
        """Return a parameter, None without it."""
        return self._values.get(name)

    def whole(self, name: str, default: int, highest: int) -> int:
        """Return a whole number from 0 to `highest`."""
        value = self._values.get(name)
        if value is None:
            return default
        if not _WHOLE.fullmatch(value) or int(value) > highest:
            raise RequestError(400, f"{name} is a whole number from 0 to {highest}")
        return int(value)

    def seconds(self, name: str) -> float | None:
        """Return a number of seconds, None without it."""
        value = self._values.get(name)
        if value is not None and not _SECONDS.fullmatch(value):
            raise RequestError(400, f"{name} is a number of seconds, such as 90")
        return None if value is None else float(value)
