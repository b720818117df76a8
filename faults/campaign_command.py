"""The body of the campaign command: runs or replays, prints, and says how that ended."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.console import complain, show
from sealedbeam.pipeline.display import to_json
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.jobs.driver import Workers
from sealedbeam.pipeline.running import run_locally

from .campaign import keep_result, run_campaign
from .campaign_options import choose_cells, read_options
from .campaign_text import describe_campaign, describe_cell
from .replay import replay_fault
from .replay_text import describe_replay

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sealedbeam.pipeline.jobs.context import JobContext
    from sealedbeam.pipeline.jobs.finish import Observer


def run_command(
    options: Mapping[str, Any],
    observe: Callable[[str, str], Observer],
    render: Callable[[dict[str, Any]], bytes],
) -> int:
    """Run a campaign; return the exit code.

    Args:
        options: of the command.
        observe: makes what looks at a job, of its command line and its fault plan.
        render: makes the page of a campaign's values.

    Raises:
        SealedBeamError: an option is not allowed, or a job cannot run.
    """
    campaign = read_options(options)
    silent = options["quiet"] or options["as_json"]
    workers = options["workers"] or os.cpu_count() or 1

    def run_job(context: JobContext, command: str) -> None:
        with Workers() as pool:
            run_locally(context, observe(command, context.scenario), workers, pool, silent=True)

    def tell(number: int, cells: int, name: str, verdict: str) -> None:
        if not silent:
            show(describe_cell(number, cells, name, verdict), sys.stderr)

    result = run_campaign(campaign, run_job, tell)
    keep_result(campaign.output, result, render(result))
    if options["as_json"]:
        show(to_json(result))
    elif not options["quiet"]:
        show(describe_campaign(result, str(campaign.output)))
    for finding in result["law"]:
        complain(finding)
    return IntegrityError.exit_code if result["law"] else 0


def replay_command(options: Mapping[str, Any]) -> int:
    """Deliver one fault again; return the exit code: 3 where the journal tells it otherwise."""
    replay = replay_fault(options["output"], options["replay"], choose_cells(options))
    if options["as_json"]:
        show(to_json(replay.to_json()))
    elif not options["quiet"]:
        show(describe_replay(replay))
    if not replay.agrees:
        complain(f"the journal says {replay.fault.outcome}, this delivery {replay.outcome}")
    return 0 if replay.agrees else IntegrityError.exit_code
