"""The commands that look at a finished index: `search`, `audit`, `quarantine`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from sealedbeam.pipeline.console import Command, IndexPath, NamedPath, complain, show
from sealedbeam.pipeline.errors import IntegrityError, UsageError

from .scrub import repair_files

if TYPE_CHECKING:
    from sealedbeam.pipeline.index.search import Results
    from sealedbeam.pipeline.index.verified import ByteFolder
    from sealedbeam.pipeline.jobs.audit import Audit
    from sealedbeam.pipeline.jobs.crawl.audit import CrawlAudit

_PATH = NamedPath(path_type=Path)
_INDEX = IndexPath()


@click.command(cls=Command)
@click.argument("folder", type=_INDEX, metavar="DIR")
@click.argument("words", nargs=-1, required=True, metavar="QUERY")
@click.option("--top", default=10, show_default=True, help="How many hits to show.")
@click.option("--repair", is_flag=True, help="Repair from parity what damage the query meets.")
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def search(folder: Path, words: tuple[str, ...], top: int, *, repair: bool, as_json: bool) -> None:
    """Search an index: words rank by BM25, quotes make a phrase that must occur.

    The query is one argument. One that begins with a dash comes behind --. Where stored bytes are
    damaged the answer comes from the rest, with a warning that says what it lacks, and exit code 3.

    \b
    Example:
      sealedbeam search index 'parity memory'
      sealedbeam search index '"cosmic rays" hamming' --top 3 --json
    """
    from sealedbeam.pipeline.display import describe_results, to_json
    from sealedbeam.pipeline.index.query import parse_query
    from sealedbeam.pipeline.jobs.object_store import open_store

    query, *more = words
    if more:
        one = shlex.join(["sealedbeam", "search", str(folder), " ".join(words)])
        raise UsageError(f"the query is one argument, in quotes: {one}")
    if not parse_query(query):
        raise UsageError("the query has no word to look for; give some, such as 'cosmic rays'")
    store = open_store(folder)
    if repair and store.shared:
        raise UsageError("--repair needs an index on this machine")
    place = store if store.shared else folder
    results = _search_and_repair(folder, query, top) if repair else _search(place, query, top)
    if query.count('"') % 2:
        complain("a quotation mark has no partner: the words behind it are searched one by one")
    show(to_json(results.to_dict()) if as_json else describe_results(results))
    for damage in results.damage:
        complain(f"{damage.problem}; the answer lacks {damage.lacks}")
    if results.damage:
        complain(f"sealedbeam scrub {shlex.quote(str(folder))} tells all of the damage")
        sys.exit(IntegrityError.exit_code)


def _search(place: Path | ByteFolder, query: str, top: int) -> Results:
    from sealedbeam.pipeline.index.search import Index

    return Index.open(place).search(query, top, partial=True)


def _search_and_repair(folder: Path, query: str, top: int) -> Results:
    """Search, repairing the files that the query needs for as long as more of them are damaged."""
    from sealedbeam.pipeline.manifest import FILE_NAME

    try:
        results = _search(folder, query, top)
    except IntegrityError:  # no copy of the manifest is good
        repair_files(folder, {FILE_NAME})
        results = _search(folder, query, top)
    tried: set[str] = set()
    # One repair can uncover the next: without its words a query needs no documents.
    while damaged := {damage.path for damage in results.damage} - tried:
        repair_files(folder, damaged)
        tried |= damaged
        results = _search(folder, query, top)
    return results


@click.command(cls=Command)
@click.argument("folder", type=_INDEX, metavar="DIR")
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def audit(folder: Path, *, as_json: bool) -> None:
    """Verify every byte of an index, or of a crawl, against its seals and ledger.

    Exit code 0 when all of it holds, 3 when something is damaged: each damaged file is named, with
    the row group that is hit.

    \b
    Example:
      sealedbeam audit index
      sealedbeam audit crawl
    """
    from dataclasses import asdict

    from sealedbeam.pipeline.display import to_json
    from sealedbeam.pipeline.jobs.crawl.names import JOB as CRAWL

    report, text = _audit_crawl(folder) if (folder / CRAWL).is_file() else _audit_index(folder)
    show(to_json(asdict(report)) if as_json else text)
    sys.exit(IntegrityError.exit_code if report.findings else 0)


def _audit_crawl(folder: Path) -> tuple[CrawlAudit, str]:
    from sealedbeam.pipeline.crawl_telling import describe_crawl_audit
    from sealedbeam.pipeline.jobs.crawl.audit import audit_crawl

    report = audit_crawl(folder)
    return report, describe_crawl_audit(report)


def _audit_index(folder: Path) -> tuple[Audit, str]:
    from sealedbeam.pipeline.display import describe_audit
    from sealedbeam.pipeline.jobs.audit import audit as verify

    report = verify(folder)
    return report, describe_audit(report)


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
