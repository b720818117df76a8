"""What is no archive is recognised for what it is, so that the user knows the next step."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.warc.lookalikes import describe_lookalike
from sealedbeam.pipeline.warc.source import BytesSource


def packed_zip() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as file:
        file.writestr("a.warc", b"WARC/1.1\r\n")
    return sink.getvalue()


def packed_tar() -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as file:
        file.addfile(tarfile.TarInfo("a.warc"))
    return sink.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "it is empty"),
        (packed_zip(), "it is a ZIP file, as a WACZ is; unpack it"),
        (packed_tar(), "it is a tar file; unpack it"),
        (gzip.compress(packed_tar()), "it is gzip, and in it is a tar file"),
        (gzip.compress(b"notes"), "it is gzip of something else"),
        (gzip.compress(b"notes")[:6] + b"\xff" * 40, "it is damaged gzip"),
        (b"\0" * 9999, "it is zeros where it should begin"),
        (gzip.compress(b"\0" * 9999), "it is gzip, and in it is zeros"),
        (b"\n <!DOCTYPE html><title>404</title>", "it is a web page; fetch the archive again"),
        (b"<HTML>", "it is a web page"),
        (b" CDX N b a m s k r M S V g\n", "it is a CDX index; give the archives"),
        (b'org,example)/a 20200101000000 {"url": ""}\n', "it is a CDX index"),
        (b"filedesc://a.arc 0.0.0.0 2005 text/plain 76\n", "it is an ARC file"),
        (b"https://example.org/\nhttps://example.org/b\n", "it is a list of addresses"),
        (b"PAR1\x15\x04", "it is a Parquet file"),
        (b"WARC/9.0\r\n", "it is a WARC file of an unknown version"),
        (b"BZh91AY&SY", "it is compressed with bzip2; unpack it"),
        (b"no archive at all\n", ""),
        (b"https://example.org/ is a page\n", ""),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_known_kinds(data: bytes, said: str) -> None:
    """Each kind of file that is often mistaken for an archive is named, with the next step."""
    shown = describe_lookalike(BytesSource(data))
    assert shown.startswith(said)
    assert bool(shown) == bool(said)


@given(st.binary(max_size=300), st.sampled_from([b"", b"\x1f\x8b\x08\0", b"WARC/", b"http://"]))
def test_any_bytes_are_told_in_one_line(data: bytes, beginning: bytes) -> None:
    """Whatever the bytes are, there is an answer and it is a line."""
    assert describe_lookalike(BytesSource(beginning + data)).isprintable()
