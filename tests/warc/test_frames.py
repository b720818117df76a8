"""Zstandard and LZ4 archives give what gzip archives give, as far as their checksums go."""

from __future__ import annotations

import lz4.frame
import pytest
from backports import zstd
from sealedbeam.pipeline.warc import (
    BytesSource,
    Container,
    Digest,
    Reason,
    Region,
    detect_container,
)
from sealedbeam.pipeline.warc.frames import Lz4Codec, ZstdCodec
from sealedbeam.pipeline.warc.window import StoredWindow

from tests.support.archives import (
    Archive,
    build_archive,
    flip_bit,
    insert,
    junk,
    pack,
    page_record,
    response_record,
    zstd_frame,
)
from tests.support.reading import (
    FRAMES,
    bodies,
    extents,
    read_all,
    read_stitched,
    records,
    regions,
    truth,
    without,
)

VICTIM = 10


@pytest.mark.parametrize("container", FRAMES)
@pytest.mark.parametrize("level", [0, 3])
def test_any_flip_costs_one_record(container: Container, level: int) -> None:
    """One bit anywhere in a frame with a checksum costs that record alone, with its extent."""
    archive = pack([page_record(n, body_bytes=500) for n in range(20)], container, level=level)
    victim = archive.records[VICTIM]
    for offset in range(victim.offset, victim.end):
        found = read_all(flip_bit(archive.data, offset, offset % 8), container)
        if not regions(found):
            assert truth(archive.records) == bodies(found)  # a bit of the header that says nothing
            continue
        assert truth(without(archive, VICTIM)) == bodies(found)
        assert [(victim.offset, victim.length)] == extents(regions(found))


@pytest.mark.parametrize("container", FRAMES)
@pytest.mark.parametrize("extra", [junk(1024), bytes(1024)])
def test_junk_between_frames(container: Container, extra: bytes) -> None:
    """Junk between frames costs no record and is named with its exact extent."""
    archive = build_archive(20, container)
    offset = archive.records[VICTIM].offset
    found = read_all(insert(archive.data, offset, extra), container)
    assert truth(archive.records) == bodies(found)
    assert [(offset, len(extra))] == extents(regions(found))


@pytest.mark.parametrize("container", FRAMES)
def test_a_cut_frame_is_truncated(container: Container) -> None:
    """A file that ends inside a frame gives all records before it and says that it is short."""
    archive = build_archive(9, container)
    last = archive.records[-1]
    for kept in range(1, last.length):
        found = read_all(archive.data[: last.offset + kept], container)
        assert truth(archive.records[:-1]) == bodies(found)
        assert [Region(last.offset, kept, Reason.TRUNCATED)] == regions(found)


@pytest.mark.parametrize("container", FRAMES)
def test_parts_of_frames_chain(container: Container) -> None:
    """However an archive of frames is cut into parts, they give what one reading gives."""
    archive = build_archive(12, container, body_bytes=300)
    whole = read_all(archive.data, container)
    for cut in range(0, len(archive.data), 131):
        assert whole == read_stitched(
            archive.data, container, [cut, min(cut + 500, len(archive.data))]
        )


def with_dictionary(*, compressed: bool) -> tuple[Archive, bytes]:
    """Return an archive whose frames need a dictionary, and the frame that holds it."""
    pages = [page_record(n) for n in range(40)]
    dictionary = zstd.train_dict([page.raw for page in pages], 4096)
    content = zstd.compress(dictionary.dict_content) if compressed else dictionary.dict_content
    first = b"\x5d\x2a\x4d\x18" + len(content).to_bytes(4, "little") + content
    pieces = [zstd_frame(page.raw, 3, dictionary) for page in pages]
    return Archive(first + b"".join(pieces), Container.ZSTD_FRAMES, tuple(pages)), first


@pytest.mark.parametrize("compressed", [True, False])
def test_warc_zstd_dictionary(*, compressed: bool) -> None:
    """Frames are decoded with the dictionary that the file begins with, in parts, too."""
    archive, first = with_dictionary(compressed=compressed)
    assert detect_container(BytesSource(archive.data)) is archive.container
    found = read_all(archive.data, archive.container)
    assert truth(archive.records) == bodies(found)
    assert found[0].offset == len(first)
    middle = len(archive.data) // 2
    assert found == read_stitched(archive.data, archive.container, [middle])


def test_damaged_dictionary() -> None:
    """Without the dictionary nothing decodes, and all of it is named."""
    archive, first = with_dictionary(compressed=True)
    data = first[:8] + junk(len(first) - 8) + archive.data[len(first) :]
    found = read_all(data, archive.container)
    assert bodies(found) == []
    assert [region.reason for region in regions(found)] == [Reason.BAD_FRAME]
    assert len(data) - len(first) == sum(region.length for region in regions(found))


@pytest.mark.parametrize("container", FRAMES)
def test_frames_that_hold_no_data_are_skipped(container: Container) -> None:
    """Skippable frames between records are neither records nor damage."""
    archive = build_archive(5, container)
    skipped = b"\x53\x2a\x4d\x18\x05\0\0\0hello"
    data = insert(archive.data, archive.records[3].offset, skipped) + skipped
    found = read_all(data, container)
    assert truth(archive.records) == bodies(found)
    assert regions(found) == []


def test_without_a_checksum_only_the_digest_tells() -> None:
    """A frame without a checksum lets a flipped bit through; the record's digest finds it."""
    record = response_record("http://a.example/", junk(5000))
    for frame, container in (
        (zstd.compress(record.raw), Container.ZSTD_FRAMES),
        (lz4.frame.compress(record.raw), Container.LZ4_FRAMES),
    ):
        assert [found.digest for found in records(read_all(frame, container))] == [Digest.GOOD]
        hurt = read_all(flip_bit(frame, len(frame) // 2), container)
        assert [found.digest for found in records(hurt)] == [Digest.BAD]


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("size", [0, 1, 1000, 300_000, 9_000_000])
def test_frame_ends_by_their_blocks(level: int, size: int) -> None:
    """The lengths of its blocks tell where any frame ends, as the libraries write them."""
    data = junk(size // 2) + b"a" * (size - size // 2)
    levels: dict[int, int] = {zstd.CompressionParameter.compression_level: level or -1}
    for checksum in (0, 1):
        options = levels | {zstd.CompressionParameter.checksum_flag: checksum}
        frame = zstd.compress(data, options=options)
        window = StoredWindow(BytesSource(b"before" + frame + b"behind"))
        assert len(frame) + 6 == ZstdCodec().guess_end(window, 6)
        frame = lz4.frame.compress(
            data,
            compression_level=level,
            content_checksum=bool(checksum),
            block_checksum=bool(checksum),
            store_size=bool(level),
        )
        window = StoredWindow(BytesSource(b"before" + frame + b"behind"))
        assert len(frame) + 6 == Lz4Codec().guess_end(window, 6)
