"""Takes the header of a WARC record and the HTTP header inside it apart.

Only the few fields that are used are looked up, each by one search in a lower-cased copy: splitting
a header into all its lines costs three times as much.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from .values import MAX_CONTENT_LENGTH, MAX_HEADER_BYTES, Reason

if TYPE_CHECKING:
    from .window import Bytes

VERSIONS: Final = (b"WARC/1.0\r\n", b"WARC/1.1\r\n")
VERSION_PREFIX: Final = b"WARC/1."
BLANK_LINE: Final = b"\r\n\r\n"
_FOLD: Final = b" \t"  # a line that begins so continues the one before it
_MAX_LENGTH_DIGITS: Final = 20
_STATUS_LINE: Final = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})(?!\d)", re.IGNORECASE)
_HEADER_LIKE: Final = re.compile(rb"HTTP/|[^\r\n<]*\r?\n[!#$%&'*+.^_`|~0-9a-z-]+:", re.IGNORECASE)
_HTTP_BLANK_LINE: Final = re.compile(rb"\r?\n\r?\n")


class Fields:
    """The fields of one header, looked up by name."""

    __slots__ = ("_lowered", "_raw")

    def __init__(self, raw: bytes) -> None:
        """Take `raw`, which must end with a blank line."""
        self._raw = raw
        self._lowered = raw.lower()

    def get(self, key: bytes) -> bytes:
        r"""Return the first value of a field, unfolded; empty if there is none.

        Args:
            key: line feed, the name in lower case, colon: rb"\ncontent-type:".
        """
        start = self._lowered.find(key)
        if start < 0:
            return b""
        start += len(key)
        raw = self._raw
        end = raw.find(b"\n", start)
        if raw[end + 1] not in _FOLD:
            return raw[start:end].strip()
        while raw[end + 1] in _FOLD:
            end = raw.find(b"\n", end + 1)
        return b" ".join(raw[start:end].split())


@dataclass(slots=True)
class WarcHeader:
    """A record header: its size with the blank line, the length of the block, and the fields."""

    size: int
    content_length: int
    warc_type: bytes
    fields: Fields

    @property
    def block_end(self) -> int:
        """Where the block ends, counted from the start of the record."""
        return self.size + self.content_length


def parse_warc_header(data: Bytes, start: int = 0) -> WarcHeader | Reason:
    """Return the record header that begins at `start`, or why there is none."""
    if not data.startswith(VERSIONS, start):
        return Reason.BAD_HEADER if data.startswith(VERSION_PREFIX, start) else Reason.JUNK
    end = data.find(BLANK_LINE, start, start + MAX_HEADER_BYTES)
    if end < 0:
        return Reason.BAD_HEADER
    fields = Fields(bytes(data[start : end + len(BLANK_LINE)]))
    warc_type = fields.get(b"\nwarc-type:")
    if not warc_type:
        return Reason.BAD_HEADER
    digits = fields.get(b"\ncontent-length:")
    if not digits.isdigit() or len(digits) > _MAX_LENGTH_DIGITS:
        return Reason.BAD_CONTENT_LENGTH
    content_length = int(digits)
    if content_length > MAX_CONTENT_LENGTH:
        return Reason.BAD_CONTENT_LENGTH
    return WarcHeader(end + len(BLANK_LINE) - start, content_length, warc_type, fields)


def parse_http(data: bytes, start: int, stop: int) -> tuple[int, Fields, int]:
    """Return status, header fields and the start of the body of the response data[start:stop].

    Nothing is refused. A malformed status line gives status 0 and no fields, and where no header
    can be made out the body is everything.
    """
    bound = min(stop, start + MAX_HEADER_BYTES)
    if not _HEADER_LIKE.match(data, start, bound):
        return 0, _NO_FIELDS, start
    end = data.find(BLANK_LINE, start, bound)
    body = end + len(BLANK_LINE)
    if end < 0:
        blank = _HTTP_BLANK_LINE.search(data, start, bound)
        if blank is None:
            return 0, _NO_FIELDS, start
        end, body = blank.span()
    status = _STATUS_LINE.match(data, start, end)
    if status is None:
        return 0, _NO_FIELDS, body
    return int(status[1]), Fields(data[start:end] + BLANK_LINE), body


def text(value: bytes) -> str:
    """Return `value` as text: UTF-8, or Latin-1 where it is not; never surrogates."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


_NO_FIELDS: Final = Fields(BLANK_LINE)
