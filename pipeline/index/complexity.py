"""Refuses pages that would keep the HTML engine busy for minutes, before it sees them.

The engine is linear on pages as people write them and quadratic in three hostile cases: open
elements that many tags search through, unclosed formatting that every later block repeats (110 KB
of it took 4.5 GB and 12 s), and attributes of one tag, each compared with all before it. And each
element and attribute takes some hundred bytes.

A look at the bytes alone clears nearly all pages. The others are read tag by tag, comments, quotes
and scripts skipped, on a stack of open elements kept by the main rules of the HTML standard, and
what the engine would do is added up. The count is rough (no tables' own rules, no foreign content),
and a small page that is hostile in disguise is not looked into; for these the job's own limits of
time and memory stand.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .limits import (
    MAX_ATTRIBUTES,
    MAX_ATTRIBUTES_COMPARED,
    MAX_ELEMENTS_REPEATED,
    MAX_ELEMENTS_SEARCHED,
    MAX_TAGS,
)

if TYPE_CHECKING:
    from collections.abc import Collection

_SMALL_SOURCE_BYTES = 8 * 2**10
_LARGE_SOURCE_BYTES = 4 * 2**20  # less has no room for too many attributes
# Tags times unclosed ones bound what is repeated from above; hardly a page has so many. Each page
# that is looked at costs as much as a third of its parse.
_FEW_REPEATED = 4 * MAX_ELEMENTS_REPEATED
_MANY_TAGS = 20_000  # fewer cannot search too many elements, however well they hide
_SLICE_BYTES = 64 * 2**10
_MIN_TAGS_PER_SLICE = 8
_LESS_THAN = ord("<")
_SLASH = ord("/")
_MAX_SAME_FORMATS = 3  # with the same attributes, by the HTML standard
_SAMPLE_BYTES = 16 * 2**10
_SAMPLE_STEP_BYTES = 2**20
_MAX_STRAY_ENDS = 100  # in a sample: the elements that were opened before it
_PYTHON_STEPS = 20  # what one step of a search costs here, in steps of the engine

_NAME = rb"[A-Za-z][^\s/>]*+"
_ATTRIBUTES = rb"""(?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+"""
_TAG = re.compile(
    rb"<(?:!--.*?(?:--!?>|\Z)|(?P<end>/?)(?P<name>" + _NAME + rb")(?P<attributes>"
    rb"" + _ATTRIBUTES + rb")(?:>|\Z))",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rb"""[^\s/=]++\s*+(?:=\s*+(?:"[^"]*+"|'[^']*+'|[^\s>]*+))?+""")
_HIDING = re.compile(rb"""<!--.*?(?:-->|\Z)|=[ ]?(?:"[^"]*+"|'[^']*+')""", re.DOTALL)
_WHOLE_TAG = re.compile(rb"<[A-Za-z][^>]*+")
_TAG_NAME = re.compile(rb"<(/?[A-Za-z][^\s/>]*+)")
_FORMAT_TAG = re.compile(
    rb"<(/?(?:[bius]|em|tt|big|code|font|nobr|small|strike|strong"
    rb"|[BIUS]|EM|TT|BIG|CODE|FONT|NOBR|SMALL|STRIKE|STRONG))(?=[\s/>])"
)


def _names(text: bytes) -> frozenset[bytes]:
    return frozenset(text.split())


_RAW_TEXT = {
    name: re.compile(rb"</" + name + rb"(?=[\s/>])", re.IGNORECASE)
    for name in _names(b"iframe noembed noframes noscript script style textarea title xmp")
}
_CHILDLESS = _names(
    b"area base basefont bgsound body br col embed frame frameset head hr html image img input "
    b"keygen link meta param source track wbr"
)
_FORMATS = _names(b"a b big code em font i nobr s small strike strong tt u")
_SCOPES = _names(b"applet caption marquee object table td template th")
_MARKERS = _SCOPES - {b"table"}
_SHELTERS = _SCOPES - {b"td", b"th"}
_SPECIAL = _SCOPES | _names(
    b"address article aside blockquote button center dd details dir div dl dt fieldset figcaption "
    b"figure footer form h1 h2 h3 h4 h5 h6 header hgroup iframe li listing main menu nav ol p "
    b"plaintext pre search section select summary tbody tfoot thead tr ul"
)
_ENDS_PARAGRAPH = _SPECIAL - _names(b"applet button marquee object select template")
# What a start tag ends of its own kind, in this order, and what it does not look beyond for it.
_TABLE_SCOPE = _names(b"table template")
_ITEM_SCOPE = _SPECIAL - _names(b"address div p")
_CELL = (_names(b"td th"),)
_ROW = (*_CELL, _names(b"tr"))
_SECTION = (*_ROW, _names(b"caption tbody tfoot thead"))
_ENDS = (
    {
        b"li": ((_names(b"li"),), _ITEM_SCOPE),
        b"option": ((_names(b"option"),), _SPECIAL),
        b"button": ((_names(b"button"),), _SCOPES),
        b"tr": (_ROW, _TABLE_SCOPE),
    }
    | dict.fromkeys((b"dd", b"dt"), ((_names(b"dd dt"),), _ITEM_SCOPE))
    | dict.fromkeys((b"td", b"th"), (_CELL, _TABLE_SCOPE))
    | dict.fromkeys((b"tbody", b"tfoot", b"thead"), (_SECTION, _TABLE_SCOPE))
)
_PARAGRAPH = _names(b"p")
_BUTTON_SCOPE = _SCOPES | {b"button"}


def is_too_complex(source: bytes) -> bool:
    """Return whether parsing `source` would take far more than pages of its size do."""
    if len(source) < _SMALL_SOURCE_BYTES:
        return False
    tags, unclosed_tags, is_sparse = _profile(source)
    if tags > MAX_TAGS:
        return True
    is_suspect = (
        is_sparse
        or tags * unclosed_tags > MAX_ELEMENTS_SEARCHED
        or (
            tags * unclosed_tags > _FEW_REPEATED
            and tags * _unclosed_formats(source) > MAX_ELEMENTS_REPEATED
        )
        or (tags > _MANY_TAGS and _has_stray_ends(source))
        or (len(source) > _LARGE_SOURCE_BYTES and _may_have_many_attributes(source))
    )
    return is_suspect and _Walk().exceeds(source)


def _profile(source: bytes) -> tuple[int, int, bool]:
    """Return the tags, the most that were unclosed, and whether a slice has next to none."""
    codes = np.frombuffer(source, np.uint8)
    tags = unclosed = most_unclosed = 0
    is_sparse = False
    for start in range(0, len(codes), _SLICE_BYTES):
        part = codes[start : start + _SLICE_BYTES]
        opening = part == _LESS_THAN
        count = int(np.count_nonzero(opening))
        closing = int(np.count_nonzero(opening[:-1] & (part[1:] == _SLASH)))
        tags += count
        unclosed += count - 2 * closing
        most_unclosed = max(most_unclosed, unclosed)
        is_sparse |= count < _MIN_TAGS_PER_SLICE and len(part) == _SLICE_BYTES
    return tags, most_unclosed, is_sparse


def _has_stray_ends(source: bytes) -> bool:
    """Return whether a sample shows end tags of nothing, or in comments and quotes.

    They hide from a count what is open. So do end tags in tables and the like, outside of which
    they end nothing; very many of these are as suspect.
    """
    for start in range(0, len(source), _SAMPLE_STEP_BYTES):
        whole = source[start : start + _SAMPLE_BYTES]
        part = _HIDING.sub(b"", whole)
        counts = Counter(_TAG_NAME.findall(part))
        ends = (name for name in counts if name.startswith(b"/"))
        stray = whole.count(b"</") - part.count(b"</")
        stray += sum(max(0, counts[name] - counts[name.removeprefix(b"/")]) for name in ends)
        shelters = sum(counts[name] for name in counts if name.lower() in _SHELTERS)
        if max(stray, shelters) > _MAX_STRAY_ENDS:
            return True
    return False


def _may_have_many_attributes(source: bytes) -> bool:
    """Return whether there is what separates attributes as often as would be too many."""
    tags = b"".join(_WHOLE_TAG.findall(source))
    separators = len(tags.split()) + tags.count(b"/") + (tags.count(b'"') + tags.count(b"'")) // 2
    return separators > MAX_ATTRIBUTES


def _unclosed_formats(source: bytes) -> int:
    """Return how many formatting elements have no end tag."""
    counts: Counter[bytes] = Counter()
    for name, count in Counter(_FORMAT_TAG.findall(source)).items():
        counts[name.lower()] += count
    return sum(
        max(0, count - counts[b"/" + name])
        for name, count in list(counts.items())
        if not name.startswith(b"/")
    )


@dataclass(slots=True, eq=False)
class _Format:
    """A formatting element: where it is closed by its parent's end, it is made again."""

    name: bytes
    attributes: bytes
    is_open: bool = True


class _Walk:
    """Adds up what the HTML engine would do with one page, tag by tag."""

    def __init__(self) -> None:
        self._stack: list[tuple[bytes, _Format | None]] = []
        self._open: Counter[bytes] = Counter()
        self._formats: list[_Format | None] = []  # None marks a cell or the like
        self._root_attributes = 0
        self._attributes = 0
        self._compared = 0
        self._searched = 0
        self._repeated = 0

    def exceeds(self, source: bytes) -> bool:
        """Return whether `source` is over a limit."""
        position = 0
        while tag := _TAG.search(source, position):
            if tag.start() > position:
                self._repeat_formats()
            position = tag.end()
            if tag["name"] is None:
                continue
            name = tag["name"].lower()
            self._searched += len(self._stack)
            if tag["end"]:
                self._end(name)
            else:
                self._start(name, tag["attributes"])
                if name in _RAW_TEXT and not self._open[b"svg"] and not self._open[b"math"]:
                    end = _RAW_TEXT[name].search(source, position)
                    position = end.start() if end else len(source)
            if self._is_over():
                return True
        return False

    def _is_over(self) -> bool:
        return (
            self._searched > MAX_ELEMENTS_SEARCHED
            or self._repeated > MAX_ELEMENTS_REPEATED
            or self._attributes > MAX_ATTRIBUTES
            or self._compared > MAX_ATTRIBUTES_COMPARED
        )

    def _start(self, name: bytes, attributes: bytes) -> None:
        self._count_attributes(name, attributes)
        if name in _ENDS_PARAGRAPH:
            self._close(_PARAGRAPH, _BUTTON_SCOPE)
        kinds, scope = _ENDS.get(name, ((), _SCOPES))
        for kind in kinds:
            self._close(kind, scope)
        if name not in _SPECIAL:
            if name == b"a" and self._open[name]:
                self._end_format(name)
            self._repeat_formats()
        if name in _CHILDLESS:
            return
        formatting = _Format(name, attributes) if name in _FORMATS else None
        if formatting is not None:
            self._list(formatting)
        elif name in _MARKERS:
            self._formats.append(None)
        self._push(name, formatting)

    def _end(self, name: bytes) -> None:
        if name in _FORMATS:
            self._end_format(name)
        elif name == b"p" or name in _SPECIAL:
            self._close({name}, _SCOPES)
        else:
            self._close({name}, _SPECIAL)

    def _count_attributes(self, name: bytes, attributes: bytes) -> None:
        """Count the attributes of a tag; those of all `<html>` and `<body>` are those of one."""
        count = before = len(_ATTRIBUTE.findall(attributes)) if attributes else 0
        if count and name in (b"html", b"body"):
            self._root_attributes += count
            before = self._root_attributes
        self._attributes += count
        self._compared += count * before // 2

    def _close(self, names: Collection[bytes], scope: frozenset[bytes]) -> None:
        """End the innermost of `names` and all in it, if it is open within `scope`."""
        if not any(self._open[name] for name in names):
            return
        for index in range(len(self._stack) - 1, -1, -1):
            name = self._stack[index][0]
            if name in names:
                self._searched += _PYTHON_STEPS * (len(self._stack) - index)
                self._pop(index)
                return
            if name in scope:
                self._searched += _PYTHON_STEPS * (len(self._stack) - index)
                return

    def _push(self, name: bytes, formatting: _Format | None) -> None:
        self._stack.append((name, formatting))
        self._open[name] += 1

    def _pop(self, index: int) -> None:
        """End all open elements from `index` on."""
        for name, formatting in self._stack[index:]:
            self._open[name] -= 1
            if formatting is not None:
                formatting.is_open = False
            elif name in _MARKERS:
                while self._formats and self._formats.pop() is not None:
                    pass
        del self._stack[index:]

    def _list(self, formatting: _Format) -> None:
        """Remember a formatting element; of more than three alike the first is forgotten."""
        same = []
        for index in range(len(self._formats) - 1, -1, -1):
            other = self._formats[index]
            if other is None:
                break
            self._searched += _PYTHON_STEPS
            if (other.name, other.attributes) == (formatting.name, formatting.attributes):
                same.append(index)
        if len(same) == _MAX_SAME_FORMATS:
            del self._formats[same[-1]]
        self._formats.append(formatting)

    def _repeat_formats(self) -> None:
        """Open again the formatting elements that were closed by another's end."""
        first = len(self._formats)
        while first:
            formatting = self._formats[first - 1]
            if formatting is None or formatting.is_open:
                break
            first -= 1
        for formatting in self._formats[first:]:
            if formatting is not None:
                formatting.is_open = True
                self._push(formatting.name, formatting)
                self._repeated += 1

    def _end_format(self, name: bytes) -> None:
        """End the last formatting element of this name; blocks in it stay open."""
        for index in range(len(self._formats) - 1, -1, -1):
            formatting = self._formats[index]
            if formatting is None:
                break
            self._searched += _PYTHON_STEPS
            if formatting.name == name:
                if not formatting.is_open or self._take_out(formatting):
                    del self._formats[index]
                return
        self._close({name}, _SPECIAL)

    def _take_out(self, formatting: _Format) -> bool:
        """Remove an open formatting element, unless a cell or the like lies between."""
        has_block = False
        for index in range(len(self._stack) - 1, -1, -1):
            name, candidate = self._stack[index]
            self._searched += _PYTHON_STEPS
            if candidate is formatting:
                break
            if name in _SCOPES:
                return False
            has_block |= name in _SPECIAL
        else:
            return True
        if has_block:
            self._repeated += 1
            self._open[formatting.name] -= 1
            del self._stack[index]
        else:
            self._pop(index)
        return True
