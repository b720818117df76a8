"""The command `crawl`: seeds to web archives, in rounds, politely."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sealedbeam.pipeline.console import Command, NamedPath, complain, show
from sealedbeam.pipeline.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PATH = NamedPath(path_type=Path)
_STANDARD_INPUT = "-"


@click.command(cls=Command)
@click.argument("seeds", nargs=-1, required=True, metavar="SEEDS...")
@click.option("--output", required=True, type=_PATH, help="Folder for the archives.")
@click.option(
    "--user-agent",
    default="",
    help="Name of the crawler, with an address or a page at which you can be reached.",
)
@click.option("--delay-seconds", type=float, help="Between two requests to one host [1].")
@click.option("--rate-per-second", type=float, help="Requests to all hosts together [no limit].")
@click.option("--depth", type=int, help="Links from a seed, at most [no limit].")
@click.option("--pages", type=int, help="Pages in all [no limit].")
@click.option("--pages-per-host", type=int, help="Pages of one host [no limit].")
@click.option("--max-bytes", type=int, help="Of bodies, after which no round begins [no limit].")
@click.option("--max-seconds", type=float, help="After which no round begins [no limit].")
@click.option("--round-seconds", type=float, help="The longest that a round asks for pages [300].")
@click.option("--allow-host", "allow_hosts", multiple=True, help="Only these, and below them.")
@click.option("--deny-host", "deny_hosts", multiple=True, help="Not these, nor below them.")
@click.option(
    "--allow-network",
    "allow_networks",
    multiple=True,
    help="A network that is not public and may be crawled, such as 127.0.0.0/8.",
)
@click.option("--workers", type=int, help="Worker processes [one for each core].")
@click.option("--quiet", is_flag=True, help="Print errors only, and what --json asks for.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def crawl(seeds: tuple[str, ...], output: Path, **options: Any) -> None:
    """Crawl the web from SEEDS: addresses, files with one to a line, or - for standard input.

    A crawl that was stopped goes on when the same command is given again: only requests under way
    are made a second time. The archives are in the folder `warc`, with an index beside each.

    \b
    Example:
      sealedbeam crawl https://example.org/ --output crawl \\
        --user-agent 'mybot/1.0 (+https://example.org/bot)' --allow-host example.org
      sealedbeam index crawl --output index
    """
    from sealedbeam.pipeline.display import to_json
    from sealedbeam.pipeline.integrity.channel import PerfectChannel
    from sealedbeam.pipeline.jobs.crawl.context import CrawlContext
    from sealedbeam.pipeline.jobs.crawl.job import read_seeds, run_crawl

    quiet, as_json = options.pop("quiet"), options.pop("as_json")
    workers = options.pop("workers") or os.cpu_count() or 1
    config = _configure(options)
    addresses = read_seeds(_lines(seeds))
    context = CrawlContext(str(output.absolute()), config, PerfectChannel().reference())

    def tell(phase: str, tasks: int) -> None:
        if not quiet and not as_json:
            complain(f"{phase} ({tasks} tasks)" if tasks else phase)

    summary = run_crawl(context, addresses, workers, tell)
    if as_json or not quiet:
        show(to_json(summary))
    sys.exit(0 if summary["status"] == "complete" else 3)


def _configure(options: dict[str, Any]) -> Any:
    """Return the checked options of a crawl."""
    from pydantic import ValidationError
    from sealedbeam.pipeline.crawl.addresses import parse_networks
    from sealedbeam.pipeline.jobs.crawl.config import CrawlConfig

    given = {name: value for name, value in options.items() if value not in {None, ()}}
    parse_networks(given.get("allow_networks", ()))
    if not options["user_agent"]:
        raise UsageError(
            "say who crawls: --user-agent 'NAME/VERSION (+https://... or mailto:...)' tells the "
            "owners of sites whom to ask"
        )
    try:
        config = CrawlConfig.model_validate(given)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(problem["loc"][0])
        allowed = CrawlConfig.model_fields[name].description or problem["msg"]
        raise UsageError(
            f"--{name.replace('_', '-')} is {given[name]}; allowed: {allowed}"
        ) from None
    config.rules()
    return config


def _lines(seeds: Sequence[str]) -> Iterator[str]:
    """Yield the addresses that arguments name, lines of files and of standard input among them."""
    for seed in seeds:
        path = Path(seed)
        if seed == _STANDARD_INPUT:
            yield from sys.stdin
        elif "://" not in seed and path.is_file():
            yield from path.read_text(errors="replace").splitlines()
        else:
            yield seed
