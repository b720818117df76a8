"""campaign.html: what each protection bought, on one page, from the values of campaign.json.

Like every page here it needs no script and no network, and forbids itself both.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from .campaign_timeline import draw_time
from .markup import Markup, join, table, tag, trusted
from .plots import Bar, Piece, draw_bars

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Cells = Sequence[Mapping[str, Any]]
    Scenario = Mapping[str, Any]

_OUTCOMES = ("corrected", "retried", "dropped", "masked", "escaped")
_GROUPS = ("documents", "terms", "postings")
_QUERIES = "queries"
_KIB = 1024
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --text: #1c2530; --dim: #5b6875; --page: #fbfbf9; --line: #d9dcd8;
  --corrected: #2f7d4f; --retried: #c98a1b; --dropped: #7c5aa6; --masked: #9fb4c4;
  --escaped: #b3261e; --heat: #1f5f99; }
@media (prefers-color-scheme: dark) { :root { --text: #e4e8ea; --dim: #98a3ac; --page: #14181c;
  --line: #323a41; --corrected: #4caf78; --retried: #e0a73a; --dropped: #b08ee0;
  --masked: #4a5f70; --escaped: #ef6a60; --heat: #6db3f2; } }
body { margin: 2rem auto; max-width: 66rem; padding: 0 1rem; background: var(--page);
  color: var(--text); font: 16px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.25rem; margin-top: 3rem; } h3 { font-size: 1rem;
  margin: 1.4rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
th, td { text-align: left; padding: .25rem 1rem .25rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--dim); font-weight: 500; }
.number, .end { text-align: right; text-anchor: end; font-variant-numeric: tabular-nums; }
.dim { color: var(--dim); fill: var(--dim); } .plot { width: 100%; height: auto; }
.plot text { font-size: 12px; fill: var(--text); } .plot text.dim, .plot text.end {
  fill: var(--dim); }
.corrected, .identical { fill: var(--corrected); background: var(--corrected); }
.retried { fill: var(--retried); background: var(--retried); }
.dropped { fill: var(--dropped); background: var(--dropped); }
.masked { fill: var(--masked); background: var(--masked); }
.escaped { fill: var(--escaped); background: var(--escaped); } .heat { fill: var(--heat); }
.frame { fill: none; stroke: var(--retried); stroke-width: 1.5; }
.key span { display: inline-block; width: .8em; height: .8em; }
.bad { font-weight: 600; color: var(--escaped); }
a { color: inherit; }
"""
_MEANINGS = (
    ("identical", "Documents, shards and duplicates are byte for byte those without faults."),
    ("loss named", "Something is missing, and all of it is in the quarantine."),
    ("refused", "The job failed by itself: no manifest, search refuses. Loss named: as above."),
    ("silently wrong", "The index was given out, and differs in a way that nothing names."),
)
_WORST = _MEANINGS[-1][0]
_COLOURS = (
    "Violet is missing, or follows from what the job names as missing; red is wrong, and in the "
    "job something is wrong that nothing names."
)


def render_campaign(value: Mapping[str, Any]) -> bytes:
    """Return the page of a campaign."""
    title = "Sealed Beam: a campaign of faults"
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
        _show_setup(value),
        tag("h2", "Verdicts"),
        _show_overview(value),
        tag("h2", "Without faults"),
        _show_fault_free(value["fault_free"]),
        *(_show_scenario(scenario, value) for scenario in value["scenarios"]),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n".encode(errors="replace")


def _show_setup(value: Mapping[str, Any]) -> Markup:
    inputs = ((file["path"], f"{file['bytes']:,}") for file in value["inputs"])
    law = value["law"]
    words = "For each cluster and kind: injected = corrected + retried + dropped + masked + escaped"
    rows = [(name, meaning) for name, meaning in _MEANINGS]
    return join(
        (
            table(("input", "bytes"), inputs),
            tag("p", f"{words}{', but not here:' if law else ': it holds in every cell.'}"),
            tag("ul", *(tag("li", finding) for finding in law), class_="bad") if law else "",
            table(("verdict", "meaning"), rows),
            tag("p", *_key(), class_="key dim"),
        )
    )


def _show_overview(value: Mapping[str, Any]) -> Markup:
    """Return a row for each scenario, with the verdicts and escapes under each protection."""
    protections = list(dict.fromkeys(cell["protection"] for cell in value["cells"]))
    rows = []
    for scenario in value["scenarios"]:
        link = tag("a", scenario["name"], href=f"#{scenario['scenario']}")
        cells = [cell for cell in value["cells"] if cell["scenario"] == scenario["scenario"]]
        of_each = ([c for c in cells if c["protection"] == name] for name in protections)
        rows.append((link, *map(_sum_up, of_each)))
    return table(("scenario", *protections), rows)


def _sum_up(cells: Cells) -> Markup:
    """Return the verdicts of some jobs, with their number where there are several."""
    counts = Counter(_name_verdict(cell) for cell in cells)
    words = []
    for verdict, number in sorted(counts.items()):
        text = verdict if len(cells) == 1 else f"{number} {verdict}"
        words.append(tag("div", text, class_="bad" if verdict == _WORST else ""))
    escaped = sum(cell["faults"]["escaped"] for cell in cells)
    if escaped:
        words.append(tag("div", f"faults escaped: {escaped:,}", class_="dim"))
    return join(words)


def _name_verdict(cell: Mapping[str, Any]) -> str:
    """Return the verdict; of a job that refused also whether all that it lacks is named."""
    named = cell["verdict"] == "refused" and not cell["difference"]["silent"]
    return f"{cell['verdict']}, loss named" if named else str(cell["verdict"])


def _show_fault_free(jobs: Cells) -> Markup:
    """Return what each protection costs when nothing happens."""
    head = ("", *_GROUPS, "bytes accepted", "CPU seconds", "wall seconds")
    rows = (
        (
            job["protection"],
            *(f"{job['index'][group]:,}" for group in _GROUPS),
            f"{job['traffic']['accepted_bytes']:,}",
            *(_ratio(job["times"][name]) for name in ("cpu_seconds", "wall_seconds")),
        )
        for job in jobs
    )
    note = "Bytes accepted: of records, over all hops. The first of these jobs begins cold."
    return join((table(head, rows), tag("p", note, class_="dim")))


def _key() -> Iterator[Markup]:
    for outcome in _OUTCOMES:
        yield join((tag("span", class_=outcome), f" {outcome}   "))


def _show_scenario(scenario: Scenario, value: Mapping[str, Any]) -> Markup:
    cells = [cell for cell in value["cells"] if cell["scenario"] == scenario["scenario"]]
    free = {entry["protection"]: entry["index"] for entry in value["fault_free"]}
    return tag(
        "section",
        tag("h2", scenario["name"], id=scenario["scenario"]),
        tag("p", scenario["description"]),
        tag("p", tag("b", "The rates: "), scenario["acceleration_note"], _factors(scenario)),
        tag("h3", "What came out"),
        _show_results(cells),
        tag("h3", "What it cost"),
        _show_costs(cells),
        tag("h3", "Faults by outcome"),
        _draw_outcomes(cells),
        tag("p", *_list_examples(cells), class_="dim"),
        tag("h3", "How far the index is from the fault-free one, in percent of it"),
        tag("p", _COLOURS, class_="dim"),
        _draw_differences(cells, free),
        tag("h3", "Faults over simulated time"),
        draw_time(scenario, cells),
        tag("h3", "Faults by cluster and kind"),
        _show_kinds(cells),
    )


def _factors(scenario: Scenario) -> str:
    stated = [f"{name} x {factor:,.4g}" for name, factor in scenario["accelerations"].items()]
    return f" ({', '.join(stated)})" if stated else ""


def _label(cell: Mapping[str, Any]) -> str:
    return f"{cell['protection']}, {cell['on_damage']}, seed {cell['seed']}"


def _show_results(cells: Cells) -> Markup:
    head = ("", "verdict", "injected", *_OUTCOMES, "set aside", "documents", "terms", "queries")
    rows = []
    for cell in cells:
        difference, verdict = cell["difference"], _name_verdict(cell)
        changed = difference["queries_changed"]
        rows.append(
            (
                _label(cell),
                tag("span", verdict, class_="bad") if verdict == _WORST else verdict,
                *(f"{cell['faults'][name]:,}" for name in ("injected", *_OUTCOMES)),
                f"{cell['set_aside']['records']:,}",
                _signed(difference, ("documents_missing", "documents_extra", "documents_altered")),
                _signed(difference, ("terms_missing", "terms_extra", "terms_wrong_df")),
                "no answers" if changed is None else f"{changed} of {difference['queries']}",
            )
        )
    note = "Set aside: records in cells/*/quarantine. Documents, terms: - missing, + extra, "
    note += "~ altered, or found in another number of documents. Queries: answered otherwise."
    return join((table(head, rows), tag("p", note, class_="dim")))


def _signed(difference: Mapping[str, int], names: Iterable[str]) -> str:
    pairs = zip("-+~", names, strict=True)
    words = [f"{sign}{difference[name]:,}" for sign, name in pairs if difference[name]]
    return " ".join(words) or "0"


def _show_costs(cells: Cells) -> Markup:
    head = (
        *("", "CPU", "wall", "KiB derived again", "percent of all accepted"),
        *("hardware corrected", "hardware reported"),
    )
    rows = []
    for cell in cells:
        times, traffic = cell["times"], cell["traffic"]
        again, accepted = traffic["derived_again_bytes"], traffic["accepted_bytes"]
        rows.append(
            (
                _label(cell),
                *(_ratio(times.get(name)) for name in ("cpu_ratio", "wall_ratio")),
                f"{again / _KIB:,.1f}",
                f"{100 * again / max(1, accepted):,.1f}",
                *(f"{cell['hardware'][what]:,}" for what in ("corrected", "reported")),
            )
        )
    note = "CPU and wall: times those of the fault-free job with the same protection, the start of "
    note += "the processes included, which is most of it for small inputs. Nothing stands there "
    note += "for a job that was interrupted and gone on with."
    return join((table(head, rows), tag("p", note, class_="dim")))


def _list_examples(cells: Cells) -> Iterator[str]:
    """Yield for each outcome a fault to replay, with the cell in which it ended so."""
    yield "To deliver one again: sealedbeam campaign --output FOLDER --replay FAULT_ID, such as "
    found: dict[str, str] = {}
    for cell in reversed(cells):
        for outcome, fault_id in cell["examples"].items():
            found.setdefault(outcome, f"{fault_id} ({outcome} in {cell['cell']})")
    yield f"{', '.join(found[name] for name in _OUTCOMES if name in found) or 'none'}. "
    yield "Of the cells that had it the strongest protection's is shown; --protections none "
    yield "and the like choose another."


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _draw_outcomes(cells: Cells) -> Markup:
    full = max((cell["faults"]["injected"] for cell in cells), default=0)
    bars = [
        Bar(
            _label(cell),
            [
                Piece(name, cell["faults"][name], f"{cell['faults'][name]:,} {name}")
                for name in _OUTCOMES
            ],
            f"{cell['faults']['injected']:,} injected",
        )
        for cell in cells
    ]
    return draw_bars("Faults by outcome for each job", bars, full)


def _draw_differences(cells: Cells, free: Mapping[str, Mapping[str, int]]) -> Markup:
    return join((*(_draw_difference(group, cells, free) for group in (*_GROUPS, _QUERIES)),))


def _draw_difference(group: str, cells: Cells, free: Mapping[str, Mapping[str, int]]) -> Markup:
    bars = [
        _measure_queries(cell)
        if group == _QUERIES
        else _measure_difference(group, cell, free[cell["protection"]][group])
        for cell in cells
    ]
    full = max(100.0, *(sum(piece.number for piece in bar.pieces) for bar in bars))
    return join((tag("p", group, class_="dim"), draw_bars(f"{group}. {_COLOURS}", bars, full)))


def _measure_queries(cell: Mapping[str, Any]) -> Bar:
    """Return how many answers changed, in percent."""
    difference = cell["difference"]
    changed, asked = difference["queries_changed"], max(1, difference[_QUERIES])
    if changed is None:
        return Bar(_label(cell), [Piece("dropped", 100, "no answers")], "no answers")
    share = 100 * changed / asked
    piece = Piece(_kind(cell), share, f"{changed} answered otherwise")
    return Bar(_label(cell), [piece], f"{share:.1f} %")


def _measure_difference(group: str, cell: Mapping[str, Any], whole: int) -> Bar:
    """Return what is missing of a group, and what differs otherwise, in percent of `whole`."""
    difference = cell["difference"]
    missing = difference[f"{group}_missing"]
    of_group = sum(n for name, n in difference.items() if name.startswith(f"{group}_"))
    altered = of_group - missing
    pieces = [
        Piece("dropped", min(100, 100 * missing / max(1, whole)), f"{missing:,} missing"),
        Piece(_kind(cell), min(100, 100 * altered / max(1, whole)), f"{altered:,} wrong or extra"),
    ]
    return Bar(_label(cell), pieces, f"{100 * of_group / max(1, whole):.1f} %")


def _kind(cell: Mapping[str, Any]) -> str:
    """Return the class of what differs: red only where something is wrong that nothing names."""
    return "escaped" if cell["difference"]["silent"] else "dropped"


def _show_kinds(cells: Cells) -> Markup:
    names = ("injected", *_OUTCOMES)
    rows = [
        (_label(cell), row["cluster"], row["kind"], *(f"{row[name]:,}" for name in names))
        for cell in cells
        for row in cell["by_cluster_and_kind"]
    ]
    return tag(
        "details",
        tag("summary", f"{len(rows):,} rows"),
        table(("", "cluster", "kind", *names), rows),
    )
