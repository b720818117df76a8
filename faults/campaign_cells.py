"""What a campaign consists of: its cells, and the job of each, ready to run.

A cell is an ordinary index job in a folder of its own. Before all others come, for each protection,
the jobs without faults that the others are compared with.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.integrity.ladder import OnDamage
from sealedbeam.pipeline.jobs.finish import JOB, PLAN
from sealedbeam.pipeline.jobs.prepare import prepare

from .channel import FaultyChannel
from .counters import attach_counters
from .plan import make_plan
from .scenario import load_scenario

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

    from sealedbeam.pipeline.jobs.context import JobContext

    from .plan import Plan
    from .scenario import Scenario

CELLS, RESULTS = "cells", "results"
AUDITED = "+audit"
"""Behind a protection: computations are audited, too."""
FAULT_FREE = "fault-free"


class Cell(NamedTuple):
    """One job of a campaign; `scenario` is the name of its file, empty for no faults."""

    scenario: str
    protection: str
    on_damage: str
    seed: int

    @classmethod
    def named(cls, name: str) -> Cell | None:
        """Return the cell whose folder has this name, None for one without faults."""
        words = name.rsplit("-", len(cls._fields) - 1)
        if len(words) < len(cls._fields) or not words[-1].isdigit():
            return None
        scenario, protection, on_damage, seed = words
        return cls(scenario, protection, on_damage, int(seed))

    @property
    def name(self) -> str:
        """What its folder is called."""
        if not self.scenario:
            return f"{FAULT_FREE}-{self.protection}"
        return f"{self.scenario}-{self.protection}-{self.on_damage}-{self.seed}"


class Chosen(NamedTuple):
    """Some cells of a campaign, by what their names say; empty for any."""

    scenarios: Collection[str] = ()
    protections: Collection[str] = ()
    policies: Collection[str] = ()
    seeds: Collection[int] = ()

    def has(self, cell: Cell) -> bool:
        """Whether a cell is one of these."""
        return all(
            not allowed or value in allowed for value, allowed in zip(cell, self, strict=True)
        )


@dataclass(frozen=True)
class Campaign:
    """What a campaign was asked for.

    Attributes:
        scenarios: by the names of their files.
        paths: of those files.
        inputs: archives, as the index command takes them.
        output: the campaign's folder.
        protections: presets to compare.
        policies: what to do with damage that cannot be corrected.
        seeds: of the scenarios.
        max_dropped_ratio: beyond it a job fails.
        audited_share: of the pages that a job whose protection ends in `+audit` computes twice.
    """

    scenarios: dict[str, Scenario]
    paths: dict[str, Path]
    inputs: tuple[str, ...]
    output: Path
    protections: tuple[str, ...]
    policies: tuple[str, ...]
    seeds: tuple[int, ...]
    max_dropped_ratio: float
    audited_share: float

    @property
    def cells(self) -> list[Cell]:
        """All jobs, those without faults first."""
        free = [Cell("", protection, OnDamage.RETRY, 0) for protection in self.protections]
        return free + [
            Cell(scenario, protection, policy, seed)
            for scenario in self.scenarios
            for seed in self.seeds
            for policy in self.policies
            for protection in self.protections
        ]


def load_scenarios(paths: Sequence[Path]) -> tuple[dict[str, Scenario], dict[str, Path]]:
    """Return the scenarios in files, and the files, by the names of these.

    Raises:
        UsageError: a scenario cannot be read, or two have the same name.
    """
    scenarios: dict[str, Scenario] = {}
    by_name: dict[str, Path] = {}
    for path in paths:
        name = path.stem
        if name in by_name:
            raise UsageError(
                f"{path} and {by_name[name]} are both called {name}; give each file its own name"
            )
        scenarios[name], by_name[name] = load_scenario(path), path
    return scenarios, by_name


def require_own(output: Path) -> None:
    """Raise UsageError when a folder is there that is no campaign's."""
    if output.is_dir():
        entries = {path.name for path in output.iterdir()}
        if entries and not entries & {CELLS, RESULTS}:
            raise UsageError(
                f"{output} is not empty and holds no campaign; give a new folder with --output"
            )
    elif output.exists():
        raise UsageError(f"{output} is no folder; give a new one with --output")


class Prepared(NamedTuple):
    """A cell ready to run: its job, its faults (None without), the same as a command line."""

    cell: Cell
    context: JobContext
    plan: Plan | None
    command: str


def prepare_all(campaign: Campaign) -> list[Prepared]:
    """Return all cells ready to run; the inputs are read once, and nothing is written yet.

    Raises:
        UsageError: an input cannot be read, or a cell was made by another scenario of this name.
    """
    first, *others = campaign.cells
    known = _prepare(campaign, first, None)
    prepared = [known, *(_prepare(campaign, cell, known.context) for cell in others)]
    for ready in prepared:
        _require_same_scenario(campaign, ready)
    return prepared


def _prepare(campaign: Campaign, cell: Cell, known: JobContext | None) -> Prepared:
    """Return a cell ready to run, on the inputs of a job that is known."""
    output = campaign.output / CELLS / cell.name
    plan, channel, scenario = None, PerfectChannel().reference(), ""
    attached: dict[str, bytes] = {}
    if cell.scenario:
        plan = make_plan(campaign.scenarios[cell.scenario], cell.seed)
        scenario, attached = plan.to_json(), attach_counters(plan)
        channel = FaultyChannel(str(output.absolute() / PLAN), plan.sha256).reference()
    config = JobConfig.model_validate(_options(campaign, cell))
    context = known or prepare(list(campaign.inputs), output, config, channel)
    context = replace(
        context,
        output=str(output.absolute()),
        config=config,
        channel=channel,
        scenario=scenario,
        attached=attached,
    )
    return Prepared(cell, context, plan, _command(campaign, cell, output))


def _require_same_scenario(campaign: Campaign, ready: Prepared) -> None:
    """Raise UsageError when a cell's folder holds a job of another plan."""
    root = ready.context.store.root
    try:
        made_by = json.loads((root / JOB).read_bytes())["configuration"]["scenario"]
    except (OSError, ValueError, KeyError, TypeError):
        return  # the job itself looks at its folder, and knows what to say
    if ready.plan is not None and made_by != ready.context.configuration["scenario"]:
        raise UsageError(
            f"{campaign.paths[ready.cell.scenario]} has changed since {root} was made; "
            "give a new folder with --output, or remove that one"
        )


def _options(campaign: Campaign, cell: Cell) -> dict[str, Any]:
    """Return the options of a cell's job, by their names in a configuration."""
    protection, audited, _ = cell.protection.partition(AUDITED)
    options = {
        "protection": protection,
        "on_damage": cell.on_damage,
        "max_dropped_ratio": campaign.max_dropped_ratio,
        "seed": cell.seed,
    }
    if audited:
        options |= {"redundancy": "audit", "audited_share": campaign.audited_share}
    return options


def _command(campaign: Campaign, cell: Cell, output: Path) -> str:
    """Return the command that makes the same index by itself."""
    words = ["sealedbeam", "index", *campaign.inputs, "--output", str(output)]
    for name, value in _options(campaign, cell).items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    if cell.scenario:
        words += ["--scenario", str(campaign.paths[cell.scenario])]
    return shlex.join(words)
