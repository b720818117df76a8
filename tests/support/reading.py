"""Reads test archives whole or in parts, and takes apart what the reader returned."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import strategies as st
from sealedbeam.pipeline.warc import (
    BytesSource,
    Container,
    Extent,
    PartReader,
    Region,
    WarcRecord,
)

from tests.support.archives import (
    Archive,
    flip_bit,
    insert,
    junk,
)
from tests.support.archives import StoredRecord as Stored

if TYPE_CHECKING:
    from collections.abc import Sequence

STORED = [Container.GZIP_MEMBERS, Container.PLAIN]
ALL = [*STORED, Container.GZIP_WHOLE]
FRAMES = [Container.ZSTD_FRAMES, Container.LZ4_FRAMES]
EVERY = [*ALL, *FRAMES, Container.ZSTD_WHOLE, Container.LZ4_WHOLE]


def read_all(
    data: bytes, container: Container, max_record_bytes: int = 1 << 24
) -> list[WarcRecord | Region]:
    source = BytesSource(data)
    reader = PartReader(
        source, container, 0, source.size, exact_start=True, max_record_bytes=max_record_bytes
    )
    return list(reader)


def read_part(
    data: bytes, container: Container, start: int, stop: int, *, exact_start: bool
) -> tuple[list[WarcRecord | Region], Extent]:
    reader = PartReader(BytesSource(data), container, start, stop, exact_start=exact_start)
    found = list(reader)
    assert reader.extent is not None
    return found, reader.extent


def read_stitched(
    data: bytes, container: Container, cuts: Sequence[int]
) -> list[WarcRecord | Region]:
    """Read in parts, redoing each that does not begin where the one before it ended."""
    found: list[WarcRecord | Region] = []
    bounds = [0, *cuts, len(data)]
    expected = 0
    for number, (start, stop) in enumerate(itertools.pairwise(bounds)):
        part, extent = read_part(data, container, start, stop, exact_start=not number)
        if number and extent.begins != expected:
            part, extent = read_part(data, container, expected, stop, exact_start=True)
        found += part
        expected = extent.end
    return found


def extents(found: Sequence[WarcRecord | Region | Stored]) -> list[tuple[int, int]]:
    return [(item.offset, item.length) for item in found]


def records(found: Sequence[WarcRecord | Region]) -> list[WarcRecord]:
    return [item for item in found if isinstance(item, WarcRecord)]


def regions(found: Sequence[WarcRecord | Region]) -> list[Region]:
    return [item for item in found if isinstance(item, Region)]


def bodies(found: Sequence[WarcRecord | Region]) -> list[tuple[str, bytes]]:
    pages = [item.page for item in records(found)]
    return [(page.url, bytes(page.body)) for page in pages if page]


def truth(stored: Sequence[Stored]) -> list[tuple[str, bytes]]:
    return [(record.url, record.body) for record in stored if record.url]


def without(archive: Archive, *numbers: int) -> list[Stored]:
    return [record for n, record in enumerate(archive.records) if n not in numbers]


class MeteredSource(BytesSource):
    """Counts what is read, and the longest read."""

    total = 0
    longest = 0

    def read(self, offset: int, length: int) -> bytes:
        data = super().read(offset, length)
        self.total += len(data)
        self.longest = max(self.longest, len(data))
        return data


def damaged(data: st.DataObject, stored: bytes) -> bytes:
    for _ in range(data.draw(st.integers(0, 4))):
        offset = data.draw(st.integers(0, len(stored) - 1))
        match data.draw(st.sampled_from(["flip", "insert", "delete", "cut"])):
            case "flip":
                stored = flip_bit(stored, offset, data.draw(st.integers(0, 7)))
            case "insert":
                stored = insert(stored, offset, junk(data.draw(st.integers(1, 3000))))
            case "delete":
                stored = stored[:offset] + stored[offset + data.draw(st.integers(1, 600)) :]
            case _:
                stored = stored[: max(offset, len(stored) // 2)]
    return stored
