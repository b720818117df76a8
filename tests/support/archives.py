"""Builds small web archives in memory, and damages them, for the tests of everything that reads.

An `Archive` is the stored bytes and the truth about them: where each record lies and what it holds.
The record bytes are put together by hand, so that the reader is not tested against itself.

    archive = build_archive(20)                                      # gzip, a member per record
    archive = build_archive(20, Container.PLAIN, digests=False)
    archive = pack([page_record(3), warcinfo_record()], Container.GZIP_WHOLE)
    damaged = flip_bit(archive.data, archive.records[7].offset + 40)
"""

from __future__ import annotations

import base64
import hashlib
import random
import zlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import lz4.frame
import xxhash
from backports import zstd
from sealedbeam.pipeline.warc import Container

if TYPE_CHECKING:
    from collections.abc import Sequence

RECORD_END = b"\r\n\r\n"
DATE = "2024-02-29T12:34:56Z"
_WORDS = ["the", "sealed", "beam", "lamp", "keeps", "working", "in", "dirt", "and", "rain"]


@dataclass(frozen=True)
class StoredRecord:
    """One record of a test archive: its bytes, and what a reader should find in them.

    `offset` and `length` are the stored extent once the record is in an archive (in the inflated
    stream for `GZIP_WHOLE`); `url` and `body` are empty for records that are no page.
    """

    raw: bytes
    kind: str
    url: str
    body: bytes
    offset: int = 0
    length: int = 0

    @property
    def end(self) -> int:
        """Offset of the first byte after the record."""
        return self.offset + self.length


@dataclass(frozen=True)
class Archive:
    """Stored bytes and the records that lie in them, in order."""

    data: bytes
    container: Container
    records: tuple[StoredRecord, ...]


def build_archive(
    count: int,
    container: Container = Container.GZIP_MEMBERS,
    *,
    digests: bool = True,
    body_bytes: int = 2000,
) -> Archive:
    """Return an archive of a warcinfo record and `count` different pages."""
    pages = [page_record(n, digests=digests, body_bytes=body_bytes) for n in range(count)]
    return pack([warcinfo_record(), *pages], container)


def pack(
    records: Sequence[StoredRecord],
    container: Container = Container.GZIP_MEMBERS,
    *,
    level: int = 6,
) -> Archive:
    """Return `records` as an archive; `level` 0 stores them in their frames uncompressed."""
    placed, pieces, offset = [], [], 0
    for record in records:
        stored = record.raw
        if container in _BY_RECORD:
            stored = _BY_RECORD[container](stored, level)
        placed.append(replace(record, offset=offset, length=len(stored)))
        pieces.append(stored)
        offset += len(stored)
    data = b"".join(pieces)
    if container in _AS_ONE:
        data = _AS_ONE[container](data, level)
    return Archive(data, container, tuple(placed))


def with_nested(container: Container, nested: Container | None, level: int = 0) -> Archive:
    """Return pages, the fourth of them an archive that lies there uncompressed, or none such."""
    pages = [page_record(n, body_bytes=400) for n in range(6)]
    if nested:
        inner = pack([page_record(n, body_bytes=300) for n in range(100, 112)], nested, level=0)
        pages.insert(3, response_record("http://example.org/archive", inner.data))
    return pack(pages, container, level=level)


def page_record(number: int, *, digests: bool = True, body_bytes: int = 2000) -> StoredRecord:
    """Return the response record of page `number`: distinct text of about `body_bytes`."""
    body = page_body(number, body_bytes)
    return response_record(f"http://example.org/page/{number}", body, digests=digests)


def page_body(number: int, body_bytes: int = 2000) -> bytes:
    """Return an HTML page; the same number and size give the same bytes."""
    words = random.Random(number).choices(_WORDS, k=max(1, body_bytes // 5))
    text = f"<html><head><title>Page {number}</title></head><body><p>{' '.join(words)}"
    return text.encode()[:body_bytes] + b"</p></body></html>"


def response_record(
    url: str,
    body: bytes,
    *,
    head: bytes = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n",
    kind: str = "response",
    digests: bool = True,
) -> StoredRecord:
    """Return a record of an HTTP response; `head` is its header without the blank line."""
    block = head + b"\r\n" + body
    fields = {"WARC-Target-URI": url}
    if digests:
        fields |= {"WARC-Payload-Digest": sha1(body), "WARC-Block-Digest": sha1(block)}
    content_type = "application/http; msgtype=response"
    raw = record_bytes(kind, block, fields | {"Content-Type": content_type})
    return StoredRecord(raw, kind, url, body)


def resource_record(url: str, body: bytes, content_type: str = "text/html") -> StoredRecord:
    """Return a resource record, whose block is the body itself."""
    fields = {"WARC-Target-URI": url, "WARC-Payload-Digest": sha1(body)}
    raw = record_bytes("resource", body, fields | {"Content-Type": content_type})
    return StoredRecord(raw, "resource", url, body)


def warcinfo_record() -> StoredRecord:
    """Return the record that archives usually begin with; it is no page."""
    fields = {"Content-Type": "application/warc-fields"}
    raw = record_bytes("warcinfo", b"software: test\r\nformat: WARC File Format 1.0\r\n", fields)
    return StoredRecord(raw, "warcinfo", "", b"")


def record_bytes(
    kind: str,
    block: bytes,
    fields: dict[str, str],
    *,
    content_length: str | None = "",
    version: str = "WARC/1.0",
) -> bytes:
    """Return the bytes of one record, with its end.

    Args:
        kind: the WARC-Type.
        block: what follows the header.
        fields: further header fields; a given WARC-Record-ID or WARC-Date replaces the default.
        content_length: instead of the true one, or None to leave it out.
        version: the first line.
    """
    number = int.from_bytes(hashlib.sha256(block + repr(fields).encode()).digest()[:6], "big")
    header = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:00000000-0000-4000-8000-{number:012x}>"[:47],
        "WARC-Date": DATE,
    } | fields
    if content_length is not None:
        header["Content-Length"] = content_length or str(len(block))
    lines = "".join(f"{name}: {value}\r\n" for name, value in header.items())
    return f"{version}\r\n{lines}\r\n".encode() + block + RECORD_END


def sha1(data: bytes) -> str:
    """Return a digest as WARC headers give it."""
    return "sha1:" + base64.b32encode(hashlib.sha1(data).digest()).decode()


def gzip_member(data: bytes, *, level: int = 6) -> bytes:
    """Return `data` as one gzip member without name and date."""
    engine = zlib.compressobj(level, zlib.DEFLATED, 31)
    return engine.compress(data) + engine.flush()


def zstd_frame(data: bytes, level: int = 3, dictionary: zstd.ZstdDict | None = None) -> bytes:
    """Return `data` as one Zstandard frame with a checksum, at level 0 in blocks as they are."""
    if not level:
        return _zstd_stored(data)
    options: dict[int, int] = {zstd.CompressionParameter.checksum_flag: 1}
    options |= {zstd.CompressionParameter.compression_level: level}
    return zstd.compress(data, options=options, zstd_dict=dictionary)


def _zstd_stored(data: bytes) -> bytes:
    checksum = xxhash.xxh64_intdigest(data) & 0xFFFFFFFF
    # one segment of a size in eight bytes, with a checksum
    pieces = [b"\x28\xb5\x2f\xfd\xe4", len(data).to_bytes(8, "little")]
    size = min(1 << 17, max(len(data), 1))
    for start in range(0, max(len(data), 1), size):
        block = data[start : start + size]
        last = start + size >= len(data)
        pieces += [(len(block) << 3 | last).to_bytes(3, "little"), block]
    return b"".join(pieces) + checksum.to_bytes(4, "little")


def lz4_frame(data: bytes, level: int = 0) -> bytes:
    """Return `data` as one LZ4 frame with a checksum, at level 0 in blocks as they are."""
    if level:
        return bytes(lz4.frame.compress(data, content_checksum=True))
    descriptor = b"\x64\x70"  # independent blocks of up to 4 MiB, content checksum
    pieces = [b"\x04\x22\x4d\x18", descriptor, _lz4_header_checksum(descriptor)]
    for start in range(0, len(data), 1 << 22):
        block = data[start : start + (1 << 22)]
        pieces += [(len(block) | 1 << 31).to_bytes(4, "little"), block]
    checksum = xxhash.xxh32_intdigest(data)
    return b"".join([*pieces, bytes(4), checksum.to_bytes(4, "little")])


def _lz4_header_checksum(descriptor: bytes) -> bytes:
    return bytes([xxhash.xxh32_intdigest(descriptor) >> 8 & 0xFF])


def flip_bit(data: bytes, offset: int, bit: int = 0) -> bytes:
    """Return `data` with one bit of one byte inverted."""
    return data[:offset] + bytes([data[offset] ^ 1 << bit]) + data[offset + 1 :]


def insert(data: bytes, offset: int, extra: bytes) -> bytes:
    """Return `data` with `extra` put in at `offset`."""
    return data[:offset] + extra + data[offset:]


def junk(length: int, seed: int = 0) -> bytes:
    """Return random bytes; the same seed gives the same."""
    return random.Random(seed).randbytes(length)


_BY_RECORD = {
    Container.GZIP_MEMBERS: lambda data, level: gzip_member(data, level=level),
    Container.ZSTD_FRAMES: zstd_frame,
    Container.LZ4_FRAMES: lz4_frame,
}
_AS_ONE = {
    Container.GZIP_WHOLE: lambda data, level: gzip_member(data, level=level),
    Container.ZSTD_WHOLE: zstd_frame,
    Container.LZ4_WHOLE: lz4_frame,
}
