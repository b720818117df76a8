"""Reads web archives record by record, in parts, past any damage.

A *part* is a range [start, stop) of stored bytes. It owns every record that starts in it, and all
damage up to the first record that it does not own, so that the parts of a file together account for
every byte: the extents of consecutive records and regions tile it. A reader that begins in the
middle searches for the first record; what it finds may lie inside another record (an archive can be
stored in an archive), so parts count only once they chain (see `Extent`).
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from .frames import Lz4Codec, ZstdCodec
from .gzip_member import GzipCodec
from .members import Members
from .plain import PlainRecords
from .resync import set_aside
from .values import (
    DEFAULT_MAX_RECORD_BYTES,
    Container,
    Damage,
    Extent,
    Reason,
    Region,
    WarcRecord,
)
from .window import SCAN_BYTES, WINDOW_BYTES, InflatedWindow, StoredWindow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .codec import Codec
    from .framing import Framing
    from .source import ByteSource
    from .window import Window

_MAGIC_BYTES = 3  # that a member's neighbour begins with, where inflating looks for its end


class PartReader:
    """Iterates over the records and damaged regions of one part, in file order.

    After the last one `extent` is set. Nothing about the stored bytes raises an exception; only
    what the source raises passes through. A reader is iterated once.
    """

    def __init__(
        self,
        source: ByteSource,
        container: Container,
        start: int,
        stop: int,
        *,
        exact_start: bool,
        max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES,
        check_digests: bool = True,
    ) -> None:
        """Prepare to read the part [start, stop) of `source`.

        Args:
            source: the stored bytes.
            container: how records lie in them; what is one stream is always one part from 0.
            start: first stored byte of the part.
            stop: first stored byte after it.
            exact_start: whether a record must begin at `start`; if not, it is searched for.
            max_record_bytes: a longer record is set aside, never held.
            check_digests: whether to compare digests; unchecked ones are reported as absent.
        """
        if container.is_stream and (start != 0 or not exact_start):
            raise ValueError("an archive in one stream is a single part that starts at 0")
        self.extent: Extent | None = None
        self._framing = _framing(
            source, container, max_record_bytes=max_record_bytes, check=check_digests
        )
        self._start = start
        self._stop = sys.maxsize if container.is_stream else stop
        self._exact_start = exact_start

    def __iter__(self) -> Iterator[WarcRecord | Region]:
        framing = self._framing
        position = self._start
        if not self._exact_start:
            position = framing.find(position, self._stop)
            if position >= self._stop:
                self.extent = Extent(None, self._stop)
                return
        position = framing.skip(position)
        first: int | None = None
        reported = False
        while not framing.at_end(position):
            found = framing.read_at(position)
            if isinstance(found, Damage):
                region = set_aside(framing, position, found)
                position += region.length
                reported = framing.at_end(position)
                yield region
                continue
            if position >= self._stop:
                break
            first = position if first is None else first
            position = framing.skip(position + found.length)
            yield found
        else:
            if framing.stream_damage and not reported:
                yield Region(position, 0, framing.stream_damage)
        self.extent = Extent(first, position)


def read_record(
    source: ByteSource,
    container: Container,
    offset: int,
    length: int,
    *,
    max_record_bytes: int = DEFAULT_MAX_RECORD_BYTES,
    check_digests: bool = True,
) -> WarcRecord | Region:
    """Return the record with this extent, as `PartReader` gave it, or why it is not there.

    In an archive that is one stream everything before it is inflated again.
    """
    framing = _framing(
        source,
        container,
        max_record_bytes=max_record_bytes,
        check=check_digests,
        window_bytes=min(length + _MAGIC_BYTES, WINDOW_BYTES),
    )
    if framing.at_end(offset):
        return Region(offset, length, Reason.TRUNCATED)
    found = framing.read_at(offset)
    if isinstance(found, Damage):
        return Region(offset, length, found.reason)
    if found.length != length:
        return Region(offset, length, Reason.EXTENT_CHANGED)
    return found


def _framing(
    source: ByteSource,
    container: Container,
    *,
    max_record_bytes: int,
    check: bool,
    window_bytes: int = WINDOW_BYTES,
) -> Framing:
    if not container.is_readable:
        raise ValueError("the input is not a WARC archive")
    codec = codec_of(container, source)
    stored = StoredWindow(source, window_bytes)
    if codec is not None and not container.is_stream:
        scan = StoredWindow(source, SCAN_BYTES)
        return Members(stored, scan, codec, max_record_bytes=max_record_bytes, check=check)
    window: Window = stored if codec is None else InflatedWindow(source, codec)
    return PlainRecords(window, max_record_bytes=max_record_bytes, check=check)


def codec_of(container: Container, source: ByteSource) -> Codec | None:
    """Return how an archive is compressed, None if it is not."""
    match container:
        case Container.GZIP_MEMBERS | Container.GZIP_WHOLE:
            return GzipCodec()
        case Container.ZSTD_FRAMES | Container.ZSTD_WHOLE:
            return ZstdCodec(source)
        case Container.LZ4_FRAMES | Container.LZ4_WHOLE:
            return Lz4Codec()
        case _:
            return None


def inflated_window(container: Container, source: ByteSource) -> InflatedWindow:
    """Return a window on the inflated stream of an archive that is one."""
    codec = codec_of(container, source)
    if codec is None:
        raise ValueError("the input is not compressed")
    return InflatedWindow(source, codec)
