"""A scenario as people write it: YAML, checked key by key.

An error names the file, the path of the value inside it, the value, and what is allowed there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic import ValidationError as Invalid
from sealedbeam.pipeline.config import nearest, read_yaml, refuse_bool
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.text import one_line

from .bitflips import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DURATION_SECONDS_MAX = 366 * 86_400
CLUSTERS_MAX = 64
MACHINES_MIN = 2
MACHINES_MAX = 1_000_000
RATE_MAX = 100_000
FACTOR_MAX = 1000
FAULTS_MAX = 100
_INPUT_LENGTH_MAX = 60

Hop = Literal["pages", "documents", "runs", "shards"]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]
ClusterName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]

_RULE_KEYS = "kind, per_mebibyte, clusters, hops"
_ALLOWED = {
    "": "the keys name, description, acceleration_note, duration_seconds, clusters, faults",
    "name": "a short text",
    "description": "a text",
    "acceleration_note": "a text that says how far the rates are from real ones",
    "duration_seconds": f"a whole number from 1 to {DURATION_SECONDS_MAX:,}",
    "clusters": f"1 to {CLUSTERS_MAX} clusters, each with the keys name, machines",
    "clusters.name": "a name of up to 40 lower-case letters, digits and hyphens, used once",
    "clusters.machines": f"a whole number from 1 to {MACHINES_MAX:,}",
    "faults": f"up to {FAULTS_MAX} faults, each with the keys {_RULE_KEYS}",
    "faults.kind": " or ".join(Kind),
    "faults.per_mebibyte": f"a number from 0 to {RATE_MAX:,}",
    "faults.clusters": "a list of clusters of this scenario, or a factor for some of them "
    f"(0 to {FACTOR_MAX:,})",
    "faults.hops": "some of pages, documents, runs, shards",
}


def _as_factors(value: Any) -> Any:
    names = isinstance(value, list) and all(isinstance(name, str) for name in value)
    return dict.fromkeys(value, 1.0) if names else value


Whole = Annotated[int, Field(strict=True)]
Rate = Annotated[float, BeforeValidator(refuse_bool), Field(ge=0, le=RATE_MAX)]
Factor = Annotated[float, BeforeValidator(refuse_bool), Field(ge=0, le=FACTOR_MAX)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ClusterModel(_Model):
    """A cluster and how many machines it has."""

    name: ClusterName
    machines: Annotated[Whole, Field(ge=1, le=MACHINES_MAX)]


class FaultModel(_Model):
    """A kind of fault and how often it is expected.

    Attributes:
        kind: what happens.
        per_mebibyte: expected faults for each MiB of frames that is delivered.
        clusters: where, with a factor on the rate; clusters that are not named are spared.
        hops: at which hops; all by default.
    """

    kind: Kind
    per_mebibyte: Rate
    clusters: Annotated[
        Annotated[dict[str, Factor], Field(min_length=1)] | None, BeforeValidator(_as_factors)
    ] = None
    hops: Annotated[tuple[Hop, ...], Field(min_length=1)] = ("pages", "documents", "runs", "shards")


class Scenario(_Model):
    """What goes wrong, and where.

    Attributes:
        name: what reports call it.
        description: what it shows.
        acceleration_note: how far its rates are from real ones; printed in reports.
        duration_seconds: the simulated time over which the job's records are spread.
        clusters: where records are.
        faults: what happens to them.
    """

    name: Annotated[Text, Field(max_length=80)]
    description: Text
    acceleration_note: Text
    duration_seconds: Annotated[Whole, Field(ge=1, le=DURATION_SECONDS_MAX)]
    clusters: Annotated[tuple[ClusterModel, ...], Field(min_length=1, max_length=CLUSTERS_MAX)]
    faults: Annotated[tuple[FaultModel, ...], Field(max_length=FAULTS_MAX)]


def load_scenario(path: Path) -> Scenario:
    """Return the scenario in a YAML file.

    Raises:
        UsageError: the file cannot be read, or says something that is not allowed.
    """
    values = read_yaml(path, "scenario")
    if isinstance(values, dict) and values and not set(_keys([])).intersection(map(str, values)):
        raise UsageError(
            one_line(f"{path} is no scenario, which has {_ALLOWED['']}; ")
            + "give a configuration with --config"
        )
    return parse_scenario(values, str(path))


def parse_scenario(values: Any, origin: str) -> Scenario:
    """Return the scenario that parsed YAML describes; `origin` names it in errors.

    Raises:
        UsageError: something in it is not allowed; the message lists all of that.
    """
    try:
        scenario = Scenario.model_validate(values)
    except Invalid as invalid:
        problems = [
            _describe(error["loc"], error["type"], error["input"]) for error in invalid.errors()
        ]
    else:
        problems = list(_find_contradictions(scenario))
    if problems:
        raise UsageError(f"{origin}: {one_line('; '.join(dict.fromkeys(problems)))}")
    return scenario


def _describe(location: tuple[int | str, ...], kind: str, value: Any) -> str:
    """Return one problem: where, what is there, and what is allowed there."""
    where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    where = where.removeprefix(".") or "the scenario"
    names = [part for part in location if isinstance(part, str)]
    if kind == "extra_forbidden":
        near = nearest(names[-1], _keys(names[:-1]))
        return f"{where} is not known; {near or f'allowed: {_allowed(names[:-1])}'}"
    if kind == "missing":
        return f"{where} is missing; allowed: {_allowed(names)}"
    shown = repr(value)
    if len(shown) > _INPUT_LENGTH_MAX:
        shown = f"{shown[:_INPUT_LENGTH_MAX]}..."
    return f"{where} is {shown}; allowed: {_allowed(names)}"


def _keys(names: list[str]) -> list[str]:
    """Return the keys that are allowed at a place."""
    place = "".join(f"{name}." for name in names)
    inside = [key.removeprefix(place) for key in _ALLOWED if key.startswith(place)]
    return [key for key in inside if key and "." not in key]


def _allowed(names: list[str]) -> str:
    while (known := _ALLOWED.get(".".join(names))) is None:
        names = names[:-1]
    return known


def _find_contradictions(scenario: Scenario) -> Iterator[str]:
    """Yield what is wrong between values that are right each by itself."""
    known: set[str] = set()
    for number, cluster in enumerate(scenario.clusters):
        if cluster.name in known:
            yield _describe(("clusters", number, "name"), "", cluster.name)
        known.add(cluster.name)
    for number, fault in enumerate(scenario.faults):
        for name in sorted(set(fault.clusters or ()) - known):
            yield f"faults[{number}].clusters names {name!r}; allowed: {', '.join(sorted(known))}"
    if sum(cluster.machines for cluster in scenario.clusters) < MACHINES_MIN:
        yield "clusters have 1 machine in all; allowed: 2 at least, as a retry goes to another one"
