"""Reads a part with the recorder on, past records that must not be read.

A record that kills its reader has no known end. Reading goes on at the next record that is found
behind its first byte, as it does behind damage; where even the search for that one kills, and in
an archive that is one stream, where nothing can be left out, the rest of the part is set aside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.warc.parts import PartReader, inflated_window
from sealedbeam.pipeline.warc.values import Extent, Region, WarcRecord

from .poison import EXCEEDS_MEMORY, Skip
from .recorder import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealedbeam.pipeline.warc.window import InflatedWindow

    from .context import JobContext
    from .plan import Part
    from .poison import SkipList
    from .recorder import Recorder


class Unread(NamedTuple):
    """A range that was not read, and why."""

    offset: int
    length: int
    skip: Skip


class RecordedReader:
    """Iterates over the records, damaged and unread ranges of one part, in file order.

    After the last one `extent` is set.
    """

    def __init__(
        self, context: JobContext, part: Part, skips: SkipList, recorder: Recorder
    ) -> None:
        """Read `part`, telling `recorder` the place of each record before it is read."""
        self.extent = Extent(None, part.start)
        self._source = context.source(part.source)
        self._container = context.inputs[part.source].container
        self._part = part
        self._skips = skips
        self._recorder = recorder

    def __iter__(self) -> Iterator[WarcRecord | Region | Unread]:
        part = self._part
        if part.start >= part.stop:
            return
        position, stage = part.start, Stage.READ if part.exact_start else Stage.SEARCH
        reader = self._open(position, part.stop, exact_start=part.exact_start)
        items, item, first = iter(reader), None, None
        while True:
            skip = self._skips.before_reading(position) if stage is Stage.READ else None
            if skip is None:
                self._recorder.begin(stage, position, 0)
                try:
                    item = next(items, None)
                except MemoryError:
                    if stage is Stage.SEARCH:
                        raise
                    skip = self._skips.add(Skip(position, "read", EXCEEDS_MEMORY, 1))
            if skip is not None:
                found = self._end_of_unread(position, skip)
                yield Unread(position, found - position, skip)
                if found >= part.stop or self._container.is_stream:
                    self.extent = Extent(first, found)
                    return
                reader = self._open(found, part.stop, exact_start=True)
                position, items = found, iter(reader)
                continue
            if item is None:
                self.extent = Extent(first, _end_of(reader))
                return
            if first is None and isinstance(item, WarcRecord):
                first = item.offset
            yield item
            position, stage = item.offset + item.length, Stage.READ

    def _end_of_unread(self, position: int, skip: Skip) -> int:
        """Return where reading goes on behind a record that must not be read."""
        if self._container.is_stream:
            return position  # how far the rest of the stream reaches is not known
        if skip.stage == "search":
            return max(position, self._part.stop)  # where the part behind this one begins
        self._recorder.begin(Stage.SEARCH, position, 0)
        reader = self._open(position + 1, self._source.size, exact_start=False)
        item = next(iter(reader), None)
        return _end_of(reader) if item is None else item.offset

    def _open(self, start: int, stop: int, *, exact_start: bool) -> PartReader:
        return PartReader(self._source, self._container, start, stop, exact_start=exact_start)


def _end_of(reader: PartReader) -> int:
    assert reader.extent is not None, "a reader that is exhausted knows its extent"
    return reader.extent.end


class RawBytes:
    """Gives bytes of an input as its reader counts them; ascending offsets are cheap."""

    def __init__(self, context: JobContext, source: int) -> None:
        """Give bytes of input number `source`."""
        self._source = context.source(source)
        self._container = context.inputs[source].container
        self._window: InflatedWindow | None = None
        self._offset = 0

    def at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes at `offset`."""
        if not self._container.is_stream or not length:
            return self._source.read(offset, length)
        if self._window is None or offset < self._offset:
            self._window = inflated_window(self._container, self._source)  # one more pass
        self._offset = offset
        data, index = self._window.at(offset, length)
        return bytes(data[index : index + length])
