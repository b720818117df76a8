"""Tells people what is wrong with a file of theirs: the path inside it, the value, what is allowed.

What is allowed is said by a table from paths, their numbers left out, to words. The empty path is
the file as a whole; a place without words of its own has those of what it lies in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.options import nearest
from sealedbeam.pipeline.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Model = TypeVar("Model", bound=BaseModel)
_VALUE_CHARACTERS_MAX = 60


class Words(NamedTuple):
    """How the mistakes of a kind of file are told.

    Attributes:
        allowed: the table described above.
        whole: what the file is called when it is wrong as a whole, such as "the scenario".
    """

    allowed: Mapping[str, str]
    whole: str


def parse_model(
    model: type[Model],
    values: Any,
    origin: str,
    words: Words,
    find_contradictions: Callable[[Model], Iterable[str]],
) -> Model:
    """Return parsed YAML as a model.

    Args:
        model: what the values must be.
        values: the YAML.
        origin: names the file in errors.
        words: for its mistakes.
        find_contradictions: tells what is wrong between values that are right each by itself.

    Raises:
        UsageError: something in it is not allowed; the message lists all of that.
    """
    try:
        checked = model.model_validate(values)
    except ValidationError as invalid:
        problems = list_mistakes(invalid, words)
    else:
        problems = list(find_contradictions(checked))
        if not problems:
            return checked
    raise UsageError(f"{origin}: {one_line('; '.join(dict.fromkeys(problems)))}")


def list_mistakes(invalid: ValidationError, words: Words) -> list[str]:
    """Return a sentence for each mistake that pydantic found.

    A list whose items are wrong is not told besides: pydantic also calls it too short.

    Args:
        invalid: what it raised.
        words: for the mistakes of this file.
    """
    errors = invalid.errors()
    around = {error["loc"][:depth] for error in errors for depth in range(len(error["loc"]))}
    return [
        describe(error["loc"], error["type"], error["input"], words)
        for error in errors
        if error["loc"] not in around
    ]


def describe(location: Sequence[int | str], kind: str, value: Any, words: Words) -> str:
    """Return one mistake as a sentence.

    Args:
        location: the path of the value, as pydantic gives it.
        kind: pydantic's type of the error; only what is missing or not known is told differently.
        value: what stands there.
        words: for the mistakes of this file.
    """
    allowed, whole = words
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
