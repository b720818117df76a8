"""The command line: reads options, composes jobs, faults and monitoring, prints results.

Heavy modules are imported by the command that needs them, so that `--help` answers at once.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .errors import IntegrityError, SealedBeamError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from .integrity.channel import ChannelReference
    from .jobs.context import JobContext
    from .jobs.driver import Workers
    from .jobs.finish import Finished
    from .jobs.index_job import Progress
    from .jobs.totals import Totals

_EXIT_INCOMPLETE = 4
_EXIT_INTERRUPTED = 130
_EXIT_TERMINATED = 143
_FOLDER = click.Path(path_type=Path)
_LOCAL_RUNNERS = ("direct", "directrunner")
_WORKERS_AHEAD = 2  # started at once, to load while the inputs are being looked at


class _Command(click.Command):
    """A command whose errors are one line, with the exit codes that README.md promises."""

    def invoke(self, ctx: click.Context) -> Any:
        signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except SealedBeamError as error:
            click.echo(f"sealedbeam: {error}", err=True)
            ctx.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("sealedbeam: interrupted; the same command goes on from here", err=True)
            ctx.exit(_EXIT_INTERRUPTED)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(0)
        except OSError as error:
            click.echo(f"sealedbeam: {error}", err=True)
            ctx.exit(1)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    click.echo("sealedbeam: terminated; the same command goes on from here", err=True)
    raise SystemExit(_EXIT_TERMINATED)  # unwinds, so that the workers are ended first


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="sealedbeam")
def main() -> None:
    """Index web archives with every record sealed, and prove that nothing was lost silently.

    \b
    Example:
      sealedbeam index crawl.warc.gz --output index
      sealedbeam search index 'cosmic rays'
      sealedbeam audit index

    \b
    Exit codes:
      0 done               1 unexpected error      2 usage or configuration, nothing was done
      3 integrity: the ledger does not balance, too much was dropped, or stored bytes are damaged
      4 some input is not an archive that can be read; the rest was indexed
      130, 143 interrupted or terminated: the same command goes on from what was committed
    """


@main.command(cls=_Command)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT... [-- BEAM_OPTION...]")
@click.option("--output", required=True, type=_FOLDER, help="Folder for the index.")
@click.option("--config", type=_FOLDER, help="YAML file: protection, on_damage, seed...")
@click.option("--protection", type=click.Choice(["none", "detect", "correct"]), help="[correct]")
@click.option(
    "--on-damage",
    type=click.Choice(["retry", "drop", "fail"]),
    help="What to do with a record that cannot be corrected [retry].",
)
@click.option("--max-attempts", type=int, help="Deliveries of a record before it is dropped [3].")
@click.option("--max-dropped-ratio", type=float, help="Most that a hop may drop [0.01].")
@click.option("--workers", type=int, help="Worker processes [one for each core].")
@click.option("--runner", default="direct", help="direct (local), or any runner of Beam.")
@click.option("--scenario", type=_FOLDER, help="YAML file with simulated faults.")
@click.option("--seed", type=int, help="Seed of the scenario [0].")
@click.option("--cluster", default="local", help="Name of this cluster in the ledger [local].")
@click.option("--part-bytes", type=int, help="Stored bytes of a part [8 MiB].")
@click.option("--shards", type=int, help="Number of shards [one for each 16 MiB of input].")
@click.option("--keep-runs", is_flag=True, help="Keep the sorted runs between map and reduce.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def index(inputs: tuple[str, ...], **options: Any) -> None:
    """Index WARC files, globs or folders of them into a folder.

    A job that was stopped goes on when the same command is given again; a finished one is left
    alone. Everything that was damaged, and what became of it, is in the output: summary.json has
    the figures, quarantine/ the bytes that were set aside, report.html all of it to read.

    \b
    Example:
      sealedbeam index crawl/*.warc.gz --output index --workers 4
      sealedbeam index crawl/ --output index --scenario configs/scenarios/bitflips.yaml
    """
    sys.exit(_run_index(inputs, options))


@main.command(cls=_Command)
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.argument("query")
@click.option("--top", default=10, show_default=True, help="How many hits to show.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def search(folder: Path, query: str, top: int, *, as_json: bool) -> None:
    """Search an index: words rank by BM25, quotes make a phrase that must occur.

    \b
    Example:
      sealedbeam search index 'parity memory'
      sealedbeam search index '"cosmic rays" hamming' --top 3 --json
    """
    from .display import describe_results
    from .index.search import Index

    results = Index.open(folder).search(query, top)
    text = json.dumps(results.to_dict(), indent=1) if as_json else describe_results(results)
    click.echo(text)


@main.command(cls=_Command)
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def audit(folder: Path, *, as_json: bool) -> None:
    """Verify every byte of an index against its manifest, seals and ledger.

    Exit code 0 when all of it holds, 3 when something is damaged: each damaged file is named, with
    the row group that is hit.

    \b
    Example:
      sealedbeam audit index
    """
    from dataclasses import asdict

    from .display import describe_audit
    from .jobs.audit import audit as verify

    report = verify(folder)
    click.echo(json.dumps(asdict(report), indent=1) if as_json else describe_audit(report))
    sys.exit(IntegrityError.exit_code if report.findings else 0)


@main.command(cls=_Command)
@click.argument("folder", type=_FOLDER, metavar="DIR")
@click.option("--export", type=_FOLDER, help="Write the rows, raw bytes included, as JSON lines.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def quarantine(folder: Path, export: Path | None, *, as_json: bool) -> None:
    """List what was set aside: where it comes from, why, and its raw bytes.

    \b
    Example:
      sealedbeam quarantine index
      sealedbeam quarantine index --export damaged.jsonl
    """
    from dataclasses import asdict

    from .display import describe_quarantine
    from .jobs.quarantine import read_quarantine

    rows = read_quarantine(folder)
    values = [asdict(row) | {"raw": base64.b64encode(row.raw).decode()} for row in rows]
    if export is not None:
        try:
            export.write_text("".join(json.dumps(value) + "\n" for value in values))
        except OSError as error:
            raise UsageError(f"cannot write {export}: {error.strerror}") from None
        click.echo(f"{len(rows)} rows written to {export}; their raw bytes are in base64")
    else:
        click.echo(json.dumps(values, indent=1) if as_json else describe_quarantine(rows))


class JobObserver:
    """Counts the faults of a scenario, and writes metrics and report when a job ends."""

    def __init__(self, command: str, scenario: str) -> None:
        """Observe a job that `command` started; `scenario` is its fault plan, or empty."""
        self._command = command
        self._scenario = scenario

    def count_faults(self, journals: Sequence[bytes]) -> dict[str, int] | None:
        """Return the faults by outcome, None without a scenario."""
        if not self._scenario:
            return None
        from sealedbeam.faults.checkers import count_outcomes

        return count_outcomes(journals)

    def judge_faults(self, figures: dict[str, int], *, sealed: bool) -> list[str]:
        """Object where faults are unaccounted for, and where one escaped although seals were on."""
        from sealedbeam.faults.checkers import check_conservation, check_escapes

        return check_conservation(figures) + (check_escapes(figures) if sealed else [])

    def publish(self, context: JobContext, totals: Totals, summary: dict[str, Any]) -> None:
        """Write metrics.prom and report.html."""
        from sealedbeam.monitoring.publish import publish

        publish(Path(context.output), totals, summary, self._command)


def _run_index(inputs: Sequence[str], options: dict[str, Any]) -> int:
    """Run the index command; return its exit code."""
    from .jobs.driver import Workers

    patterns, beam_options = _split_options(inputs)
    is_local = options["runner"].lower() in _LOCAL_RUNNERS
    if is_local and beam_options:
        raise UsageError(f"the local runner takes no Beam options: {shlex.join(beam_options)}")
    if options["workers"] is None:
        options["workers"] = os.cpu_count() or 1
    with Workers() as pool:
        if is_local:
            pool.grow(min(options["workers"], _WORKERS_AHEAD))
        context = _prepare(patterns, options)
        observer = JobObserver(shlex.join(["sealedbeam", *sys.argv[1:]]), context.scenario)
        if is_local:
            result = _run_locally(context, observer, options, pool)
        else:
            from .jobs.engine import run_on_engine

            result = run_on_engine(context, observer, options["runner"], beam_options)
    return _tell(context, result, quiet=options["quiet"], as_json=options["as_json"])


def _prepare(patterns: list[str], options: dict[str, Any]) -> JobContext:
    """Return the job that the options describe; nothing is written yet."""
    from .config import JobConfig, load_config
    from .integrity.channel import PerfectChannel
    from .jobs.prepare import prepare

    overrides = {name: options[name] for name in JobConfig.model_fields if name in options}
    config = load_config(options["config"], overrides)
    output: Path = options["output"]
    channel, scenario = PerfectChannel(options["cluster"]).reference(), ""
    if options["scenario"] is not None:
        channel, scenario = _plan_faults(options["scenario"], config.seed, output)
    return prepare(
        patterns, output, config, channel, scenario=scenario, keep_runs=options["keep_runs"]
    )


def _run_locally(
    context: JobContext, observer: JobObserver, options: dict[str, Any], pool: Workers
) -> Finished | None:
    from .jobs.index_job import run_index_job
    from .progress import Display

    with Display(sys.stderr, quiet=options["quiet"] or options["as_json"]) as display:

        def show(progress: Progress) -> None:
            if progress.event is None:
                display.begin(progress.phase, progress.tasks)
            else:
                display.note(progress.event)

        return run_index_job(context, observer, options["workers"], show, pool)


def _plan_faults(path: Path, seed: int, output: Path) -> tuple[ChannelReference, str]:
    """Return the channel of a scenario, and the plan that its workers will read."""
    from sealedbeam.faults.channel import FaultyChannel
    from sealedbeam.faults.plan import make_plan
    from sealedbeam.faults.scenario import load_scenario

    from .jobs.finish import PLAN

    plan = make_plan(load_scenario(path), seed)
    channel = FaultyChannel(str(output.absolute() / PLAN), plan.sha256)
    return channel.reference(), plan.to_json()


def _split_options(inputs: Sequence[str]) -> tuple[list[str], list[str]]:
    """Part the inputs from Beam's options, which begin with a dash and follow `--`."""
    options = [text for text in inputs if text.startswith("-")]
    refused = [text for text in options if "num_workers" in text or "parallelism" in text]
    if refused:
        raise UsageError(f"{refused[0]}: give the number of workers with --workers")
    return [text for text in inputs if not text.startswith("-")], options


def _tell(context: JobContext, result: Finished | None, *, quiet: bool, as_json: bool) -> int:
    """Print how the job ended; return the exit code."""
    from .display import describe_summary
    from .jobs.totals import unreadable_inputs

    if result is None:
        if as_json:
            click.echo(context.store.read("summary.json").decode(), nl=False)
        elif not quiet:
            click.echo(f"{context.output} is already finished by this very job: nothing to do")
        unreadable = unreadable_inputs(context)
        for path in unreadable:
            click.echo(f"sealedbeam: {path} is not a web archive that can be read", err=True)
        return _EXIT_INCOMPLETE if unreadable else 0
    if as_json:
        click.echo(json.dumps(result.summary, indent=1))
    elif not quiet:
        click.echo(describe_summary(result.summary, context.output))
    for finding in result.findings:
        click.echo(f"sealedbeam: {finding}", err=True)
    if result.exit_code == IntegrityError.exit_code:
        click.echo("sealedbeam: FAILED, no manifest was written and search refuses", err=True)
    return result.exit_code


if __name__ == "__main__":
    main()
