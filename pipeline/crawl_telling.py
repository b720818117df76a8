"""Tells how a crawl ended: for a person, or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .console import complain, show
from .crawl_progress import format_bytes
from .display import describe_faults, describe_hops, quantity, to_json
from .errors import IntegrityError
from .index.snippets import printable

if TYPE_CHECKING:
    from .jobs.crawl.audit import CrawlAudit

_PAGES = ("fetched", "not_modified", "duplicate")


def tell_crawl(summary: dict[str, Any], output: str, *, quiet: bool, as_json: bool) -> int:
    """Print how the crawl into `output` ended; return the exit code."""
    if as_json:
        show(to_json(summary))
    elif not quiet:
        show(describe_crawl(summary, output))
    for finding in summary.get("findings", ()):
        complain(finding)
    return 0 if summary["status"] == "complete" else IntegrityError.exit_code


def describe_crawl(summary: dict[str, Any], output: str) -> str:
    """Return what summary.json says of a crawl, in a dozen lines."""
    states = summary["states"]
    pages = sum(states.get(state, 0) for state in _PAGES)
    others = {state: n for state, n in states.items() if state not in _PAGES}
    lines = [
        (
            f"{quantity(pages, 'page')} in {quantity(summary['rounds'], 'round')}: "
            f"{_list(states, _PAGES)}; {quantity(summary['records'], 'answer')} archived, "
            f"bodies of {format_bytes(summary['bytes'])}"
        )
    ]
    if others:
        lines.append(f"addresses without a page: {_list(others)}")
    if summary["reasons"]:
        lines.append(f"reasons: {_list(summary['reasons'])}")
    left = f"; not followed: {_list(summary['links_left'])}" if summary["links_left"] else ""
    lines += [
        f"{quantity(summary['links'], 'link')} found{left}",
        "",
        *describe_hops(summary["hops"]),
        "",
    ]
    if summary["refetched"]:
        lines.append(
            f"damaged on the way to the archive, set aside and asked for again: "
            f"{quantity(summary['refetched'], 'answer')}"
        )
    lines += describe_faults(summary.get("faults"))
    lines += [
        f"ledger: {summary['ledger']}; status: {summary['status']}; {summary['seconds']:.1f} s",
        f"archives: {output}/warc   report: {output}/report.html   metrics: {output}/metrics.prom",
    ]
    return "\n".join(lines)


def describe_crawl_audit(report: CrawlAudit) -> str:
    """Return the findings of an audit of a crawl and what it looked at."""
    number = len(report.findings)
    verdict = quantity(number, "finding") if number else "all intact"
    if not report.sealed:
        verdict += " as stored; nothing was sealed on the way, so what came in wrong is unknown"
    return "\n".join(
        (
            *(f"DAMAGED  {printable(finding)}" for finding in report.findings),
            (
                f"{report.files:,} files, {report.bytes:,} bytes, {report.records:,} records of "
                f"archives, {report.rows:,} rows against their seals, ledger added up again: "
                f"{verdict}"
            ),
        )
    )


def _list(counts: dict[str, int], order: tuple[str, ...] = ()) -> str:
    """Return counts in words, those named in `order` first and alone if there are any."""
    names = [name for name in order or counts if counts.get(name)]
    return ", ".join(f"{counts[name]:,} {name.replace('_', ' ')}" for name in names) or "none"
