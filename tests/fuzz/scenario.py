"""Scenario reader: YAML is a scenario, or a UsageError of one line that fits a screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from sealedbeam.faults.scenario import load_scenario
from sealedbeam.pipeline.errors import UsageError

from tests.fuzz.config import YAML_TOKENS, stored
from tests.fuzz.target import Target, check_message

if TYPE_CHECKING:
    from collections.abc import Iterator

SCENARIOS = Path(__file__).parents[2] / "configs" / "scenarios"
_WORDS = (
    b"name description acceleration_note duration_seconds clusters faults machines kind"
    b" per_mebibyte hops"
).split()


def check(data: bytes) -> None:
    """Load the bytes as a scenario."""
    try:
        scenario = load_scenario(stored(data))
    except UsageError as error:
        check_message(error)
        return
    again = yaml.safe_dump(scenario.model_dump(mode="json")).encode()
    assert load_scenario(stored(again)) == scenario


def seeds() -> Iterator[bytes]:
    """Yield the scenarios of the project, and short ones."""
    for path in sorted(SCENARIOS.glob("*.yaml")):
        values = yaml.safe_load(path.read_bytes())
        yield yaml.safe_dump(values).encode()
        yield yaml.safe_dump(values, default_flow_style=True).encode()
    yield (
        b"name: n\ndescription: d\nacceleration_note: a\nduration_seconds: 9\n"
        b"clusters: [{name: a, machines: 1}, {name: b, machines: 2}]\n"
        b"faults:\n- {kind: single_bit, per_mebibyte: 1.5, clusters: {a: 2}, hops: [runs]}\n"
        b"- {kind: double_bit, per_mebibyte: 0, clusters: [b]}\n"
    )
    yield b"clusters: 1\nfaults: [[]]\n"


TARGET = Target(
    check,
    seeds,
    ("sealedbeam.faults.scenario", "yaml"),
    tokens=(
        *YAML_TOKENS,
        *(word + b": " for word in _WORDS),
        *b"single_bit double_bit pages documents runs shards".split(),
    ),
)
