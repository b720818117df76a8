"""Reads title, text, language and link references out of HTML, with the lexbor engine.

Scripts and styles, and elements that hold a fallback for another kind of reader (`noscript`,
`iframe`), are no text. Text nodes are separated by a blank wherever markup
stands between them, so that cells and lines never run together; a word that markup cuts in two is
indexed as two.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from selectolax.lexbor import (
    LexborDocumentOptions,
    LexborHTMLParser,
    SelectolaxError,
    create_tag,
)

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

MAX_TITLE_CHARACTERS = 1_000

# A title is cut to this before its blanks are collapsed, so that a huge one costs nothing.
_MAX_RAW_TITLE_CHARACTERS = 16 * MAX_TITLE_CHARACTERS
_LANGUAGE = re.compile(r"([A-Za-z]{2,3})(?:[-_]|\Z)")
# One walk of the tree finds all that the body has to give or to lose; each selector costs by the
# element, so there is one for all that links and one for each kind of raw text.
_BODY_QUERY = '[href]:not([href^="#"]),script,style,noscript,iframe'
_HEAD_QUERY = "title,base[href]"
_LINK_TAGS = frozenset(create_tag(name).tag_id for name in ("a", "area"))
_RAW_TEXT_TAGS = frozenset(
    create_tag(name).tag_id for name in ("script", "style", "noscript", "iframe")
)
_BASE_TAG = create_tag("base").tag_id
_TITLE_TAG = create_tag("title").tag_id


@dataclass(frozen=True, slots=True)
class HtmlContent:
    """What a page says: `references` are its links' `href` values, as they stand."""

    title: str
    text: str
    language: str
    references: list[str]
    base_reference: str


def read_html(source: bytes | str) -> HtmlContent:
    """Return the content of the page `source`: text, or UTF-8 bytes, without NUL characters.

    Raises:
        MemoryError: there is not enough memory for its tree.
    """
    tree = parse_html(source)
    title, base_reference = _read_head(tree)
    body = tree.body
    if body is None:  # a page of frames
        return HtmlContent(title, "", _language(tree), [], base_reference)
    references = []
    for node in body.css(_BODY_QUERY):
        tag = node.tag_id
        if tag in _LINK_TAGS:
            reference = node.attrs.sget("href")
            if reference:
                references.append(reference)
        elif tag in _RAW_TEXT_TAGS:
            node.decompose()
        elif tag == _BASE_TAG:
            base_reference = base_reference or node.attributes.get("href") or ""
    text = body.text(separator=" ", skip_empty=True).strip()
    return HtmlContent(title, text, _language(tree), references, base_reference)


def parse_html(source: bytes | str) -> LexborHTMLParser:
    """Return the tree of a page; raises MemoryError when there is not enough for it."""
    # Scripting keeps the content of a head's `noscript` from ending the head; events would copy
    # the selected option of a list, so that its text came twice.
    options = LexborDocumentOptions.WO_EVENTS
    try:
        return LexborHTMLParser(source, options=options, scripting=True)
    except SelectolaxError as error:
        raise MemoryError(str(error)) from None  # no page is invalid: this is all it can mean


def _read_head(tree: LexborHTMLParser) -> tuple[str, str]:
    """Return the title and the `href` of the `<base>`, each empty where there is none."""
    title_node: LexborNode | None = None
    base_reference = ""
    head = tree.head
    for node in head.css(_HEAD_QUERY) if head is not None else ():
        if node.tag_id != _TITLE_TAG:
            base_reference = base_reference or node.attributes.get("href") or ""
        elif title_node is None:
            title_node = node
    if title_node is not None:
        return _collapse_title(title_node.text()), base_reference
    # Broken pages have it in the body, where it would be taken for text.
    title_node = tree.css_first("title:not(svg title)")
    if title_node is None:
        return "", base_reference
    title = _collapse_title(title_node.text())
    title_node.decompose()
    return title, base_reference


def _collapse_title(text: str) -> str:
    title = " ".join(text[:_MAX_RAW_TITLE_CHARACTERS].split())
    return title[:MAX_TITLE_CHARACTERS].rstrip()


def _language(tree: LexborHTMLParser) -> str:
    """Return the primary subtag of the language that `<html>` declares, or ""."""
    root = tree.root
    declared = (root.attributes.get("lang") or "") if root is not None else ""
    match = _LANGUAGE.match(declared.strip())
    return match[1].lower() if match else ""
