"""Makes sample.warc.gz out of the files in web/: what a crawler would have brought home.

The archive is a function of the files: record ids follow from the addresses, dates from the order,
digests from the bytes, and no gzip header names a time. Besides pages as they are it holds what a
reader has to cope with: a compressed and a chunked body, a charset that only the header names, a
redirect, a missing page, a duplicate, a picture, a resource without HTTP, and a second visit.
"""

from __future__ import annotations

import base64
import hashlib
import sys
import uuid
import zlib
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

FOLDER = Path(__file__).parent
WEB = FOLDER / "web"
SAMPLE = FOLDER / "sample.warc.gz"
HOST = "encyclopaedia.example"
SITE = f"https://{HOST}/"
BEGIN = datetime(2024, 3, 1, tzinfo=UTC)

CONTENT_TYPES = {".html": "text/html", ".txt": "text/plain; charset=utf-8", ".png": "image/png"}
# Pages that say nothing themselves; the others have a meta element.
CHARSETS = {"ru/kod-hamminga.html": "windows-1251"}
COMPRESSED = "about.html"
CHUNKED = "computing/mapreduce.html"
RESOURCE = "notes/reading-list.txt"
HOME = "index.html"
REDIRECTS = {"hamming": "codes/hamming.html"}
MISSING = "codes/turbo.html"
MISSING_PAGE = b"<!DOCTYPE html>\n<title>Not found</title>\n<p>There is no such article.</p>\n"
CHUNK_BYTES = 512

Headers = dict[str, str]


class Archive:
    """Collects records, each one second and one gzip member after the last."""

    def __init__(self) -> None:
        self._members: list[bytes] = []

    def add(self, kind: str, uri: str, block: bytes, headers: Headers) -> Headers:
        """Append one record and return all of its headers; `headers` are those of its kind."""
        number = len(self._members)
        record_id = uuid.uuid5(uuid.NAMESPACE_URL, f"{number} {kind} {uri}")
        named = {
            "WARC-Type": kind,
            "WARC-Record-ID": f"<urn:uuid:{record_id}>",
            "WARC-Date": self.now().strftime("%Y-%m-%dT%H:%M:%SZ"),
            **({"WARC-Target-URI": uri} if uri else {}),
            **headers,
            "WARC-Block-Digest": digest_of(block),
            "Content-Length": str(len(block)),
        }
        record = format_head("WARC/1.0", named) + block + b"\r\n\r\n"
        self._members.append(compress(record, level=9))
        return named

    def add_exchange(self, uri: str, status: str, body: bytes, headers: Headers) -> Headers:
        """Append a response and the request it answers; returns the response's headers."""
        length = {} if "Transfer-Encoding" in headers else {"Content-Length": str(len(body))}
        date = {"Date": format_datetime(self.now(), usegmt=True)}
        head = format_head(f"HTTP/1.1 {status}", date | headers | length)
        response = self.add(
            "response",
            uri,
            head + body,
            {
                "Content-Type": "application/http; msgtype=response",
                "WARC-Payload-Digest": digest_of(body),
            },
        )
        fields = {"Host": HOST, "User-Agent": "sealedbeam"}
        request = format_head(f"GET /{uri.removeprefix(SITE)} HTTP/1.1", fields)
        self.add(
            "request",
            uri,
            request,
            {
                "Content-Type": "application/http; msgtype=request",
                "WARC-Concurrent-To": response["WARC-Record-ID"],
            },
        )
        return response

    def add_revisit(self, first: Headers) -> None:
        """Append a second visit to the page of the response `first`, which had not changed."""
        date = {"Date": format_datetime(self.now(), usegmt=True)}
        self.add(
            "revisit",
            first["WARC-Target-URI"],
            format_head("HTTP/1.1 304 Not Modified", date),
            {
                "Content-Type": "application/http; msgtype=response",
                "WARC-Profile": "http://netpreserve.org/warc/1.0/revisit/identical-payload-digest",
                "WARC-Payload-Digest": first["WARC-Payload-Digest"],
                "WARC-Refers-To-Target-URI": first["WARC-Target-URI"],
                "WARC-Refers-To-Date": first["WARC-Date"],
            },
        )

    def now(self) -> datetime:
        """Return the time of the next record."""
        return BEGIN + timedelta(seconds=len(self._members))

    def to_bytes(self) -> bytes:
        """Return the archive."""
        return b"".join(self._members)


def format_head(first_line: str, headers: Headers) -> bytes:
    """Return the head of a record or a message, the empty line at its end included."""
    lines = [first_line, *(f"{name}: {value}" for name, value in headers.items()), "", ""]
    return "\r\n".join(lines).encode()


def digest_of(content: bytes) -> str:
    """Return the SHA-1 of `content` the way web archives write it."""
    digest = hashlib.sha1(content, usedforsecurity=False).digest()
    return f"sha1:{base64.b32encode(digest).decode()}"


def compress(content: bytes, level: int) -> bytes:
    """Return `content` as one gzip member whose header names no time."""
    packer = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


def encode_chunks(body: bytes) -> bytes:
    """Return `body` in HTTP's chunked transfer coding."""
    pieces = [body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES)]
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in [*pieces, b""])


def encode_page(name: str, content: bytes) -> tuple[bytes, Headers]:
    """Return the body of a file as it is sent, and the headers that describe it."""
    content_type = CONTENT_TYPES[Path(name).suffix]
    if name in CHARSETS:
        content_type += f"; charset={CHARSETS[name]}"
    if name == COMPRESSED:
        # Stored, not squeezed: the same bytes, and so the same digests, from every zlib.
        headers = {"Content-Type": content_type, "Content-Encoding": "gzip"}
        return compress(content, level=0), headers
    if name == CHUNKED:
        headers = {"Content-Type": content_type, "Transfer-Encoding": "chunked"}
        return encode_chunks(content), headers
    return content, {"Content-Type": content_type}


def address_of(name: str) -> str:
    """Return the address of a file; a folder stands for its index."""
    return SITE + (name.removesuffix(HOME) if Path(name).name == HOME else name)


def make_sample() -> bytes:
    """Return the archive, one gzip member per record."""
    archive = Archive()
    fields = {"Content-Type": "application/warc-fields"}
    info = b"software: sealedbeam seeds/make_sample.py\r\nformat: WARC File Format 1.0\r\n"
    archive.add("warcinfo", "", info, fields | {"WARC-Filename": SAMPLE.name})
    responses = {}
    for path in sorted(WEB.rglob("*.*"), key=lambda path: path.relative_to(WEB).as_posix()):
        name = path.relative_to(WEB).as_posix()
        body, headers = encode_page(name, path.read_bytes())
        if name == RESOURCE:
            archive.add("resource", address_of(name), body, headers)
        else:
            responses[name] = archive.add_exchange(address_of(name), "200 OK", body, headers)
    for name, target in REDIRECTS.items():
        location = {"Location": address_of(target)}
        archive.add_exchange(address_of(name), "301 Moved Permanently", b"", location)
    html = {"Content-Type": "text/html; charset=utf-8"}
    archive.add_exchange(address_of(MISSING), "404 Not Found", MISSING_PAGE, html)
    archive.add("metadata", SITE, b"hopsFromSeed: 0\r\n", fields)
    archive.add_revisit(responses[HOME])
    return archive.to_bytes()


if __name__ == "__main__":
    SAMPLE.write_bytes(make_sample())
    sys.stdout.write(f"{SAMPLE.name}: {SAMPLE.stat().st_size} bytes\n")
