"""The command `crawl`: seeds to web archives, in rounds, politely."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sealedbeam.pipeline.console import Command, NamedPath
from sealedbeam.pipeline.errors import UsageError

from .crawl_watcher import CrawlWatcher
from .plans import plan_faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.jobs.crawl.config import CrawlCommandConfig
    from sealedbeam.pipeline.jobs.crawl.context import CrawlContext

_PATH = NamedPath(path_type=Path)


@click.command(cls=Command)
@click.argument("seeds", nargs=-1, required=True, metavar="SEEDS...")
@click.option("--output", required=True, type=_PATH, help="Folder for the archives.")
@click.option("--config", type=_PATH, help="YAML file with any of the options below.")
@click.option(
    "--user-agent",
    help="Name of the crawler, with an address or a page at which you can be reached.",
)
@click.option("--delay-seconds", type=float, help="Between two requests to one host [1].")
@click.option("--rate-per-second", type=float, help="Requests to all hosts together [no limit].")
@click.option("--connections", type=int, help="At a time in one worker [1000].")
@click.option("--depth", type=int, help="Links from a seed, at most [no limit].")
@click.option("--pages", type=int, help="Pages in all [no limit].")
@click.option("--pages-per-host", type=int, help="Pages of one host [no limit].")
@click.option("--max-bytes", type=int, help="Of bodies; then nothing more is begun [no limit].")
@click.option("--max-seconds", type=float, help="Then nothing more is begun [no limit].")
@click.option("--round-seconds", type=float, help="The longest that a round asks for pages [300].")
@click.option(
    "--refetch-seconds", type=int, help="Until a page is looked at again, at first [30 days]."
)
@click.option("--body-bytes", type=int, help="Of one page; what is beyond is cut [16 MiB].")
@click.option("--allow-host", "allow_hosts", multiple=True, help="Only these, and below them.")
@click.option("--deny-host", "deny_hosts", multiple=True, help="Not these, nor below them.")
@click.option(
    "--allow-prefix", "allow_prefixes", multiple=True, help="Only addresses that begin so."
)
@click.option("--deny-prefix", "deny_prefixes", multiple=True, help="None that begin so.")
@click.option(
    "--allow-pattern",
    "allow_patterns",
    multiple=True,
    help="Only addresses in which this regular expression is found.",
)
@click.option("--deny-pattern", "deny_patterns", multiple=True, help="None in which it is found.")
@click.option(
    "--deny-extension",
    "deny_extensions",
    multiple=True,
    help="Not these [images, films, archives and other files that are no pages].",
)
@click.option(
    "--traps/--no-traps",
    default=None,
    help="Leave out addresses that a site could make up for ever [--traps].",
)
@click.option(
    "--sitemaps/--no-sitemaps",
    default=None,
    help="Read the site maps that robots.txt names [--sitemaps].",
)
@click.option(
    "--allow-network",
    "allow_networks",
    multiple=True,
    help="A network that is not public and may be crawled, such as 127.0.0.0/8.",
)
@click.option(
    "--protection",
    type=click.Choice(["none", "detect", "correct", "parity"]),
    help="Of what was fetched, on its way to the archive [correct].",
)
@click.option(
    "--on-damage",
    type=click.Choice(["retry", "drop", "fail"]),
    help="What to do with an answer that is damaged there: fetch it again, leave it out, or fail "
    "[retry].",
)
@click.option("--max-attempts", type=int, help="Times that an address is fetched for it [3].")
@click.option("--max-dropped-ratio", type=float, help="Most that may be left out [0.01].")
@click.option("--scenario", type=_PATH, help="YAML file with simulated faults.")
@click.option("--seed", type=int, help="Seed of the scenario [0].")
@click.option("--cluster", help="Name of this cluster in the ledger [local].")
@click.option("--workers", type=int, help="Worker processes [one for each core].")
@click.option(
    "--quiet/--no-quiet", default=None, help="Print errors only, and what --json asks for."
)
@click.option("--json/--no-json", default=None, help="Print the summary as JSON.")
def crawl(seeds: tuple[str, ...], output: Path, config: Path | None, **options: Any) -> None:
    """Crawl the web from SEEDS: addresses, files with one to a line, or - for standard input.

    A crawl that was stopped goes on when the same command is given again: only requests under way
    are made a second time. The archives are in the folder `warc`, with an index beside each. In the
    file of --config options have their names without dashes in front, those that may be given
    several times in the plural (allow_hosts: [example.org]); those of the command line win.

    \b
    Example:
      sealedbeam crawl https://example.org/ --output crawl \\
        --user-agent 'mybot/1.0 (+https://example.org/bot)' --allow-host example.org
      sealedbeam index crawl --output index
    """
    from sealedbeam.pipeline.crawl_telling import tell_crawl
    from sealedbeam.pipeline.jobs.crawl.config import CRAWL_OPTIONS
    from sealedbeam.pipeline.jobs.worker import hide_unused

    hide_unused()
    given = {name: None if value == () else value for name, value in options.items()}
    loaded = CRAWL_OPTIONS.load(config, given)
    summary = crawl_into(output, loaded, seeds)
    sys.exit(tell_crawl(summary, str(output), quiet=loaded.quiet, as_json=loaded.as_json))


def crawl_into(output: Path, config: CrawlCommandConfig, seeds: Sequence[str]) -> dict[str, Any]:
    """Crawl from seeds, or files of them, into a folder, or go on with it; return the summary.

    Raises:
        UsageError: the options or seeds do not do, or the folder is another job's.
        SealedBeamError: the crawl cannot go on.
    """
    from sealedbeam.pipeline.crawl_progress import CrawlDisplay
    from sealedbeam.pipeline.jobs.crawl.job import run_crawl
    from sealedbeam.pipeline.jobs.crawl.seeds import read_seeds, seed_lines

    context, watcher = prepare_crawl(output, config)
    addresses = read_seeds(seed_lines(seeds))
    workers = config.workers or os.cpu_count() or 1
    with CrawlDisplay(sys.stderr, quiet=config.quiet or config.as_json) as display:
        return run_crawl(context, addresses, workers, display, watcher)


def prepare_crawl(output: Path, config: CrawlCommandConfig) -> tuple[CrawlContext, CrawlWatcher]:
    """Return the crawl that the options describe, and who watches it; nothing is written yet.

    Raises:
        UsageError: the options do not do.
    """
    from sealedbeam.pipeline.crawl.addresses import parse_networks
    from sealedbeam.pipeline.crawl.urls import without_user
    from sealedbeam.pipeline.filesystems import local_folder
    from sealedbeam.pipeline.integrity.channel import PerfectChannel
    from sealedbeam.pipeline.jobs.crawl.context import CrawlContext

    if not config.user_agent:
        raise UsageError(
            "say who crawls: --user-agent 'NAME/VERSION (+https://... or mailto:...)' tells the "
            "owners of sites whom to ask"
        )
    parse_networks(config.allow_networks)
    config.rules()
    folder = local_folder(output)
    channel, scenario = PerfectChannel(config.cluster).reference(), ""
    attached: dict[str, bytes] = {}
    if config.scenario is not None:
        channel, scenario, attached = plan_faults(config.scenario, config.seed, folder)
    context = CrawlContext(str(folder), config.crawl, channel, scenario)
    command = without_user(shlex.join(["sealedbeam", *sys.argv[1:]]))
    return context, CrawlWatcher(command, scenario, attached)
