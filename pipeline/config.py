"""What a job is told: its options, checked, and the hash of those that decide its output."""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    field_validator,
)

from .arguments import sets_workers
from .integrity.channel import DEFAULT_CLUSTER
from .integrity.ladder import OnDamage, Policy
from .integrity.protection import PROTECTIONS
from .options import Options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FORMAT_VERSION = 1
_MIB = 1 << 20
LOCAL_RUNNERS: Final = ("direct", "directrunner")
FLINK_RUNNERS: Final = ("flink", "flinkrunner")
ON_THE_COMMAND_LINE: Final = "belongs on the command line"


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


Int = Annotated[int, BeforeValidator(refuse_bool)]
Float = Annotated[float, BeforeValidator(refuse_bool)]


def whole(lowest: int, highest: int) -> Any:
    """Return the field of a whole number, with the words that an error tells it in."""
    words = f"a whole number from {lowest:,} to {highest:,}"
    return Field(ge=lowest, le=highest, description=words)


class LadderConfig(BaseModel):
    """How a job's records are protected, and what is done about damage."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    protection: Annotated[str, Field(description=", ".join(PROTECTIONS))] = "correct"
    on_damage: Annotated[OnDamage, Field(description=", ".join(OnDamage))] = OnDamage.RETRY
    max_attempts: Annotated[Int, whole(1, 100)] = 3
    max_dropped_ratio: Annotated[Float, Field(ge=0, le=1, description="a number from 0 to 1")] = (
        0.01
    )
    seed: Annotated[Int, whole(0, (1 << 64) - 1)] = 0

    @field_validator("protection")
    @classmethod
    def _known_protection(cls, value: str) -> str:
        if value not in PROTECTIONS:
            raise ValueError(f"{value!r} is not one of {', '.join(PROTECTIONS)}")
        return value


class JobConfig(LadderConfig):
    """The options of an index job; each has the default of the command.

    Sizes are in bytes of stored input. `shards` 0 means one per `shard_bytes` of input. All but
    `LIMITS` decide the output. A field's description is what an error says is allowed.
    """

    part_bytes: Annotated[Int, whole(1, 1 << 40)] = 8 * _MIB
    shard_bytes: Annotated[Int, whole(1, 1 << 40)] = 16 * _MIB
    shards: Annotated[Int, whole(0, 1 << 16)] = 0
    redundancy: Annotated[Redundancy, Field(description=", ".join(Redundancy))] = Redundancy.OFF
    audited_share: Annotated[Float, Field(gt=0, le=1, description="a number, more than 0 to 1")] = (
        0.05
    )
    evict_after: Annotated[Int, whole(1, 1000)] = 1
    record_seconds: Annotated[
        Float, Field(gt=0, le=86400, description="a number of seconds, more than 0 to 86,400")
    ] = 30
    worker_memory_bytes: Annotated[Int, whole(256 * _MIB, 1 << 50)] = 2048 * _MIB

    def policy(self) -> Policy:
        """Return the ladder's policy."""
        return Policy(PROTECTIONS[self.protection], self.on_damage, self.max_attempts)


class RunConfig(BaseModel):
    """Who does the work of a command, under what name, and what is shown.

    None of it changes a byte of what is made, but for the faults that a scenario simulates; its
    path is relative to the file that it is named in.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, serialize_by_alias=True)

    workers: Annotated[Int | None, whole(1, 1024)] = None
    scenario: Annotated[Path | None, Field(description="the path of a YAML file")] = None
    cluster: Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$",
            description="a name of up to 40 letters, digits, dots, hyphens and underscores",
        ),
    ] = DEFAULT_CLUSTER
    quiet: Annotated[bool, Field(description="true or false")] = False
    as_json: Annotated[bool, Field(alias="json", description="true or false")] = False


class CommandConfig(RunConfig, JobConfig):
    """All that the index command can be told in a file."""

    runner: Annotated[
        str, Field(min_length=1, description="direct, or the name of a runner of Beam")
    ] = "direct"
    beam: Annotated[
        dict[str, StrictStr | StrictInt | StrictBool],
        Field(description="options of Beam by name: text in quotes, whole numbers, true or false"),
    ] = {}
    keep_runs: Annotated[bool, Field(description="true or false")] = False

    @property
    def job(self) -> JobConfig:
        """The job's own options."""
        return JobConfig(**{name: getattr(self, name) for name in JobConfig.model_fields})

    @property
    def is_local(self) -> bool:
        """Whether the local driver does the work."""
        return self.runner.lower() in LOCAL_RUNNERS

    @property
    def is_flink(self) -> bool:
        """Whether a Flink cluster does the work."""
        return self.runner.lower() in FLINK_RUNNERS


def load_config(path: Path | None, given: Mapping[str, Any]) -> CommandConfig:
    """Return the configuration in the YAML file `path`; what is `given` besides wins.

    Args:
        path: the file, None without one.
        given: options of the command line by their keys; None stands for one not given.

    Raises:
        UsageError: the file cannot be read, or keys or values are not allowed; it names all of
            them.
    """
    return INDEX_OPTIONS.load(path, given)


def _find_contradictions(config: CommandConfig) -> Iterator[tuple[str, str]]:
    """Yield what is right by itself and would do nothing beside something else."""
    usual = CommandConfig()
    if config.on_damage is OnDamage.FAIL and config.max_dropped_ratio != usual.max_dropped_ratio:
        yield "max_dropped_ratio", "has no effect with on_damage fail; leave one of them out"
    if config.redundancy is Redundancy.OFF:
        for name in ("audited_share", "evict_after"):
            if getattr(config, name) != getattr(usual, name):
                yield name, "has no effect without redundancy audit; leave it out or ask for that"
    yield from find_idle_cluster(config)
    if config.is_local and config.beam:
        yield "beam", "has no effect with the local runner; name another one with runner"
    if refused := next(filter(sets_workers, config.beam), None):
        yield "beam", f"sets {refused}; give the number of workers with workers"
    if not (config.is_local or config.is_flink) and config.workers is not None:
        yield "workers", f"has no effect with runner {config.runner}; leave one of them out"


def find_idle_cluster(config: RunConfig) -> Iterator[tuple[str, str]]:
    """Yield the cluster if a scenario names others."""
    if config.scenario is not None and config.cluster != DEFAULT_CLUSTER:
        yield "cluster", "has no effect with a scenario, which names its own; leave one of them out"


INDEX_OPTIONS: Final = Options(
    CommandConfig,
    _find_contradictions,
    dict.fromkeys(("input", "inputs", "expect", "output", "config"), ON_THE_COMMAND_LINE),
)


def canonical_json(value: Any) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def configuration_hash(configuration: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a configuration's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(configuration).encode()).hexdigest()
