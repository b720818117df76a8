"""Runs a campaign: each scenario under each protection, damage policy and seed, against no faults.

A cell is an ordinary index job in a folder of its own, `cells/NAME`; before all others comes, for
each protection, the job without faults that the others are compared with. What became of a cell is
written into `results/NAME.json` last: a campaign that was stopped goes on with the cells that have
none. A job that fails by itself is a result; one that cannot be told what to do ends the campaign.

Everything but the times is a function of inputs, scenarios and options, whatever the number of
workers.
"""

from __future__ import annotations

import hashlib
import json
import resource
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sealedbeam.pipeline.config import JobConfig, canonical_json
from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError, UsageError
from sealedbeam.pipeline.integrity.ladder import OnDamage
from sealedbeam.pipeline.jobs.finish import PLAN, SUMMARY
from sealedbeam.pipeline.jobs.prepare import prepare

from .answers import ask, choose_queries
from .channel import FaultyChannel
from .outcome import count_traffic, describe_outcome
from .plan import make_plan
from .scenario import load_scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sealedbeam.pipeline.jobs.context import JobContext

    from .plan import Plan
    from .scenario import Scenario

    RunJob = Callable[[JobContext, str], None]
    """Runs a prepared job that a command line describes; raises SealedBeamError when it cannot."""
    Show = Callable[[int, int, str, str], None]
    """Told of each cell: its number, how many there are, its name, its verdict."""

FORMAT = "sealedbeam-campaign"
VERSION = 1
CELLS, RESULTS = "cells", "results"
AUDITED = "+audit"
"""Behind a protection: computations are audited, too."""
FAULT_FREE, REFERENCE = "fault-free", "reference"
_TIME_DIGITS = 3


class Cell(NamedTuple):
    """One job of a campaign; `scenario` is the name of its file, empty for no faults."""

    scenario: str
    protection: str
    on_damage: str
    seed: int

    @property
    def name(self) -> str:
        """What its folder is called."""
        if not self.scenario:
            return f"{FAULT_FREE}-{self.protection}"
        return f"{self.scenario}-{self.protection}-{self.on_damage}-{self.seed}"


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


class _Prepared(NamedTuple):
    """A cell ready to run: its job, its faults (None without), the same as a command line."""

    cell: Cell
    context: JobContext
    plan: Plan | None
    command: str


class _Reference(NamedTuple):
    """The fault-free index of a protection: its folder, its answers, its times."""

    root: Path
    answers: list[Any]
    times: dict[str, float | None]


def run_campaign(campaign: Campaign, run_job: RunJob, show: Show) -> dict[str, Any]:
    """Run what is left of a campaign, and return campaign.json as a value.

    Args:
        campaign: what to run.
        run_job: runs one job in this machine.
        show: told of the progress.

    Raises:
        SealedBeamError: a job cannot run, the fault-free one failed, or a file is damaged.
    """
    prepared = [_prepare(campaign, cell) for cell in campaign.cells]
    references: dict[str, _Reference] = {}
    queries: list[str] = []
    fault_free, results = [], []
    for number, ready in enumerate(prepared, 1):
        value = _cached(campaign, ready)
        if ready.plan is None:
            value = value or _run_reference(campaign, ready, run_job)
            root = campaign.output / CELLS / ready.cell.name
            queries = queries or choose_queries(root)
            answers = ask(root, queries)
            if answers is None:
                raise IntegrityError(f"{root}, the job without faults, has no index that opens")
            references[ready.cell.protection] = _Reference(root, answers, value["times"])
            fault_free.append(value)
        else:
            reference = references[ready.cell.protection]
            value = value or _run_cell(campaign, ready, reference, queries, run_job)
            results.append(value)
        show(number, len(prepared), ready.cell.name, value["verdict"])
    return _summarise(campaign, prepared, queries, fault_free, results)


def _prepare(campaign: Campaign, cell: Cell) -> _Prepared:
    """Return a cell ready to run; nothing is written yet."""
    output = campaign.output / CELLS / cell.name
    plan, channel, scenario = None, None, ""
    if cell.scenario:
        plan = make_plan(campaign.scenarios[cell.scenario], cell.seed)
        scenario = plan.to_json()
        channel = FaultyChannel(str(output.absolute() / PLAN), plan.sha256).reference()
    config = JobConfig.model_validate(_options(campaign, cell))
    context = prepare(list(campaign.inputs), output, config, channel, scenario=scenario)
    return _Prepared(cell, context, plan, _command(campaign, cell, output))


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


def _run(ready: _Prepared, run_job: RunJob) -> dict[str, float | None]:
    """Run a job; one that fails over its own results is left as it is. Return its times."""
    root = ready.context.store.root
    begun_before = root.exists()
    before = _cpu_seconds()
    try:
        run_job(ready.context, ready.command)
    except SealedBeamError as error:
        if error.exit_code != IntegrityError.exit_code or not (root / SUMMARY).exists():
            raise
    wall = json.loads((root / SUMMARY).read_bytes()).get("seconds")
    cpu = None if begun_before else round(_cpu_seconds() - before, _TIME_DIGITS)
    return {"wall_seconds": None if begun_before else wall, "cpu_seconds": cpu}


def _cpu_seconds() -> float:
    """Return what this process and its workers, which have ended, have used so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _run_reference(campaign: Campaign, ready: _Prepared, run_job: RunJob) -> dict[str, Any]:
    times = _run(ready, run_job)
    root = ready.context.store.root
    summary = json.loads((root / SUMMARY).read_bytes())
    value = _head(ready) | {
        "verdict": REFERENCE,
        "index": {name: summary[name] for name in ("documents", "terms", "postings")},
        "traffic": count_traffic(root),
        "times": times,
    }
    _keep(campaign, ready, value)
    return value


def _run_cell(
    campaign: Campaign,
    ready: _Prepared,
    reference: _Reference,
    queries: Sequence[str],
    run_job: RunJob,
) -> dict[str, Any]:
    assert ready.plan is not None, "cells without faults are references"
    times = _run(ready, run_job)
    ratios = {
        name.replace("seconds", "ratio"): round(value / usual, _TIME_DIGITS)
        for name, value in times.items()
        if value is not None and (usual := reference.times[name])
    }
    root = ready.context.store.root
    outcome = describe_outcome(root, reference.root, ready.plan, queries, reference.answers)
    value = _head(ready) | outcome | {"times": times | ratios}
    _keep(campaign, ready, value)
    return value


def _head(ready: _Prepared) -> dict[str, Any]:
    sha256 = ready.plan.sha256 if ready.plan is not None else ""
    return {"cell": ready.cell.name, **ready.cell._asdict(), "plan_sha256": sha256}


def keep_result(output: Path, value: dict[str, Any], page: bytes) -> None:
    """Write campaign.json and campaign.html, each whole or not at all."""
    for name, data in (("campaign.json", _to_bytes(value)), ("campaign.html", page)):
        aside = output / f".{name}.attempt"
        aside.write_bytes(data)
        aside.replace(output / name)


def _to_bytes(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=1).encode() + b"\n"


def _keep(campaign: Campaign, ready: _Prepared, value: dict[str, Any]) -> None:
    """Write a cell's result: aside first, so that a result is whole or absent."""
    path = campaign.output / RESULTS / f"{ready.cell.name}.json"
    path.parent.mkdir(exist_ok=True)
    aside = path.with_suffix(".attempt")
    kept = {"configuration_hash": ready.context.configuration_hash, "result": value}
    aside.write_text(canonical_json(kept | {"sha256": _digest(value)}) + "\n")
    aside.replace(path)


def _cached(campaign: Campaign, ready: _Prepared) -> dict[str, Any] | None:
    """Return the result of a cell that was finished before by this very job."""
    path = campaign.output / RESULTS / f"{ready.cell.name}.json"
    try:
        kept = json.loads(path.read_bytes())
        same = kept["configuration_hash"] == ready.context.configuration_hash
        whole = kept["sha256"] == _digest(kept["result"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return kept["result"] if same and whole else None


def _digest(value: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _summarise(
    campaign: Campaign,
    prepared: Sequence[_Prepared],
    queries: Sequence[str],
    fault_free: Sequence[dict[str, Any]],
    results: Sequence[dict[str, Any]],
) -> dict[str, Any]:
    plans = {ready.cell.scenario: ready.plan for ready in prepared if ready.plan is not None}
    return {
        "format": FORMAT,
        "version": VERSION,
        "inputs": [
            {"path": file.path, "bytes": file.size, "crc32c": file.crc32c}
            for file in prepared[0].context.inputs
        ],
        "max_dropped_ratio": campaign.max_dropped_ratio,
        "audited_share": campaign.audited_share,
        "queries": list(queries),
        "scenarios": [
            _describe_scenario(name, campaign.scenarios[name], plan) for name, plan in plans.items()
        ],
        "fault_free": list(fault_free),
        "cells": list(results),
        "law": [f"{cell['cell']}: {finding}" for cell in results for finding in cell["law"]],
    }


def _describe_scenario(name: str, scenario: Scenario, plan: Plan) -> dict[str, Any]:
    return {
        "scenario": name,
        "name": scenario.name,
        "description": scenario.description,
        "acceleration_note": scenario.acceleration_note,
        "accelerations": dict(plan.accelerations),
        "duration_seconds": plan.duration_seconds,
        "kinds": plan.kinds,
        "bursts": [
            {"mode": str(burst.mode), "start_seconds": burst.start_seconds}
            | {"end_seconds": burst.end_seconds}
            for burst in plan.bursts
        ],
        "clusters": list(_describe_clusters(plan)),
    }


def _describe_clusters(plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield each cluster with the highest factor that a burst ever puts on its usual rate."""
    step = max(1, plan.duration_seconds // 240)
    for cluster in plan.clusters:
        factors = [
            plan.exposure.healthy_factor(cluster.name, seconds)
            for seconds in range(0, plan.duration_seconds, step)
        ]
        yield {
            "cluster": cluster.name,
            "machines": cluster.machines,
            "hardware": str(cluster.hardware),
            "flux_factor": round(cluster.flux_factor, 3),
            "burst_factor": round(max(factors) / cluster.flux_factor, 3),
        }
