"""Which links of a page a crawler may follow: those that the page does not ask it to leave.

`rel="nofollow"` on a link, `nofollow` or `none` in `<meta name="robots">` or under the crawler's
own name, and the same in the header X-Robots-Tag. What is no HTML has no links.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .charset import REPLACEMENT, find_encoding
from .complexity import is_too_complex
from .html import parse_html
from .http_body import decode_body, looks_like_html
from .limits import LINKS_SLICE, MAX_REFERENCES
from .links import MAX_LINKS, MAX_URL_CHARACTERS, resolve_links
from .parse import html_source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealedbeam.pipeline.records import Page
    from selectolax.lexbor import LexborHTMLParser

_TYPES = ("text/html", "application/xhtml+xml")
_LEAVE = frozenset(("nofollow", "none"))
_QUERY = "a[href],area[href]"


def read_links(page: Page, product_token: str, robots_tags: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the absolute addresses that a crawler may follow, each once, in order.

    Args:
        page: one response.
        product_token: the crawler's name, as pages and servers address it.
        robots_tags: the values of its X-Robots-Tag fields.

    Raises:
        MemoryError: the HTML engine cannot get the memory that this page needs.
    """
    if any(_leaves(value, product_token) for value in robots_tags):
        return ()
    source = _find_html(page)
    if not source or is_too_complex(source):
        return ()
    tree = parse_html(source)
    if _asks_to_leave(tree, product_token) or tree.body is None:
        return ()
    references = []
    for node in tree.body.css(_QUERY)[:MAX_REFERENCES]:
        relations = (node.attributes.get("rel") or "").lower().split()
        reference = node.attributes.get("href")
        if reference and "nofollow" not in relations:
            references.append(reference)
    return _resolve(references, page.url, _find_base(tree))


def _find_html(page: Page) -> bytes:
    """Return the page in UTF-8, empty if it is no HTML that can be read."""
    body = decode_body(page.body, page.transfer_encoding, page.content_encoding)
    if body is None or not body.data:
        return b""
    content_type = page.content_type.partition(";")[0].strip().lower()
    if content_type not in _TYPES and (content_type or not looks_like_html(body.data)):
        return b""
    charset = find_encoding(body.data, page.content_type, is_html=True)
    return b"" if charset == REPLACEMENT else html_source(body.data, charset)


def _asks_to_leave(tree: LexborHTMLParser, product_token: str) -> bool:
    for node in tree.css("meta[name][content]"):
        name = (node.attributes.get("name") or "").strip().lower()
        if name in {"robots", product_token.lower()}:
            words = (node.attributes.get("content") or "").lower().replace(",", " ").split()
            if not _LEAVE.isdisjoint(words):
                return True
    return False


def _leaves(value: str, product_token: str) -> bool:
    """Return whether a field X-Robots-Tag, for all or for us, says that links are to be left."""
    named, colon, rest = value.partition(":")
    if colon and "," not in named:
        if named.strip().lower() != product_token.lower():
            return False
        value = rest
    return not _LEAVE.isdisjoint(word.strip().lower() for word in value.split(","))


def _find_base(tree: LexborHTMLParser) -> str:
    node = tree.css_first("base[href]")
    return (node.attributes.get("href") or "") if node is not None else ""


def _resolve(references: list[str], url: str, base_reference: str) -> tuple[str, ...]:
    if max(len(url), len(base_reference)) > MAX_URL_CHARACTERS:
        return ()
    links: dict[str, None] = {}
    for start in range(0, len(references), LINKS_SLICE):
        found = resolve_links(references[start : start + LINKS_SLICE], url, base_reference)
        links.update(dict.fromkeys(found))
    return tuple(links)[:MAX_LINKS]
