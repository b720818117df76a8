"""Burst view: which clusters were hit, when and how badly, and whether it was a burst at all.

What tells a burst from a sick machine is shown side by side: machines, not errors, rise in several
clusters at once; the errors of each machine and the share that hardware cannot correct stay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as boards

from .panels import (
    BLUE,
    DATASOURCE,
    ECC,
    JOB,
    ORANGE,
    OUTCOMES,
    PLACE,
    SKY,
    VERMILION,
    add,
    curves,
    figure,
    find_alerts,
    finish,
    link_runbook,
    now,
    open_dashboard,
    over_time,
    paint,
    strips,
    total,
    with_choices,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import stat
    from grafana_foundation_sdk.models.dashboard import Dashboard

UID = "sealedbeam-burst"
SIGNIFICANCE = f"network:sealedbeam_affected_machines:significance_without_best{{{JOB}}}"
RAISED = f"network:sealedbeam_clusters_raised:count{{{JOB}}}"
RAISED_SHARE = f"network:sealedbeam_clusters_raised_per_clusters:ratio{{{JOB}}}"
BURST = f"{SIGNIFICANCE} > 4.5\nand {RAISED} >= 3"
_OF_CLUSTERS = ("SickMachine", "UncorrectedShareShift", "RackCascade")
_OTHERS = ("CorrectionRateHigh", "DropRateHigh", "LedgerImbalance", "MonitoringBlind")
_ERRORS = "sealedbeam_ecc_errors_total"
_SCORE = f"cluster:sealedbeam_affected_machines:zscore3m{{{PLACE}}}"
_PER_PLACE = "{{cluster}} {{job_name}}"
_DROPPED = 'outcome="dropped"'
_CLEAR: tuple[None, str] = (None, "transparent")


def build() -> Dashboard:
    """Return the dashboard."""
    text = (
        "A burst from the sky raises distinct machines with memory errors in many clusters at "
        "once. A backfilled campaign lies where its simulated clock was: choose that time."
    )
    board = with_choices(open_dashboard(UID, "Sealed Beam: burst", text))
    _annotate(board)
    add(board, "Was there a burst?", *_figures())
    _add_clusters(board)
    _add_machines(board)
    _add_corrections(board)
    return finish(board)


def _annotate(board: boards.Dashboard) -> None:
    """Mark in all panels when a burst was on, and when alerts fired.

    The first looks at what the rules recorded, so that it marks a backfilled burst too: over the
    past there are rules, but no alerts.
    """
    for name, expression, colour in (
        ("Burst", BURST, VERMILION),
        ("Alert: GeoBurst", find_alerts("GeoBurst"), VERMILION),
        ("Alerts of one cluster", find_alerts(*_OF_CLUSTERS), ORANGE),
        ("Other alerts", find_alerts(*_OTHERS), BLUE),
    ):
        board.annotation(
            boards.AnnotationQuery()
            .name(name)
            .datasource(DATASOURCE)
            .enable(enable=True)
            .icon_color(colour)
            .expr(expression)
        )


def _figures() -> list[stat.Panel]:
    significance = figure(
        "Highest significance",
        "Standard deviations of all raised clusters together, the best one left out, so that no "
        "single cluster makes a burst. From 4.5 on, with three clusters, GeoBurst fires.",
        now(f"max(max_over_time({SIGNIFICANCE}[$__range]))"),
        (None, BLUE),
        (4.5, VERMILION),
        width=5,
    )
    raised = figure(
        "Most clusters raised at once",
        "Clusters whose affected machines lie 2 standard deviations or more above the hour before.",
        now(f"max(max_over_time({RAISED}[$__range]))"),
        (None, BLUE),
        (3, ORANGE),
        width=5,
    )
    share = figure(
        "Highest share of clusters raised",
        "About a half is one side of the Earth. All of them is rather something that was rolled "
        "out, or the counters themselves.",
        now(f"max(max_over_time({RAISED_SHARE}[$__range]))"),
        width=5,
        unit="percentunit",
    )
    errors = figure(
        "Memory errors by what hardware did",
        "Corrected errors harm nothing. Uncorrected ones are left to checksums, retries and drops.",
        now(total("outcome", _ERRORS), "{{outcome}}"),
        width=5,
        names=True,
    )
    dropped = figure(
        "Dropped records",
        "What the burst cost in the end; the rest was put right or made again.",
        now(f"sum({total('cluster', 'sealedbeam_records_total', _DROPPED)})"),
        (None, BLUE),
        (1, ORANGE),
    )
    return [
        link_runbook(significance.decimals(1), "GeoBurst"),
        link_runbook(raised, "GeoBurst"),
        link_runbook(share, "GeoBurst"),
        paint(errors, ECC),
        link_runbook(dropped, "DropRateHigh"),
    ]


def _add_clusters(board: boards.Dashboard) -> None:
    """Add which clusters were hit, and when."""
    score = strips(
        "Score of each cluster",
        "A strip for each cluster: how many standard deviations its distinct machines with an "
        "error in 3 minutes lie above the hour before. A burst is a column in several strips; a "
        "sick machine is none.",
        over_time(_SCORE, _PER_PLACE),
        (None, SKY),
        (2, ORANGE),
        (4.5, VERMILION),
    )
    together = curves(
        "Significance without the best cluster",
        "All raised clusters together. The dashed line is the first half of GeoBurst's condition.",
        [over_time(SIGNIFICANCE, "significance {{job_name}}")],
        _CLEAR,
        (4.5, VERMILION),
    )
    raised = curves(
        "Share of clusters raised",
        "Clusters beyond 2 standard deviations, of all that are seen. By chance one in forty is.",
        [over_time(RAISED_SHARE, "raised {{job_name}}")],
        unit="percentunit",
    )
    add(
        board,
        "Which clusters, and when",
        link_runbook(score, "GeoBurst"),
        link_runbook(together, "GeoBurst"),
        link_runbook(raised.min(0).max(1), "GeoBurst"),
    )


def _add_machines(board: boards.Dashboard) -> None:
    """Add what the machines of clusters counted."""
    affected = curves(
        "Affected machines",
        "Distinct machines with an error in a bin, mean of 3 minutes. However often one machine "
        "errs, it counts once.",
        [over_time(f"cluster:sealedbeam_affected_machines:avg3m{{{PLACE}}}", _PER_PLACE)],
    )
    errors = curves(
        "Memory errors a second",
        "All that memory met, corrected or not, mean of 2 minutes. It rises in a burst, and for a "
        "sick machine as well: look at the panels beside it.",
        [over_time(f"cluster:sealedbeam_ecc_errors:rate2m{{{PLACE}}}", _PER_PLACE)],
        unit="cps",
    )
    ratio = "cluster:sealedbeam_ecc_errors_per_affected_machine:rate5m_to_quartile6h"
    sick = curves(
        "Errors to an affected machine, against the usual",
        "1 is the usual, and a burst leaves it there. Beyond 2 one machine, or very few, have more "
        "errors than all others together: SickMachine.",
        [over_time(f"{ratio}{{{PLACE}}}", _PER_PLACE)],
        _CLEAR,
        (2, ORANGE),
    )
    failures = curves(
        "Machines that failed",
        "In 10 minutes, by what it was that failed. Racks, power and cooling take many at once.",
        [over_time(_failures(), "{{scope}}")],
    )
    add(
        board,
        "Machines, not errors",
        link_runbook(affected, "GeoBurst"),
        errors,
        link_runbook(sick, "SickMachine"),
        link_runbook(failures, "RackCascade"),
    )


def _failures() -> str:
    return f"sum by (scope) (increase(sealedbeam_machine_failures_total{{{PLACE}}}[10m]))"


def _add_corrections(board: boards.Dashboard) -> None:
    """Add how hardware coped: a flux of particles leaves the share uncorrected as it is."""
    shares = "cluster:sealedbeam_uncorrected_per_ecc_errors"
    share = curves(
        "Uncorrected, share of memory errors",
        "In 10 minutes. It depends on what protects the memory; a burst leaves it as it is, a chip "
        "that fails does not. Where memory met no error there is no share.",
        [over_time(f"{shares}:ratio_increase10m{{{PLACE}}}", _PER_PLACE)],
        unit="percentunit",
    )
    shift = curves(
        "Shift of the uncorrected share",
        "Standard deviations above what the share of the hour before lets expect. From 5 on "
        "UncorrectedShareShift fires: a device fails there, whatever the sky does.",
        [over_time(f"{shares}:zscore10m{{{PLACE}}}", _PER_PLACE)],
        _CLEAR,
        (5, VERMILION),
    )
    both = curves(
        "Memory errors a second, all clusters",
        "What hardware corrected, and what it could not.",
        [over_time(f"sum by (outcome) (rate({_ERRORS}{{{PLACE}}}[2m]))", "{{outcome}}")],
        unit="cps",
    )
    records = curves(
        "Records by outcome, a second",
        "Whether the pipeline noticed: records that came intact, that were put right, made again, "
        "dropped.",
        [over_time(_records(), "{{outcome}}")],
        unit="cps",
    )
    add(
        board,
        "What hardware and pipeline made of it",
        link_runbook(share, "UncorrectedShareShift"),
        link_runbook(shift, "UncorrectedShareShift"),
        paint(both, ECC),
        paint(records, OUTCOMES),
    )


def _records() -> str:
    return f"sum by (outcome) (cluster_outcome:sealedbeam_records:rate5m{{{PLACE}}})"
