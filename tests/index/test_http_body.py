"""Bodies are decoded as their headers say, unless they were decoded before."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index import http_body

if TYPE_CHECKING:
    from collections.abc import Callable

_HTML = b"<!doctype html><p>" + b"sealed beam " * 50
_GZIP = gzip.compress(_HTML, mtime=0)
_RAW_DEFLATE = zlib.compress(_HTML, wbits=-15)
_CHUNKED = b"5\r\n<!doc\r\n1;x=y\r\nt\r\n0\r\nTrailer: x\r\n\r\n"


def _chunk(body: bytes, size: int) -> bytes:
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


@given(body=st.binary(), size=st.integers(1, 40), coding=st.sampled_from(["gzip", "deflate", ""]))
def test_round_trip(body: bytes, size: int, coding: str) -> None:
    """What was encoded, then chunked, comes back."""
    encoders: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "": bytes,
    }

    assert body == http_body.decode_body(_chunk(encoders[coding](body), size), "chunked", coding)


@pytest.mark.parametrize(
    ("body", "transfer_encoding", "content_encoding", "expected"),
    [
        (_CHUNKED, "Chunked", "", b"<!doct"),
        (_GZIP, "", "x-GZIP", _HTML),
        (_GZIP + _GZIP, "", "gzip", _HTML * 2),
        (_GZIP + b"junk", "", "gzip", _HTML),
        (_RAW_DEFLATE, "", "deflate", _HTML),
        (zlib.compress(_GZIP), "", "gzip, deflate", _HTML),
        (_HTML, "", "identity", _HTML),
    ],
)
def test_encodings(
    body: bytes, transfer_encoding: str, content_encoding: str, expected: bytes
) -> None:
    """Every supported encoding and every known deviation from the standards is undone."""
    assert expected == http_body.decode_body(body, transfer_encoding, content_encoding)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "nonsense", "gzip, br"])
def test_bodies_that_were_decoded_before(coding: str) -> None:
    """A body that is not as its headers say is taken as it is."""
    assert http_body.decode_body(_HTML, "chunked", coding) == _HTML


@pytest.mark.parametrize(
    ("body", "transfer_encoding", "content_encoding"),
    [
        (b"5\r\nhello\r\nworld", "chunked", ""),
        (_GZIP[:20] + b"\xff" * 20 + _GZIP[40:], "", "gzip"),
        (b"\x0b\x02\x80unknown", "", "br"),
        (_HTML, "", "gzip," * 9),
    ],
)
def test_broken_bodies(body: bytes, transfer_encoding: str, content_encoding: str) -> None:
    """A body that breaks its own format, or whose coding is unknown, is not decodable."""
    assert http_body.decode_body(body, transfer_encoding, content_encoding) is None


def test_truncated_bodies_keep_what_there_is() -> None:
    """A body that ends too early gives what came before its end."""
    assert http_body.decode_body(b"5\r\nhello\r\n9\r\nwor", "chunked", "") == b"hellowor"
    partial = http_body.decode_body(_GZIP[:-12], "", "gzip")
    assert partial
    assert _HTML.startswith(partial)


def test_inflation_is_bounded() -> None:
    """However far a body inflates, it is cut at the limit."""
    size_bytes = http_body.MAX_DECODED_BODY_BYTES
    bomb = gzip.compress(bytes(size_bytes + 1))

    for body, coding in ((bomb, "gzip"), (bomb * 3, "gzip"), (bytes(size_bytes + 1), "")):
        decoded = http_body.decode_body(body, "", coding)
        assert decoded is not None
        assert len(decoded) == size_bytes


@given(body=st.binary(), transfer=st.sampled_from(["", "chunked"]), content=st.text())
def test_never_raises(body: bytes, transfer: str, content: str) -> None:
    """Any body under any headers is decoded or refused."""
    for coding in (content, "gzip", "deflate"):
        decoded = http_body.decode_body(memoryview(body), transfer, coding)
        assert decoded is None or isinstance(decoded, bytes)


@pytest.mark.parametrize("start", [b"<html>", b"\xef\xbb\xbf \n<!DOCTYPE HTML>", b"<!--", b"<P >"])
def test_html_is_recognised(start: bytes) -> None:
    """HTML is known by its first tag."""
    assert http_body.looks_like_html(start)


@pytest.mark.parametrize("start", [b"", b"%PDF-1.4", b"a <html>", b"<pre", b"<svg>"])
def test_other_things_are_not_html(start: bytes) -> None:
    """What does not begin with a tag of HTML is not taken for it."""
    assert not http_body.looks_like_html(start)
