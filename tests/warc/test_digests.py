"""Declared digests are good, absent or bad."""

from __future__ import annotations

import base64
import hashlib
import zlib

import pytest
from sealedbeam.pipeline.warc import Digest
from sealedbeam.pipeline.warc.digests import Encodings, check_digests

from tests.support.archives import gzip_member, sha1

BODY = b"<p>a body that is long enough to be compressed " * 9
NONE = Encodings("", "")


def check(
    payload: bytes, body: bytes = BODY, encodings: Encodings = NONE, block: bytes = b""
) -> Digest:
    return check_digests(payload, block, memoryview(body), memoryview(b"head" + body), encodings)


def labelled(name: str, label: str, encode: str) -> bytes:
    digest = hashlib.new(name, BODY).digest()
    values = {
        "hex": digest.hex(),
        "HEX": digest.hex().upper(),
        "base32": base64.b32encode(digest).decode(),
        "unpadded": base64.b32encode(digest).decode().rstrip("=").lower(),
    }
    return f"{label}:{values[encode]}".encode()


@pytest.mark.parametrize("encode", ["hex", "HEX", "base32", "unpadded"])
@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("sha1", "sha1"),
        ("sha1", "SHA-1"),
        ("sha256", "sha-256"),
        ("sha256", "SHA256"),
        ("sha512", "sha512"),
        ("md5", "md5"),
        ("sha384", "sha-384"),
    ],
)
def test_every_spelling(name: str, label: str, encode: str) -> None:
    """Every algorithm, label and value form in use is understood, and a wrong body told by it."""
    field = labelled(name, label, encode)
    assert check(field) is Digest.GOOD
    assert check(field, BODY + b".") is Digest.BAD


@pytest.mark.parametrize(
    "field",
    [
        b"",
        b"sha1",
        b"sha1:",
        b"sha1:xyz",
        b"sha1:" + b"1" * 32,
        b"crc32:00000000",
        b":",
        b"\xff:a",
        b"sha1:" + b"\xe9" * 32,
        b"sha256:" + sha1(BODY).encode()[5:],
    ],
)
def test_malformed_is_absent(field: bytes) -> None:
    """An unknown algorithm or a malformed value says nothing about the bytes."""
    assert check(field) is Digest.ABSENT


def chunked(body: bytes) -> bytes:
    cut = len(body) // 3
    parts = b"".join(
        b"%x;ext=1\r\n%s\r\n" % (len(piece), piece) for piece in (body[:cut], body[cut:])
    )
    return parts + b"0\r\n\r\n"


@pytest.mark.parametrize(
    ("body", "encodings"),
    [
        (chunked(BODY), Encodings("chunked", "")),
        (gzip_member(BODY), Encodings("", "gzip")),
        (zlib.compress(BODY), Encodings("", "Deflate")),
        (chunked(gzip_member(BODY)), Encodings("Chunked", "x-gzip")),
    ],
)
def test_digest_of_the_decoded_body(body: bytes, encodings: Encodings) -> None:
    """A digest counts whether it was taken of the stored, the joined or the decoded body."""
    assert check(sha1(BODY).encode(), body, encodings) is Digest.GOOD
    assert check(sha1(body).encode(), body, encodings) is Digest.GOOD
    assert check(sha1(b"other").encode(), body, encodings) is Digest.BAD


def test_joined_but_not_decoded() -> None:
    """A digest of the joined chunks counts although they are compressed as well."""
    packed = gzip_member(BODY)
    encodings = Encodings("chunked", "gzip")
    assert check(sha1(packed).encode(), chunked(packed), encodings) is Digest.GOOD


def test_block_digest_stands_in() -> None:
    """A block digest decides where the payload digest is absent or of another encoding."""
    block = sha1(b"head" + BODY).encode()
    assert check(b"", block=block) is Digest.GOOD
    assert check(sha1(b"other").encode(), block=block) is Digest.GOOD
    assert check(b"", BODY + b".", block=block) is Digest.BAD


@pytest.mark.parametrize("body", [b"", b"zz", b"fffffffffff\r\n", b"5\r\nab", b"\x1f\x8b\x08junk"])
def test_broken_encodings_are_bad_not_fatal(body: bytes) -> None:
    """A body that is not encoded as it says is merely bad."""
    assert check(sha1(BODY).encode(), body, Encodings("chunked", "gzip")) is Digest.BAD


def test_absent_hash_is_never_computed() -> None:
    """Good answers need one hash: the block is not looked at when the payload fits."""
    assert check(sha1(BODY).encode(), block=sha1(b"wrong").encode()) is Digest.GOOD


def test_chunks_are_bounded() -> None:
    """Of very many chunks the first are joined: a digest of them all is not confirmed."""
    chunk = b"1\r\na\r\n"
    encodings = Encodings("chunked", "")

    def check_joined(count: int) -> Digest:
        return check(sha1(b"a" * count).encode(), chunk * count, encodings)

    assert check_joined(2**18) is Digest.GOOD
    assert check_joined(2**18 + 1) is Digest.BAD
