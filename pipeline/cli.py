"""The command line: reads options, composes jobs, faults and monitoring, prints results.

Heavy modules are imported by the command that needs them, so that `--help` answers at once.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sealedbeam.faults.fleet_command import fleet

from .console import Command, NamedPath, Program, complain, show
from .errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .config import CommandConfig
    from .integrity.channel import ChannelReference
    from .jobs.context import JobContext
    from .jobs.totals import Totals

_WORKERS_AHEAD = 2  # started at once, to load while the inputs are being looked at
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
@click.option(
    "--redundancy",
    type=click.Choice(["off", "audit"]),
    help="Whether a share of the pages is parsed again elsewhere and compared [off].",
)
@click.option("--audited-share", type=float, help="Share of the pages that are audited [0.05].")
@click.option("--evict-after", type=int, help="Wrong results that evict a machine [1].")
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


main.add_command(fleet)


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
    from .display import describe_results, to_json
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
    show(to_json(results.to_dict()) if as_json else describe_results(results))


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

    from .display import describe_audit, to_json
    from .jobs.audit import audit as verify

    report = verify(folder)
    show(to_json(asdict(report)) if as_json else describe_audit(report))
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
    from .telling import tell_quarantine

    tell_quarantine(folder, export, as_json=as_json)


@main.command(cls=Command)
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
    help="Which to compare; one with +audit behind it computes a share of the pages twice.",
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
@click.option("--quiet", is_flag=True, help="Print errors only, and what --json asks for.")
@click.option("--json", "as_json", is_flag=True, help="Print campaign.json.")
def campaign(**options: Any) -> None:
    """Index under simulated faults, and show what each protection buys.

    Every scenario is run under each protection, damage policy and seed, and each index compared
    with the one without faults. The result is a table, campaign.json, and campaign.html to read.
    A campaign that was stopped goes on when the same command is given again.

    With --replay one fault is delivered again, by its id (they stand in cells/*/faults/journal-*):
    the bytes before and after, what each check saw, and what became of it.

    \b
    Example:
      sealedbeam campaign configs/scenarios/*.yaml --output campaign
      sealedbeam campaign mine.yaml --input crawl.warc.gz --output mine --seeds 0,1,2
      sealedbeam campaign --output campaign --replay 1f0c53a9b6e2d874
    """
    from sealedbeam.faults.campaign_command import replay_command, run_command
    from sealedbeam.monitoring.campaign_report import render_campaign

    def observe(command: str, scenario: str) -> JobObserver:
        return JobObserver(command, scenario, judges=False)

    if options["replay"] is not None:
        sys.exit(replay_command(options))
    sys.exit(run_command(options, observe, render_campaign))


class JobObserver:
    """Counts the faults of a scenario, and writes metrics and report when a job ends."""

    def __init__(self, command: str, scenario: str, *, judges: bool = True) -> None:
        """Observe a job that `command` started; `scenario` is its fault plan, or empty.

        One that `judges` fails a job over what only the injector can know.
        """
        self._command = command
        self._scenario = scenario
        self._judges = judges
        self._law: list[str] = []
        self._unseen = 0

    def count_faults(self, journals: Sequence[bytes]) -> dict[str, int] | None:
        """Return the faults by outcome, None without a scenario."""
        if not self._scenario:
            return None
        from sealedbeam.faults.checkers import check_cells, count_cells, count_unseen, sum_figures

        cells = count_cells(journals)
        self._law = check_cells(cells)
        self._unseen = count_unseen(cells)
        return sum_figures(cells)

    def judge_faults(self, figures: dict[str, int], *, sealed: bool) -> list[str]:
        """Object where faults are unaccounted for, and where one escaped that a seal must show."""
        from sealedbeam.faults.checkers import check_escapes

        if not self._judges:
            return []
        return self._law + (check_escapes(figures, self._unseen) if sealed else [])

    def publish(self, context: JobContext, totals: Totals, summary: dict[str, Any]) -> None:
        """Write metrics.prom and report.html."""
        from sealedbeam.monitoring.publish import publish

        publish(Path(context.output), totals, summary, self._command)


def _run_index(inputs: Sequence[str], options: dict[str, Any]) -> int:
    """Run the index command; return its exit code."""
    from .arguments import split_options
    from .filesystems import hushed, local_folder
    from .jobs.driver import Workers

    own = {name for parameter in index.params for name in parameter.opts}
    patterns, beam_options = split_options(inputs, own)
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
            from .running import run_locally

            silent = config.quiet or config.as_json
            result = run_locally(context, observer, workers, pool, silent=silent)
        else:
            with hushed():
                from .jobs.engine import run_on_engine
            result = run_on_engine(context, observer, config.runner, beam_options)
    from .telling import tell_end

    return tell_end(context, result, quiet=config.quiet, as_json=config.as_json)


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


def _plan_faults(path: Path, seed: int, output: Path) -> tuple[ChannelReference, str]:
    """Return the channel of a scenario, and the plan that its workers will read."""
    from sealedbeam.faults.channel import FaultyChannel
    from sealedbeam.faults.plan import make_plan
    from sealedbeam.faults.scenario import load_scenario

    from .jobs.finish import PLAN

    plan = make_plan(load_scenario(path), seed)
    channel = FaultyChannel(str(output.absolute() / PLAN), plan.sha256)
    return channel.reference(), plan.to_json()


if __name__ == "__main__":
    main()
