"""The addresses that an answer names: links of a page, entries of a site map."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.pipeline.crawl.pace import inflate
from sealedbeam.pipeline.crawl.sitemaps import read_sitemap
from sealedbeam.pipeline.index.follow import read_links
from sealedbeam.pipeline.index.http_body import decode_body
from sealedbeam.pipeline.records import Page

from .config import PRODUCT_TOKEN

if TYPE_CHECKING:
    from sealedbeam.pipeline.crawl.fetch import Exchange
    from sealedbeam.pipeline.crawl.visitor import Answer

_SITEMAP_BYTES_MAX = 50 << 20
_OTHER_CODINGS = ("br", "zstd")
_XML = ("application/xml", "text/xml")


class Named(NamedTuple):
    """The addresses that an answer names, each once, in order."""

    pages: tuple[str, ...]
    sitemaps: tuple[str, ...] = ()


def find_links(answer: Answer) -> Named:
    """Return the addresses that a page or a site map names."""
    exchange = answer.exchange
    content_type = exchange.get("Content-Type")
    if _may_be_sitemap(answer.url, content_type):
        found = read_sitemap(_content(exchange), answer.url)
        if found.pages or found.sitemaps:
            return Named(
                tuple(entry.url for entry in found.pages),
                tuple(entry.url for entry in found.sitemaps),
            )
    page = Page(
        kind="response",
        url=answer.url,
        fetched_at="",
        status=exchange.status,
        content_type=content_type,
        content_encoding=exchange.get("Content-Encoding"),
        transfer_encoding="",
        body=exchange.body,
    )
    tags = [
        value.decode("latin-1")
        for name, value in exchange.fields
        if name.lower() == b"x-robots-tag"
    ]
    return Named(read_links(page, PRODUCT_TOKEN, tags))


def _content(exchange: Exchange) -> bytes:
    """Return a body without its content coding, whichever it is; bounded."""
    coding = exchange.get("Content-Encoding").lower()
    if coding not in _OTHER_CODINGS:
        return inflate(exchange, _SITEMAP_BYTES_MAX)
    body = decode_body(exchange.body, "", coding)
    return b"" if body is None else body.data


def _may_be_sitemap(url: str, content_type: str) -> bool:
    path = url.partition("?")[0].lower()
    kind = content_type.partition(";")[0].strip().lower()
    return kind in _XML or path.endswith((".xml", ".xml.gz"))
