"""Writes WARC 1.1 records, each a gzip member of its own, with digests of block and payload.

The same arguments give the same bytes: a record's id is derived from its address, time and digest.
Digests are SHA-1 in Base32, as all tools of web archives read and index them; they name bytes, and
protect nothing by themselves.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.errors import Buffer

VERSION = "WARC/1.1"
PROFILE_IDENTICAL = "http://netpreserve.org/warc/1.1/revisit/identical-payload-digest"
PROFILE_NOT_MODIFIED = "http://netpreserve.org/warc/1.1/revisit/server-not-modified"
_GZIP = 31  # zlib's window bits for a gzip member
_COMPRESSION_LEVEL = 4  # 145 us for a page of 28 KB; level 6 takes 360 and saves 3 %
_RECORD_IDS = uuid.UUID("6c0b2b8e-6f0e-5d0a-9a53-6f1d1f0b7a11")  # the namespace of derived ids
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Written:
    """A record as it goes into an archive.

    Attributes:
        data: the gzip member.
        record_id: its URN, in angle brackets.
        payload_digest: of the payload, `sha1:` and Base32; empty where the record has none.
    """

    data: bytes
    record_id: str
    payload_digest: str


def digest_of(payload: Buffer) -> str:
    """Return the digest of bytes as archives name it: `sha1:` and Base32."""
    sha1 = hashlib.sha1(payload, usedforsecurity=False).digest()
    return f"sha1:{base64.b32encode(sha1).decode()}"


def format_date(time_seconds: float) -> str:
    """Return a time since the epoch as WARC writes it, to the microsecond, in UTC."""
    moment = datetime.fromtimestamp(time_seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond:06d}Z"


def write_response(
    url: str,
    time_seconds: float,
    head: bytes,
    body: Buffer,
    *,
    address: str = "",
    truncated: str = "",
) -> Written:
    """Return the record of an HTTP response: its head as it came, its body as it is stored.

    Args:
        url: what was asked for.
        time_seconds: when, since the epoch.
        head: status line and header, without the empty line.
        body: as the server sent it, without chunks.
        address: of the server.
        truncated: why the body is not whole: length, time, disconnect; empty when it is.
    """
    digest = digest_of(body)
    fields = [*_http_fields("response", url, address), ("WARC-Payload-Digest", digest)]
    if truncated:
        fields.append(("WARC-Truncated", truncated))
    return _write(url, time_seconds, fields, b"".join((head, _END, body)), digest)


def write_revisit(
    url: str,
    time_seconds: float,
    head: bytes,
    *,
    profile: str,
    payload_digest: str,
    refers_to_time_seconds: float | None = None,
    address: str = "",
) -> Written:
    """Return the record of a response whose payload is stored already, under the same address."""
    fields = [
        *_http_fields("revisit", url, address),
        ("WARC-Profile", profile),
        ("WARC-Refers-To-Target-URI", url),
    ]
    if refers_to_time_seconds is not None:
        fields.append(("WARC-Refers-To-Date", format_date(refers_to_time_seconds)))
    if payload_digest:
        fields.append(("WARC-Payload-Digest", payload_digest))
    return _write(url, time_seconds, fields, head + _END, payload_digest)


def write_request(url: str, time_seconds: float, head: bytes, concurrent_to: str) -> Written:
    """Return the record of the request that a response answers."""
    fields = [
        ("WARC-Type", "request"),
        ("WARC-Target-URI", url),
        ("WARC-Concurrent-To", concurrent_to),
        ("Content-Type", "application/http; msgtype=request"),
    ]
    return _write(url, time_seconds, fields, head + _END, "")


def write_info(time_seconds: float, values: Sequence[tuple[str, str]]) -> Written:
    """Return the record that opens an archive: what made it, in named values."""
    block = "".join(f"{name}: {value}\r\n" for name, value in values).encode()
    fields = [("WARC-Type", "warcinfo"), ("Content-Type", "application/warc-fields")]
    return _write("", time_seconds, fields, block, "")


def _http_fields(kind: str, url: str, address: str) -> list[tuple[str, str]]:
    fields = [
        ("WARC-Type", kind),
        ("WARC-Target-URI", url),
        ("Content-Type", "application/http; msgtype=response"),
    ]
    return [*fields, ("WARC-IP-Address", address)] if address else fields


def _write(
    url: str,
    time_seconds: float,
    fields: Sequence[tuple[str, str]],
    block: bytes,
    payload_digest: str,
) -> Written:
    date, block_digest = format_date(time_seconds), digest_of(block)
    name = f"{fields[0][1]} {url} {date} {block_digest}"
    record_id = f"<urn:uuid:{uuid.uuid5(_RECORD_IDS, name)}>"
    header = [
        VERSION,
        f"WARC-Record-ID: {record_id}",
        f"WARC-Date: {date}",
        *(f"{key}: {value}" for key, value in fields),
        f"WARC-Block-Digest: {block_digest}",
        f"Content-Length: {len(block)}",
    ]
    packer = zlib.compressobj(_COMPRESSION_LEVEL, wbits=_GZIP)
    head = "\r\n".join(header).encode() + _END
    pieces = (packer.compress(head), packer.compress(block), packer.compress(_END), packer.flush())
    return Written(b"".join(pieces), record_id, payload_digest)
