"""Archive reader: no bytes make it raise, and what it returns accounts for every one of them.

An input is two bytes of options, one that says where the archive is cut in two parts, and the
archive: as it lies in storage, or plain and to be packed here, so that damage goes behind the
compression. A piece of it may be repeated, so that work that is done again at every place shows.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sealedbeam.pipeline.records import Page
from sealedbeam.pipeline.warc.detect import detect_container
from sealedbeam.pipeline.warc.parts import PartReader, read_record
from sealedbeam.pipeline.warc.source import BytesSource
from sealedbeam.pipeline.warc.values import Container, Region, WarcRecord

from tests.fuzz.cursor import Cursor, edited
from tests.fuzz.target import Target
from tests.support.archives import (
    build_archive,
    gzip_member,
    lz4_frame,
    pack,
    page_record,
    with_nested,
    zstd_frame,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealedbeam.pipeline.warc.values import Extent

_CONTAINERS = tuple(container for container in Container if container.is_readable)
_LIMITS_BYTES = (1 << 20, 512)
_PACK, _SMALL, _UNCHECKED, _REPEATED = 1, 2, 4, 8
_RECORDS_READ_AGAIN = 4
_EDIT_BYTES = 8
_REPEATED_BYTES_MAX = 1 << 18
_SKIPPING = (Container.ZSTD_FRAMES, Container.LZ4_FRAMES)
_FRAMES_SKIPPED_MAX = 1 << 10
_SKIPPABLE = re.compile(rb"[\x50-\x5f]\x2a\x4d\x18(.{4})", re.DOTALL)

Found = list[WarcRecord | Region]


def check(data: bytes) -> None:
    """Read the bytes as an archive, whole, in two parts, and record by record."""
    cursor = Cursor(data)
    container = _CONTAINERS[cursor.number() % len(_CONTAINERS)]
    options, cut = cursor.number(), cursor.number()
    archive = stored(cursor, container, options)
    source = BytesSource(archive)
    detect_container(source)
    found, extent = read(source, container, (0, len(archive)), options, exact=True)
    assert extent.end == check_tiling(found, archive if container in _SKIPPING else b"")
    if not container.is_stream:
        assert extent.end >= len(archive)
        check_parts(source, container, len(archive) * cut // 255, options, found)
    for record in readable(found)[:_RECORDS_READ_AGAIN]:
        again = read_record(
            source,
            container,
            record.offset,
            record.length,
            max_record_bytes=_limit(options),
            check_digests=not options & _UNCHECKED,
        )
        assert again == record
        if record.page is not None:
            assert Page.from_payload(record.page.to_payload()) == record.page


def stored(cursor: Cursor, container: Container, options: int) -> bytes:
    """Return the archive that the rest of an input spells."""
    times = cursor.number(2) if options & _REPEATED else 0
    piece = cursor.take(cursor.number()) if options & _REPEATED else b""
    repeated = piece * min(times, _REPEATED_BYTES_MAX // max(len(piece), 1))
    if not options & _PACK:
        return repeated + cursor.rest()
    edit, plain = Cursor(cursor.take(_EDIT_BYTES)), repeated + cursor.rest()
    records = [plain] if container.is_stream else re.split(rb"(?=WARC/1\.)", plain)
    return edited(b"".join(compressed(record, container) for record in records), edit)


def compressed(plain: bytes, container: Container) -> bytes:
    """Return bytes in a frame of the container's kind."""
    match container.value.partition("_")[0]:
        case "gzip":
            return gzip_member(plain)
        case "zstd":
            return zstd_frame(plain)
        case "lz4":
            return lz4_frame(plain)
        case _:
            return plain


def read(
    source: BytesSource, container: Container, bounds: tuple[int, int], options: int, *, exact: bool
) -> tuple[Found, Extent]:
    """Return what a part holds, and its extent."""
    reader = PartReader(
        source,
        container,
        *bounds,
        exact_start=exact,
        max_record_bytes=_limit(options),
        check_digests=not options & _UNCHECKED,
    )
    found = list(reader)
    assert reader.extent is not None
    return found, reader.extent


def _limit(options: int) -> int:
    return _LIMITS_BYTES[bool(options & _SMALL)]


def check_tiling(found: Found, archive: bytes) -> int:
    """Check that extents follow each other, but for frames to be skipped; return their end."""
    position = skipped(archive, 0)
    for number, item in enumerate(found):
        assert item.offset == position, (position, item)
        last = number == len(found) - 1
        assert item.length > 0 or (item.length == 0 and last and isinstance(item, Region))
        position += item.length
        if isinstance(item, WarcRecord):
            position = skipped(archive, position)
    return position


def skipped(archive: bytes, position: int) -> int:
    """Return where the frames without data that begin at `position` end."""
    for _ in range(_FRAMES_SKIPPED_MAX):
        frame = _SKIPPABLE.match(archive, position)
        end = frame.end() + int.from_bytes(frame[1], "little") if frame else len(archive) + 1
        if end > len(archive):
            break
        position = end
    return position


def check_parts(
    source: BytesSource, container: Container, cut: int, options: int, whole: Found
) -> None:
    """Check that two parts that chain hold what the archive holds."""
    first, extent = read(source, container, (0, cut), options, exact=True)
    second, following = read(source, container, (cut, source.size), options, exact=False)
    if following.begins != extent.end:
        second, _ = read(source, container, (extent.end, source.size), options, exact=True)
    assert readable(first + second) == readable(whole)


def readable(found: Found) -> list[WarcRecord]:
    """Return the records among what was found."""
    return [item for item in found if isinstance(item, WarcRecord)]


def seeds() -> Iterator[bytes]:
    """Yield small archives of each container, whole and damaged, and to be packed here."""
    plain = pack([page_record(n, body_bytes=40) for n in range(3)], Container.PLAIN).data
    for number, container in enumerate(_CONTAINERS):
        yield bytes([number, 0, 128]) + compressed(plain, container)
        for options in (_PACK, _PACK | _SMALL, _PACK | _UNCHECKED):
            yield bytes([number, options, 128]) + b"\0\x70\0\1\3\x90\1\0" + plain
        repeated = b"\x20\0" + bytes([len(b"WARC/1.0\r\n")]) + b"WARC/1.0\r\n"
        yield bytes([number, _REPEATED, 128]) + repeated + plain
    for number, container in ((0, Container.GZIP_MEMBERS), (1, Container.GZIP_WHOLE)):
        yield bytes([number, 0, 77]) + build_archive(3, container, body_bytes=60).data
        yield bytes([number, 0, 77]) + with_nested(container, Container.PLAIN).data[:4000]
    number = _CONTAINERS.index(Container.PLAIN)
    yield bytes([number, 0, 100]) + plain[:500] + b"junk" + plain[500:]
    skippable = b"\x52\x2a\x4d\x18\3\0\0\0abc"
    number = _CONTAINERS.index(Container.ZSTD_FRAMES)
    yield bytes([number, 0, 100]) + skippable + (zstd_frame(plain[:777]) + skippable) * 2


TARGET = Target(
    check,
    seeds,
    ("sealedbeam.pipeline.warc", "sealedbeam.pipeline.records", "sealedbeam.pipeline.fields"),
    tokens=(
        *(b"WARC/1.0\r\n", b"WARC/1.1\r\n", b"\r\n\r\n", b"\x1f\x8b\x08", b"\r\n ", b"\n\n"),
        *(b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x5d\x2a\x4d\x18", b"\x50\x2a\x4d\x18"),
        *(b"\r\nContent-Length: ", b"\r\nWARC-Type: response", b"\r\nWARC-Type: resource"),
        *(b"\r\nWARC-Type: revisit", b"\r\nWARC-Target-URI: http://a", b"99999999999"),
        *(b"\r\nWARC-Block-Digest: sha1:", b"\r\nWARC-Payload-Digest: md5:"),
        *(b"HTTP/1.1 200 OK\r\n", b"\r\nTransfer-Encoding: chunked"),
        *(b"\r\nContent-Encoding: gzip", b"\r\nContent-Encoding: deflate"),
    ),
)
