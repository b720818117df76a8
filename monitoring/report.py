"""report.html: what came in, what happened to it, and what to make of that, on one page.

The page needs no script and no network, and forbids itself both; it follows the reader's choice of
light or dark.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealedbeam.pipeline.integrity.ledger import Outcome
from sealedbeam.pipeline.integrity.reconcile import Verdict

from .collector import sum_by_cluster
from .markup import Markup, join, table, tag, trusted
from .plots import Lane, draw_timeline
from .timeline import build_timeline, fitting_window_seconds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sealedbeam.pipeline.integrity.ledger import Cell

    from .view import Campaign, SetAside, View

_INPUTS_LISTED = 50
_COLUMNS_MAX = 120
_MINUTE_SECONDS = 60
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --text: #1c2530; --dim: #5b6875; --page: #fbfbf9; --line: #d9dcd8;
  --intact: #9fb4c4; --corrected: #2f7d4f; --retried: #c98a1b; --dropped: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ea; --dim: #98a3ac; --page: #14181c;
  --line: #323a41; --intact: #4a5f70; --corrected: #4caf78; --retried: #e0a73a;
  --dropped: #ef6a60; } }
body { margin: 2rem auto; max-width: 60rem; padding: 0 1rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; vertical-align: top; }
th { color: var(--dim); font-weight: 500; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
.bar { display: flex; height: .8rem; min-width: 9rem; margin-top: .35rem; }
.bar span { min-width: 2px; } .key span { display: inline-block; width: .8em; height: .8em; }
.intact { background: var(--intact); } .corrected { background: var(--corrected); }
.retried { background: var(--retried); } .dropped { background: var(--dropped); }
.verdict { padding: .6rem 1rem; border-left: .4rem solid var(--corrected); }
.verdict.bad { border-color: var(--dropped); } .verdict.unknown { border-color: var(--retried); }
.plot { width: 100%; height: auto; } .plot text { font-size: 12px; fill: var(--text); }
.plot text.dim, .plot text.end { fill: var(--dim); } .end { text-anchor: end; }
.heat { fill: var(--retried); }
.dim { color: var(--dim); } code, pre { font-size: .88rem; overflow-wrap: anywhere; }
pre { white-space: pre-wrap; border: 1px solid var(--line); padding: .6rem; }
"""
_MEANINGS = {
    Verdict.BALANCED: "Every record that was sealed is accounted for, by number and by digest.",
    Verdict.IMBALANCED: "Records are unaccounted for: this output must not be used.",
    Verdict.UNKNOWN: "Records carried no seals: the counts agree, which proves nothing.",
}


def render_report(view: View) -> bytes:
    """Return the page."""
    sections = [
        ("Verdict", _show_verdict(view)),
        ("What came in", _show_inputs(view) if "pages" in view.summary else _show_answers(view)),
        ("What happened on the way", _show_hops(view)),
        ("What was set aside, and why", _show_set_aside(view)),
    ]
    if view.campaign is not None:
        sections.append(("When and where", _show_time(view)))
        sections.append(("Simulated faults", _show_campaign(view, view.campaign)))
    sections.append(("How to make it again", _show_command(view)))
    status = str(view.summary.get("status", ""))
    title = f"Sealed Beam: {status}"
    head = tag(
        "head",
        trusted('<meta charset="utf-8">'),
        trusted(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
        trusted('<meta name="viewport" content="width=device-width, initial-scale=1">'),
        tag("title", title),
        tag("style", trusted(_STYLE)),
    )
    body = tag(
        "body",
        tag("h1", title),
        *(tag("section", tag("h2", name), content) for name, content in sections),
    )
    page = f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"
    return page.encode(errors="replace")  # a path need not be Unicode


def _show_verdict(view: View) -> Markup:
    verdict, faults = view.reconciliation.verdict, view.summary.get("faults", {})
    escaped = faults.get("escaped", 0)
    findings = list(view.findings)
    if escaped:
        findings.append(f"{escaped:,} simulated faults escaped: altered records were used")
    bad = verdict is Verdict.IMBALANCED or bool(findings)
    kind = "bad" if bad else str(verdict)
    text = tag("p", tag("b", f"Ledger: {verdict}. "), _MEANINGS[verdict])
    listed = tag("ul", *(tag("li", finding) for finding in findings)) if findings else ""
    return tag("div", text, listed, class_=f"verdict {kind}")


def _show_inputs(view: View) -> Markup:
    pages, inputs = view.summary["pages"], view.summary["inputs"]
    figures = [
        ("bytes of input", inputs["bytes"]),
        ("pages read", pages["read"]),
        ("pages indexed", pages["indexed"]),
        ("exact duplicates", pages["duplicate"]),
        ("pages rejected", sum(pages["rejected"].values())),
        ("pages quarantined", pages["quarantined"]),
        ("input files that are no archive", len(inputs["unreadable"])),
        ("damaged regions", inputs["damaged_regions"]),
        ("records whose own digest is good", inputs["digest_good"]),
        ("records without a digest", inputs["digest_absent"]),
        ("records whose own digest is bad", inputs["digest_bad"]),
        ("terms in the index", view.summary["terms"]),
        ("postings in the index", view.summary["postings"]),
        *(
            (f"documents of which was cut: {cut}", n)
            for cut, n in view.summary.get("cut", {}).items()
            if n
        ),
        *((f"pages that several machines parsed: {name}", n) for name, n in view.audit.items()),
    ]
    files = [(path, f"{size:,}") for path, size in view.inputs[:_INPUTS_LISTED]]
    more = len(view.inputs) - len(files)
    return join(
        (
            table((), ((name, f"{number:,}") for name, number in figures)),
            tag("h2", "Input files"),
            table(("file", "bytes"), files),
            tag("p", f"... and {more:,} more", class_="dim") if more else "",
        )
    )


def _show_answers(view: View) -> Markup:
    """Return what a crawl asked for, and what it was told."""
    summary = view.summary
    figures = [
        ("rounds", summary["rounds"]),
        ("requests", sum(summary["fetches"].values())),
        ("records archived", summary["records"]),
        ("bytes of bodies", summary["bytes"]),
        ("links found", summary["links"]),
        ("answers damaged on the way and fetched again", summary["refetched"]),
        *((f"links not followed: {reason}", n) for reason, n in summary["links_left"].items()),
    ]
    return join(
        (
            table((), ((name, f"{number:,}") for name, number in figures)),
            *(
                join((tag("h2", title), table((head, "number"), _count_rows(summary[key]))))
                for title, head, key in (
                    ("What is known of the addresses", "state", "states"),
                    ("Why addresses are not archived", "reason", "reasons"),
                )
                if summary[key]
            ),
        )
    )


def _count_rows(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    for name, number in counts.items():
        yield name, f"{number:,}"


def _show_hops(view: View) -> Markup:
    clusters = sum_by_cluster(view)
    rows = [_show_cell(hop, "all", account.total()) for hop, account in view.hops.items()]
    if len({cluster for cluster, _ in clusters}) > 1:
        cells = clusters.items()
        rows += [_show_cell(hop, cluster, cell) for (cluster, hop), cell in cells if cell.records]
    key = [join((tag("span", class_=outcome), f" {outcome}  ")) for outcome in Outcome]
    head = ("hop", "cluster", "records", *Outcome, "bits corrected", "")
    return join((tag("p", *key, class_="key dim"), table(head, rows)))


def _show_cell(hop: str, cluster: str, cell: Cell) -> list[str]:
    counts = {outcome: getattr(cell, outcome) for outcome in Outcome}
    bars = (
        tag("span", class_=outcome, style=f"flex: {number}", title=f"{outcome}: {number:,}")
        for outcome, number in counts.items()
        if number
    )
    bits = sum(cell.corrected_bits.values())
    numbers = (cell.records, *counts.values(), bits)
    return [hop, cluster, *(f"{number:,}" for number in numbers), tag("div", *bars, class_="bar")]


def _show_time(view: View) -> Markup:
    """Return a lane for each cluster: machines that erred, and deliveries that were damaged."""
    assert view.campaign is not None, "only a scenario takes simulated time"
    seconds = fitting_window_seconds(view.campaign.duration_seconds, _COLUMNS_MAX)
    timeline = build_timeline(view, seconds)
    lanes = [
        Lane(site.name, f"{int(numbers.max(initial=0)):,} at most", numbers.tolist())
        for site, numbers in zip(timeline.sites, timeline.series["affected_machines"], strict=True)
    ]
    title = "Machines with an error of memory, or a delivery that arrived damaged, by cluster"
    minutes = timeline.windows * seconds / _MINUTE_SECONDS
    note = f"{title}. Each column is {seconds / _MINUTE_SECONDS:g} simulated minutes."
    ends = ("0", f"{minutes:,.0f} minutes")
    return join((draw_timeline(title, lanes, (), ends), tag("p", note, class_="dim")))


def _show_set_aside(view: View) -> Markup:
    rejected = view.summary.get("pages", {}).get("rejected", {})
    counts = [(stage, reason, f"{number:,}") for (stage, reason), number in view.set_aside.items()]
    counts += [("parse", f"rejected: {name}", f"{number:,}") for name, number in rejected.items()]
    if not counts:
        return tag("p", "Nothing.")
    listed = [
        (row.stage, row.reason, row.source_file or row.task, _describe_range(row))
        for row in view.set_aside_listed
    ]
    more = sum(view.set_aside.values()) - len(listed)
    return join(
        (
            table(("stage", "reason", "number"), counts),
            tag("h2", "In quarantine, with the raw bytes") if listed else "",
            table(("stage", "reason", "source", "bytes"), listed) if listed else "",
            tag("p", f"... and {more:,} more: see the command quarantine", class_="dim")
            if more
            else "",
        )
    )


def _describe_range(row: SetAside) -> str:
    end = row.source_offset + row.source_length
    return f"[{row.source_offset:,} .. {end:,})" if row.source_length else ""


def _show_campaign(view: View, campaign: Campaign) -> Markup:
    faults = view.summary.get("faults", {})
    rows = [(name, f"{number:,}") for name, number in faults.items()]
    cells = [
        (cluster, kind, f"{campaign.injected.get((cluster, kind), 0):,}")
        for cluster in campaign.clusters
        for kind in campaign.kinds
    ]
    return join(
        (
            tag("p", "Scenario ", tag("b", campaign.name), ". ", campaign.acceleration_note),
            table((), rows),
            tag("h2", "Injected by cluster and kind"),
            table(("cluster", "kind", "faults"), cells),
        )
    )


def _show_command(view: View) -> Markup:
    rows = [
        ("configuration hash", view.configuration_hash),
        ("protection", str(view.summary.get("protection", ""))),
        ("seed", str(view.summary.get("seed", ""))),
        ("seconds", str(view.summary.get("seconds", ""))),
    ]
    note = "The same inputs and options give the same bytes, whatever the number of workers."
    if "pages" not in view.summary:
        note = "The same command goes on with the crawl; what servers answer is theirs to say."
    return join((tag("pre", view.command), table((), rows), tag("p", note, class_="dim")))
