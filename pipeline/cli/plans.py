"""A scenario's plan for one job: its channel, and the files that lie in the output folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.pipeline.integrity.channel import ChannelReference


def plan_faults(
    path: Path, seed: int, output: Path
) -> tuple[ChannelReference, str, dict[str, bytes]]:
    """Return a scenario's channel, the plan that its workers will read, and its other files.

    Args:
        path: of the scenario.
        seed: of its random numbers.
        output: the output folder.

    Raises:
        UsageError: the scenario cannot be read, or something in it is not allowed.
    """
    from sealedbeam.faults.channel import FaultyChannel
    from sealedbeam.faults.counters import attach_counters
    from sealedbeam.faults.plan import make_plan
    from sealedbeam.faults.scenario import load_scenario
    from sealedbeam.pipeline.jobs.finish import PLAN

    plan = make_plan(load_scenario(path), seed)
    channel = FaultyChannel(str(output.absolute() / PLAN), plan.sha256)
    return channel.reference(), plan.to_json(), attach_counters(plan)
