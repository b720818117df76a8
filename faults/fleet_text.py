"""A fleet for a person: from a file of clusters to tables with units, sources, and the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .fleet_model import FleetModel
from .fleet_report import summarise_fleet
from .misses import Code
from .sites import load_sites

if TYPE_CHECKING:
    from pathlib import Path

    from .fleet_report import FleetSummary, Sums

_TERABYTE = 1e12
_HUGE, _LARGE, _SMALL = 1e9, 100, 0.01
_SOURCES = """\
Where the numbers come from
  verified  faults of memory: Jaguar's field study (SC'12), as shipped with FaultSim
  verified  machines, racks, power, cooling: Dean's list for a cluster's first year
  verified  bursts of failures by rack: Ford et al., OSDI'10 (their length and share: recalled)
  verified  1 device in 1,000 computes wrongly: Meta, arXiv 2102.11245
  recalled  flux by altitude and latitude: the formulas of JESD89A
  recalled  how SEC-DED and chipkill work; their codes are decoded bit by bit here
  computed  what each code misses: the algebra of CRC-32C; a good hash is assumed of XXH3-128
  ours      {memory:.0%} of memory holds sealed records of {record:,} bytes; a permanent fault meets
            {laid_over} records; {computed:,.0f} computations a machine and day, on a mercurial core
            {wrong:g} of them wrong; {tolerated:g} undetected corruptions a year are tolerated"""


def read_fleet(
    path: Path,
    *,
    days: int,
    machines: int | None,
    acceleration: float,
    audit_share: float,
    seed: int,
) -> FleetSummary:
    """Return what the fleet in a file of clusters has to expect.

    Args:
        path: of the file.
        days: of the run.
        machines: so many in all; None: as the file has them.
        acceleration: of the rates of memory.
        audit_share: of the computations that are repeated elsewhere.
        seed: of the simulated run.

    Raises:
        UsageError: the file cannot be read, or its fleet is too large to be simulated.
    """
    model = FleetModel(days=days, acceleration=acceleration, audit_share=audit_share)
    return summarise_fleet(load_sites(path).clusters, model, seed, machines)


def describe_fleet(summary: FleetSummary) -> str:
    """Return the tables, the answer, and where the numbers come from."""
    model = summary.model
    flux = f"{model.flux_factor:.2f}"
    hardware = ", ".join(f"{n:,} with {name}" for name, n in summary.machines_by_hardware.items())
    lines = [
        (
            f"{model.machines:,} machines of {model.memory_gib:g} GiB as in {summary.clusters} "
            f"clusters, {model.days:,} days, seed {summary.seed}"
        ),
        f"memory: {hardware}",
        f"rates multiplied by {model.acceleration:g}; flux {flux} times New York's",
        "",
        f"{'':<46}{'expected':>14}{'simulated':>14}  unit",
        *_rows(summary),
        "",
        "Records altered and accepted unseen, by the code that guards them",
        f"{'':<46}{'expected':>14}{'simulated':>14}  unit",
    ]
    for code in Code:
        numbers = summary.expected.undetected[code], summary.simulated.undetected[code]
        lines.append(_row(_CODES[code], *numbers, "in the run"))
    lines += ["", *_answer(summary), "", _sources(summary)]
    return "\n".join(lines)


_CODES = {
    Code.NONE: "none",
    Code.CRC32C: "CRC-32C",
    Code.CRC32C_CORRECTING: "CRC-32C that corrects one bit",
    Code.DETECT: "CRC-32C and XXH3-128 (--protection detect)",
    Code.CORRECT: "the same, correcting (--protection correct)",
}
_FIGURES = (
    ("faults_per_day", "faults of memory", "a day", 1.0),
    ("bits_flipped_per_day", "  bits that they flip", "a day", 1.0),
    ("corrected", "  corrected by the memory itself", "in the run", 1.0),
    ("reported", "  reported by it and not mended", "in the run", 1.0),
    ("missed", "  missed by it", "in the run", 1.0),
    ("mended_records", "records mended by --protection correct", "in the run", 1.0),
    ("refused_records", "records refused and derived again", "in the run", 1.0),
    ("wrong_computations", "wrong computations if nobody looks", "in the run", 1.0),
    ("wrong_unnoticed", "wrong computations that the audit lets through", "in the run", 1.0),
    ("machines_lost", "machines lost, by themselves or in a cascade", "in the run", 1.0),
    ("machine_outages", "machines down, for any cause", "in the run", 1.0),
    ("bytes_derived_again", "traffic of records derived again", "TB in the run", _TERABYTE),
)


def _rows(summary: FleetSummary) -> list[str]:
    return [
        _row(words, _figure(summary.expected, name, per), _figure(summary.simulated, name, per), of)
        for name, words, of, per in _FIGURES
    ]


def _figure(sums: Sums, name: str, per: float) -> float:
    number: float = getattr(sums, name)
    return number / per


def _row(words: str, expected: float, simulated: float, unit: str) -> str:
    return f"{words:<46}{_number(expected):>14}{_number(simulated):>14}  {unit}"


def _number(value: float) -> str:
    """Return a figure with as many digits as it deserves."""
    if value == 0 or value >= _LARGE:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= _SMALL else f"{value:.1e}"


def _answer(summary: FleetSummary) -> list[str]:
    """Return which protection the fleet needs, and why."""
    advice, model, expected = summary.advice, summary.model, summary.expected
    lines = ["Which protection do I need at my scale?"]
    if advice.code == Code.NONE:
        lines.append("  none against memory: it corrects each fault that was tried")
    else:
        limit = advice.enough_up_to_machines
        enough = "at any size" if limit is None else f"up to {_rounded(limit)} machines"
        lines += [
            f"  --protection {advice.protection}: {_CODES[Code(advice.code)]} is the least that",
            f"  keeps undetected corruptions within {model.tolerated_per_year:g} a year, {enough}",
        ]
        if advice.protection == "correct":
            lines.append(
                "  correction pays: it mends a record a day or more that memory lets through"
            )
    share = f"{model.audit_share:.0%} of the computations repeated"
    if summary.audit_needed:
        lines += [
            f"  --redundancy audit: no seal sees wrong computations; with {share}",
            (
                f"  {_number(expected.wrong_unnoticed)} of {_number(expected.wrong_computations)} "
                "go out before their machine is evicted"
            ),
        ]
    lines.append("  Disks and networks alter bytes as well; they are not weighed here.")
    return lines


def _rounded(machines: float) -> str:
    return f"{machines:,.0f}" if machines < _HUGE else f"{machines:.0e}"


def _sources(summary: FleetSummary) -> str:
    model = summary.model
    return _SOURCES.format(
        memory=model.record_memory_share,
        record=model.record_bytes,
        laid_over=model.records_per_permanent_fault,
        computed=model.computations_per_machine_day,
        wrong=model.wrong_share,
        tolerated=model.tolerated_per_year,
    )
