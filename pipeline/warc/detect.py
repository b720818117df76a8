"""Tells from its first bytes how an archive is laid out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .frames import Lz4Codec, ZstdCodec
from .gzip_member import GzipCodec
from .header import BLANK_LINE, VERSION_PREFIX, VERSIONS, WarcHeader, parse_warc_header
from .members import Members
from .plain import PlainRecords
from .source import BytesSource
from .values import DEFAULT_MAX_RECORD_BYTES, MAX_HEADER_BYTES, Container
from .window import InflatedWindow, StoredWindow

if TYPE_CHECKING:
    from .codec import Codec
    from .framing import Framing
    from .source import ByteSource

_SEARCH_BYTES: Final = 4 << 20  # how much damage the beginning of an archive may have
_NEXT: Final = BLANK_LINE + VERSION_PREFIX


def detect_container(source: ByteSource) -> Container:
    """Return how the archive is laid out, `UNKNOWN` if no record is found near its beginning."""
    if source.read(0, len(VERSIONS[0])) in VERSIONS:
        return Container.PLAIN
    for codec, members, whole in _compressed(source):
        if InflatedWindow(source, codec).peek(0, len(VERSIONS[0])) in VERSIONS:
            return members if _is_by_record(source, codec) else whole
    return _search(source)


def _compressed(source: ByteSource) -> list[tuple[Codec, Container, Container]]:
    return [
        (GzipCodec(), Container.GZIP_MEMBERS, Container.GZIP_WHOLE),
        (ZstdCodec(source), Container.ZSTD_FRAMES, Container.ZSTD_WHOLE),
        (Lz4Codec(), Container.LZ4_FRAMES, Container.LZ4_WHOLE),
    ]


def _search(source: ByteSource) -> Container:
    """Return the layout of the first record behind a damaged beginning."""
    limit = DEFAULT_MAX_RECORD_BYTES
    beginning = BytesSource(source.read(0, _SEARCH_BYTES))
    window = StoredWindow(beginning)
    plain: Framing = PlainRecords(window, max_record_bytes=limit, check=True)
    first, layout = plain.find(0), Container.PLAIN
    for codec, container, _ in _compressed(source):
        framing = Members(
            window, StoredWindow(beginning), codec, max_record_bytes=limit, check=True
        )
        start = framing.find(0, first)
        if start < first:
            first, layout = start, container
    return layout if first < beginning.size else Container.UNKNOWN


def _is_by_record(source: ByteSource, codec: Codec) -> bool:
    """Return whether the first record fills the first member exactly.

    A record that differs from its member in length may also have a wrong Content-Length. Then the
    next record tells: it begins right behind, or with the next member.
    """
    window = InflatedWindow(source, codec)
    data, index = window.at(0, MAX_HEADER_BYTES)
    header = parse_warc_header(data, index)
    if not isinstance(header, WarcHeader) or header.content_length > DEFAULT_MAX_RECORD_BYTES:
        return True
    data, index = window.at(header.block_end, len(_NEXT))
    first = window.first_member
    if first is None or first.inflated_bytes > header.block_end + len(BLANK_LINE):
        return not data.startswith(_NEXT, index)
    return first.inflated_bytes >= header.block_end or _record_begins(
        source, codec, first.stored_end
    )


def _record_begins(source: ByteSource, codec: Codec, offset: int) -> bool:
    content = InflatedWindow(source, codec, offset).peek(0, len(VERSIONS[0]))
    return offset >= source.size or content in VERSIONS
