"""Jobs side by side: what was injected, and what became of it under each protection.

What was injected and what escaped is the truth of a campaign, which a real system would not know:
it comes from faults.prom by a scrape of its own, and no rule and no alert reads it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .overview import LAST_INFO, RECORDS
from .panels import (
    BLUE,
    GREEN,
    JOB,
    ORANGE,
    OUTCOMES,
    PURPLE,
    VERMILION,
    add,
    bars,
    figure,
    finish,
    link_runbook,
    now,
    open_dashboard,
    paint,
    rows,
    setting,
    sheet,
    total,
    with_choices,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import barchart, stat, table
    from grafana_foundation_sdk.models.dashboard import Dashboard

UID = "sealedbeam-comparison"
INJECTED = "sealedbeam_faults_injected_total"
ESCAPED = f"max_over_time(sealedbeam_faults_escaped_total{{{JOB}}}[$__range])"
_SIZES = ("injected", "corrected", "retried", "dropped", "escaped")
_COLUMNS = {
    "job_name": "job",
    "protection": "protection",
    "status": "status",
    "ledger": "ledger",
    "Value #B": "injected",
    "Value #C": "intact",
    "Value #D": "corrected",
    "Value #E": "retried",
    "Value #F": "dropped",
    "Value #G": "escaped",
}


def build() -> Dashboard:
    """Return the dashboard."""
    text = (
        "The jobs of a campaign, each with its protection. The better one has fewer dropped for "
        "the same injected, and none escaped."
    )
    board = with_choices(open_dashboard(UID, "Sealed Beam: comparison", text, since="now-6h"))
    add(board, "All jobs together", *_figures())
    add(board, "Job by job", _jobs(), *_outcomes())
    add(board, "What was injected, and what was done", *_details())
    return finish(board)


def _figures() -> list[stat.Panel]:
    injected = figure(
        "Faults injected",
        "By the scenario, into all jobs that are chosen. Known in simulations alone.",
        now(f"sum({total('job_name', INJECTED)})"),
        width=6,
    )
    escaped = figure(
        "Faults escaped",
        "Faults after which altered bytes were accepted as the record. Under a protection that "
        "checks, only what no checksum sees may do this: computations that were wrong before.",
        now(f"sum({ESCAPED})"),
        (None, BLUE),
        (1, VERMILION),
        width=6,
    )
    share = figure(
        "Dropped, share of records",
        "Of all records that crossed a hop in any of the jobs.",
        now(f"sum({_outcome('dropped')}) / sum({total('job_name', RECORDS)})"),
        (None, BLUE),
        (0.005, ORANGE),
        (0.01, VERMILION),
        unit="percentunit",
        width=6,
    )
    jobs = figure("Jobs", "Seen in the time shown.", now(f"count({LAST_INFO})"), width=6)
    return [injected, escaped, link_runbook(share.decimals(2), "DropRateHigh"), jobs]


def _outcome(word: str) -> str:
    return total("job_name", RECORDS, f'outcome="{word}"')


def _jobs() -> table.Panel:
    """Return a row for each job."""
    labels = "job_name, protection, status, ledger"
    expressions = (
        f"max by ({labels}) ({LAST_INFO})",
        total("job_name", INJECTED),
        *(_outcome(word) for word in OUTCOMES),
        f"sum by (job_name) ({ESCAPED})",
    )
    text = (
        "Faults injected and escaped, and records by their outcome at all hops. One record may "
        "meet several faults, and a fault may fall on bytes that nobody needs: the sums differ."
    )
    queries = [rows(expression) for expression in expressions]
    found = sheet("Jobs", text, queries, _COLUMNS, (24, 8))
    bad = {"mode": "absolute", "steps": [_step(None, "text"), _step(1, VERMILION)]}
    cell = setting("custom.cellOptions", {"type": "color-text"})
    found.override_by_name("escaped", [setting("thresholds", bad), cell])
    return found


def _step(value: float | None, colour: str) -> dict[str, object]:
    return {"value": value, "color": colour}


def _outcomes() -> list[barchart.Panel]:
    records = bars(
        "Records by outcome",
        "A group for each job. The scale is logarithmic.",
        rows(total("job_name, outcome", RECORDS)),
        ("job_name", "outcome"),
    )
    named = (
        (total("job_name", INJECTED), "injected"),
        (_outcome("corrected"), "corrected"),
        (_outcome("retried"), "retried"),
        (_outcome("dropped"), "dropped"),
        (f"sum by (job_name) ({ESCAPED})", "escaped"),
    )
    union = "\nor ".join(
        f'label_replace({expression}, "fate", "{fate}", "", "")' for expression, fate in named
    )
    fates = bars(
        "From injected to escaped",
        "What was injected, and what was left of it at each step. Records that were dropped are in "
        "quarantine; only what escaped is a silent error.",
        rows(union),
        ("job_name", "fate"),
    )
    colours = {**OUTCOMES, "injected": GREEN, "escaped": PURPLE}
    return [paint(records, OUTCOMES), paint(fates, colours)]


def _details() -> list[barchart.Panel]:
    kinds = bars(
        "Faults injected, by kind",
        "What the scenario did to each job. The same seed does the same to every protection, until "
        "a retry makes the histories part.",
        rows(total("job_name, kind", INJECTED)),
        ("job_name", "kind"),
        width=24,
    )
    methods = bars(
        "What put bits right, bits",
        "By the rung of the ladder that did.",
        rows(total("job_name, method", "sealedbeam_corrected_bits_total")),
        ("job_name", "method"),
    )
    attempts = bars(
        "Attempts to make records again",
        "By what was wrong with the delivery before.",
        rows(total("job_name, reason", "sealedbeam_retry_attempts_total")),
        ("job_name", "reason"),
    )
    audited = bars(
        "Parsed more than once",
        "Pages that several machines parsed, by what came of comparing the results: what a "
        "checksum cannot see, a wrong computation, is outvoted here.",
        rows(_audited()),
        ("job_name", "outcome"),
    )
    errors = bars(
        "Memory errors by what hardware did",
        "Of the machines of each job: how much the pipeline never saw.",
        rows(total("job_name, outcome", "sealedbeam_ecc_errors_total")),
        ("job_name", "outcome"),
    )
    return [kinds, methods, attempts, audited, errors]


def _audited() -> str:
    found = f"max_over_time(sealedbeam_audited_records_total{{{JOB}}}[$__range])"
    return f"sum by (job_name, outcome) ({found})"
