"""JSON under the fuzzer: edits that keep it JSON, as bytes alone seldom do, and seals that fit."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.integrity.checksum import crc32c

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.fuzz.cursor import Cursor

EDITS_MAX = 8  # one of them may double the value

VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 1 << 64, 10**400, 0.5, 1e308, float("inf"), float("nan")),
    *("", "a", "0", "ab" * 16, "0000002a", "../a", "/a", "a/./b", "a\\b", "\0", "\x1b[0m\n"),
    *("\ud800", [], {}, [[]], [{}], {"": 0}),
)


def edit_json(content: Any, edits: Cursor) -> Any:
    """Return a copy of `content` in which values were replaced, moved, removed and put in.

    Each edit is one byte for what happens, two for where, and one for the value.
    """
    root = {"": copy.deepcopy(content)}
    for _ in range(EDITS_MAX):
        if not edits:
            break
        what, where, which = edits.number(), edits.number(2), edits.number()
        places = list(_places(root))
        holder, key = places[where % len(places)]
        value = VALUES[which % len(VALUES)]
        match what % 4:
            case 0:
                holder[key] = copy.deepcopy(value)
            case 1 if holder is not root:
                del holder[key]
            case 2:
                other, name = places[which % len(places)]
                holder[key] = copy.deepcopy(other[name])
            case 3 if isinstance(holder, dict):
                holder[f"{key}{which}"] = copy.deepcopy(value)
    return root[""]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield each place inside `value` as its holder and the key there."""
    keys: Any = ()
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = range(len(value))
    for key in keys:
        yield value, key
        yield from _places(value[key])


def seal_json(text: bytes, canonical: Callable[[Any], bytes]) -> bytes:
    """Return JSON text in canonical form with good seals; other bytes as they are."""
    try:
        content = dict(json.loads(text))
        body = canonical({key: content[key] for key in content if key not in {"crc32c", "sha256"}})
        seals = {"crc32c": f"{crc32c(body):08x}", "sha256": hashlib.sha256(body).hexdigest()}
        return canonical({**content, **seals})
    except (ValueError, TypeError, RecursionError):
        return text
