"""Refuses pages that would keep the HTML engine busy for minutes, before it sees them.

The engine is linear on pages as people write them and quadratic in three hostile cases: open
elements that many tags search through, unclosed formatting that every later block repeats (110 KB
of it took 4.5 GB and 12 s), and attributes of one tag. The estimate counts tags in the source
without a tree, so it is rough: it stops what is written plainly, not what is disguised by comments
or quotes, for which the job's own limits of time and memory stand.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict

import numpy as np

# Measured: a search costs 1 ns per open element, a repeated element 1 us and 360 bytes.
_MAX_ELEMENTS_SEARCHED = 2 * 10**9
_MAX_ELEMENTS_REPEATED = 10**6
_MAX_ATTRIBUTES_OF_TAG = 10_000

_SMALL_SOURCE_BYTES = 32 * 2**10
_SLICE_BYTES = 64 * 2**10
_MAX_UNCLOSED_TAGS = 2_048  # up to here nothing is estimated: long manuals have as many
_MIN_TAGS_PER_SLICE = 8
_LESS_THAN = ord("<")
_SLASH = ord("/")
_MAX_REPEATS = 3  # of formatting with the same attributes, by the HTML standard

_TAG = re.compile(rb"<(/?)([A-Za-z][A-Za-z0-9]*)")
_FORMATTING_TAG = re.compile(
    rb"<(/?)(b|big|code|em|font|i|s|small|strike|strong|tt|u)(?=[\s/>])([^<>]{0,64})", re.IGNORECASE
)
_LONG_TAG = re.compile(rb"<[A-Za-z][^<>]{%d,}" % (2 * _MAX_ATTRIBUTES_OF_TAG))
# Elements without an end, and those that the next of their kind ends.
_UNNESTED = frozenset(
    b"a area base body br col dd dt embed head hr html img input keygen li link meta nobr option p "
    b"param rp rt source tbody td tfoot th thead tr track wbr".split()
)


def is_too_complex(source: bytes) -> bool:
    """Return whether parsing `source` would take far longer than pages of its size do."""
    if len(source) < _SMALL_SOURCE_BYTES:
        return False
    tags, unclosed_tags, is_sparse = _profile(source)
    if is_sparse and _has_countless_attributes(source):
        return True
    if unclosed_tags <= _MAX_UNCLOSED_TAGS:
        return False
    # Cheap upper bounds first: in long manuals most unclosed tags are of elements without content.
    return (
        tags * unclosed_tags > _MAX_ELEMENTS_SEARCHED
        and _elements_searched(source) > _MAX_ELEMENTS_SEARCHED
    ) or tags * _formatting_repeated(source) > _MAX_ELEMENTS_REPEATED


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
        is_sparse |= count < _MIN_TAGS_PER_SLICE and len(part) > 2 * _MAX_ATTRIBUTES_OF_TAG
    return tags, most_unclosed, is_sparse


def _has_countless_attributes(source: bytes) -> bool:
    return any(
        len(match[0].split(None, _MAX_ATTRIBUTES_OF_TAG)) > _MAX_ATTRIBUTES_OF_TAG
        for match in _LONG_TAG.finditer(source)
    )


def _elements_searched(source: bytes) -> int:
    """Return the number of open elements, summed over all tags."""
    open_elements: Counter[bytes] = Counter()
    depth = searched = 0
    for end, tag in _TAG.findall(source):
        name = tag.lower()
        if name not in _UNNESTED:
            step = -1 if end else 1
            if open_elements[name] + step >= 0:
                open_elements[name] += step
                depth += step
        searched += depth
    return searched


def _formatting_repeated(source: bytes) -> int:
    """Return how many unclosed formatting elements a block repeats at most."""
    open_elements: Counter[bytes] = Counter()
    variants: defaultdict[bytes, set[bytes]] = defaultdict(set)
    repeated: Counter[bytes] = Counter()
    for end, tag, attributes in _FORMATTING_TAG.findall(source):
        name = tag.lower()
        if end:
            open_elements[name] = max(0, open_elements[name] - 1)
        else:
            open_elements[name] += 1
            variants[name].add(attributes)
            most = min(open_elements[name], _MAX_REPEATS * len(variants[name]))
            repeated[name] = max(repeated[name], most)
    return repeated.total()
