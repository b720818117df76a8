"""The command `scrub`: verifies an output at rest, protects it by parity, repairs it."""

from __future__ import annotations

import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from sealedbeam.pipeline.console import Command, NamedPath, complain, show
from sealedbeam.pipeline.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sealedbeam.pipeline.storage.parity import Scheme
    from sealedbeam.pipeline.storage.scrub import Options, Report

METRICS = "scrub.prom"
_LINE_SECONDS = 10.0
_MEGABYTE = 1_000_000
_SCHEME = re.compile(r"(\d{1,3})\+(\d{1,3})")


@click.command(cls=Command)
@click.argument(
    "folder", type=NamedPath(path_type=Path, exists=True, file_okay=False), metavar="DIR"
)
@click.option("--repair", is_flag=True, help="Make what is damaged again, from parity.")
@click.option("--protect", is_flag=True, help="Make parity, once everything is intact.")
@click.option(
    "--parity",
    metavar="K+M",
    help="With --protect: to at most K files, M of parity; any M may be lost [10+2].",
)
@click.option("--workers", type=click.IntRange(1, 256), help="Threads that read [one a core].")
@click.option(
    "--rate",
    type=click.FloatRange(0, min_open=True),
    metavar="MB",
    help="Read at most so many megabytes a second.",
)
@click.option("--quiet", is_flag=True, help="Print errors only, and what --json asks for.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")
def scrub(
    folder: Path,
    *,
    repair: bool,
    protect: bool,
    parity: str | None,
    workers: int | None,
    rate: float | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Verify a finished output at rest; repair what is damaged from parity.

    Every file is read from the disk and compared with the manifest, which lies there twice once
    --protect was given, with parity in parity/. A scrub that was killed goes on where it was. What
    scrubs found is in scrubs.jsonl, and in scrub.prom for Prometheus; what a repair replaces stays
    in lost+found/ until the repair is proven.

    Exit code 0 when all is intact, or is again; 3 when something is still damaged.

    \b
    Example:
      sealedbeam scrub index --protect
      sealedbeam scrub index --rate 50
      sealedbeam scrub index --repair
    """
    from sealedbeam.pipeline.display import to_json
    from sealedbeam.pipeline.storage.scrub import Options
    from sealedbeam.pipeline.storage.telling import describe_scrub

    if parity is not None and not protect:
        raise UsageError("--parity says what --protect makes: give both, or neither")
    options = Options(
        workers=workers or os.cpu_count() or 1,
        rate=None if rate is None else rate * _MEGABYTE,
        repair=repair,
        protect=_parse_scheme(parity) if protect else None,
    )
    report = run_scrub(folder, options, _progress_line(silent=quiet or as_json))
    if as_json:
        show(to_json(report.to_dict()))
    elif not quiet:
        show(describe_scrub(report))
    if quiet and not report.is_clean:
        complain(f"{folder} is damaged; sealedbeam scrub {folder} tells where")
    sys.exit(0 if report.is_clean else IntegrityError.exit_code)


def run_scrub(folder: Path, options: Options, tell: Callable[[int, int], None]) -> Report:
    """Scrub a folder, and write what its scrubs found for Prometheus."""
    from sealedbeam.monitoring.scrubs import render_scrubs
    from sealedbeam.pipeline.jobs.store import Store
    from sealedbeam.pipeline.storage.history import read_history
    from sealedbeam.pipeline.storage.scrub import scrub as scrub_folder

    report = scrub_folder(folder, options, tell)
    if report.recorded:
        Store(folder).write(METRICS, render_scrubs(read_history(folder)))
    else:
        complain(f"{folder} cannot be written: this scrub is in no history")
    return report


def repair_files(folder: Path, paths: Collection[str]) -> None:
    """Verify some files of an index, repair those that are damaged, and say what came of it."""
    from sealedbeam.pipeline.storage.scrub import Options

    report = run_scrub(folder, Options(repair=True, only=paths), lambda _done, _all: None)
    for finding in report.findings:
        how = f"not repaired: {finding.repair}" if finding.is_open else "repaired"
        complain(f"{finding.path} {finding.problem}; {how}")


def _parse_scheme(text: str | None) -> Scheme:
    from sealedbeam.pipeline.storage.parity import DEFAULT_SCHEME, Scheme

    if text is None:
        return DEFAULT_SCHEME
    match = _SCHEME.fullmatch(text)
    if match is None:
        raise UsageError(f"--parity is {text!r}: give two numbers, such as {DEFAULT_SCHEME}")
    try:
        return Scheme(int(match[1]), int(match[2]))
    except ValueError as error:
        raise UsageError(f"--parity {error}") from None


def _progress_line(*, silent: bool) -> Callable[[int, int], None]:
    """Return what shows how far a scrub is, in a plain line now and then."""
    from sealedbeam.pipeline.storage.telling import describe_progress

    started = shown = time.monotonic()

    def tell(done_bytes: int, all_bytes: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if not silent and now - shown >= _LINE_SECONDS:
            shown = now
            show(describe_progress(done_bytes, all_bytes, now - started), sys.stderr)

    return tell
