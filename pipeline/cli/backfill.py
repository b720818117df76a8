"""The command `backfill`: finished jobs as OpenMetrics on their simulated clock, for promtool."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click
from sealedbeam.pipeline.console import Command, NamedPath, complain, show
from sealedbeam.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealedbeam.monitoring.view import View

_FOLDER = NamedPath(path_type=Path, exists=True, file_okay=False)
_FILE = NamedPath(path_type=Path, dir_okay=False)
_LAST_SECONDS = 253_402_300_799  # the end of the year 9999


def _read_moment(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """Return a time of day in seconds since 1970; one without an offset is UTC."""
    if value is None:
        return None
    try:
        seconds = int(value) if value.lstrip("-").isdigit() else _parse_date(value)
    except (ValueError, OverflowError):
        seconds = -1
    if not 0 <= seconds <= _LAST_SECONDS:
        raise click.BadParameter(
            f"{value!r} is no time; give 1700000000 or 2023-11-14T22:00:00Z", ctx, param
        )
    return seconds


def _parse_date(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


@click.command(cls=Command)
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.option("--output", type=_FILE, metavar="FILE", help="Where to write [standard output].")
@click.option(
    "--start",
    metavar="TIMESTAMP",
    callback=_read_moment,
    help="When the simulated clock began, in seconds since 1970 or by ISO 8601 [an even hour, such "
    "that the end lies more than 3 hours back].",
)
@click.option(
    "--truth",
    is_flag=True,
    help="Write what was injected and what escaped instead, which no alert may see.",
)
def backfill(folder: Path, output: Path | None, start: int | None, *, truth: bool) -> None:
    """Write the simulated hours of finished jobs for Prometheus, each sample with its own time.

    DIR is the output of a job or of a campaign, or a folder of them. Each metric of metrics.prom is
    there from a zero on, with the label job_name, minute by minute; what the machines' own counters
    tell at their own grain. It is OpenMetrics, of which promtool makes blocks: put them into the
    data folder of a Prometheus. configs/prometheus/README.md shows every step.

    \b
    Example:
      sealedbeam backfill campaign --output campaign.om
      promtool tsdb create-blocks-from openmetrics campaign.om data
    """
    from sealedbeam.monitoring.backfill import (
        RECENT_SECONDS,
        choose_start,
        duration_seconds,
        render_backfill,
        render_truth,
    )

    jobs = _read_jobs(folder)
    if truth:
        jobs = {name: view for name, view in jobs.items() if view.campaign}
        if not jobs:
            raise UsageError(f"no job in {folder} ran under a scenario; leave --truth out")
    longest = max(map(duration_seconds, jobs.values()))
    now = time.time()
    begin = choose_start(now, longest) if start is None else start
    if begin + longest > now - RECENT_SECONDS:
        complain(
            "the end lies less than 3 hours back: a Prometheus that is running does not look for "
            "blocks there; give an earlier --start, or none"
        )
    text = (render_truth if truth else render_backfill)(jobs, begin)
    if output is None:
        for lines in text:
            show(lines.removesuffix("\n"))
    else:
        _write(output, text)
        when = datetime.fromtimestamp(begin, UTC).isoformat()
        show(f"{len(jobs)} jobs from {when} on written to {output}")


def _read_jobs(folder: Path) -> dict[str, View]:
    """Return the finished jobs of a folder by name; those that are not are named."""
    from sealedbeam.monitoring.live import RUNNING, STOPPED, read_live_view
    from sealedbeam.monitoring.serving.jobs_folder import ITSELF, find_jobs

    views = {name: read_live_view(path) for name, path in find_jobs(folder).items()}
    open_ = [name for name, view in views.items() if view.status in {RUNNING, STOPPED}]
    jobs = {name: view for name, view in views.items() if name not in open_}
    if not jobs:
        raise UsageError(
            f"{folder} holds no finished job; "
            + ("finish it by its own command" if open_ else "give the --output of one")
        )
    for name in open_:
        complain(f"{folder / name} is not finished and was left out")
    return {folder.resolve().name if name == ITSELF else name: jobs[name] for name in jobs}


def _write(path: Path, text: Iterable[str]) -> None:
    """Write the file aside, then rename it: there is all of it or none."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.attempt")
    try:
        with aside.open("w", encoding="utf-8", newline="") as file:
            file.writelines(text)
        aside.replace(path)
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}") from None
    finally:
        aside.unlink(missing_ok=True)
