"""Index jobs under a fault plan, with all the bytes that the plan's seed decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sealedbeam.faults.channel import FaultyChannel
from sealedbeam.faults.counters import attach_counters
from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.jobs.finish import PLAN
from sealedbeam.pipeline.jobs.prepare import prepare

from tests.support.jobs import Job, all_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from sealedbeam.faults.plan import Plan


def prepare_job(inputs: Sequence[Path], output: Path, plan: Plan, **options: Any) -> Job:
    """Prepare a job whose channel follows a plan; it may drop as much as it likes."""
    channel = FaultyChannel(str(output / PLAN), plan.sha256).reference()
    config = JobConfig(**({"max_dropped_ratio": 1.0} | options))
    patterns = [str(path) for path in inputs]
    files = attach_counters(plan)
    return Job(prepare(patterns, output, config, channel, scenario=plan.to_json(), attached=files))


def seeded_bytes(output: Path) -> dict[str, bytes]:
    """Return the plan, the journals, the ledger, the quarantine and the index."""
    journals = {path.name: path.read_bytes() for path in (output / "faults").iterdir()}
    return all_bytes(output) | journals
