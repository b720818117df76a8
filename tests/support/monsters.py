"""Makes hostile pages, each of which costs a reader without limits minutes or gigabytes.

`MONSTERS` maps names to makers, so that no page lies in memory before it is wanted:

    record = MONSTERS["inflates to 2 GB"]()
    archive = pack([record])
"""

from __future__ import annotations

import gzip
import re
import zlib
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tests.support.archives import StoredRecord, response_record, sha1

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

URL = "http://monsters.example/page"
MIB = 1 << 20
BODY_BYTES = 16 * MIB  # what a reader takes of a decoded body
TERMINAL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202etxt.exe\u2066\u2028\x00\x7f"
_GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html"


def page(
    body: bytes, *, url: str = URL, charset: str = "; charset=utf-8", fields: str = ""
) -> StoredRecord:
    """Return the record of an HTML page; `fields` are further lines of its HTTP header."""
    head = _HEAD + charset.encode("utf-8", "surrogateescape") + b"\r\n" + fields.encode()
    return response_record(url, body, head=head)


def html(body: bytes) -> bytes:
    """Return a page with a title and one sentence, by which a search finds it, before `body`."""
    return b"<!doctype html><html lang=en><title>Monster</title><body><p>needle " + body


def fill(piece: bytes, size: int = BODY_BYTES) -> bytes:
    """Return a page of about `size` bytes that repeats `piece`."""
    return html(piece * max(1, (size - 100) // len(piece)))


def numbered(template: str, count: int) -> bytes:
    """Return `template` filled in with 0, 1, ... end to end."""
    return "".join([template % number for number in range(count)]).encode()


def gzip_bomb(inflated_bytes: int) -> bytes:
    """Return a gzip body of about a thousandth of the bytes that it inflates to.

    It is one stream of equal blocks, so that it need not be compressed as a whole; what a reader
    would only see at its end, the checksum, is left out.
    """
    engine = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    piece = b"needle " * (MIB // 7)
    head = engine.compress(b"<title>Monster</title><p>") + engine.flush(zlib.Z_FULL_FLUSH)
    block = engine.compress(piece) + engine.flush(zlib.Z_FULL_FLUSH)
    return _GZIP_HEADER + head + block * (inflated_bytes // len(piece)) + engine.flush()


def tiny_chunks(body: bytes) -> bytes:
    """Return `body` in chunks of one byte: six bytes for each."""
    pieces = (b"1\r\n%c\r\n" % byte for byte in body)
    return b"".join(pieces) + b"0\r\n\r\n"


def _records(
    bodies: dict[str, Callable[[], bytes]], **options: str
) -> Iterable[tuple[str, Callable[[], StoredRecord]]]:
    for name, make in bodies.items():
        yield name, partial(_make_page, make, **options)


def _make_page(make: Callable[[], bytes], **options: str) -> StoredRecord:
    return page(make(), **options)


_BODIES: dict[str, Callable[[], bytes]] = {
    # Sheer numbers.
    "5 million elements": lambda: fill(b"<i>"),
    "4 million empty elements": lambda: fill(b"<br>"),
    "2 million paragraphs": lambda: fill(b"<p>a b "),
    "4 million closed pairs": lambda: fill(b"<q></q>"),
    "5 million comments": lambda: fill(b"<!>"),
    "8 million attributes": lambda: fill(b"<p " + b"a b c d e f g h i j k l m n o p " * 100 + b">"),
    "million attributes of a tag": lambda: html(b"<p " + numbered("a%d=1 ", 1_000_000) + b">x"),
    "quoted attributes of a tag": lambda: html(b"<p " + numbered("a%d='>'", 100_000) + b">x"),
    "attribute of 10 MB": lambda: html(b"<p class='" + b"x " * (5 * MIB) + b"'>x"),
    "href of 10 MB": lambda: html(b"<a href='" + b"x/" * (5 * MIB) + b"'>x</a>"),
    "title of a megabyte": lambda: b"<title>" + b"needle " * (MIB // 7) + b"</title><p>x",
    "unclosed title": lambda: b"<title>" + b"needle " * (BODY_BYTES // 7),
    "unclosed comment": lambda: html(b"<!--" + b" x" * (8 * MIB - 100)),
    "unclosed script": lambda: html(b"<script>" + b"<!--<script>" * (MIB)),
    "character references": lambda: fill(b"&ngE;&#x1F600;&notit;"),
    "references without end": lambda: html(b"&#" + b"1" * (15 * MIB)),
    # Nesting.
    "million levels": lambda: html(b"<div>" * 1_000_000),
    "million levels of svg": lambda: html(b"<svg>" + b"<g>" * 1_000_000),
    "million levels behind stray ends": lambda: html(b"<div></x>" * 1_000_000),
    "levels and paragraphs behind stray ends": lambda: html(
        b"<div></x>" * 50_000 + b"<p></p>" * 300_000
    ),
    "levels behind ends in comments": lambda: html(
        b"<div><!--</div>-->" * 50_000 + b"<p></p>" * 300_000
    ),
    "levels behind ends in quotes": lambda: html(
        b"<div a='</div>'>" * 50_000 + b"<p></p>" * 300_000
    ),
    "nested tables": lambda: html(b"<table><tr><td>" * 300_000),
    "nested templates": lambda: html(b"<template>" * 300_000),
    "nested select": lambda: html(b"<select><optgroup><option>" * 300_000),
    "nested foreign content": lambda: html(b"<svg><foreignObject><math><mi>" * 200_000),
    "nested lists": lambda: html(b"<ul><li>" * 300_000),
    "nested forms": lambda: html(b"<form><div>" * 300_000),
    "nested buttons": lambda: html(b"<button><span>" * 300_000),
    "foster parents": lambda: html(b"<table>" + b"x<b>" * 1_000_000),
    "foster parents of tables": lambda: html(b"<table>x" * 500_000),
    "many bodies": lambda: html(numbered("<body a%d=1>", 500_000)),
    "many html elements": lambda: html(numbered("<html a%d=1>", 500_000)),
    # Formatting that is repeated.
    "fonts and paragraphs": lambda: html(numbered("<font color=%d>", 1_000) + b"<p>x" * 100_000),
    "fonts behind stray ends": lambda: html(
        numbered("<font color=%d></x>", 1_000) + b"<p>x</p>" * 100_000
    ),
    "fonts in objects": lambda: html(
        numbered("<font color=%d><object></font></object>", 1_000) + b"<p>x</p>" * 100_000
    ),
    "fonts with long attributes": lambda: html(
        numbered("<font a='>" + "x" * 100 + "' color=%d>", 1_000) + b"<p>x</p>" * 100_000
    ),
    "42 formats and paragraphs": lambda: html(
        b"<b><big><code><em><font><i><s><small><strike><strong><tt><u>" * 3 + b"<p>x</p>" * 500_000
    ),
    "misnested formats": lambda: html(b"<b><p></b>" * 500_000),
    "misnested anchors": lambda: html(b"<a><div>" * 300_000),
    "nobr and tables": lambda: html(b"<nobr><table><td>" * 200_000),
    # Links.
    "20,000 links": lambda: html(numbered("<a href=/%d>x</a>", 20_000)),
    "million links": lambda: html(numbered("<a href=%d>", 1_000_000)),
    "million odd links": lambda: html(numbered("<a href='\t//[%d?é'>", 700_000)),
    "long base": lambda: html(
        b"<base href='http://a/" + b"b/" * MIB + b"'>" + numbered("<a href=%d>", 50_000)
    ),
    "links of percent signs": lambda: html(numbered("<a href='" + "\u20ac" * 680 + "%d'>", 7_000)),
    "dotted links": lambda: html(numbered("<a href='" + "../" * 600 + "%d/../x y'>", 8_000)),
    # Text.
    "token of 10 MB": lambda: html(b"x" * (10 * MIB)),
    "single letters": lambda: fill(b"a b c d e f g h "),
    "numbers": lambda: html(numbered("%d ", 2_000_000)),
    "Han of 10 MB": lambda: html("漢字仮名交".encode() * (2 * MIB // 3)),
    "distinct Han of 10 MB": lambda: html("".join(map(chr, range(0x4E00, 0x9FFF))).encode() * 166),
    "combining marks of 5 MB": lambda: html(b"a" + "\u0301\u0323".encode() * (5 * MIB // 4)),
    "marks after letters": lambda: html(("a" + "\u0301\u0323" * 15).encode() * (10 * MIB // 61)),
    "ligatures": lambda: html("\ufdfa\u0390\ufb03 ".encode() * (15 * MIB // 9)),
    "Hangul letters": lambda: html("\u1100\u1161\u11a8".encode() * (15 * MIB // 9)),
    "astral letters": lambda: html("\U00010400 ".encode() * (3 * MIB)),
    "NULs": lambda: html(b"x\0" * (8 * MIB - 100)),
    "blanks": lambda: html(b" \n\t" * (5 * MIB)),
    "invalid UTF-8": lambda: html(b"\xff\xc0\xed\xa0\x80" * (3 * MIB)),
    "bidi controls": lambda: html("\u202e\u2066".encode() * (2 * MIB)),
    # Declarations.
    "meta without end": lambda: b"<meta charset=" + b"'\"" * MIB,
    "metas": lambda: b"<meta charset=x>" * MIB,
    "tags in head": lambda: b"<a '" * MIB + b"<meta charset=utf-8>",
}


def _control_page() -> StoredRecord:
    title = f"<title>needle {TERMINAL}</title><p>needle {TERMINAL}".encode()
    return page(title, url=f"http://monsters.example/{TERMINAL}", charset=f"; charset={TERMINAL}")


def _uncompressed(size: int) -> StoredRecord:
    return page(fill(b"lorem ipsum ", size))


def with_other_digest(record: StoredRecord) -> StoredRecord:
    """Return `record` with the digest of another payload, so that a reader decodes its own."""
    start = record.raw.index(b"WARC-Payload-Digest: ")
    end = record.raw.index(b"\r\n", start)
    field = b"WARC-Payload-Digest: " + sha1(b"another").encode()
    block = re.sub(rb"WARC-Block-Digest: [^\r]*", b"X: y", record.raw[end:], count=1)
    return replace(record, raw=record.raw[:start] + field + block)


_RECORDS: dict[str, Callable[[], StoredRecord]] = {
    "inflates to 2 GB": lambda: page(gzip_bomb(2 << 30), fields="Content-Encoding: gzip\r\n"),
    "bomb in a bomb": lambda: page(
        gzip.compress(gzip_bomb(1 << 30), 9), fields="Content-Encoding: gzip, gzip\r\n"
    ),
    "body of 250 MB": partial(_uncompressed, 250 * MIB),
    "chunk of 4 GB": lambda: page(
        b"ffffffff\r\n" + html(b"x"), fields="Transfer-Encoding: chunked\r\n"
    ),
    "chunk size of a megabyte": lambda: page(
        b"0" * MIB + b"5\r\nhello\r\n0\r\n\r\n", fields="Transfer-Encoding: chunked\r\n"
    ),
    "chunks of a byte": lambda: page(
        tiny_chunks(fill(b"lorem ipsum ", 12 * MIB)), fields="Transfer-Encoding: chunked\r\n"
    ),
    "inflates to 2 GB to be digested": lambda: with_other_digest(
        page(gzip_bomb(2 << 30), fields="Content-Encoding: gzip\r\n")
    ),
    "chunks of a byte to be digested": lambda: with_other_digest(
        page(b"1\r\nx\r\n" * (10 * MIB), fields="Transfer-Encoding: chunked\r\n")
    ),
    "empty members": lambda: page(
        gzip.compress(b"", mtime=0) * (10 * MIB // 20), fields="Content-Encoding: gzip\r\n"
    ),
    "header of 10 MB": lambda: page(html(b""), fields=f"X-Long: {'x' * 10 * MIB}\r\n"),
    "100,000 header lines": lambda: page(
        html(b""), fields="".join(f"X-{number}: y\r\n" for number in range(100_000))
    ),
    "URL of a megabyte": lambda: page(html(b""), url=URL + "/x" * (MIB // 2)),
    "URL of 60 KB and links": lambda: page(
        html(numbered("<a href=%d>", 50_000)), url=URL + "/x" * 30_000 + "/"
    ),
    "controls everywhere": _control_page,
    "euro signs of windows-1252": lambda: page(
        html(b"\x80 " * (8 * MIB - 100)), charset="; charset=windows-1252"
    ),
    "UTF-16 with an odd byte": lambda: page(
        html(b"").decode().encode("utf-16-le") + b"x" * 15_000_001, charset="; charset=utf-16"
    ),
    "escapes of ISO-2022-JP": lambda: page(fill(b"\x1b$B\x1b(B"), charset="; charset=iso-2022-jp"),
    "unlabelled bytes": lambda: page(fill(bytes(range(128, 256))), charset=""),
    "broken Shift_JIS": lambda: page(fill(b"\x81\x81\xff\xfd"), charset="; charset=shift_jis"),
}

MONSTERS: dict[str, Callable[[], StoredRecord]] = dict(_records(_BODIES)) | _RECORDS
