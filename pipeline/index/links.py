"""Resolves the links of a page by the WHATWG URL Standard, with a cache that makes it cheap.

Joining one link costs several microseconds, and a page has hundreds. Nearly all of them are plain
relative paths, after any number of "../", of which nothing needs encoding or dissolves, so that
joining only cuts folders off the base and appends; or they are absolute and in their final form.
One regular expression tells whether all links of a page are so, which is the rule, and then no
URL needs parsing. For the rest, what a reference resolves to depends on
the base URL only up to the last slash of its path, unless it is empty or begins with "?" or "#";
so pages of one folder share their results, and the cache is keyed by folder and reference. It
caches a pure function: what is in it never shows in a result.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING

import ada_url

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_LINKS = 10_000
MAX_URL_CHARACTERS = 2_048  # the longest that site maps allow; bounds the cache, too

_CACHED_LINKS = 32_768
_MAX_CACHED_CHARACTERS = 512
_WEB_SCHEMES = ("http://", "https://")
_PARENT = "../"
# The plain references, those that need no parsing. Nothing in a piece of a path is encoded or
# dissolves: no empty or dotted segment, and no dot in disguise (%2E). A host that ends in a number
# is an address, and one with "xn--" has rules of its own.
_PIECE = r"(?:[\w~()!$&'*+,;=@-]++|%(?!2[eE])[0-9A-Fa-f]{2})++"
_PATH = rf"{_PIECE}(?:[./]{_PIECE})*+/?+(?:\?[\w=&./+,;~%-]*+)?+"
_ABSOLUTE_PATH = _PATH.replace("=@", "=@:").replace("=&", "=&:")  # a colon is no scheme there
_HOST = r"(?:(?!xn--)[a-z0-9][a-z0-9-]*+\.)++(?!xn--)[a-z][a-z0-9-]*+"
_FOREIGN = r"(?:javascript|mailto):[^\n]*+"
_PLAIN = (
    rf"(?:https?://{_HOST}(?:/(?:{_ABSOLUTE_PATH})?+)?+|{_FOREIGN}|(?:/|\./|(?:\.\./)*+){_PATH})"
)
_SLASHES_BEFORE_HOST = 2
_PLAIN_PAGE = re.compile(rf"https?://{_HOST}/(?:{_ABSOLUTE_PATH})?+", re.ASCII)
_ONE_PLAIN = re.compile(_PLAIN, re.ASCII)
_ALL_PLAIN = re.compile(rf"{_PLAIN}(?:\n{_PLAIN})*+", re.ASCII)
_TRIMMED = "".join(map(chr, range(0x21)))  # what the standard trims from both ends of a URL


def resolve_links(
    references: Collection[str], page_url: str, base_reference: str
) -> tuple[str, ...]:
    """Return the absolute http(s) URLs of `references`, without fragments, each once, in order.

    References that only name a fragment, cannot be resolved or are too long are left out.

    Args:
        references: The values of the `href` attributes, as they stand.
        page_url: The URL of the page.
        base_reference: The `href` of its `<base>`, empty where it has none.
    """
    base = _base_url(page_url, base_reference)
    folder = _folder(base)
    ancestors = _ancestors(folder)
    targets = list(dict.fromkeys([reference.partition("#")[0] for reference in references]))
    if ancestors and _all_plain(targets):
        links = [
            _append(ancestors, target) if target[0] in "./" or ":" in target else folder + target
            for target in targets
        ]
    else:
        links = [
            _append(ancestors, target)
            if ancestors and _ONE_PLAIN.fullmatch(target)
            else _join_anywhere(base, folder, target)
            for target in _without_fragments(references, targets)
            if len(target) <= MAX_URL_CHARACTERS
        ]
    distinct = dict.fromkeys(links)
    distinct.pop("", None)
    return tuple(islice(distinct, MAX_LINKS))


def _all_plain(targets: list[str]) -> bool:
    joined = "\n".join(targets)
    # A line feed inside a reference is dropped by the standard: it must not look like a separator.
    return (
        joined.count("\n") < len(targets)
        and max(map(len, targets)) <= MAX_URL_CHARACTERS
        and _ALL_PLAIN.fullmatch(joined) is not None
    )


def _append(ancestors: list[str], target: str) -> str:
    """Return what a plain `target` names, seen from the folder that `ancestors` begin with."""
    if ":" in target:
        if not target.startswith(_WEB_SCHEMES):
            return ""
        return target if target.count("/") > _SLASHES_BEFORE_HOST else target + "/"
    if target.startswith(_PARENT):
        above = target.rfind(_PARENT) // len(_PARENT) + 1
        return ancestors[min(above, len(ancestors) - 1)] + target[len(_PARENT) * above :]
    if target[0] == "/":
        return ancestors[-1] + target[1:]
    return ancestors[0] + target.removeprefix("./")


def _without_fragments(references: Collection[str], targets: list[str]) -> list[str]:
    """Return `targets`, the distinct references without fragments, where blanks make them wrong.

    A blank before the mark is not at the end, where it would be trimmed: there the mark stays.
    """
    if all(target[-1:] > " " for target in targets):
        return targets
    marked = dict.fromkeys([r[: r.find("#") + 1] or r for r in references])
    return [target for target in marked if target.strip(_TRIMMED) != "#"]


def _join_anywhere(base: str, folder: str, target: str) -> str:
    is_short = len(folder) + len(target) <= _MAX_CACHED_CHARACTERS
    link = _join_in_folder(folder, target) if is_short else None
    return _join(base, target) if link is None else link


@lru_cache(maxsize=_CACHED_LINKS)
def _join_in_folder(folder: str, target: str) -> str | None:
    """Return what `_join` does for every base in `folder`, or None where they differ."""
    # A scheme without slashes ("https:?x") is relative to the whole base.
    is_local = ":" not in target or target.startswith(_WEB_SCHEMES)
    if is_local and target[:1] > " " and target[0] != "?":
        return _join(folder, target)
    return None


def _join(base: str, target: str) -> str:
    """Return the http(s) URL without fragment that `target` names seen from `base`, or ""."""
    url = _parse(target, base or None)
    return url.partition("#")[0] if url.startswith(_WEB_SCHEMES) else ""


def _base_url(page_url: str, base_reference: str) -> str:
    """Return the document's base URL, or "" when nothing relative can be resolved."""
    page = page_url if _PLAIN_PAGE.fullmatch(page_url) else _parse(page_url, None)
    if not base_reference:
        return page
    base = _parse(base_reference, page or None)
    return page if base.startswith(("data:", "javascript:")) else base or page


def _folder(base: str) -> str:
    """Return `base` up to the last slash of its path, where that resolves references alike."""
    if not base.startswith(_WEB_SCHEMES):
        return base
    path_end = len(base.partition("#")[0].partition("?")[0])
    return base[: base.rindex("/", 0, path_end) + 1]


def _ancestors(folder: str) -> list[str]:
    """Return `folder`, its parent, and so on to the root; nothing for another kind of URL."""
    if not folder.startswith(_WEB_SCHEMES):
        return []
    root_end = folder.index("/", len("https://")) + 1
    ancestors = [folder]
    while len(ancestors[-1]) > root_end:
        ancestors.append(folder[: folder.rindex("/", 0, len(ancestors[-1]) - 1) + 1])
    return ancestors


def _parse(url: str, base: str | None) -> str:
    try:
        return ada_url.URL(url, base).href if base is None else ada_url.join_url(base, url)
    except ValueError:
        return ""
