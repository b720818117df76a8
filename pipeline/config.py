"""What a job is told: its options, checked, and the hash of those that decide its output."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from .errors import UsageError
from .integrity.ladder import OnDamage, Policy
from .integrity.protection import PROTECTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT_VERSION = 1
_MIB = 1 << 20


class JobConfig(BaseModel):
    """The options of an index job that change its output; each has the default of the command.

    Sizes are in bytes of stored input. `shards` 0 means one per `shard_bytes` of input.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    protection: str = "correct"
    on_damage: OnDamage = OnDamage.RETRY
    max_attempts: Annotated[int, Field(ge=1, le=100)] = 3
    max_dropped_ratio: Annotated[float, Field(ge=0, le=1)] = 0.01
    seed: Annotated[int, Field(ge=0, lt=1 << 64)] = 0
    part_bytes: Annotated[int, Field(ge=1, le=1 << 40)] = 8 * _MIB
    shard_bytes: Annotated[int, Field(ge=1, le=1 << 40)] = 16 * _MIB
    shards: Annotated[int, Field(ge=0, le=1 << 16)] = 0

    @field_validator("protection")
    @classmethod
    def _known_protection(cls, value: str) -> str:
        if value not in PROTECTIONS:
            raise ValueError(f"{value!r} is not one of {', '.join(PROTECTIONS)}")
        return value

    def policy(self) -> Policy:
        """Return the ladder's policy."""
        return Policy(PROTECTIONS[self.protection], self.on_damage, self.max_attempts)


def load_config(path: Path | None, overrides: Mapping[str, Any]) -> JobConfig:
    """Return the configuration in the YAML file `path`, with `overrides` (None: not given).

    Raises:
        UsageError: the file cannot be read, or a key or value is not allowed; it names all of them.
    """
    values: dict[str, Any] = {}
    if path is not None:
        values = _read_yaml(path)
    values |= {key: value for key, value in overrides.items() if value is not None}
    try:
        return JobConfig.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].removeprefix('Value error, ')}"
            for problem in error.errors()
        )
        place = f"{path}: " if path is not None else ""
        raise UsageError(f"{place}{problems}; keys: {', '.join(JobConfig.model_fields)}") from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.safe_load(path.read_bytes())
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read configuration {path}: {error}") from None
    if loaded is None:
        return {}
    if not isinstance(loaded, dict):
        raise UsageError(f"{path}: a configuration is a mapping of option to value")
    return {str(key).replace("-", "_"): value for key, value in loaded.items()}


def canonical_json(value: Any) -> str:
    """Return the one JSON text of `value`: sorted keys, no spaces, ASCII."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def configuration_hash(configuration: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a configuration's canonical JSON, in hexadecimal."""
    return hashlib.sha256(canonical_json(configuration).encode()).hexdigest()
