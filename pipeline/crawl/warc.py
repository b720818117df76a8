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

from .framing import GzipMembers, PlainRecords
from .gzip_format import MAGIC
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

    from .framing import Framing
    from .source import ByteSource


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
            container: how records lie in them; `GZIP_WHOLE` is always one part from 0.
            start: first stored byte of the part.
            stop: first stored byte after it.
            exact_start: whether a record must begin at `start`; if not, it is searched for.
            max_record_bytes: a longer record is set aside, never held.
            check_digests: whether to compare digests; unchecked ones are reported as absent.
        """
        if container is Container.GZIP_WHOLE and (start != 0 or not exact_start):
            raise ValueError("an archive in one gzip stream is a single part that starts at 0")
        self.extent: Extent | None = None
        self._framing = _framing(
            source, container, max_record_bytes=max_record_bytes, check=check_digests
        )
        self._start = start
        self._stop = sys.maxsize if container is Container.GZIP_WHOLE else stop
        self._exact_start = exact_start

    def __iter__(self) -> Iterator[WarcRecord | Region]:
        framing = self._framing
        position = self._start if self._exact_start else framing.find(self._start)
        first: int | None = None
        reported = False
        while not framing.at_end(position):
            found = framing.read_at(position)
            if isinstance(found, Damage):
                region = _set_aside(framing, position, found)
                position += region.length
                reported = framing.at_end(position)
                yield region
                continue
            if position >= self._stop:
                break
            first = position if first is None else first
            position += found.length
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

    In a `GZIP_WHOLE` archive everything before it is inflated again.
    """
    framing = _framing(
        source,
        container,
        max_record_bytes=max_record_bytes,
        check=check_digests,
        window_bytes=min(length + len(MAGIC), WINDOW_BYTES),
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
    if container is Container.GZIP_MEMBERS:
        windows = StoredWindow(source, window_bytes), StoredWindow(source, SCAN_BYTES)
        return GzipMembers(*windows, max_record_bytes=max_record_bytes, check=check)
    if container is Container.PLAIN:
        window = StoredWindow(source, window_bytes)
        return PlainRecords(window, max_record_bytes=max_record_bytes, check=check)
    if container is Container.GZIP_WHOLE:
        inflated = InflatedWindow(source)
        return PlainRecords(inflated, max_record_bytes=max_record_bytes, check=check)
    raise ValueError("the input is not a WARC archive")


def _set_aside(framing: Framing, position: int, damage: Damage) -> Region:
    """Return the damaged region at `position`, which ends where reading can go on."""
    end = damage.end
    if end is None or not damage.certain:
        end = _resume_at(framing, position, end)
    reason = damage.reason
    if framing.at_end(end):
        reason = framing.stream_damage or reason
    elif reason is Reason.TRUNCATED:
        reason = framing.broken_inside
    return Region(position, end - position, reason)


def _resume_at(framing: Framing, position: int, guess: int | None) -> int:
    """Return where reading goes on after damage that may reach to `guess`.

    Records found before a good guess are either an archive inside the damaged record, or neighbours
    that a damaged deflate stream ran into and ended with, as such streams tend to fall into step.
    Neighbours fill the space up to the guess; inner records are followed by what encloses them.
    """
    found = framing.find(position + 1)
    if guess is None or found >= guess or not (framing.at_end(guess) or framing.starts_at(guess)):
        return found
    neighbour = found
    while neighbour < guess:
        record = framing.read_at(neighbour)
        if isinstance(record, Damage):
            return guess
        neighbour += record.length
    return found if neighbour == guess else guess
