"""Tells people what is wrong with a file of theirs: the path inside it, the value, what is allowed.

What is allowed is said by a table from paths, their numbers left out, to words. The empty path is
the file as a whole; a place without words of its own has those of what it lies in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.config import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import ValidationError

_VALUE_CHARACTERS_MAX = 60


def list_mistakes(invalid: ValidationError, allowed: Mapping[str, str], whole: str) -> list[str]:
    """Return a sentence for each mistake that pydantic found.

    A list whose items are wrong is not told besides: pydantic also calls it too short.

    Args:
        invalid: what it raised.
        allowed: the table described above.
        whole: what the file is called when it is wrong as a whole, such as "the scenario".
    """
    errors = invalid.errors()
    around = {error["loc"][:depth] for error in errors for depth in range(len(error["loc"]))}
    return [
        describe(error["loc"], error["type"], error["input"], allowed=allowed, whole=whole)
        for error in errors
        if error["loc"] not in around
    ]


def describe(
    location: Sequence[int | str], kind: str, value: Any, *, allowed: Mapping[str, str], whole: str
) -> str:
    """Return one mistake as a sentence.

    Args:
        location: the path of the value, as pydantic gives it.
        kind: pydantic's type of the error; only what is missing or not known is told differently.
        value: what stands there.
        allowed: the table described above.
        whole: what to call the file.
    """
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    where = where.removeprefix(".") or whole
    names = [part for part in location if isinstance(part, str)]
    if kind == "extra_forbidden":
        near = nearest(names[-1], _keys(names[:-1], allowed))
        return f"{where} is not known; {near or f'allowed: {_words(names[:-1], allowed)}'}"
    if kind == "missing":
        return f"{where} is missing; allowed: {_words(names, allowed)}"
    shown = repr(value)
    if len(shown) > _VALUE_CHARACTERS_MAX:
        shown = f"{shown[:_VALUE_CHARACTERS_MAX]}..."
    return f"{where} is {shown}; allowed: {_words(names, allowed)}"


def _keys(names: Sequence[str], allowed: Mapping[str, str]) -> list[str]:
    """Return the keys that are allowed at a place."""
    place = "".join(f"{name}." for name in names)
    inside = [path.removeprefix(place) for path in allowed if path.startswith(place)]
    return [key for key in inside if key and "." not in key]


def _words(names: Sequence[str], allowed: Mapping[str, str]) -> str:
    while (words := allowed.get(".".join(names))) is None:
        names = names[:-1]
    return words
