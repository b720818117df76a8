"""Overview: is anything lost; what is put right, made again and dropped; how far the jobs are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sealedbeam.monitoring import metrics

from .panels import (
    BLUE,
    GREY,
    JOB,
    ORANGE,
    OUTCOMES,
    PLACE,
    VERMILION,
    add,
    bars,
    curves,
    figure,
    find_alerts,
    finish,
    link_runbook,
    now,
    open_dashboard,
    over_time,
    paint,
    ranking,
    rows,
    setting,
    sheet,
    total,
    with_choices,
)
from .runbook import ALERTS

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import dashboard as boards
    from grafana_foundation_sdk.builders import stat, table
    from grafana_foundation_sdk.models.dashboard import Dashboard

UID = "sealedbeam-overview"
RECORDS = "sealedbeam_records_total"
_INFO = f"timestamp(sealedbeam_run_info{{{JOB}}})"
# A subquery looks at full minutes alone, and a job may be younger.
LAST_INFO = f"topk by (job, instance, job_name) (1, {_INFO} or max_over_time({_INFO}[$__range:1m]))"
_VERDICTS = {"balanced": BLUE, "open": GREY, "unknown": ORANGE, "imbalanced": VERMILION}
_TALL = 7
_PER_HOP = "{{hop}} {{outcome}} {{job_name}}"
_PER_PLACE = "{{cluster}} {{job_name}}"


def build() -> Dashboard:
    """Return the dashboard."""
    text = "Records that crossed a hop, each with its one final outcome, by the committed ledger."
    board = with_choices(open_dashboard(UID, "Sealed Beam: overview", text))
    add(board, "Is anything lost?", *_figures(), _alerts())
    _add_rates(board)
    _add_ladder(board)
    add(board, "Parts and runs", *_progress(), _runs())
    return finish(board)


def _figures() -> list[stat.Panel]:
    verdict = figure(
        "Jobs by the ledger's verdict",
        "Balanced: every record that went into a hop came out of it by some account. Open: the job "
        "is not over. Imbalanced must never be seen.",
        now(f"count by (ledger) ({LAST_INFO})", "{{ledger}}"),
        names=True,
        width=6,
    )
    imbalance = figure(
        "Ledger imbalance, records",
        "By how many records the ledgers are out. Anything but 0 was lost silently, or counted "
        "wrongly.",
        now(f"sum(abs(last_over_time(sealedbeam_ledger_imbalance_records{{{JOB}}}[$__range])))"),
        (None, BLUE),
        (1, VERMILION),
    )
    dropped = figure(
        "Dropped records",
        "No attempt brought them over a hop. They are in quarantine with their bytes: counted, not "
        "lost from sight.",
        now(_count("dropped")),
        (None, BLUE),
        (1, ORANGE),
    )
    retried = figure(
        "Retried records",
        "Came over after they were made again, because what was wrong could not be put right.",
        now(_count("retried")),
    )
    corrected = figure(
        "Corrected records",
        "Had flipped bits that were found and put right, and confirmed by a second code.",
        now(_count("corrected")),
    )
    size = figure("Bytes", "Of records that were accepted, at every hop.", now(_bytes()), width=2)
    return [
        link_runbook(paint(verdict, _VERDICTS), "LedgerImbalance"),
        link_runbook(imbalance, "LedgerImbalance"),
        link_runbook(dropped, "DropRateHigh"),
        retried,
        corrected,
        size.unit("decbytes"),
    ]


def _alerts() -> table.Panel:
    """Return a table of the alerts that fire, which is empty on a good day."""
    columns = {name: name for name in ("alertname", "severity", "cluster", "job_name", "instance")}
    text = (
        "The alerts that fire at the end of the time shown; none is the usual. The links lead to "
        "what each means, how to look, and what to do."
    )
    query = rows(f"max by ({', '.join(columns)}) ({find_alerts(*ALERTS)})")
    return link_runbook(sheet("Alerts that fire", text, [query], columns, (24, 6)), *ALERTS)


def _count(outcome: str) -> str:
    return f'sum(max_over_time({RECORDS}{{{PLACE}, outcome="{outcome}"}}[$__range]))'


def _bytes() -> str:
    return f"sum(max_over_time(sealedbeam_record_bytes_total{{{PLACE}}}[$__range]))"


def _add_rates(board: boards.Dashboard) -> None:
    """Add what became of records in each cluster over time."""
    corrections = curves(
        "Corrected, share of records",
        "Of the records of the last 5 minutes, those with flipped bits that were put right. The "
        "dashed line is where CorrectionRateHigh begins: something flips bits there.",
        [over_time(_ratio("corrections"), _PER_PLACE)],
        (None, "transparent"),
        (0.01, ORANGE),
        unit="percentunit",
    )
    drops = curves(
        "Dropped, share of records",
        "Of the records of the last 5 minutes, those that no attempt brought over a hop. The "
        "dashed line is where DropRateHigh begins.",
        [over_time(_ratio("drops"), _PER_PLACE)],
        (None, "transparent"),
        (0.005, VERMILION),
        unit="percentunit",
    )
    retries = curves(
        "Retried, share of records",
        "Of the records of the last 5 minutes, those that were made again and came over then.",
        [over_time(_ratio("retries"), _PER_PLACE)],
        unit="percentunit",
    )
    speed = curves(
        "Records a second",
        "At all hops together. Parts commit in lumps, so this is a mean of 5 minutes; the shares "
        "beside it have a value only where records crossed.",
        [over_time(f"cluster:sealedbeam_records:rate5m{{{PLACE}}}", _PER_PLACE)],
        unit="cps",
    )
    panels = (
        link_runbook(corrections, "CorrectionRateHigh"),
        link_runbook(drops, "DropRateHigh"),
        retries,
        speed,
    )
    add(board, "Clusters over time", *panels)


def _ratio(word: str) -> str:
    return f"cluster:sealedbeam_{word}_per_records:ratio_rate5m{{{PLACE}}}"


def _add_ladder(board: boards.Dashboard) -> None:
    """Add what became of records hop by hop, and why."""
    ladder = bars(
        "The ladder, hop by hop",
        "How far down the ladder records went at each hop: accepted as they came, put right, made "
        "again, dropped. The scale is logarithmic; each step should be far below the one before.",
        rows(total("hop, outcome", RECORDS)),
        ("hop", "outcome"),
        width=24,
    )
    methods = ranking(
        "What put bits right, bits",
        "A method is a rung of the ladder: the code that found where the flipped bits stood.",
        now(total("method", "sealedbeam_corrected_bits_total"), "{{method}}"),
    )
    retries = ranking(
        "Why records were made again, attempts",
        "What was wrong with the delivery before the attempt.",
        now(total("reason", "sealedbeam_retry_attempts_total"), "{{reason}}"),
        ORANGE,
    )
    drops = ranking(
        "Why records were dropped, records",
        "What was wrong with the last delivery. All zero is the usual.",
        now(total("reason", "sealedbeam_dropped_records_total"), "{{reason}}"),
        VERMILION,
    )
    trouble = curves(
        "Not intact, records a second",
        "By hop and outcome. One hop alone: look at what carries that hop. All alike: memory.",
        [over_time(f'hop_outcome:sealedbeam_records:rate5m{{{JOB}, outcome!="intact"}}', _PER_HOP)],
        unit="cps",
        width=24,
    )
    panels = (
        paint(ladder, OUTCOMES),
        methods,
        retries,
        link_runbook(drops, "DropRateHigh"),
        link_runbook(trouble, "CorrectionRateHigh"),
    )
    add(board, "The ladder: correct, retry, drop", *panels)


def _progress() -> list[stat.Panel]:
    parts = figure(
        "Parts by state",
        "Pending parts are being worked on or wait; committed ones are never done again.",
        now(f"sum by (state) (last_over_time(sealedbeam_parts{{{JOB}}}[$__range]))", "{{state}}"),
        names=True,
    )
    success = figure(
        "Last success",
        "When a job was last done, by the time of day.",
        now(f"1000 * max(last_over_time({metrics.LAST_SUCCESS.name}{{{JOB}}}[$__range]))"),
        unit="dateTimeFromNow",
    )
    return [parts.height(_TALL), success.height(_TALL)]


def _runs() -> table.Panel:
    """Return a table of the jobs: what each was, how it ended, when it was last seen."""
    columns = {
        "job_name": "job",
        "status": "status",
        "ledger": "ledger",
        "protection": "protection",
        "scenario": "scenario",
        "seed": "seed",
        "configuration_hash": "configuration",
        "Value": "last seen",
    }
    text = (
        "Each job as it was last seen in the time shown. Two jobs with one configuration hash give "
        "the same output, to the byte."
    )
    found = sheet("Runs", text, [rows(f"1000 * {LAST_INFO}")], columns, (16, _TALL))
    found.override_by_name("last seen", [setting("unit", "dateTimeAsIso")])
    return link_runbook(found, "MonitoringBlind")
