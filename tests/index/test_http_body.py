"""Bodies are decoded as their headers say, unless they were decoded before."""

from __future__ import annotations

import gzip
import sys
import zlib
from typing import TYPE_CHECKING

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.index import http_body
from sealedbeam.pipeline.index.limits import MAX_DECODED_BODY_BYTES

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Callable

_HTML = b"<!doctype html><p>" + b"sealed beam " * 50
_GZIP = gzip.compress(_HTML, mtime=0)
_RAW_DEFLATE = zlib.compress(_HTML, wbits=-15)
_CHUNKED = b"5\r\n<!doc\r\n1;x=y\r\nt\r\n0\r\nTrailer: x\r\n\r\n"


def _chunk(body: bytes, size: int) -> bytes:
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
    "": bytes,
}


def _decode(body: bytes, transfer_encoding: str, content_encoding: str) -> bytes | None:
    decoded = http_body.decode_body(body, transfer_encoding, content_encoding)
    return None if decoded is None else decoded.data


def _brotli_bytewise(body: bytes) -> bytes:
    engine = brotli.Decompressor()
    return b"".join(engine.process(body[place : place + 1]) for place in range(len(body)))


def _zstd_bytewise(body: bytes) -> bytes:
    engine = zstd.ZstdDecompressor()
    decoded = b""
    for place in range(len(body)):
        if not engine.eof:
            decoded += engine.decompress(body[place : place + 1])
    return decoded


_ORACLES = {"br": _brotli_bytewise, "zstd": _zstd_bytewise}
_BODIES = st.one_of(
    st.binary(),
    st.builds(lambda piece, times: piece * times, st.binary(max_size=9), st.integers(1, 900)),
)


@given(body=st.binary(), size=st.integers(1, 40), coding=st.sampled_from(sorted(_ENCODERS)))
def test_round_trip(body: bytes, size: int, coding: str) -> None:
    """What was encoded, then chunked, comes back."""
    assert body == _decode(_chunk(_ENCODERS[coding](body), size), "chunked", coding)


@given(body=_BODIES, coding=st.sampled_from(["br", "zstd"]), share=st.floats(0, 1))
def test_a_truncated_body_gives_what_the_oracle_gives(
    body: bytes, coding: str, share: float
) -> None:
    """Of a cut brotli or zstd body comes what feeding it byte by byte gives: a prefix."""
    encoded = _ENCODERS[coding](body)
    cut = encoded[: max(4, int(share * len(encoded)))]

    decoded = _decode(cut, "", coding)

    assert _ORACLES[coding](cut) == decoded
    assert body.startswith(decoded)


@given(body=_BODIES, coding=st.sampled_from(["br", "zstd"]), data=st.data())
def test_a_broken_body_is_never_more_than_the_oracle_gives(
    body: bytes, coding: str, data: st.DataObject
) -> None:
    """A flipped bit makes a body undecodable, or it decodes as it does byte by byte."""
    encoded = bytearray(_ENCODERS[coding](body))
    place = data.draw(st.integers(0, len(encoded) - 1))
    encoded[place] ^= 1 << data.draw(st.integers(0, 7))
    damaged = bytes(encoded)

    decoded = _decode(damaged, "", coding)

    if decoded not in (None, damaged):
        assert _ORACLES[coding](damaged).startswith(decoded)


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
        (brotli.compress(_HTML), "", "BR", _HTML),
        (zstd.compress(_HTML), "", "zstd", _HTML),
        (zstd.compress(_HTML) * 2 + b"junk", "", "zstd", _HTML * 2),
        (b"\x50\x2a\x4d\x18\x02\0\0\0ab" + zstd.compress(_HTML), "", "zstd", _HTML),
        (brotli.compress(_GZIP), "", "gzip, br", _HTML),
    ],
)
def test_encodings(
    body: bytes, transfer_encoding: str, content_encoding: str, expected: bytes
) -> None:
    """Every supported encoding and every known deviation from the standards is undone."""
    assert expected == _decode(body, transfer_encoding, content_encoding)


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd", "nonsense", "gzip, br"])
def test_bodies_that_were_decoded_before(coding: str) -> None:
    """A body that is not as its headers say is taken as it is."""
    assert _decode(_HTML, "chunked", coding) == _HTML


@pytest.mark.parametrize(
    ("body", "transfer_encoding", "content_encoding"),
    [
        (b"5\r\nhello\r\nworld", "chunked", ""),
        (_GZIP[:20] + b"\xff" * 20 + _GZIP[40:], "", "gzip"),
        (b"\x0b\x02\x80unknown", "", "compress"),
        (brotli.compress(_HTML)[:20] + b"\xff" * 40, "", "br"),
        (zstd.compress(_HTML)[:12] + b"\xff" * 40, "", "zstd"),
        (_HTML, "", "gzip," * 9),
    ],
)
def test_broken_bodies(body: bytes, transfer_encoding: str, content_encoding: str) -> None:
    """A body that breaks its own format, or whose coding is unknown, is not decodable."""
    assert http_body.decode_body(body, transfer_encoding, content_encoding) is None


def test_truncated_bodies_keep_what_there_is() -> None:
    """A body that ends too early gives what came before its end."""
    assert _decode(b"5\r\nhello\r\n9\r\nwor", "chunked", "") == b"hellowor"
    partial = _decode(_GZIP[:-12], "", "gzip")
    assert partial
    assert _HTML.startswith(partial)


@pytest.mark.parametrize("coding", sorted(_ENCODERS))
def test_inflation_is_bounded(coding: str) -> None:
    """However far a body inflates, it is cut at the limit, and only then it says so."""
    size_bytes = MAX_DECODED_BODY_BYTES
    for length, is_cut in ((size_bytes, False), (size_bytes + 1, True), (3 * size_bytes, True)):
        body = _ENCODERS[coding](bytes(length))
        assert http_body.Body(bytes(size_bytes), is_cut) == http_body.decode_body(body, "", coding)


def test_stacked_bombs_are_bounded() -> None:
    """A bomb in a bomb is cut after the outer one, and the cut is told."""
    bomb = gzip.compress(bytes(40 * 2**20), 1)
    nested = gzip.compress(bomb * 100, 9)

    decoded = http_body.decode_body(nested, "", "gzip, gzip")

    assert decoded == http_body.Body(bytes(MAX_DECODED_BODY_BYTES), is_cut=True)


@pytest.mark.parametrize(
    ("body", "transfer_encoding", "content_encoding", "expected"),
    [
        (gzip.compress(b"a", mtime=0) * 2**15, "", "gzip", b"a" * 2**14),
        (zstd.compress(b"a") * 2**15, "", "zstd", b"a" * 2**14),
        (b"1\r\na\r\n" * (2**18 + 1), "chunked", "", b"a" * 2**18),
    ],
)
def test_pieces_are_bounded(
    body: bytes, transfer_encoding: str, content_encoding: str, expected: bytes
) -> None:
    """Of very many tiny members or chunks the first are taken, and the cut is told."""
    decoded = http_body.decode_body(body, transfer_encoding, content_encoding)

    assert decoded == http_body.Body(expected, is_cut=True)


def test_absurd_chunk_sizes() -> None:
    """A chunk that claims more than there is gives what there is; no size is allocated."""
    assert _decode(b"ffffffff\r\nhello", "chunked", "") == b"hello"
    assert _decode(b"f" * 9 + b"\r\nhello", "chunked", "") == b"f" * 9 + b"\r\nhello"
    assert _decode(b"0" * 2**20 + b"5\r\nhello", "chunked", "") == b"0" * 2**20 + b"5\r\nhello"


def test_zstd_windows_are_bounded() -> None:
    """A frame that wants more window than the standard allows is undecodable."""
    options: dict[int, int] = {
        zstd.CompressionParameter.window_log: 27,
        zstd.CompressionParameter.checksum_flag: 1,
    }
    engine = zstd.ZstdCompressor(options=options)
    body = engine.compress(bytes(2**20)) + engine.flush()

    assert _decode(body, "", "zstd") is None


@given(body=st.binary(), transfer=st.sampled_from(["", "chunked"]), content=st.text())
def test_never_raises(body: bytes, transfer: str, content: str) -> None:
    """Any body under any headers is decoded or refused."""
    for coding in (content, "gzip", "deflate", "br", "zstd"):
        decoded = http_body.decode_body(memoryview(body), transfer, coding)
        assert decoded is None or isinstance(decoded.data, bytes)


@pytest.mark.parametrize("start", [b"<html>", b"\xef\xbb\xbf \n<!DOCTYPE HTML>", b"<!--", b"<P >"])
def test_html_is_recognised(start: bytes) -> None:
    """HTML is known by its first tag."""
    assert http_body.looks_like_html(start)


@pytest.mark.parametrize("start", [b"", b"%PDF-1.4", b"a <html>", b"<pre", b"<svg>"])
def test_other_things_are_not_html(start: bytes) -> None:
    """What does not begin with a tag of HTML is not taken for it."""
    assert not http_body.looks_like_html(start)
