"""Page parser: every page is a document that can be stored, or is rejected with a reason.

The first byte chooses the page's headers, the others are its body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealedbeam.pipeline.index.html import MAX_TITLE_CHARACTERS
from sealedbeam.pipeline.index.parse import Rejected, parse_page
from sealedbeam.pipeline.records import Page

from tests.fuzz import records
from tests.fuzz.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterator

_TYPES = (
    "text/html",
    "",
    "text/plain; charset=shift_jis",
    "text/html; charset=utf-16le",
    "application/xhtml+xml",
    "text/html; charset=x",
    'text/html; charset="gb18030"',
    "a/b",
)
_URLS = ("http://a.example/b/c?d", "http://[", "https://\u00fc.example/%zz", "http://a\0\ud800/")


def check(data: bytes) -> None:
    """Parse the bytes as the body of a page."""
    choice = data[0] if data else 0
    page = Page("response", _URLS[choice // 8 % 4], "", 200, _TYPES[choice % 8], "", "", data[1:])
    result = parse_page(page)
    assert parse_page(page) == result
    if isinstance(result, Rejected):
        return
    document = result.document
    stored = records.document_of(document.to_payload())
    assert stored.text == document.text
    assert stored.url == document.url
    assert len(document.title) <= MAX_TITLE_CHARACTERS
    assert "\0" not in f"{document.url}{document.text}{''.join(document.links)}"


def seeds() -> Iterator[bytes]:
    """Yield small pages of several kinds."""
    page = (
        b"<!doctype html><html lang=en-GB><head><meta charset=utf-8><base href=/x/><title>A &amp; b"
        b"</title><script>no</script></head><body><a href='../y#z'>link</a><p>text<table><td>c"
        b"</table><svg><title>s</title></svg><noscript>x</noscript><a href='http://['>q</a></body>"
    )
    for choice in range(8):
        yield bytes([choice]) + page
    yield b"\0<meta http-equiv=content-type content='text/html; charset=windows-1251'>\xef\xf0\xe8"
    yield b"\3" + page.decode().encode("utf-16-le")
    yield b"\0\xef\xbb\xbf<frameset><frame src=a></frameset>"
    yield b"\0" + b"<div>" * 300 + b"deep"


TARGET = Target(
    check,
    seeds,
    tuple(
        f"sealedbeam.pipeline.index.{name}"
        for name in ("parse", "html", "charset", "complexity", "links", "http_body")
    ),
    tokens=(
        *b"<html <head> <body> <title> </title> <a href= <base href= <meta charset= <svg>".split(),
        *b"<!-- --> <script> </script> <noscript> <frameset> <template> &#0; &amp; lang=".split(),
        b"<meta http-equiv=content-type content=", b"charset=utf-16", b"\xef\xbb\xbf", b"\xff\xfe",
    ),
)  # fmt: skip
