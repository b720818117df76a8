"""Reads site maps and feeds: addresses with their dates, bounded whatever the bytes are.

Known are the XML of sitemaps.org (a set of pages or an index of site maps), RSS and Atom, plain
text with one address on a line, and all of these in gzip. Which it is, the bytes say.

Bounds: 50 MiB inflated and 50,000 addresses, as sitemaps.org has them, 64 levels of elements. What
lies past a bound is not read, and `is_cut` says so. Damaged files give what came before the damage,
and `reason` names it. Document types are refused whole: without them there are no entities that
could grow or reach for other files, and no site map needs one.

Addresses are canonical; those that are none are left out. Whether a site map may speak for another
host is for the caller to judge.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final
from xml.parsers import expat

from .urls import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

SITEMAP_BYTES_MAX: Final = 50 << 20
SITEMAP_URLS_MAX: Final = 50_000
_LEVELS_MAX: Final = 64
_TEXT_CHARACTERS_MAX: Final = 1 << 13
_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WINDOW_BITS: Final = 16 + zlib.MAX_WBITS
_PIECE_BYTES: Final = 1 << 20
_SMALL_PIECE_BYTES: Final = 16
_MEMBERS_MAX: Final = 1_000
_BOMS: Final = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}
_XML_START: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*<|\xff\xfe<\x00|\xfe\xff\x00<")
_DATE: Final = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d)(T.{0,40})?)?)?", re.ASCII)
_ENTRIES: Final = frozenset(("url", "sitemap", "item", "entry"))
_ADDRESSES: Final = frozenset(("loc", "link"))
_DATES: Final = frozenset(("lastmod", "pubdate", "updated", "date"))


@dataclass(frozen=True, slots=True)
class Entry:
    """An address in a site map; `modified_at` in seconds since the epoch, None if not said."""

    url: str
    modified_at: int | None = None


@dataclass(frozen=True, slots=True)
class Sitemap:
    """What a site map names.

    Attributes:
        pages: each once, in order.
        sitemaps: nested site maps, likewise.
        is_cut: whether a bound kept the rest from being read.
        reason: what ended the reading before its time, a word; empty if nothing did.
    """

    pages: tuple[Entry, ...] = ()
    sitemaps: tuple[Entry, ...] = ()
    is_cut: bool = False
    reason: str = ""


class _FullError(Exception):
    """A bound was met."""


class _RefusedError(Exception):
    """The file has what no site map needs."""


def read_sitemap(data: bytes, url: str) -> Sitemap:
    """Return what the site map `data`, found at the canonical address `url`, names."""
    content, is_cut, reason = data[:SITEMAP_BYTES_MAX], len(data) > SITEMAP_BYTES_MAX, ""
    if data.startswith(_GZIP_MAGIC):
        content, is_cut, reason = _inflate(data)
    collector = _Collector(url)
    try:
        if _XML_START.match(content):
            reason = _read_xml(content, collector, is_cut=is_cut or bool(reason)) or reason
        else:
            _read_text(content, collector, is_cut=is_cut)
    except _FullError:
        is_cut = True
    pages, sitemaps = collector.pages, collector.sitemaps
    return Sitemap(_entries(pages), _entries(sitemaps), is_cut, reason)


def _entries(found: dict[str, int | None]) -> tuple[Entry, ...]:
    return tuple(Entry(url, modified_at) for url, modified_at in found.items())


def _inflate(data: bytes) -> tuple[bytes, bool, str]:
    """Return the content of gzip members, whether it was cut, and what was wrong with them."""
    pieces: list[bytes] = []
    room_bytes = SITEMAP_BYTES_MAX
    position = members = 0
    while data.startswith(_GZIP_MAGIC, position):
        if room_bytes == 0 or members == _MEMBERS_MAX:
            return b"".join(pieces), True, ""
        members += 1
        decoder = zlib.decompressobj(_GZIP_WINDOW_BITS)
        while not decoder.eof:
            if room_bytes == 0:
                return b"".join(pieces), True, ""
            piece = decoder.unconsumed_tail or data[position : position + _PIECE_BYTES]
            if not piece:
                return b"".join(pieces), False, "truncated"
            position += 0 if decoder.unconsumed_tail else len(piece)
            before = decoder.copy()
            try:
                pieces.append(decoder.decompress(piece, min(room_bytes, _PIECE_BYTES)))
            except zlib.error:
                pieces += _salvage(before, piece, room_bytes)
                return b"".join(pieces), False, "damaged"
            room_bytes -= len(pieces[-1])
        position -= len(decoder.unused_data)
    return b"".join(pieces), False, ""


def _salvage(decoder: zlib._Decompress, piece: bytes, room_bytes: int) -> Iterator[bytes]:
    """Yield what `piece` holds before the place where it is damaged, to within a few bytes."""
    for start in range(0, len(piece), _SMALL_PIECE_BYTES):
        try:
            inflated = decoder.decompress(piece[start : start + _SMALL_PIECE_BYTES], room_bytes)
        except zlib.error:
            return
        yield inflated
        room_bytes -= len(inflated)
        if room_bytes <= 0 or decoder.unconsumed_tail:
            return


def _read_text(content: bytes, collector: _Collector, *, is_cut: bool) -> None:
    encoding = next((name for bom, name in _BOMS.items() if content.startswith(bom)), "utf-8")
    lines = content.decode(encoding, "replace").removeprefix("\ufeff").splitlines()
    for line in lines[:-1] if is_cut else lines:  # the last one may end anywhere
        if "://" in line[:_TEXT_CHARACTERS_MAX]:
            collector.take_page(line, "")


def _read_xml(content: bytes, collector: _Collector, *, is_cut: bool) -> str:
    """Collect what XML names; return what ended it before its time."""
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.text
    try:
        # All at once: in pieces, expat 2.5 begins a long token anew with each of them.
        parser.Parse(content, True)
    except expat.ExpatError:
        return "" if is_cut else "damaged"
    except _RefusedError:
        return "document_type"
    except (ValueError, LookupError):  # an encoding that Python knows and expat cannot use
        return "encoding"
    finally:
        _let_go(parser)
    return ""


def _let_go(parser: expat.XMLParserType) -> None:
    """Break the cycle between the parser and what it calls, so that no memory waits for it."""
    parser.StartElementHandler = None
    parser.EndElementHandler = None
    parser.CharacterDataHandler = None


def _refuse(*_: object) -> None:
    raise _RefusedError


@dataclass(slots=True)
class _Collector:
    """Follows the elements of a file and keeps the addresses of its entries."""

    base: str
    pages: dict[str, int | None] = field(default_factory=dict)
    sitemaps: dict[str, int | None] = field(default_factory=dict)
    _path: list[str] = field(default_factory=list)
    _text: list[str] = field(default_factory=list)
    _room: int = 0
    _address: str = ""
    _date: str = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if len(self._path) == _LEVELS_MAX:
            raise _FullError
        local = name.rpartition(":")[2].lower()
        self._path.append(local)
        self._text, self._room = [], _TEXT_CHARACTERS_MAX
        if local in _ENTRIES:
            self._address = self._date = ""
        is_link = local == "link" and attributes.get("rel", "alternate") == "alternate"
        if is_link and "href" in attributes and self._in_entry() and ":" not in name:
            self._address = self._address or attributes["href"][:_TEXT_CHARACTERS_MAX]

    def text(self, text: str) -> None:
        """Characters of the innermost element."""
        if self._room > 0:
            self._text.append(text[: self._room])
            self._room -= len(text)

    def end(self, name: str) -> None:
        """An element ends."""
        local = self._path.pop()
        if local in _ENTRIES:
            self._take_entry(local)
        elif self._path and self._path[-1] in _ENTRIES:
            text = "".join(self._text).strip()
            if local in _ADDRESSES and ":" not in name and text:
                self._address = text
            elif local in _DATES and text:
                self._date = text
        self._text = []

    def take_page(self, address: str, date: str) -> None:
        """Keep the address of a page."""
        self._keep(self.pages, address, date)

    def _in_entry(self) -> bool:
        return len(self._path) > 1 and self._path[-2] in _ENTRIES

    def _take_entry(self, kind: str) -> None:
        if self._address:
            kept = self.sitemaps if kind == "sitemap" else self.pages
            self._keep(kept, self._address, self._date)
        self._address = self._date = ""

    def _keep(self, kept: dict[str, int | None], address: str, date: str) -> None:
        url = canonical(address.strip(), self.base)
        if url is None or url in kept:
            return
        if len(self.pages) + len(self.sitemaps) >= SITEMAP_URLS_MAX:
            raise _FullError
        kept[url] = _seconds(date)


def _seconds(date: str) -> int | None:
    """Return a W3C or RFC 822 date in seconds since the epoch, UTC where it names no zone."""
    if not date or len(date) > len("Wednesday, 01 January 2026 00:00:00 +0000 (Zone)"):
        return None
    try:
        match = _DATE.fullmatch(date)
        if match is None:
            moment = parsedate_to_datetime(date)
        elif match[4]:
            moment = datetime.fromisoformat(date)
        else:
            moment = datetime(int(match[1]), int(match[2] or 1), int(match[3] or 1), tzinfo=UTC)
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError, TypeError):
        return None
