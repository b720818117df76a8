"""The command line: reads options, shows progress, prints results; no logic of its own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .errors import SealedBeamError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

_EXIT_INTERRUPTED = 130


class _Command(click.Command):
    """A command whose errors are one line and whose exit codes are stable."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SealedBeamError as error:
            click.echo(f"sealedbeam: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("sealedbeam: interrupted; the same command goes on from here", err=True)
            ctx.exit(_EXIT_INTERRUPTED)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sealedbeam")
def main() -> None:
    """Index web archives with every record sealed, and prove that nothing was lost silently.

    \b
    Example:
      sealedbeam index crawl.warc.gz --output index
      sealedbeam search index "cosmic ray"
      sealedbeam audit index
    """


@main.command(cls=_Command)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="Output folder.")
@click.option("--config", type=click.Path(path_type=Path), help="YAML file with these options.")
@click.option("--protection", help="none, detect or correct (default).")
@click.option("--on-damage", help="retry (default), drop or fail: what to do with a record that cannot be corrected.")
@click.option("--max-dropped-ratio", type=float, help="Fail above this share of dropped records at a hop (default 0.01).")
@click.option("--workers", type=int, help="Worker processes (default: one per core).")
@click.option("--seed", type=int, help="Seed of the fault scenario (default 0).")
@click.option("--keep-runs", is_flag=True, help="Keep the intermediate run files.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def index(inputs: tuple[str, ...], output: Path, config: Path | None, workers: int | None, keep_runs: bool, quiet: bool, as_json: bool, **options: Any) -> None:
    """Index web archives."""
    from .config import load_config
    from .jobs.index_job import run_index_job
    from .jobs.prepare import prepare

    class Nothing:
        def count_faults(self, journals): return None
        def publish(self, context, totals, summary): pass

    context = prepare(inputs, output, load_config(config, options), keep_runs=keep_runs)
    result = run_index_job(context, Nothing(), workers or os.cpu_count() or 1, lambda p: None)
    if result is None:
        click.echo("already finished"); return
    click.echo(json.dumps(result.summary, indent=1))
    for f in result.findings: click.echo(f, err=True)
    sys.exit(result.exit_code)
