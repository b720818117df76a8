"""Makes a document of a page: decodes it, reads it, and rejects with a reason what is no document.

A pure function of the page alone: the same page gives the same document, whatever was parsed
before it. All strings of a document can be encoded in UTF-8 and hold
no NUL, which separates texts further down the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import xxhash
from sealedbeam.pipeline.records import Document
from selectolax.lexbor import SelectolaxError

from .charset import REPLACEMENT, UTF_8, decode, find_encoding
from .complexity import is_too_complex
from .html import HtmlContent, read_html
from .http_body import decode_body, looks_like_html
from .limits import (
    LINKS_SLICE,
    MAX_LINKS_CHARACTERS,
    MAX_REFERENCES,
    MAX_TEXT_BYTES,
    Cut,
)
from .links import MAX_LINKS, MAX_URL_CHARACTERS, resolve_links

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.records import Page

    from .http_body import Body

_OK = 200
_NO_STATUS = 0
_HTML = "text/html"
_XHTML = "application/xhtml+xml"
_PLAIN = "text/plain"
_CONTENT_TYPES = (_HTML, _XHTML, _PLAIN)
_MAX_CHARACTER_BYTES = 4  # in UTF-8
_LONGEST_WORD_KEPT = 1_000  # whole at the end of a text that is cut
_SURROGATES = re.compile("[\ud800-\udfff]")


class RejectReason(StrEnum):
    """Why a page is not indexed."""

    REVISIT = "revisit"
    HTTP_STATUS = "http_status"
    EMPTY_BODY = "empty_body"
    UNDECODABLE_BODY = "undecodable_body"
    CONTENT_TYPE = "content_type"
    UNSUPPORTED_CHARSET = "unsupported_charset"
    TOO_COMPLEX = "too_complex"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document, and what had to be cut for it."""

    document: Document
    cuts: tuple[Cut, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejected:
    """A page that was read well but is no document."""

    reason: RejectReason


def parse_page(page: Page) -> Parsed | Rejected:
    """Return the document that `page` holds, or why it holds none.

    Raises:
        MemoryError: the HTML engine cannot get the memory that this page needs.
    """
    reason = _refusal(page)
    if reason is not None:
        return Rejected(reason)
    body = decode_body(page.body, page.transfer_encoding, page.content_encoding)
    if body is None:
        return Rejected(RejectReason.UNDECODABLE_BODY)
    if not body.data:
        return Rejected(RejectReason.EMPTY_BODY)
    content_type = page.content_type.partition(";")[0].strip().lower()
    if not content_type and looks_like_html(body.data):
        content_type = _HTML
    if content_type not in _CONTENT_TYPES:
        return Rejected(RejectReason.CONTENT_TYPE)
    charset = find_encoding(body.data, page.content_type, is_html=content_type != _PLAIN)
    if charset == REPLACEMENT:
        return Rejected(RejectReason.UNSUPPORTED_CHARSET)
    return _document(page, body, content_type, charset)


def _refusal(page: Page) -> RejectReason | None:
    """Return why `page` is rejected before its body is looked at, or None."""
    if page.kind == "revisit":
        return RejectReason.REVISIT
    if page.status != _OK and (page.kind != "resource" or page.status != _NO_STATUS):
        return RejectReason.HTTP_STATUS
    return None if len(page.body) else RejectReason.EMPTY_BODY


def _document(page: Page, body: Body, content_type: str, charset: str) -> Parsed | Rejected:
    if content_type == _PLAIN:
        text = decode(body.data, charset).replace("\0", " ").strip()
        content = HtmlContent("", text, "", [], "")
    else:
        source = html_source(body.data, charset)
        if is_too_complex(source):
            return Rejected(RejectReason.TOO_COMPLEX)
        content = _read(source)
    url = _clean(page.url)
    text, text_is_cut = _cut_text(content.text)
    links, links_are_cut = _resolve(content.references, url, content.base_reference)
    document = Document(
        url=url,
        title=content.title,
        text=f"{content.title}\n{text}" if content.title else text,
        language=content.language,
        status=page.status,
        content_type=content_type,
        charset=charset,
        fetched_at=_clean(page.fetched_at),
        content_digest=xxhash.xxh3_128_digest(body.data),
        links=links,
    )
    cuts = ((Cut.BODY, body.is_cut), (Cut.TEXT, text_is_cut), (Cut.LINKS, links_are_cut))
    return Parsed(document, tuple(cut for cut, is_cut in cuts if is_cut))


def _read(source: bytes) -> HtmlContent:
    try:
        return read_html(source)
    except SelectolaxError as error:  # its only reason to fail
        raise MemoryError(f"the HTML engine failed on {len(source)} bytes") from error


def _cut_text(text: str) -> tuple[str, bool]:
    """Return `text` up to a blank before the limit, and whether something was cut."""
    if len(text) <= MAX_TEXT_BYTES // _MAX_CHARACTER_BYTES:
        return text, False
    encoded = text.encode()
    if len(encoded) <= MAX_TEXT_BYTES:
        return text, False
    text = encoded[:MAX_TEXT_BYTES].decode(errors="ignore")
    blank = text.rfind(" ", len(text) - _LONGEST_WORD_KEPT)
    return text[:blank] if blank >= 0 else text, True


def _resolve(
    references: Sequence[str], url: str, base_reference: str
) -> tuple[tuple[str, ...], bool]:
    """Return the distinct links up to the limits, and whether there were more."""
    if max(len(url), len(base_reference)) > MAX_URL_CHARACTERS:
        url = base_reference = ""  # a base that is too long makes only links that are too long
    links: dict[str, None] = {}
    room = MAX_LINKS_CHARACTERS
    for start in range(0, min(len(references), MAX_REFERENCES), LINKS_SLICE):
        found = resolve_links(references[start : start + LINKS_SLICE], url, base_reference)
        for link in found:
            if link in links:
                continue
            if len(links) == MAX_LINKS or len(link) > room:
                return tuple(links), True
            links[link] = None
            room -= len(link)
    return tuple(links), len(references) > MAX_REFERENCES


def html_source(body: bytes, charset: str) -> bytes:
    """Return the page in UTF-8; where it is so already, the HTML engine sees to invalid bytes."""
    source = body if charset == UTF_8 else decode(body, charset).encode()
    return source.replace(b"\0", b" ") if b"\0" in source else source


def _clean(value: str) -> str:
    """Return `value` so that it can be stored: no NUL, no lone surrogate."""
    return _SURROGATES.sub("\ufffd", value.replace("\0", " "))
