"""What a job is told: its options, checked, and the hash of those that decide its output."""

from __future__ import annotations

import hashlib
import json
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import yaml
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)

from .errors import UsageError
from .filesystems import name_other_kind
from .integrity.ladder import OnDamage, Policy
from .integrity.protection import PROTECTIONS
from .text import one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

FORMAT_VERSION = 1
YAML_BYTES_MAX = 1 << 18  # PyYAML takes up to 3 s for so many
_NUMBER_CHARACTERS_MAX = 64
_VALUE_CHARACTERS_MAX = 60
_MIB = 1 << 20
_UNKNOWN = "is not known"
LOCAL_RUNNERS: Final = ("direct", "directrunner")
_ON_THE_COMMAND_LINE = frozenset(("input", "inputs", "expect", "output", "config"))
_OF_A_SCENARIO = frozenset(("acceleration_note", "duration_seconds", "clusters", "faults"))


LIMITS = frozenset(("record_seconds", "worker_memory_bytes"))
"""Options that the configuration hash leaves out.

Whether a record exceeds them depends on the machine, too, so that equal values promise nothing; and
a job that stands still must be able to go on with other ones. What they cost is in the ledger: each
part's entry lists the records that it did without.
"""


class Redundancy(StrEnum):
    """Whether computations are done again elsewhere to see whether they agree."""

    OFF = "off"
    AUDIT = "audit"


def refuse_bool(value: Any) -> Any:
    """Let everything pass but true and false, which Python would take for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError("a number is needed")  # noqa: TRY004 - pydantic collects ValueErrors
    return value


_Int = Annotated[int, BeforeValidator(refuse_bool)]
_Float = Annotated[float, BeforeValidator(refuse_bool)]


def _whole(lowest: int, highest: int) -> Any:
    """Return the field of a whole number, with the words that an error tells it in."""
    words = f"a whole number from {lowest:,} to {highest:,}"
    return Field(ge=lowest, le=highest, description=words)


class JobConfig(BaseModel):
    """The options of an index job; each has the default of the command.

    Sizes are in bytes of stored input. `shards` 0 means one per `shard_bytes` of input. All but
    `LIMITS` decide the output. A field's description is what an error says is allowed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    protection: Annotated[str, Field(description=", ".join(PROTECTIONS))] = "correct"
    on_damage: Annotated[OnDamage, Field(description=", ".join(OnDamage))] = OnDamage.RETRY
    max_attempts: Annotated[_Int, _whole(1, 100)] = 3
    max_dropped_ratio: Annotated[_Float, Field(ge=0, le=1, description="a number from 0 to 1")] = (
        0.01
    )
    seed: Annotated[_Int, _whole(0, (1 << 64) - 1)] = 0
    part_bytes: Annotated[_Int, _whole(1, 1 << 40)] = 8 * _MIB
    shard_bytes: Annotated[_Int, _whole(1, 1 << 40)] = 16 * _MIB
    shards: Annotated[_Int, _whole(0, 1 << 16)] = 0
    redundancy: Annotated[Redundancy, Field(description=", ".join(Redundancy))] = Redundancy.OFF
    audited_share: Annotated[
        _Float, Field(gt=0, le=1, description="a number, more than 0 to 1")
    ] = 0.05
    evict_after: Annotated[_Int, _whole(1, 1000)] = 1
    record_seconds: Annotated[
        _Float, Field(gt=0, le=86400, description="a number of seconds, more than 0 to 86,400")
    ] = 30
    worker_memory_bytes: Annotated[_Int, _whole(256 * _MIB, 1 << 50)] = 2048 * _MIB

    @field_validator("protection")
    @classmethod
    def _known_protection(cls, value: str) -> str:
        if value not in PROTECTIONS:
            raise ValueError(f"{value!r} is not one of {', '.join(PROTECTIONS)}")
        return value

    def policy(self) -> Policy:
        """Return the ladder's policy."""
        return Policy(PROTECTIONS[self.protection], self.on_damage, self.max_attempts)


class CommandConfig(JobConfig):
    """All that the index command can be told in a file.

    What is added to the job's own options says who does the work, under what name, and what is
    shown: none of it changes a byte of the index. `scenario` is relative to the file's folder.
    """

    model_config = ConfigDict(serialize_by_alias=True)

    workers: Annotated[_Int | None, _whole(1, 1024)] = None
    runner: Annotated[
        str, Field(min_length=1, description="direct, or the name of a runner of Beam")
    ] = "direct"
    scenario: Annotated[Path | None, Field(description="the path of a YAML file")] = None
    cluster: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$",
            description="a name of up to 40 letters, digits, dots, hyphens and underscores",
        ),
    ] = "local"
    keep_runs: Annotated[bool, Field(description="true or false")] = False
    quiet: Annotated[bool, Field(description="true or false")] = False
    as_json: Annotated[bool, Field(alias="json", description="true or false")] = False

    @property
    def job(self) -> JobConfig:
        """The job's own options."""
        return JobConfig(**{name: getattr(self, name) for name in JobConfig.model_fields})

    @property
    def is_local(self) -> bool:
        """Whether the local driver does the work."""
        return self.runner.lower() in LOCAL_RUNNERS


_FIELDS = {field.alias or name: field for name, field in CommandConfig.model_fields.items()}


def load_config(path: Path | None, given: Mapping[str, Any]) -> CommandConfig:
    """Return the configuration in the YAML file `path`; what is `given` besides wins.

    Args:
        path: the file, None without one.
        given: options of the command line by their keys; None stands for one not given.

    Raises:
        UsageError: the file cannot be read, or keys or values are not allowed; it names all of
            them.
    """
    flags = {key: value for key, value in given.items() if value is not None}
    values = {} if path is None else _options_in(path)
    values |= flags
    problems = dict(_find_strangers(values))
    known = {key: value for key, value in values.items() if key in _FIELDS}
    try:
        config = CommandConfig.model_validate(known)
    except ValidationError as error:
        for problem in error.errors():
            problems |= _describe(str(problem["loc"][0]), known)
    else:
        problems |= _find_contradictions(config)
    if problems:
        raise UsageError(_list_problems(problems, flags, path))
    return config


def _find_strangers(values: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield each key that is not known, and what to do about it."""
    for key in values:
        if key in _ON_THE_COMMAND_LINE:
            yield key, "belongs on the command line"
        elif key not in _FIELDS:
            near = nearest(key, _FIELDS)
            yield key, f"{_UNKNOWN}; {near}" if near else _UNKNOWN


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the one of the known words that is nearest to `word` as a question, or nothing."""
    return "".join(f"did you mean {near}?" for near in get_close_matches(word, known, 1, 0.7))


def _describe(key: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with the value of `key`, and what is allowed there."""
    value = values[key]
    shown = "empty" if value is None else repr(value)
    if len(shown) > _VALUE_CHARACTERS_MAX:
        shown = f"{shown[:_VALUE_CHARACTERS_MAX]}..."
    return {key: f"is {shown}; allowed: {_FIELDS[key].description}"}


def _find_contradictions(config: CommandConfig) -> Iterator[tuple[str, str]]:
    """Yield what is right by itself and would do nothing beside something else."""
    usual = CommandConfig()
    if config.on_damage is OnDamage.FAIL and config.max_dropped_ratio != usual.max_dropped_ratio:
        yield "max_dropped_ratio", "has no effect with on_damage fail; leave one of them out"
    if config.redundancy is Redundancy.OFF:
        for name in ("audited_share", "evict_after"):
            if getattr(config, name) != getattr(usual, name):
                yield name, "has no effect without redundancy audit; leave it out or ask for that"
    if config.scenario is not None and config.cluster != usual.cluster:
        yield "cluster", "has no effect with a scenario, which names its own; leave one of them out"
    if not config.is_local and config.workers is not None:
        yield "workers", f"has no effect with runner {config.runner}; leave one of them out"


def _list_problems(problems: Mapping[str, str], flags: Iterable[str], path: Path | None) -> str:
    """Return all problems, those of flags under the names that the user typed."""
    told = [f"--{key.replace('_', '-')} {problems[key]}" for key in flags if key in problems]
    in_file = [f"{key} {problem}" for key, problem in problems.items() if key not in set(flags)]
    if in_file:
        told = [f"{path}: {'; '.join(in_file)}", *told]
    if _UNKNOWN in problems.values():
        told.append(f"known are {', '.join(_FIELDS)}")
    return one_line("; ".join(told))


def _options_in(path: Path) -> dict[str, Any]:
    loaded = read_yaml(path, "configuration")
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UsageError(f"{path}: a configuration is a mapping, such as `protection: detect`")
    if len(_OF_A_SCENARIO.intersection(map(str, loaded))) > 1:
        raise UsageError(f"{path} is a scenario: give it with --scenario")
    options: dict[str, Any] = {}
    for name, value in loaded.items():
        key = str(name).replace("-", "_")
        if key in options:
            raise UsageError(one_line(f"{path}: {key} stands there twice; leave one of them out"))
        options[key] = value
    if isinstance(options.get("scenario"), str):
        options["scenario"] = str(path.parent / options["scenario"])
    return options


def read_yaml(path: Path, what: str) -> Any:
    """Return the plain values in a YAML file; `what` the file should be is said in errors.

    Raises:
        UsageError: the file cannot be read, is too large, or is not such YAML.
    """
    data = b""
    try:
        data = _read_small_file(path)
        return yaml.load(data, _PlainLoader)  # noqa: S506 - a safe loader that allows even less
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


def canonical_json(value: Any) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def configuration_hash(configuration: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a configuration's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(configuration).encode()).hexdigest()
