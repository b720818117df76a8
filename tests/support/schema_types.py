"""Whether the values of an object are of the types that its classes declare, however deep they lie.

For classes that take whatever they are given, such as those that a schema was translated to.
"""

from __future__ import annotations

from enum import Enum
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Iterator


def find_mistyped(value: object, hint: Any, where: str) -> list[str]:
    """Return a line for each value within `value` that is not of the type it is declared to be.

    Args:
        value: an object, or what one holds.
        hint: the type that it is declared to be.
        where: its place.
    """
    if get_origin(hint) in {Union, UnionType}:
        found = [find_mistyped(value, choice, where) for choice in get_args(hint)]
        return max(found, key=_how_deep) if all(found) else []
    if isinstance(value, dict) and hasattr(hint, "from_json"):
        value = hint.from_json(value)  # the library leaves some of them as they came
    if not _fits(value, hint):
        return [f"{where}: {value!r} is no {hint}"]
    return [line for each in _inside(value, hint, where) for line in find_mistyped(*each)]


def _how_deep(lines: list[str]) -> int:
    """Return how far it is to the first place: the choice that fits best is wrong deepest."""
    return len(lines[0].partition(": ")[0])


def _fits(value: object, hint: Any) -> bool:
    """Whether a value, whatever it holds, is of a type that is no union."""
    if get_origin(hint) is Literal:
        return value in get_args(hint)
    kind = get_origin(hint) or hint
    if issubclass(kind, Enum):
        return value in [*kind]
    if isinstance(value, bool):
        return kind in {bool, object}
    return isinstance(value, (int, float) if kind is float else kind)


def _inside(value: object, hint: Any, where: str) -> Iterator[tuple[object, Any, str]]:
    """Yield what a value holds: each with its declared type and its place."""
    if isinstance(value, list) and get_args(hint):
        for number, item in enumerate(value):
            yield item, get_args(hint)[0], f"{where}[{number}]"
    elif isinstance(value, dict) and get_args(hint):
        for key, item in value.items():
            yield item, get_args(hint)[1], f"{where}.{key}"
    elif not isinstance(value, (str, int, float, bool, type(None), list, dict)):
        for name, inner in get_type_hints(type(value)).items():
            yield getattr(value, name), inner, f"{where}.{name}"
