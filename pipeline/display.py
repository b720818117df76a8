"""Results as text for a person: pure functions of what the jobs return."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from .index.snippets import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .index.search import Results
    from .jobs.audit import Audit
    from .jobs.quarantine import Quarantined

_ROWS_SHOWN = 20
_MACHINES_SHOWN = 5
_RAW_BYTES_SHOWN = 24
_SPACE, _TILDE = 0x20, 0x7E  # between them lies what ASCII prints


def to_json(value: Any, indent: int | None = 1) -> str:
    """Return `value` as JSON of ASCII characters that can be printed."""
    return json.dumps(value, indent=indent).replace("\x7f", "\\u007f")


def quantity(number: int, noun: str) -> str:
    """Return a number and what it counts, in the plural where that is right."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def describe_summary(summary: dict[str, Any], output: str) -> str:
    """Return what summary.json says, in a dozen lines."""
    pages, inputs = summary["pages"], summary["inputs"]
    rejected = ", ".join(f"{number} {reason}" for reason, number in pages["rejected"].items())
    lines = [
        (
            f"{quantity(pages['read'], 'page')} read: {pages['indexed']:,} indexed, "
            f"{pages['duplicate']:,} duplicate, {sum(pages['rejected'].values()):,} rejected"
            f"{f' ({rejected})' if rejected else ''}, {pages['quarantined']:,} quarantined"
        ),
        (
            f"{quantity(inputs['damaged_regions'], 'damaged region')} in the input; digests "
            f"{inputs['digest_good']:,} good, {inputs['digest_absent']:,} absent, "
            f"{inputs['digest_bad']:,} bad"
        ),
        *_against_lists(inputs),
        "",
        *describe_hops(summary["hops"]),
        "",
        (
            f"{summary['terms']:,} terms, {summary['postings']:,} postings, "
            f"{summary['tokens']:,} tokens in {summary['documents']:,} documents"
        ),
    ]
    cut = [f"{number:,} {what}" for what, number in summary["cut"].items() if number]
    if cut:
        lines.append(f"cut at their limits in documents: {', '.join(cut)}")
    lines += _audited(summary.get("audit"))
    lines += [
        *describe_faults(summary.get("faults")),
        f"ledger: {summary['ledger']}; status: {summary['status']}; {summary['seconds']:.1f} s",
        f"report: {output}/report.html   metrics: {output}/metrics.prom",
    ]
    return "\n".join(lines)


def describe_hops(hops: dict[str, dict[str, int]]) -> list[str]:
    """Return a table of the records at each hop, by outcome."""
    names = ("records", "intact", "corrected", "retried", "dropped")
    return [
        f"{'hop':<10}" + "".join(f"{name:>10}" for name in names),
        *(
            f"{hop:<10}" + "".join(f"{cell[name]:>10,}" for name in names)
            for hop, cell in hops.items()
        ),
    ]


def describe_faults(faults: dict[str, int] | None) -> list[str]:
    """Return what became of simulated faults, nothing without a scenario."""
    if faults is None:
        return []
    outcomes = [name for name in faults if name != "injected"]
    terms = " + ".join(f"{faults[name]:,} {name}" for name in outcomes)
    lines = [f"faults: {faults['injected']:,} injected = {terms}"]
    if faults["escaped"]:
        lines.append(f"ESCAPED: {faults['escaped']:,} faults were used as they came, unseen")
    return lines


def _audited(found: dict[str, Any] | None) -> list[str]:
    """Return what redundant execution found, nothing without it."""
    if found is None:
        return []
    lines = [
        (
            f"audit: {quantity(found['audited'], 'page')} computed again: {found['agreed']:,} "
            f"agreed, {found['outvoted']:,} outvoted, {found['undecided']:,} undecided"
        )
    ]
    if evicted := found["evicted"]:
        more = f" and {len(evicted) - _MACHINES_SHOWN:,} more" if evicted[_MACHINES_SHOWN:] else ""
        lines.append(f"evicted: {', '.join(evicted[:_MACHINES_SHOWN])}{more}")
    return lines


def _against_lists(inputs: dict[str, Any]) -> list[str]:
    """Return how the inputs differ from the lists of --expect, nothing if none was given."""
    if "missing_records" not in inputs:
        return []
    return [
        (
            f"against the lists: {quantity(inputs['missing_records'], 'record')} missing, "
            f"{inputs['unlisted_records']:,} unlisted; {quantity(inputs['missing_files'], 'file')} "
            f"missing, {inputs['wrong_checksums']:,} with another checksum"
        )
    ]


def describe_differences(differences: dict[str, list[Any]]) -> str:
    """Return how the inputs differ from the lists, one line each, the first ones of each kind."""
    lines = []
    for kind, rows in differences.items():
        name = kind.replace("_", " ").removesuffix("s")
        for row in rows[:_ROWS_SHOWN]:
            values = row.values() if isinstance(row, dict) else (row,)
            lines.append(printable(f"{name}: {'  '.join(str(value) for value in values)}"))
        if len(rows) > _ROWS_SHOWN:
            lines.append(f"... and {len(rows) - _ROWS_SHOWN:,} more; listing.json has them all")
    return "\n".join(lines)


def describe_results(results: Results) -> str:
    """Return the hits of a search."""
    lines = [f"{quantity(results.total, 'document')} found for {printable(results.query)}"]
    if not results.total and results.query.count('"') > 1:
        lines.append("Words in quotes must stand side by side; without quotes any of them counts.")
    for hit in results.hits:
        lines.append(f"\n{hit.rank:>3}. {hit.title or hit.url}  [{hit.score:.3f}]")
        lines.append(f"     {hit.url}\n     {hit.snippet}")
    return "\n".join(lines)


def describe_audit(report: Audit) -> str:
    """Return the findings of an audit and what it looked at."""
    verdict = quantity(len(report.findings), "finding") if report.findings else "all intact"
    if not report.sealed:
        verdict += " as stored; nothing was sealed on the way, so what came in wrong is unknown"
    return "\n".join(
        (
            *(f"DAMAGED  {printable(finding)}" for finding in report.findings),
            (
                f"{quantity(report.files, 'file')}, {quantity(report.bytes, 'byte')}, "
                f"{quantity(report.documents, 'document')} "
                f"against their seals, ledger added up again: {verdict}"
            ),
        )
    )


def _name(row: Quarantined) -> str:
    """Return what a record that comes from no input is called: by its identity, or its task."""
    with suppress(ValueError):
        name = bytes.fromhex(row.identity).decode("ascii")
        return name if name.isprintable() and name else row.task
    return row.task


def describe_quarantine(rows: Sequence[Quarantined]) -> str:
    """Return the counts by reason, then the first rows with their first bytes."""
    lines = [f"{len(rows)} set aside"]
    counts = Counter((row.stage, row.reason) for row in rows)
    lines += [f"{number:>8}  {stage}: {why}" for (stage, why), number in sorted(counts.items())]
    for row in rows[:_ROWS_SHOWN]:
        end = row.source_offset + row.source_length
        place = f"{row.source_file} [{row.source_offset}..{end})" if row.source_file else _name(row)
        raw = row.raw[:_RAW_BYTES_SHOWN]
        text = "".join(chr(byte) if _SPACE <= byte <= _TILDE else "." for byte in raw)
        lines.append(f"\n{printable(place)}\n  {row.stage}: {row.reason}, {row.raw_length} bytes")
        lines.append(f"  {raw.hex(' ')}  {text}")
    if len(rows) > _ROWS_SHOWN:
        lines.append(f"\n... and {len(rows) - _ROWS_SHOWN} more; --export FILE writes them all")
    return "\n".join(lines)
