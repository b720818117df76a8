"""The command `index`: puts options, faults, workers and views together, and runs the job."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sealedbeam.pipeline.console import Command, NamedPath
from sealedbeam.pipeline.errors import UsageError

from .observer import JobObserver, pushed_outcome
from .plans import plan_faults
from .serve import PORT, serve_beside

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.config import CommandConfig
    from sealedbeam.pipeline.jobs.context import JobContext
    from sealedbeam.pipeline.jobs.driver import Workers
    from sealedbeam.pipeline.jobs.finish import Finished

_WORKERS_AHEAD = 2  # started at once, to load while the inputs are being looked at
_PATH = NamedPath(path_type=Path)


@click.command(cls=Command)
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT... [-- BEAM_OPTION...]")
@click.option("--output", required=True, type=_PATH, help="Folder for the index.")
@click.option("--config", type=_PATH, help="YAML file with any of the options below.")
@click.option(
    "--protection", type=click.Choice(["none", "detect", "correct", "parity"]), help="[correct]"
)
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
    "--serve",
    type=PORT,
    metavar="PORT",
    help="Show the job while it runs, on this port of this machine.",
)
@click.option(
    "--push-gateway",
    metavar="URL",
    help="Push the outcome to this Pushgateway of Prometheus when the job is over.",
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
      sealedbeam index crawl/ --output index --serve 8417
    """
    sys.exit(_run_index(inputs, options))


def _run_index(inputs: Sequence[str], options: dict[str, Any]) -> int:
    """Run the index command; return its exit code."""
    from sealedbeam.pipeline.arguments import beam_flags, split_options
    from sealedbeam.pipeline.filesystems import output_place
    from sealedbeam.pipeline.jobs.driver import Workers
    from sealedbeam.pipeline.jobs.worker import hide_unused
    from sealedbeam.pipeline.objects import hushed

    absent = hide_unused()
    own = {name for parameter in index.params for name in parameter.opts}
    patterns, beam_options = split_options(inputs, own)
    output = output_place(options.pop("output"))
    expect: tuple[Path, ...] = options.pop("expect")
    path: Path | None = options.pop("config")
    with (
        pushed_outcome(options.pop("push_gateway"), output) as push,
        serve_beside(output, options.pop("serve")) as start_server,
        Workers() as pool,
    ):
        if path is None and options["runner"] is None:  # then they load while the options are read
            pool.grow(min(options["workers"] or os.cpu_count() or 1, _WORKERS_AHEAD))
        from sealedbeam.pipeline.config import load_config

        config = load_config(path, options)
        if config.is_local and beam_options:
            raise UsageError(f"the local runner takes no Beam options: {shlex.join(beam_options)}")
        start_server(silent=config.quiet or config.as_json)
        if config.is_local:
            context, result = index_locally(patterns, output, config, expect, pool)
        else:
            context = _prepare(patterns, output, config, expect)
            sys.meta_path.remove(absent)  # some runners need what the local one does without
            with hushed():
                from sealedbeam.pipeline.jobs.engine import run_on_engine

                flags = [*beam_flags(config.beam), *beam_options]
                if config.is_flink and config.workers is not None:
                    flags.append(f"--parallelism={config.workers}")
                result = run_on_engine(context, _observer(context), config.runner, flags)
        push(result)
    from sealedbeam.pipeline.telling import tell_end

    return tell_end(context, result, quiet=config.quiet, as_json=config.as_json)


def index_locally(
    patterns: list[str],
    output: Path,
    config: CommandConfig,
    expect: tuple[Path, ...],
    pool: Workers,
) -> tuple[JobContext, Finished | None]:
    """Index with the local driver; return the job and how it ended, None if it was finished before.

    Args:
        patterns: files, globs and folders.
        output: the output folder.
        config: the options.
        expect: lists of what the inputs should hold.
        pool: does the work.

    Raises:
        SealedBeamError: the job cannot go on.
    """
    from sealedbeam.pipeline.running import run_locally

    workers = config.workers or os.cpu_count() or 1
    pool.grow(min(workers, _WORKERS_AHEAD))
    context = _prepare(patterns, output, config, expect)
    silent = config.quiet or config.as_json
    return context, run_locally(context, _observer(context), workers, pool, silent=silent)


def _observer(context: JobContext) -> JobObserver:
    return JobObserver(shlex.join(["sealedbeam", *sys.argv[1:]]), context.scenario)


def _prepare(
    patterns: list[str], output: Path, config: CommandConfig, expect: tuple[Path, ...]
) -> JobContext:
    """Return the job that the options describe; nothing is written yet."""
    from sealedbeam.pipeline.integrity.channel import PerfectChannel
    from sealedbeam.pipeline.jobs.prepare import prepare

    channel, scenario = PerfectChannel(config.cluster).reference(), ""
    attached: dict[str, bytes] = {}
    if config.scenario is not None:
        channel, scenario, attached = plan_faults(config.scenario, config.seed, output)
    return prepare(
        patterns,
        output,
        config.job,
        channel,
        scenario=scenario,
        keep_runs=config.keep_runs,
        expect=expect,
        attached=attached,
    )
