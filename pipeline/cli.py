"""The command line: reads options, composes jobs, faults and monitoring, prints results.

Heavy modules are imported by the command that needs them, so that `--help` answers at once.
"""

from __future__ import annotations

import base64
import json
import os
import shlex
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .console import Command, NamedPath, Program, complain, show
from .errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .config import CommandConfig
    from .integrity.channel import ChannelReference
    from .jobs.context import JobContext
    from .jobs.driver import Workers
    from .jobs.finish import Finished
    from .jobs.index_job import Progress
    from .jobs.totals import Totals

_EXIT_INCOMPLETE = 4
_WORKERS_AHEAD = 2  # started at once, to load while the inputs are being looked at
_STANDARD_OUTPUT = Path("-")
_PATH = NamedPath(path_type=Path)
_INDEX = NamedPath(path_type=Path, exists=True, file_okay=False)


@click.group(
    cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
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


@main.command(cls=Command)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT... [-- BEAM_OPTION...]")
@click.option("--output", required=True, type=_PATH, help="Folder for the index.")
@click.option("--config", type=_PATH, help="YAML file with any of the options below.")
@click.option("--protection", type=click.Choice(["none", "detect", "correct"]), help="[correct]")
@click.option(
    "--on-damage",
    type=click.Choice(["retry", "drop", "fail"]),
    help="What to do with a record that cannot be corrected [retry]; under protection none, only "
    "with what cannot be read at all.",
)
@click.option("--max-attempts", type=int, help="Deliveries of a record before it is dropped [3].")
@click.option("--max-dropped-ratio", type=float, help="Most that a hop may drop [0.01].")
@click.option("--workers", type=int, help="Worker processes [one for each core].")
@click.option(
    "--record-seconds",
    type=float,
    help="Most that one record may take before it is set aside [30].",
)
@click.option("--worker-memory-bytes", type=int, help="Most memory of a worker [2 GiB].")
@click.option("--runner", help="direct (local), or any runner of Beam [direct].")
@click.option("--scenario", type=_PATH, help="YAML file with simulated faults.")
@click.option("--seed", type=int, help="Seed of the scenario [0].")
@click.option("--cluster", help="Name of this cluster in the ledger [local].")
@click.option(
    "--expect",
    type=_PATH,
    multiple=True,
    help="List of what the inputs hold: CDX, CDXJ or checksums; differences are named.",
)
@click.option("--part-bytes", type=int, help="Stored bytes of a part [8 MiB].")
@click.option("--shards", type=int, help="Number of shards [one for each 16 MiB of input].")
@click.option(
    "--keep-runs/--no-keep-runs", default=None, help="Keep the sorted runs between map and reduce."
)
@click.option(
    "--quiet/--no-quiet", default=None, help="Print errors only, and what --json asks for."
)
@click.option("--json/--no-json", default=None, help="Print the summary as JSON.")
def index(inputs: tuple[str, ...], **options: Any) -> None:
    """Index WARC files, globs or folders of them into a folder.

    A file is taken once, however often the inputs name it. In the file of --config options have
    their names without dashes in front (on_damage: drop); those of the command line win.

    A job that was stopped goes on when the same command is given again; a finished one is left
    alone. Everything that was damaged, and what became of it, is in the output: summary.json has
    the figures, quarantine/ the bytes that were set aside, report.html all of it to read.

    \b
    Example:
      sealedbeam index crawl/*.warc.gz --output index --workers 4
      sealedbeam index crawl/ --output index --scenario configs/scenarios/bitflips.yaml
    """
    sys.exit(_run_index(inputs, options))


@main.command(cls=Command)
@click.argument("folder", type=_INDEX, metavar="DIR")
@click.argument("words", nargs=-1, required=True, metavar="QUERY")
@click.option("--top", default=10, show_default=True, help="How many hits to show.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def search(folder: Path, words: tuple[str, ...], top: int, *, as_json: bool) -> None:
    """Search an index: words rank by BM25, quotes make a phrase that must occur.

    The query is one argument. One that begins with a dash comes behind --.

    \b
    Example:
      sealedbeam search index 'parity memory'
      sealedbeam search index '"cosmic rays" hamming' --top 3 --json
    """
    from .display import describe_results
    from .index.query import parse_query
    from .index.search import Index

    query, *more = words
    if more:
        one = shlex.join(["sealedbeam", "search", str(folder), " ".join(words)])
        raise UsageError(f"the query is one argument, in quotes: {one}")
    if not parse_query(query):
        raise UsageError("the query has no word to look for; give some, such as 'cosmic rays'")
    results = Index.open(folder).search(query, top)
    if query.count('"') % 2:
        complain("a quotation mark has no partner: the words behind it are searched one by one")
    show(_json(results.to_dict()) if as_json else describe_results(results))


@main.command(cls=Command)
@click.argument("folder", type=_INDEX, metavar="DIR")
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
    show(_json(asdict(report)) if as_json else describe_audit(report))
    sys.exit(IntegrityError.exit_code if report.findings else 0)


@main.command(cls=Command)
@click.argument("folder", type=_INDEX, metavar="DIR")
@click.option("--export", type=_PATH, help="Write the rows, raw bytes included, as JSON lines.")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def quarantine(folder: Path, export: Path | None, *, as_json: bool) -> None:
    """List what was set aside: where it comes from, why, and its raw bytes.

    \b
    Example:
      sealedbeam quarantine index
      sealedbeam quarantine index --export damaged.jsonl
    """
    from dataclasses import asdict

    from .display import describe_differences, describe_quarantine
    from .jobs.expect import read_differences
    from .jobs.quarantine import read_quarantine

    if export is not None:
        _refuse_export(export, as_json=as_json)
    rows = read_quarantine(folder)
    values = [asdict(row) | {"raw": base64.b64encode(row.raw).decode()} for row in rows]
    lines = "".join(_json(value, indent=None) + "\n" for value in values)
    if export == _STANDARD_OUTPUT:
        show(lines.removesuffix("\n"))
    elif export is not None:
        try:
            export.write_text(lines)
        except OSError as error:
            raise UsageError(f"cannot write {export}: {error.strerror}") from None
        show(f"{len(rows)} rows written to {export}; their raw bytes are in base64")
    elif as_json:
        show(_json(values))
    else:
        differences = read_differences(folder)
        lists = f"\n\n{describe_differences(differences)}" if differences else ""
        show(describe_quarantine(rows) + lists)


def _json(value: Any, indent: int | None = 1) -> str:
    """Return `value` as JSON of ASCII characters that can be printed."""
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")


def _refuse_export(export: Path, *, as_json: bool) -> None:
    """Refuse an export that would print something else, or write over the files of an index."""
    if as_json:
        raise UsageError("--export writes JSON lines already; leave out --json")
    with suppress(OSError):  # then it cannot be written either
        for folder in export.resolve().parents:
            if any((folder / mark).exists() for mark in ("manifest.json", "ledger/job.json")):
                raise UsageError(f"{export} lies in the index {folder}; write it somewhere else")


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
    from .filesystems import hushed, local_folder
    from .jobs.driver import Workers

    patterns, beam_options = _split_options(inputs)
    output = local_folder(options.pop("output"))
    expect: tuple[Path, ...] = options.pop("expect")
    path: Path | None = options.pop("config")
    with Workers() as pool:
        if path is None and options["runner"] is None:  # then they load while the options are read
            pool.grow(min(options["workers"] or os.cpu_count() or 1, _WORKERS_AHEAD))
        from .config import load_config

        config = load_config(path, options)
        if config.is_local and beam_options:
            raise UsageError(f"the local runner takes no Beam options: {shlex.join(beam_options)}")
        workers = config.workers or os.cpu_count() or 1
        if config.is_local:
            pool.grow(min(workers, _WORKERS_AHEAD))
        context = _prepare(patterns, output, config, expect)
        observer = JobObserver(shlex.join(["sealedbeam", *sys.argv[1:]]), context.scenario)
        if config.is_local:
            silent = config.quiet or config.as_json
            result = _run_locally(context, observer, workers, pool, silent=silent)
        else:
            with hushed():
                from .jobs.engine import run_on_engine
            result = run_on_engine(context, observer, config.runner, beam_options)
    return _tell(context, result, quiet=config.quiet, as_json=config.as_json)


def _prepare(
    patterns: list[str], output: Path, config: CommandConfig, expect: tuple[Path, ...]
) -> JobContext:
    """Return the job that the options describe; nothing is written yet."""
    from .integrity.channel import PerfectChannel
    from .jobs.prepare import prepare

    channel, scenario = PerfectChannel(config.cluster).reference(), ""
    if config.scenario is not None:
        channel, scenario = _plan_faults(config.scenario, config.seed, output)
    return prepare(
        patterns,
        output,
        config.job,
        channel,
        scenario=scenario,
        keep_runs=config.keep_runs,
        expect=expect,
    )


def _run_locally(
    context: JobContext, observer: JobObserver, workers: int, pool: Workers, *, silent: bool
) -> Finished | None:
    from .jobs.index_job import run_index_job
    from .progress import Display

    ledger = (Path(context.output) / "ledger").glob("*.json")
    found = frozenset(entry.stem for entry in ledger)
    with Display(sys.stderr, quiet=silent, found=found) as display:

        def display_progress(progress: Progress) -> None:
            if progress.event is None:
                display.begin(progress.phase, progress.tasks)
            else:
                display.note(progress.event)

        return run_index_job(context, observer, workers, display_progress, pool)


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
    if "-" in inputs:
        raise UsageError("-: standard input can be read once only; save it to a file first")
    options = [text for text in inputs if text.startswith("-")]
    own = {name for parameter in index.params for name in parameter.opts}
    misplaced = [text for text in options if text.partition("=")[0] in own]
    if misplaced:
        raise UsageError(f"{misplaced[0]}: give it before --, behind which are options of Beam")
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
            show(_json(json.loads(context.store.read("summary.json"))))
        elif not quiet:
            show(f"{context.output} is already finished by this very job: nothing to do")
        unreadable = unreadable_inputs(context)
        for path in unreadable:
            complain(f"{path} is not a web archive that can be read{_hint(path)}")
        return _EXIT_INCOMPLETE if unreadable else 0
    if as_json:
        show(_json(result.summary))
    elif not quiet:
        show(describe_summary(result.summary, context.output))
    unreadable = unreadable_inputs(context)
    for finding in result.findings:
        named = next((path for path in unreadable if finding.startswith(f"{path} ")), "")
        complain(finding + (_hint(named) if named else ""))
    if result.exit_code == IntegrityError.exit_code:
        complain("FAILED, no manifest was written and search refuses")
    return result.exit_code


def _hint(path: str) -> str:
    """Return what an input is that is no archive, as the end of a sentence."""
    from .crawl.lookalikes import describe_lookalike
    from .filesystems import open_source

    with suppress(OSError, UsageError):
        hint = describe_lookalike(open_source(path))
        return f": {hint}" if hint else ""
    return ""


if __name__ == "__main__":
    main()
