"""campaign.html: what each protection bought, on one page, from the values of campaign.json.

Like every page here it needs no script and no network, and forbids itself both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .markup import Markup, join, table, tag, trusted
from .plots import Bar, Lane, Piece, Span, draw_bars, draw_timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    Cells = Sequence[Mapping[str, Any]]
    Scenario = Mapping[str, Any]

_OUTCOMES = ("corrected", "retried", "dropped", "masked", "escaped")
_GROUPS = ("documents", "terms", "postings")
_KIB = 1024
_FACES_SOURCE = 1.05
_DAY_SECONDS, _HOUR_SECONDS, _MINUTE_SECONDS = 86_400, 3600, 60
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
th, td { text-align: left; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid var(--line);
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
nav a { color: inherit; margin-right: 1rem; }
"""
_MEANINGS = (
    ("identical", "Documents, shards and duplicates are byte for byte those without faults."),
    ("loss named", "Something is missing, and all of it is in the quarantine."),
    ("refused", "The job failed by itself; there is no manifest, and search refuses."),
    ("silently wrong", "The index was given out, and differs in a way that nothing names."),
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
    links = (tag("a", each["name"], href=f"#{each['scenario']}") for each in value["scenarios"])
    body = tag(
        "body",
        tag("h1", title),
        _show_setup(value),
        tag("nav", *links),
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
        tag("p", tag("b", "Accelerated. "), scenario["acceleration_note"], _factors(scenario)),
        tag("h3", "What it cost, and what came out"),
        _show_table(cells),
        tag("h3", "Faults by outcome"),
        _draw_outcomes(cells),
        tag("h3", "How far the index is from the fault-free one, in percent of it"),
        _draw_differences(cells, free),
        tag("h3", "Faults over simulated time"),
        _draw_time(scenario, cells),
        tag("h3", "Faults by cluster and kind"),
        _show_kinds(cells),
    )


def _factors(scenario: Scenario) -> str:
    stated = [f"{name} x {factor:,.4g}" for name, factor in scenario["accelerations"].items()]
    return f" ({', '.join(stated)})" if stated else ""


def _label(cell: Mapping[str, Any]) -> str:
    return f"{cell['protection']}, {cell['on_damage']}, seed {cell['seed']}"


def _show_table(cells: Cells) -> Markup:
    head = (
        *("", "verdict", "set aside", "queries changed", "derived again KiB"),
        *("hardware corrected", "hardware reported", "CPU", "wall"),
    )
    rows = []
    for cell in cells:
        difference, times, verdict = cell["difference"], cell["times"], cell["verdict"]
        changed = difference["queries_changed"]
        rows.append(
            (
                _label(cell),
                tag("span", verdict, class_="bad") if verdict == _MEANINGS[-1][0] else verdict,
                f"{cell['set_aside']['records']:,}",
                "no answers" if changed is None else f"{changed} of {difference['queries']}",
                f"{cell['traffic']['derived_again_bytes'] / _KIB:,.1f}",
                *(f"{cell['hardware'][what]:,}" for what in ("corrected", "reported")),
                *(_ratio(times.get(name)) for name in ("cpu_ratio", "wall_ratio")),
            )
        )
    note = "CPU and wall: times those of the fault-free job with the same protection. Processor "
    note += "time includes the start of the processes. Quarantine: cells/*/quarantine."
    return join((table(head, rows), tag("p", note, class_="dim")))


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
    return join((*(_draw_difference(group, cells, free) for group in (*_GROUPS, "queries")),))


def _draw_difference(group: str, cells: Cells, free: Mapping[str, Mapping[str, int]]) -> Markup:
    bars = []
    for cell in cells:
        difference = cell["difference"]
        if group == "queries":
            changed, whole = difference["queries_changed"], difference["queries"]
            missing, altered = 0, whole if changed is None else changed
            words = "no answers" if changed is None else f"{changed} answered otherwise"
            kind = "dropped" if changed is None else "escaped"
        else:
            whole = free[cell["protection"]][group]
            missing = difference[f"{group}_missing"]
            altered = sum(
                number
                for name, number in difference.items()
                if name.startswith(f"{group}_") and name != f"{group}_missing"
            )
            words, kind = f"{altered:,} wrong or extra", "escaped"
        pieces = [
            Piece("dropped", min(100, 100 * missing / max(1, whole)), f"{missing:,} missing"),
            Piece(kind, min(100, 100 * altered / max(1, whole)), words),
        ]
        share = 100 * (missing + altered) / max(1, whole)
        bars.append(Bar(_label(cell), pieces, f"{share:.1f} %" if kind == "escaped" else words))
    full = max(100.0, *(sum(piece.number for piece in bar.pieces) for bar in bars))
    title = f"{group}: violet is missing, red is wrong"
    return join((tag("p", title, class_="dim"), draw_bars(title, bars, full)))


def _draw_time(scenario: Scenario, cells: Cells) -> Markup:
    """Return the timeline of the last protection, whose retries show too, over all seeds."""
    last = cells[-1]
    chosen = [
        cell
        for cell in cells
        if (cell["protection"], cell["on_damage"]) == (last["protection"], last["on_damage"])
    ]
    seconds = last["timeline"]["bin_seconds"]
    lanes = [
        Lane(_describe_cluster(cluster), f"{sum(numbers):,} faults", numbers)
        for cluster in sorted(scenario["clusters"], key=_by_burst)
        for numbers in [
            _add_up(cell["timeline"]["clusters"][cluster["cluster"]] for cell in chosen)
        ]
    ]
    spans = [
        Span(
            burst["start_seconds"] / seconds,
            min(burst["end_seconds"], scenario["duration_seconds"]) / seconds,
            f"burst ({burst['mode']})",
        )
        for burst in scenario["bursts"]
    ]
    title = f"Faults of each cluster over time, under {last['protection']}, {last['on_damage']}"
    ends = ("0", _describe_seconds(scenario["duration_seconds"]))
    note = f"Each column is {_describe_seconds(seconds)}. {_describe_sides(scenario, chosen)}"
    return join((draw_timeline(title, lanes, spans, ends), tag("p", note, class_="dim")))


def _by_burst(cluster: Mapping[str, Any]) -> tuple[float, str]:
    return -cluster["burst_factor"], cluster["cluster"]


def _describe_cluster(cluster: Mapping[str, Any]) -> str:
    factor = cluster["burst_factor"]
    faces = f", x {factor:.1f}" if factor > _FACES_SOURCE else ""
    return f"{cluster['cluster']} ({cluster['hardware']}){faces}"


def _describe_sides(scenario: Scenario, cells: Cells) -> str:
    """Return how many faults fell on both sides of the Earth while a burst lasted, and else."""
    if not scenario["bursts"]:
        return ""
    facing = {c["cluster"] for c in scenario["clusters"] if c["burst_factor"] > _FACES_SOURCE}
    inside, outside = {True: 0, False: 0}, {True: 0, False: 0}
    for cell in cells:
        seconds = cell["timeline"]["bin_seconds"]
        for name, numbers in cell["timeline"]["clusters"].items():
            for column, number in enumerate(numbers):
                lit = any(
                    burst["start_seconds"] <= column * seconds < burst["end_seconds"]
                    for burst in scenario["bursts"]
                )
                (inside if lit else outside)[name in facing] += number
    return (
        f"During the burst {inside[True]:,} faults struck the {len(facing)} clusters that it "
        f"reaches and {inside[False]:,} the others; in the rest of the time {outside[True]:,} "
        f"and {outside[False]:,}. The factor behind a cluster's name is the burst at its highest."
    )


def _add_up(rows: Iterable[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]


def _describe_seconds(seconds: int) -> str:
    for name, length in (
        ("days", _DAY_SECONDS),
        ("hours", _HOUR_SECONDS),
        ("minutes", _MINUTE_SECONDS),
    ):
        if seconds >= 2 * length:
            return (
                f"{seconds / length:g} {name}"
                if seconds % length == 0
                else (f"{seconds / length:.1f} {name}")
            )
    return f"{seconds} seconds"


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
