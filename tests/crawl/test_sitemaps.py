"""Site maps and feeds of every kind give their addresses; none can make reading them cost much."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl import sitemaps
from sealedbeam.pipeline.crawl.sitemaps import SITEMAP_URLS_MAX, Entry, Sitemap, read_sitemap

URL = "http://a.org/sitemap.xml"
NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<urlset xmlns="{NAMESPACE}">'
DAY = 1_704_067_200  # 2024-01-01


def urlset(*addresses: str) -> bytes:
    entries = "".join(f"<url><loc>{escape(address)}</loc></url>" for address in addresses)
    return f"{HEAD}{entries}</urlset>".encode()


def pages(*addresses: str) -> tuple[Entry, ...]:
    return tuple(Entry(address) for address in addresses)


PLAIN = urlset("http://a.org/1", "http://a.org/2?x=1&y=2")
RSS = b"""<rss><channel><link>http://a.org/</link>
    <item><link>http://a.org/1</link></item>
    <item><title>x</title><link>http://a.org/2?x=1&amp;y=2</link></item></channel></rss>"""
ATOM = b"""<feed xmlns="http://www.w3.org/2005/Atom"><link href="http://a.org/"/>
    <entry><link rel="self" href="http://a.org/self"/><link href="http://a.org/1"/></entry>
    <entry><link rel="alternate" href="/2?x=1&amp;y=2"/><link href="/other"/></entry></feed>"""
EXPECTED = Sitemap(pages("http://a.org/1", "http://a.org/2?x=1&y=2"))


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        b"\xef\xbb\xbf" + PLAIN,
        b"\n" + PLAIN[PLAIN.index(b"\n") :],
        PLAIN.decode().replace("UTF-8", "UTF-16").encode("utf-16"),
        PLAIN.replace(b"UTF-8", b"iso-8859-1"),
        gzip.compress(PLAIN, mtime=0),
        gzip.compress(PLAIN[:90], mtime=0) + gzip.compress(PLAIN[90:], mtime=0),
        PLAIN.replace(b"<loc>", b"<loc>\n  ").replace(b"</loc>", b"\n</loc>"),
        PLAIN.replace(b"http://a.org/1", b"<![CDATA[http://a.org/1]]>"),
        PLAIN.replace(b"http://a.org/1", b"/1"),
        PLAIN.replace(b"</loc>", b"</loc><image:loc>http://a.org/i.png</image:loc>").replace(
            b"<urlset", b'<urlset xmlns:image="x"'
        ),
        PLAIN.replace(b"</loc>", b"</loc><priority>0.5</priority><lastmod>soon</lastmod>"),
        PLAIN.replace(b"</urlset>", b"<url><loc>http://a.org/1</loc></url></urlset>"),
        PLAIN.replace(b"</urlset>", b"<url><loc>ftp://a.org/1</loc></url><url/></urlset>"),
        b"http://a.org/1\nhttp://a.org/2?x=1&y=2\n",
        b"\xef\xbb\xbfhttp://a.org/1\r\n\r\n  http://a.org/2?x=1&y=2",
        "http://a.org/1\nhttp://a.org/2?x=1&y=2".encode("utf-16"),
        gzip.compress(b"http://a.org/1\nnot an address\nhttp://a.org/2?x=1&y=2", mtime=0),
        RSS,
        ATOM,
        b"<urlset>" + PLAIN.partition(b">\n")[2].partition(b">")[2],
    ],
)
def test_kinds(data: bytes) -> None:
    """XML, text and feeds, plain or in gzip, in any encoding, give the same addresses."""
    assert read_sitemap(data, URL) == EXPECTED


def test_index() -> None:
    """An index names nested site maps, which are no pages."""
    data = PLAIN.replace(b"urlset", b"sitemapindex").replace(b"url>", b"sitemap>")
    assert read_sitemap(data, URL) == Sitemap(sitemaps=EXPECTED.pages)


@pytest.mark.parametrize(
    ("date", "seconds"),
    [
        *(("2024", DAY), ("2024-01", DAY), ("2024-01-01", DAY), ("2024-01-01T00:00:00Z", DAY)),
        *(("2024-01-01T02:00:00+02:00", DAY), ("2024-01-01T00:00Z", DAY), (" 2024-01-01\n", DAY)),
        *(("2024-01-01T00:00:00.000+00:00", DAY), ("Mon, 01 Jan 2024 00:00:00 GMT", DAY)),
        *(("2024-13-01", None), ("0000", None), ("2024-01-01T99", None), ("x" * 1000, None)),
        ("1960-01-01", -315_619_200),
    ],
)
def test_dates(date: str, seconds: int | None) -> None:
    """W3C dates of any length and those of feeds are understood; others are not said."""
    for tag in ("lastmod", "pubDate", "updated", "dc:date"):
        data = PLAIN.replace(b"</loc>", f"</loc><{tag}>{date}</{tag}>".encode(), 1)
        data = data.replace(b"<urlset", b'<urlset xmlns:dc="x"')
        assert read_sitemap(data, URL).pages[0] == Entry("http://a.org/1", seconds)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (PLAIN[:-20], "damaged"),
        (PLAIN[: PLAIN.index(b"</urlset>")] + b"<url></loc>", "damaged"),
        (PLAIN.replace(b"</urlset>", b"&nbsp;</urlset>"), "damaged"),
        (gzip.compress(PLAIN, mtime=0)[:-4], "truncated"),
        (gzip.compress(PLAIN, mtime=0)[:-8] + bytes(8), "damaged"),
    ],
)
def test_damage_keeps_what_came_before(data: bytes, reason: str) -> None:
    """What was read before the damage is kept, and the damage has a word."""
    found = read_sitemap(data, URL)
    assert (found.pages[:1], found.reason, found.is_cut) == (EXPECTED.pages[:1], reason, False)


BOMB = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (c + 1, b"&%c;" % c * 10) for c in range(97, 110))
    + b"]>"
)


@pytest.mark.parametrize(
    "doctype",
    [
        BOMB,
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x.dtd">',
        b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/"> %p;]>',
    ],
)
def test_document_types_are_refused(doctype: bytes) -> None:
    """Nothing that could declare an entity is read on."""
    data = doctype + b"<urlset><url><loc>http://a.org/&n;</loc></url></urlset>"
    assert read_sitemap(data, URL) == Sitemap(reason="document_type")


def test_too_many_addresses() -> None:
    """At the limit a site map is whole; one address more and it is cut there."""
    lines = [f"http://a.org/{number}" for number in range(SITEMAP_URLS_MAX + 1)]
    whole = read_sitemap("\n".join(lines[:-1]).encode(), URL)
    assert (len(whole.pages), whole.is_cut) == (SITEMAP_URLS_MAX, False)
    cut = read_sitemap(urlset(*lines), URL)
    assert (cut.pages, cut.is_cut, cut.reason) == (whole.pages, True, "")


@pytest.mark.parametrize("is_packed", [False, True])
def test_too_many_bytes(monkeypatch: pytest.MonkeyPatch, *, is_packed: bool) -> None:
    """What is past the limit of bytes is not read, and an address that it cuts is not taken."""
    for data in (PLAIN, b"http://a.org/1\nhttp://a.org/2?x=1&y=2\n"):
        for limit in range(data.index(b"/1") + 20, len(data)):
            monkeypatch.setattr(sitemaps, "SITEMAP_BYTES_MAX", limit)
            found = read_sitemap(gzip.compress(data, mtime=0) if is_packed else data, URL)
            assert found.is_cut
            assert found.reason == ""
            assert EXPECTED.pages[: len(found.pages)] == found.pages


def test_bombs_are_bounded() -> None:
    """A gigabyte of zeros in a megabyte, and one long word, take no more than the limit."""
    packer = zlib.compressobj(9, wbits=31)
    zeros = bytes(1 << 20)
    bomb = b"".join(packer.compress(zeros) for _ in range(200)) + packer.flush()
    tracemalloc.start()
    try:
        assert read_sitemap(bomb, URL).is_cut
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 8 * sitemaps.SITEMAP_BYTES_MAX


@pytest.mark.parametrize(
    "data",
    [
        HEAD.encode() + b"<a>" * 100_000,
        HEAD.encode() + b"<url><loc>" + b"x" * 10_000_000,
        HEAD.encode() + b"<" + b"x" * 10_000_000,
        HEAD.encode() + b"<url a='" + b"x" * 10_000_000,
        HEAD.encode() + b"<url><loc>" + b"&amp;" * 1_000_000,
        HEAD.encode() + b"<url " + b" ".join(b"a%d=''" % k for k in range(100_000)) + b"/>",
        b"<!--" + b"-" * 1_000_000,
        b"\x1f\x8b" * 1_000_000,
        gzip.compress(b"", mtime=0) * 2_000,
        b"http://" * 1_000_000,
    ],
)
def test_hostile_files_end(data: bytes) -> None:
    """Depth, length and number of anything end the reading, without an exception."""
    found = read_sitemap(data, URL)
    assert len(found.pages) <= 1
    assert found.sitemaps == ()


@given(st.binary(max_size=200))
def test_nothing_is_raised(data: bytes) -> None:
    """Whatever the bytes are, there is an answer."""
    for start in (
        b"",
        b"<",
        HEAD.encode(),
        b"\x1f\x8b\x08\x00",
        gzip.compress(PLAIN, mtime=0)[:60],
    ):
        found = read_sitemap(start + data, URL)
        assert all(entry.url.startswith("http") for entry in found.pages)


@given(place=st.integers(0, len(PLAIN) - 1), bit=st.integers(0, 7), is_packed=st.booleans())
def test_flipped_bits(place: int, bit: int, *, is_packed: bool) -> None:
    """A flipped bit never makes more than it hits."""
    data = bytearray(gzip.compress(PLAIN, mtime=0) if is_packed else PLAIN)
    data[place % len(data)] ^= 1 << bit
    found = read_sitemap(bytes(data), URL)
    assert len(found.pages) + len(found.sitemaps) <= 2


@pytest.mark.parametrize(
    "encoding", ["utf-7", "idna", "big5", "no-such", "utf-16", "hex", "x" * 99]
)
def test_strange_encodings(encoding: str) -> None:
    """An encoding that cannot be used ends the reading with a word."""
    found = read_sitemap(PLAIN.replace(b"UTF-8", encoding.encode()), URL)
    assert found.pages == () or found == EXPECTED
    assert (found.reason in ("damaged", "encoding")) == (found.pages == ())
