"""A campaign's result as text for a terminal: a pure function of campaign.json."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING, Any

from .checkers import FIGURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_KIB = 1024
_LINE_CHARACTERS = 100
_ESCAPED = "escaped"
_REFUSED = "refused"
HEAD = (
    "job",
    "injected",
    "corr",
    "retr",
    "drop",
    "mask",
    "escaped",
    "documents",
    "terms",
    "queries",
    "again KiB",
    "CPU",
    "verdict",
)
_TEXT_COLUMNS = (0, len(HEAD) - 1)
LEGEND = """\
injected = corrected + retried + dropped + masked + escaped
documents, terms   - missing  + extra  ~ altered, or of another document frequency
queries            answered otherwise, of those asked
again KiB          derived again
CPU                times that of the job without faults, start of the processes included
                   (most of it for small inputs; empty for a job that was gone on with)
verdict            identical: byte for byte; loss named: all that is missing is in quarantine;
                   refused: the job failed, search refuses; silently wrong: nothing says so"""


def describe_cell(number: int, cells: int, name: str, verdict: str) -> str:
    """Return one line of progress."""
    return f"{number}/{cells}  {name}  {verdict}"


def describe_campaign(value: dict[str, Any], output: str) -> str:
    """Return the table of a campaign, one block for each scenario."""
    blocks = []
    for scenario in value["scenarios"]:
        cells = [cell for cell in value["cells"] if cell["scenario"] == scenario["scenario"]]
        rows = [HEAD, *(row_of(cell) for cell in cells)]
        blocks.append(f"{_title(scenario)}\n{_align(rows)}")
    summary = _summarise(value["cells"], output)
    return "\n\n".join([*blocks, LEGEND, f"{_cost_of(value['fault_free'])}\n{summary}"])


def _cost_of(fault_free: Iterable[dict[str, Any]]) -> str:
    """Return what each protection took when nothing happened."""
    costs = []
    for job in fault_free:
        seconds = job["times"]["cpu_seconds"]
        took = "gone on with" if seconds is None else f"{seconds:.2f} s of CPU"
        costs.append(f"{job['protection']} {took}")
    return f"without faults: {', '.join(costs)}"


def _title(scenario: dict[str, Any]) -> str:
    factors = scenario["accelerations"].items()
    stated = "".join(f" [{name} x {factor:,.4g}]" for name, factor in factors)
    note = f"{scenario['acceleration_note']}{stated}"
    return f"{scenario['scenario']}: {scenario['name']}\n{fill(note, _LINE_CHARACTERS)}"


def row_of(cell: dict[str, Any]) -> tuple[str, ...]:
    """Return a cell's row of the table."""
    difference, ratio = cell["difference"], cell["times"].get("cpu_ratio")
    changed, verdict = difference["queries_changed"], cell["verdict"]
    named = verdict == _REFUSED and not difference["silent"]
    return (
        f"{cell['protection']} {cell['on_damage']} {cell['seed']}",
        *(f"{cell['faults'][name]:,}" for name in FIGURES),
        _signed(difference, ("documents_missing", "documents_extra", "documents_altered")),
        _signed(difference, ("terms_missing", "terms_extra", "terms_wrong_df")),
        "none" if changed is None else f"{changed}/{difference['queries']}",
        f"{cell['traffic']['derived_again_bytes'] / _KIB:,.1f}",
        "" if ratio is None else f"{ratio:.2f}",
        f"{verdict}, loss named" if named else verdict,
    )


def _signed(difference: dict[str, int], names: Iterable[str]) -> str:
    pairs = zip("-+~", names, strict=True)
    return (
        " ".join(f"{sign}{difference[name]:,}" for sign, name in pairs if difference[name]) or "0"
    )


def _align(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = []
    for row in rows:
        cells = (
            text.ljust(width) if column in _TEXT_COLUMNS else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  " + "  ".join(cells).rstrip())
    return "\n".join(lines)


def _summarise(cells: Sequence[dict[str, Any]], output: str) -> str:
    lines = []
    for protection in dict.fromkeys(cell["protection"] for cell in cells):
        chosen = [cell for cell in cells if cell["protection"] == protection]
        verdicts = [cell["verdict"] for cell in chosen]
        counts = ", ".join(
            f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(sorted(verdicts))
        )
        escaped = sum(cell["faults"][_ESCAPED] for cell in chosen)
        lines.append(f"{protection}: {counts}; {escaped:,} faults escaped")
    lines.append(f"what was set aside: sealedbeam quarantine {output}/cells/CELL")
    examples = [cell["examples"] for cell in cells if cell["examples"]]
    if examples:
        fault_id = next(iter(examples[-1].values()))
        lines.append(f"replay: sealedbeam campaign --output {output} --replay {fault_id}")
    lines.append(f"report: {output}/campaign.html   values: {output}/campaign.json")
    return "\n".join(lines)
