"""Tells from its first bytes how an archive is laid out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .framing import GzipMembers, PlainRecords
from .gzip_member import inflate_prefix
from .source import BytesSource
from .values import DEFAULT_MAX_RECORD_BYTES, MAX_HEADER_BYTES, Container
from .warc_header import BLANK_LINE, VERSION_PREFIX, VERSIONS, WarcHeader, parse_warc_header
from .window import InflatedWindow, StoredWindow

if TYPE_CHECKING:
    from .source import ByteSource

_SEARCH_BYTES: Final = 4 << 20  # how much damage the beginning of an archive may have
_NEXT: Final = BLANK_LINE + VERSION_PREFIX


def detect_container(source: ByteSource) -> Container:
    """Return how the archive is laid out, `UNKNOWN` if no record is found near its beginning."""
    head = source.read(0, MAX_HEADER_BYTES)
    if head.startswith(VERSIONS):
        return Container.PLAIN
    if inflate_prefix(head, len(VERSIONS[0])) in VERSIONS:
        return _gzip_layout(source)
    return _search(BytesSource(source.read(0, _SEARCH_BYTES)))


def _search(beginning: BytesSource) -> Container:
    """Return the layout of the first record behind a damaged beginning."""
    limit = DEFAULT_MAX_RECORD_BYTES
    windows = StoredWindow(beginning), StoredWindow(beginning)
    member = GzipMembers(*windows, max_record_bytes=limit, check=True).find(0)
    record = PlainRecords(windows[0], max_record_bytes=limit, check=True).find(0)
    if min(member, record) >= beginning.size:
        return Container.UNKNOWN
    return Container.GZIP_MEMBERS if member < record else Container.PLAIN


def _gzip_layout(source: ByteSource) -> Container:
    """Return whether the first record fills the first member exactly.

    A record that differs from its member in length may also have a wrong Content-Length. Then the
    next record tells: it begins right behind, or with the next member.
    """
    window = InflatedWindow(source)
    data, index = window.at(0, MAX_HEADER_BYTES)
    header = parse_warc_header(data, index)
    if not isinstance(header, WarcHeader) or header.content_length > DEFAULT_MAX_RECORD_BYTES:
        return Container.GZIP_MEMBERS
    data, index = window.at(header.block_end, len(_NEXT))
    first = window.first_member
    if first is None or first.inflated_bytes > header.block_end + len(BLANK_LINE):
        return Container.GZIP_WHOLE if data.startswith(_NEXT, index) else Container.GZIP_MEMBERS
    if first.inflated_bytes < header.block_end and not _record_begins(source, first.stored_end):
        return Container.GZIP_WHOLE
    return Container.GZIP_MEMBERS


def _record_begins(source: ByteSource, offset: int) -> bool:
    head = source.read(offset, MAX_HEADER_BYTES)
    return not head or inflate_prefix(head, len(VERSIONS[0])) in VERSIONS
