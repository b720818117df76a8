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
_SHORT_HEADER_BYTES: Final = 1 << 10  # as most are; to look no further is much faster
_VERY_NEAR_BYTES: Final = 1 << 6
_TELLING: Final = (b"warc-type", b"warc-record-id", b"warc-date", b"content-length")
_LINE_FEED: Final = 0x0A
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

    def repeats(self, key: bytes) -> bool:
        """Return whether a field that is there, given as in `get`, occurs more than once."""
        return self._lowered.rfind(key) != self._lowered.find(key)

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
    end = _header_end(data, start)
    if end < 0:
        return Reason.BAD_HEADER
    fields = Fields(bytes(data[start : end + len(BLANK_LINE)]))
    warc_type = fields.get(b"\nwarc-type:")
    if not warc_type or fields.repeats(b"\nwarc-type:"):  # one that runs into the next is two
        return Reason.BAD_HEADER
    digits = fields.get(b"\ncontent-length:")
    if not digits.isdigit() or len(digits) > _MAX_LENGTH_DIGITS:
        return Reason.BAD_CONTENT_LENGTH
    content_length = int(digits)
    if content_length > MAX_CONTENT_LENGTH:
        return Reason.BAD_CONTENT_LENGTH
    return WarcHeader(end + len(BLANK_LINE) - start, content_length, warc_type, fields)


def _header_end(data: Bytes, start: int) -> int:
    """Return where the blank line of the header at `start` begins, -1 if it has none.

    Another version line means that another header begins before this one has ended. Stopping there
    makes the headers that are tried disjoint, so that trying all of them takes linear time.
    """
    if data.find(VERSION_PREFIX, start + 1, start + _VERY_NEAR_BYTES) < 0:
        end = data.find(BLANK_LINE, start, start + _SHORT_HEADER_BYTES)
        if end >= 0:
            return end if _other_header(data, start, end) < 0 else -1
    stop = start + MAX_HEADER_BYTES
    other = _other_header(data, start, stop)
    return data.find(BLANK_LINE, start, stop if other < 0 else other)


def _other_header(data: Bytes, start: int, stop: int) -> int:
    """Return where the next header begins before `stop`, -1 if none does.

    A version line that ends the value of a field begins none, if the header at `start` begins a
    line; one that does not may itself be such a value.
    """
    found = data.find(VERSION_PREFIX, start + 1, stop)
    if start > 0 and data[start - 1] != _LINE_FEED:
        return found
    before, is_value = start, False
    while found >= 0:
        line = data.rfind(b"\n", before, found)
        is_value = (is_value and line < 0) or data.find(b":", max(line, before), found) >= 0
        if not is_value:
            return found
        before = found
        found = data.find(VERSION_PREFIX, found + 1, stop)
    return -1


def legible_header(data: Bytes) -> tuple[int, int | None]:
    """Return size and Content-Length of the header in `data`, as far as they can be made out.

    The header may be damaged, its version line too; 0 if it does not end before another begins, or
    has no field of a record.
    """
    bound = data.find(VERSION_PREFIX, 1)
    end = data.find(BLANK_LINE, 0, bound if bound >= 0 else len(data))
    size = end + len(BLANK_LINE)
    fields = Fields(bytes(data[:size]) if end >= 0 else BLANK_LINE)
    if not any(fields.get(b"\n%s:" % name) for name in _TELLING):
        return 0, None
    digits = fields.get(b"\ncontent-length:")
    return size, int(digits) if digits.isdigit() and len(digits) <= _MAX_LENGTH_DIGITS else None


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
