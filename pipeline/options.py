"""Options of a command, from a YAML file and from its command line; every mistake is told.

A model says which options there are; the description of a field is what an error says is allowed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from .errors import UsageError
from .text import one_line
from .yaml_files import read_yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

M = TypeVar("M", bound=BaseModel)

_VALUE_CHARACTERS_MAX = 60
_UNKNOWN = "is not known"
_OF_A_SCENARIO = frozenset(("acceleration_note", "duration_seconds", "clusters", "faults"))


@dataclass(frozen=True)
class Options(Generic[M]):
    """What a command can be told.

    Attributes:
        model: its options with their defaults, by their names or aliases.
        find_contradictions: yields what is right by itself and would do nothing beside something
            else: the option, and what to do.
        elsewhere: what people may look for among the options and is said in another way: the key,
            and in which.
        flags: the names of options on the command line where they differ from those in a file.
    """

    model: type[M]
    find_contradictions: Callable[[M], Iterable[tuple[str, str]]]
    elsewhere: Mapping[str, str]
    flags: Mapping[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> dict[str, Any]:
        """The fields of the model by the names that they have in a file."""
        return {value.alias or name: value for name, value in self.model.model_fields.items()}

    def load(self, path: Path | None, given: Mapping[str, Any]) -> M:
        """Return the options in the YAML file `path`; what is `given` besides wins.

        Args:
            path: the file, None without one.
            given: options of the command line by their keys; None stands for one not given.

        Raises:
            UsageError: the file cannot be read, or keys or values are not allowed; it names all
                of them.
        """
        flags = {key: value for key, value in given.items() if value is not None}
        values = {} if path is None else _options_in(path)
        config, problems = self.check(values | flags)
        if config is None:
            raise UsageError(self._list_problems(problems, flags, path))
        return config

    def check(self, values: Mapping[str, Any]) -> tuple[M | None, dict[str, str]]:
        """Return the options that `values` are, or None and what is wrong with each of them."""
        problems = dict(self._find_strangers(values))
        known = {key: value for key, value in values.items() if key in self.keys}
        config = None
        try:
            config = self.model.model_validate(known)
        except ValidationError as error:
            for problem in error.errors():
                problems |= self._describe(str(problem["loc"][0]), known)
        else:
            problems |= self.find_contradictions(config)
        return (None if problems else config), problems

    def _find_strangers(self, values: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Yield each key that is not known, and what to do about it."""
        for key in values:
            if key in self.elsewhere:
                yield key, self.elsewhere[key]
            elif key not in self.keys:
                near = nearest(key, self.keys)
                yield key, f"{_UNKNOWN}; {near}" if near else _UNKNOWN

    def _describe(self, key: str, values: Mapping[str, Any]) -> dict[str, str]:
        """Return what is wrong with the value of `key`, and what is allowed there."""
        allowed = self.keys[key].description
        if key not in values:
            return {key: f"is missing; allowed: {allowed}"}
        value = values[key]
        shown = "empty" if value is None else repr(value)
        if len(shown) > _VALUE_CHARACTERS_MAX:
            shown = f"{shown[:_VALUE_CHARACTERS_MAX]}..."
        return {key: f"is {shown}; allowed: {allowed}"}

    def _list_problems(
        self, problems: Mapping[str, str], flags: Iterable[str], path: Path | None
    ) -> str:
        """Return all problems, those of flags under the names that the user typed."""
        told = [f"{self._flag(key)} {problems[key]}" for key in flags if key in problems]
        in_file = [f"{key} {problem}" for key, problem in problems.items() if key not in set(flags)]
        if in_file:
            told = [f"{path}: {'; '.join(in_file)}", *told]
        if _UNKNOWN in problems.values():
            told.append(self.list_keys())
        return one_line("; ".join(told))

    def list_keys(self) -> str:
        """Return the sentence that names all options."""
        return f"known are {', '.join(self.keys)}"

    def _flag(self, key: str) -> str:
        return self.flags.get(key, f"--{key.replace('_', '-')}")


def is_unknown(problem: str) -> bool:
    """Whether a problem is a key that resembles none: then it helps to name all there are."""
    return problem == _UNKNOWN


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the one of the known words that is nearest to `word` as a question, or nothing."""
    return "".join(f"did you mean {near}?" for near in get_close_matches(word, known, 1, 0.7))


def with_underscores(values: Mapping[Any, Any], origin: str) -> dict[str, Any]:
    """Return the options in a mapping of YAML, whose keys may have dashes, too.

    Raises:
        UsageError: an option stands there in both spellings; `origin` says where.
    """
    options: dict[str, Any] = {}
    for name, value in values.items():
        key = str(name).replace("-", "_")
        if key in options:
            raise UsageError(one_line(f"{origin}: {key} stands there twice; leave one of them out"))
        options[key] = value
    return options


def beside(path: Path, values: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    """Return `values` with the paths among them made relative to the folder of the file `path`."""
    paths = {key: values[key] for key in keys if isinstance(values.get(key), str)}
    return {**values, **{key: str(path.parent / value) for key, value in paths.items()}}


def _options_in(path: Path) -> dict[str, Any]:
    loaded = read_yaml(path, "configuration")
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UsageError(f"{path}: a configuration is a mapping, such as `protection: detect`")
    if len(_OF_A_SCENARIO.intersection(map(str, loaded))) > 1:
        raise UsageError(f"{path} is a scenario: give it with --scenario")
    return beside(path, with_underscores(loaded, str(path)), "scenario")
