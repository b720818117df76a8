"""The command `campaign`: the main job under simulated faults, and what each protection buys."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from sealedbeam.pipeline.console import Command, NamedPath
from sealedbeam.pipeline.errors import UsageError

from .observer import JobObserver
from .serve import PORT, serve_beside

_PATH = NamedPath(path_type=Path)


@click.command(cls=Command)
@click.argument("scenarios", nargs=-1, type=_PATH, metavar="[SCENARIO.yaml...]")
@click.option("--output", required=True, type=_PATH, help="Folder for the campaign.")
@click.option(
    "--input",
    "inputs",
    multiple=True,
    metavar="ARCHIVE",
    help="WARC file, glob or folder; repeatable [the sample web, seeds/sample.warc.gz].",
)
@click.option(
    "--protections",
    default="none,detect,correct",
    show_default=True,
    help="Of none, detect, correct, parity; +audit behind one computes a share of the pages twice.",
)
@click.option("--on-damage", default="retry", show_default=True, help="Any of retry, drop.")
@click.option("--seeds", default="0", show_default=True, help="Whole numbers, such as 0,1,2.")
@click.option(
    "--max-dropped-ratio", type=float, default=0.01, show_default=True, help="Most a hop may drop."
)
@click.option(
    "--audited-share",
    type=float,
    default=0.25,
    show_default=True,
    help="What +audit computes twice.",
)
@click.option("--workers", type=int, help="Worker processes [one for each core].")
@click.option(
    "--replay", metavar="FAULT_ID", help="Deliver one fault of the campaign in --output again."
)
@click.option(
    "--serve",
    type=PORT,
    metavar="PORT",
    help="Show its jobs while they run, on this port of this machine.",
)
@click.option("--quiet", is_flag=True, help="Print errors only, and what --json asks for.")
@click.option("--json", "as_json", is_flag=True, help="Print campaign.json.")
def campaign(**options: Any) -> None:
    """Index under simulated faults, and show what each protection buys.

    Every scenario is run under each protection, damage policy and seed, and each index compared
    with the one without faults. The result is a table, campaign.json, and campaign.html to read.
    A campaign that was stopped goes on when the same command is given again.

    With --replay one fault is delivered again, by its id (they stand in cells/*/faults/journal-*):
    the bytes before and after, what each check saw, and what became of it. Of the cells that had it
    the one with the strongest protection is taken; --protections, --on-damage, --seeds and
    scenarios choose others.

    \b
    Example:
      sealedbeam campaign configs/scenarios/*.yaml --output campaign
      sealedbeam campaign mine.yaml --input crawl.warc.gz --output mine --seeds 0,1,2
      sealedbeam campaign --output campaign --replay 1f0c53a9b6e2d874
    """
    from sealedbeam.faults.campaign_command import replay_command, run_command
    from sealedbeam.monitoring.campaign_report import render_campaign

    source_of = click.get_current_context().get_parameter_source
    options["given"] = {name for name in options if source_of(name) is ParameterSource.COMMANDLINE}

    def observe(command: str, scenario: str) -> JobObserver:
        return JobObserver(command, scenario, judges=False)

    port = options.pop("serve")
    if options["replay"] is not None:
        if port is not None:
            raise UsageError("--serve has no effect with --replay; leave one of them out")
        sys.exit(replay_command(options))
    with serve_beside(options["output"], port) as start_server:
        start_server(silent=options["quiet"] or options["as_json"])
        code = run_command(options, observe, render_campaign)
    sys.exit(code)
