"""The command `run`: crawl and index, as one file describes them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from sealedbeam.pipeline.console import Command, NamedPath, complain, show

from .crawl import crawl_into, prepare_crawl
from .index import index_locally

if TYPE_CHECKING:
    from sealedbeam.pipeline.run_config import CrawlSection, IndexSection

_CRAWLED, _INDEXED = "crawl", "index"


@click.command(cls=Command)
@click.argument("config", type=NamedPath(path_type=Path), metavar="CONFIG.yaml")
@click.option("--quiet", is_flag=True, help="Print errors only, and what --json asks for.")
@click.option("--json", "as_json", is_flag=True, help="Print both summaries as JSON.")
def run(config: Path, *, quiet: bool, as_json: bool) -> None:
    """Crawl, and index what was fetched, as the file CONFIG.yaml says.

    Its sections crawl and index have the options of these commands, without dashes in front;
    besides, crawl has seeds, and both have an output. Paths are relative to the file's folder.

    A run that was stopped goes on when the same command is given again. A crawl that is finished is
    not repeated, unless its limits (pages, max_bytes, max_seconds) have changed.

    \b
    Example of a file:
      crawl:
        seeds: [https://example.org/]
        output: crawl
        user_agent: mybot/1.0 (+https://example.org/bot)
        allow_hosts: [example.org]
        pages: 1000
      index:
        output: index

    \b
    Example:
      sealedbeam run example.yaml
    """
    from sealedbeam.pipeline.jobs.worker import hide_unused
    from sealedbeam.pipeline.run_config import load_run

    hide_unused()
    plan = load_run(config)
    shown = {"quiet": quiet, "as_json": as_json}
    code, crawled = _crawl(plan.crawl.model_copy(update=shown))
    indexed: dict[str, Any] | None = None
    if not code:
        index_section = plan.index.model_copy(update=shown)
        code, indexed = _index(plan.crawl.output, index_section)
    if as_json:
        from sealedbeam.pipeline.display import to_json

        show(to_json({_CRAWLED: crawled, _INDEXED: indexed}))
    sys.exit(code)


def _crawl(config: CrawlSection) -> tuple[int, dict[str, Any]]:
    """Crawl, unless that is finished; return the exit code and the summary."""
    from sealedbeam.pipeline.crawl_telling import tell_crawl
    from sealedbeam.pipeline.jobs.crawl.job import finished

    context, _ = prepare_crawl(config.output, config)
    summary = finished(context)
    silent = config.quiet or config.as_json
    if summary is not None:
        if not silent:
            show(f"{config.output} is crawled already, as far as its limits go")
        return 0, summary
    summary = crawl_into(config.output, config, config.seeds)
    return tell_crawl(summary, str(config.output), quiet=silent, as_json=False), summary


def _index(crawled: Path, config: IndexSection) -> tuple[int, dict[str, Any] | None]:
    """Index the folder of a crawl, unless that is finished; return exit code and summary."""
    from sealedbeam.pipeline.filesystems import output_place
    from sealedbeam.pipeline.jobs.driver import Workers
    from sealedbeam.pipeline.telling import tell_end

    if not any((crawled / "warc").glob("*.warc.gz")):
        complain(f"the crawl in {crawled} has brought nothing to index; its summary.json tells why")
        return 4, None
    with Workers() as pool:
        output = output_place(config.output)
        context, result = index_locally([str(crawled)], output, config, (), pool)
    silent = config.quiet or config.as_json
    code = tell_end(context, result, quiet=silent, as_json=False)
    return code, json.loads(context.store.read("summary.json"))
