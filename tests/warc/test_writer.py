from __future__ import annotations

import gzip
import io
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from fastwarc.warc import ArchiveIterator as FastIterator
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.warc.writer import (
    PROFILE_IDENTICAL,
    digest_of,
    format_date,
    write_info,
    write_request,
    write_response,
    write_revisit,
)
from warcio.archiveiterator import ArchiveIterator

if TYPE_CHECKING:
    from pathlib import Path

URL = "http://example.org/a%20page?x=1"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-Odd: \xff\xfe"
BODY = b"<title>A page</title>" + bytes(range(256)) * 3
TIME = 1_790_000_000.25


def archive() -> bytes:
    response = write_response(URL, TIME, HEAD, BODY, address="192.0.2.7", truncated="length")
    records = [
        write_info(TIME, [("software", "sealedbeam"), ("format", "WARC File Format 1.1")]),
        response,
        write_request(URL, TIME, b"GET / HTTP/1.1\r\nHost: example.org", response.record_id),
        write_revisit(
            URL,
            TIME + 60,
            b"HTTP/1.1 304 Not Modified",
            profile=PROFILE_IDENTICAL,
            payload_digest=response.payload_digest,
            refers_to_time_seconds=TIME,
        ),
    ]
    return b"".join(record.data for record in records)


def test_other_tools_read_what_is_written() -> None:
    """Warcio reads all records, with fields and payload as they were given."""
    records = [
        (
            record.rec_type,
            record.rec_headers.get_header("WARC-Target-URI"),
            record.raw_stream.read(),
        )
        for record in ArchiveIterator(io.BytesIO(archive()), no_record_parse=True)
    ]
    assert [kind for kind, _, _ in records] == ["warcinfo", "response", "request", "revisit"]
    assert records[1][1:] == (URL, HEAD + b"\r\n\r\n" + BODY)


def test_warcio_finds_the_digests_good(tmp_path: Path) -> None:
    """`warcio check` has nothing to object to."""
    path = tmp_path / "archive.warc.gz"
    path.write_bytes(archive())
    command = [sys.executable, "-m", "warcio.cli", "check", "-v", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "fail" not in done.stdout


def test_fastwarc_finds_the_digests_good() -> None:
    """FastWARC reads all records and verifies the digests of those that have any."""
    records = list(FastIterator(io.BytesIO(archive()), parse_http=False))
    assert len(records) == 4
    verified = [
        record.verify_block_digest()
        for record in FastIterator(io.BytesIO(archive()), parse_http=False)
    ]
    assert verified == [True] * 4


def test_each_record_is_a_member_of_its_own() -> None:
    """A member holds one record, so that an index can point at it."""
    response = write_response(URL, TIME, HEAD, BODY)
    text = gzip.decompress(response.data)
    assert text.startswith(b"WARC/1.1\r\n")
    assert text.endswith(HEAD + b"\r\n\r\n" + BODY + b"\r\n\r\n")


@given(st.binary(max_size=300), st.floats(0, 4e9))
def test_the_same_gives_the_same_bytes(body: bytes, time_seconds: float) -> None:
    """A record follows from its arguments; another time or body has another id."""
    first = write_response(URL, time_seconds, HEAD, body)
    assert first == write_response(URL, time_seconds, HEAD, body)
    assert first.record_id != write_response(URL, time_seconds, HEAD, body + b"!").record_id
    assert first.payload_digest == digest_of(body)


@pytest.mark.parametrize(
    ("time_seconds", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000000Z"),
        (TIME, "2026-09-21T14:13:20.250000Z"),
    ],
)
def test_times_are_of_utc(time_seconds: float, text: str) -> None:
    """A time is written in UTC with its fraction."""
    assert format_date(time_seconds) == text
