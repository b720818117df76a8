"""Runs a campaign: each scenario under each protection, damage policy and seed, against no faults.

A cell is an ordinary index job in a folder of its own, `cells/NAME`; before all others comes, for
each protection, the job without faults that the others are compared with. What became of a cell is
written into `results/NAME.json` last: a campaign that was stopped goes on with the cells that have
none, or whose folder is gone. A job that fails by itself is a result; one that cannot be told what
to do ends the campaign, and so does a finished job whose files were damaged since.

Everything but the times is a function of inputs, scenarios and options, whatever the number of
workers.
"""

from __future__ import annotations

import hashlib
import json
import resource
from typing import TYPE_CHECKING, Any, NamedTuple

from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.errors import IntegrityError, SealedBeamError
from sealedbeam.pipeline.jobs.finish import SUMMARY
from sealedbeam.pipeline.jobs.settle import require_intact
from sealedbeam.pipeline.manifest import FILE_NAME

from .answers import ask, choose_queries
from .campaign_cells import RESULTS, prepare_all
from .outcome import count_traffic, describe_outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from sealedbeam.pipeline.jobs.context import JobContext

    from .campaign_cells import Campaign, Prepared
    from .plan import Plan
    from .scenario import Scenario

    RunJob = Callable[[JobContext, str], None]
    """Runs a prepared job that a command line describes; raises SealedBeamError when it cannot."""
    Show = Callable[[int, int, str, str], None]
    """Told of each cell: its number, how many there are, its name, its verdict."""

FORMAT = "sealedbeam-campaign"
VERSION = 2
REFERENCE = "reference"
_TIME_DIGITS = 3


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
    prepared = prepare_all(campaign)
    references: dict[str, _Reference] = {}
    queries: list[str] = []
    fault_free, results = [], []
    for number, ready in enumerate(prepared, 1):
        value = _cached(campaign, ready)
        if ready.plan is None:
            value = value or _run_reference(campaign, ready, run_job)
            root = ready.context.store.root
            require_intact(ready.context.store)
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


def _run(ready: Prepared, run_job: RunJob) -> dict[str, float | None]:
    """Run a job; one that fails over its own results is left as it is. Return its times."""
    root = ready.context.store.root
    begun_before, said_before = root.exists(), _age(root / SUMMARY)
    before = _cpu_seconds()
    try:
        run_job(ready.context, ready.command)
    except SealedBeamError as error:
        said_why = _age(root / SUMMARY) != said_before and not (root / FILE_NAME).exists()
        if error.exit_code != IntegrityError.exit_code or not said_why:
            raise
    wall = json.loads((root / SUMMARY).read_bytes()).get("seconds")
    cpu = None if begun_before else round(_cpu_seconds() - before, _TIME_DIGITS)
    return {"wall_seconds": None if begun_before else wall, "cpu_seconds": cpu}


def _age(path: Path) -> int | None:
    """Return when a file was written, None where there is none."""
    return path.stat().st_mtime_ns if path.exists() else None


def _cpu_seconds() -> float:
    """Return what this process and its workers, which have ended, have used so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _run_reference(campaign: Campaign, ready: Prepared, run_job: RunJob) -> dict[str, Any]:
    times = _run(ready, run_job)
    root = ready.context.store.root
    summary = json.loads((root / SUMMARY).read_bytes())
    if not (root / FILE_NAME).exists():
        why = summary.get("reason", "summary.json tells why")
        raise IntegrityError(f"{root}, the job without faults, failed: {why}")
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
    ready: Prepared,
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
    sealed = ready.context.policy.protection.seals
    outcome = describe_outcome(
        root, reference.root, ready.plan, queries, reference.answers, sealed=sealed
    )
    value = _head(ready) | outcome | {"times": times | ratios}
    _keep(campaign, ready, value)
    return value


def _head(ready: Prepared) -> dict[str, Any]:
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


def _keep(campaign: Campaign, ready: Prepared, value: dict[str, Any]) -> None:
    """Write a cell's result: aside first, so that a result is whole or absent."""
    path = campaign.output / RESULTS / f"{ready.cell.name}.json"
    path.parent.mkdir(exist_ok=True)
    aside = path.with_suffix(".attempt")
    kept = {"version": VERSION, "configuration_hash": ready.context.configuration_hash}
    kept |= {"result": value}
    aside.write_text(canonical_json(kept | {"sha256": _digest(value)}) + "\n")
    aside.replace(path)


def _cached(campaign: Campaign, ready: Prepared) -> dict[str, Any] | None:
    """Return the result of a cell that was finished before by this very job, and is there."""
    path = campaign.output / RESULTS / f"{ready.cell.name}.json"
    try:
        kept = json.loads(path.read_bytes())
        same = kept["configuration_hash"] == ready.context.configuration_hash
        same = same and kept["version"] == VERSION and (ready.context.store.root / SUMMARY).exists()
        whole = kept["sha256"] == _digest(kept["result"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return kept["result"] if same and whole else None


def _digest(value: dict[str, Any]) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _summarise(
    campaign: Campaign,
    prepared: Sequence[Prepared],
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
