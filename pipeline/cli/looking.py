"""The commands that look at a finished index: `search`, `audit`, `quarantine`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import click
from sealedbeam.pipeline.console import Command, NamedPath, complain, show
from sealedbeam.pipeline.errors import IntegrityError, UsageError

_PATH = NamedPath(path_type=Path)
_INDEX = NamedPath(path_type=Path, exists=True, file_okay=False)


@click.command(cls=Command)
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
    from sealedbeam.pipeline.display import describe_results, to_json
    from sealedbeam.pipeline.index.query import parse_query
    from sealedbeam.pipeline.index.search import Index

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


@click.command(cls=Command)
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

    from sealedbeam.pipeline.display import describe_audit, to_json
    from sealedbeam.pipeline.jobs.audit import audit as verify

    report = verify(folder)
    show(to_json(asdict(report)) if as_json else describe_audit(report))
    sys.exit(IntegrityError.exit_code if report.findings else 0)


@click.command(cls=Command)
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
    from sealedbeam.pipeline.telling import tell_quarantine

    tell_quarantine(folder, export, as_json=as_json)
