"""Makes a document of a page: decodes it, reads it, and rejects with a reason what is no document.

A pure function of the page alone: the same page gives the same document, whatever was parsed
before it, and no bytes make it raise. All strings of a document can be encoded in UTF-8 and hold
no NUL, which separates texts further down the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import xxhash
from sealedbeam.pipeline.records import Document

from .charset import REPLACEMENT, UTF_8, decode, find_encoding
from .complexity import is_too_complex
from .html import HtmlContent, read_html
from .http_body import decode_body, looks_like_html
from .links import resolve_links

if TYPE_CHECKING:
    from sealedbeam.pipeline.records import Page

_OK = 200
_NO_STATUS = 0
_HTML = "text/html"
_XHTML = "application/xhtml+xml"
_PLAIN = "text/plain"
_CONTENT_TYPES = (_HTML, _XHTML, _PLAIN)
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
class Rejected:
    """A page that was read well but is no document."""

    reason: RejectReason


def parse_page(page: Page) -> Document | Rejected:
    """Return the document that `page` holds, or why it holds none."""
    reason = _refusal(page)
    if reason is not None:
        return Rejected(reason)
    body = decode_body(page.body, page.transfer_encoding, page.content_encoding)
    if body is None:
        return Rejected(RejectReason.UNDECODABLE_BODY)
    if not body:
        return Rejected(RejectReason.EMPTY_BODY)
    content_type = page.content_type.partition(";")[0].strip().lower()
    if not content_type and looks_like_html(body):
        content_type = _HTML
    if content_type not in _CONTENT_TYPES:
        return Rejected(RejectReason.CONTENT_TYPE)
    charset = find_encoding(body, page.content_type, is_html=content_type != _PLAIN)
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


def _document(page: Page, body: bytes, content_type: str, charset: str) -> Document | Rejected:
    if content_type == _PLAIN:
        content = HtmlContent("", decode(body, charset).replace("\0", " ").strip(), "", [], "")
    else:
        source = _html_source(body, charset)
        if is_too_complex(source):
            return Rejected(RejectReason.TOO_COMPLEX)
        content = read_html(source)
    url = _clean(page.url)
    return Document(
        url=url,
        title=content.title,
        text=f"{content.title}\n{content.text}" if content.title else content.text,
        language=content.language,
        status=page.status,
        content_type=content_type,
        charset=charset,
        fetched_at=_clean(page.fetched_at),
        content_digest=xxhash.xxh3_128_digest(body),
        links=resolve_links(content.references, url, content.base_reference),
    )


def _html_source(body: bytes, charset: str) -> bytes:
    """Return the page in UTF-8; where it is so already, the HTML engine sees to invalid bytes."""
    source = body if charset == UTF_8 else decode(body, charset).encode()
    return source.replace(b"\0", b" ") if b"\0" in source else source


def _clean(value: str) -> str:
    """Return `value` so that it can be stored: no NUL, no lone surrogate."""
    return _SURROGATES.sub("\ufffd", value.replace("\0", " "))
