"""Elements of HTML as values: what is not markup is escaped, so nothing can be forgotten."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from sealedbeam.pipeline.text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable


class Markup(str):
    """Text that is HTML already; made here alone."""

    __slots__ = ()


def tag(name: str, *children: str, **attributes: str) -> Markup:
    """Return an element; children that are no markup are escaped, and so are attributes.

    A trailing underscore of an attribute's name is dropped: `class_`.
    """
    head = "".join(
        f' {key.rstrip("_")}="{_escape(value)}"' for key, value in attributes.items() if value
    )
    return Markup(f"<{name}{head}>{join(children)}</{name}>")


def join(children: Iterable[str]) -> Markup:
    """Return children one after the other."""
    return Markup(
        "".join(child if isinstance(child, Markup) else _escape(child) for child in children)
    )


def _escape(text: str) -> str:
    """Return `text` without what is markup in HTML, and without what turns text round."""
    return escape(harmless(text))


def trusted(text: str) -> Markup:
    """Return a constant of this program as markup; never what was read from anywhere."""
    return Markup(text)


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> Markup:
    """Return a table; a cell that reads as a number is aligned to the right."""
    titles = [tag("th", title) for title in head]
    body = (tag("tr", *(_cell(cell) for cell in row)) for row in rows)
    return tag("table", tag("thead", tag("tr", *titles)) if titles else "", tag("tbody", *body))


def _cell(value: str) -> Markup:
    is_number = not isinstance(value, Markup) and value.replace(",", "").isdigit()
    return tag("td", value, class_="number" if is_number else "")
