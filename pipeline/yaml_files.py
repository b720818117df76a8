"""Reads YAML that people write: plain values, or one line that says where it is wrong.

Nothing in such a file makes an object, stands for more than is written, or takes longer than its
length suggests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml

from .errors import UsageError
from .filesystems import name_other_kind
from .text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

YAML_BYTES_MAX = 1 << 18  # PyYAML takes up to 3 s for so many
_NUMBER_CHARACTERS_MAX = 64

Lines = dict[tuple[str, ...], int]
"""The line of each key, from 1, by its own name behind those of the mappings that it lies in."""


def read_yaml(path: Path, what: str) -> Any:
    """Return the plain values in a YAML file; `what` the file should be is said in errors.

    Raises:
        UsageError: the file cannot be read, is too large, or is not such YAML.
    """
    values, _ = read_yaml_with_lines(path, what)
    return values


def read_yaml_with_lines(path: Path, what: str) -> tuple[Any, Lines]:
    """Return the plain values in a YAML file, and where its keys stand.

    Raises:
        UsageError: the file cannot be read, is too large, or is not such YAML.
    """
    data = b""
    try:
        data = _read_small_file(path)
        return _load(data)
    except OSError as error:
        reason = error.strerror or str(error)
    except yaml.reader.ReaderError as error:
        reason = f"{_place_of(error, data)}{error.reason}; write UTF-8 text"
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark is not None else ""
        reason = f"{place}{(error.problem or error.context or '').removeprefix('but ')}"
        if "'\\t'" in reason:
            reason += "; YAML is indented with spaces"
    except RecursionError:
        reason = "its values are nested too deeply"
    except Exception as error:  # noqa: BLE001 - PyYAML lets errors of any kind out
        reason = str(error)
    raise UsageError(f"cannot read {what} {path}: {one_line(reason)}")


def _load(data: bytes) -> tuple[Any, Lines]:
    loader = _PlainLoader(data)
    try:
        node = loader.get_single_node()
        if node is None:
            return None, {}
        return loader.construct_document(node), dict(_lines_in(node, ()))
    finally:
        loader.dispose()


def _lines_in(node: yaml.Node, place: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], int]]:
    for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
        name = (*place, str(key.value))
        yield name, key.start_mark.line + 1
        yield from _lines_in(value, name)


def _read_small_file(path: Path) -> bytes:
    """Return the bytes of a file that people write; what never ends is not begun."""
    if kind := name_other_kind(path.stat().st_mode):
        raise ValueError(f"it is {kind}, and must be a file")
    with path.open("rb") as file:
        data = file.read(YAML_BYTES_MAX + 1)
    if len(data) > YAML_BYTES_MAX:
        raise ValueError(f"it has more than {YAML_BYTES_MAX:,} bytes")
    return data


def _place_of(error: yaml.reader.ReaderError, data: bytes) -> str:
    """Return line and column of a character that no YAML may have."""
    before = data[: error.position].decode(errors="replace")
    if error.encoding == "unicode":  # then the position counts characters
        before = data.decode(errors="replace")[: error.position]
    return f"line {before.count(chr(10)) + 1}, column {len(before) - before.rfind(chr(10))}: "


def _is_plain(tag: str, first: str) -> bool:
    """Whether text that begins with `first` may be taken for a value of `tag`."""
    kind = tag.rpartition(":")[2]
    return kind != "timestamp" and (kind != "bool" or first in "tTfF")


class _PlainLoader(yaml.SafeLoader):
    """Loads what takes no longer and no more memory than its length suggests.

    Words are words: of YAML's many booleans only true and false are taken, and no date is.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 - as PyYAML declares it
        first: [(tag, expression) for tag, expression in resolvers if _is_plain(tag, first)]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Refuse aliases: a few lines of them can stand for billions of values."""
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call] # not in the stubs
            raise yaml.MarkedYAMLError(None, None, "write the value out instead of an alias", mark)
        return super().compose_node(parent, index)

    def construct_mapping(
        self,
        node: yaml.MappingNode,
        deep: bool = False,  # noqa: FBT001, FBT002 - PyYAML's signature
    ) -> dict[Any, Any]:
        """Refuse a key that stands there twice: only one of its values could count."""
        keys: set[tuple[str, str]] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and (key.tag, key.value) in keys:
                problem = f"{key.value} stands there twice; leave one of them out"
                raise yaml.MarkedYAMLError(None, None, problem, key.start_mark)
            keys.add((key.tag, str(key.value)))
        return super().construct_mapping(node, deep)

    def construct_number(self, node: yaml.ScalarNode) -> float:
        """Refuse numbers that Python could hold and nothing could print."""
        if len(node.value) > _NUMBER_CHARACTERS_MAX:
            raise yaml.MarkedYAMLError(None, None, "the number is too long", node.start_mark)
        whole = node.tag.endswith(":int")
        return self.construct_yaml_int(node) if whole else self.construct_yaml_float(node)


_PlainLoader.add_constructor("tag:yaml.org,2002:int", _PlainLoader.construct_number)
_PlainLoader.add_constructor("tag:yaml.org,2002:float", _PlainLoader.construct_number)
