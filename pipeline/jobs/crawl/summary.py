"""The figures of a crawl: what is in summary.json, and whether its ledger balances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.integrity.ledger import HopAccount, Outcome, merge_accounts
from sealedbeam.pipeline.integrity.reconcile import Equation, reconcile
from sealedbeam.pipeline.jobs.entry import merge_counts

from .harvest import FETCH

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sealedbeam.pipeline.integrity.reconcile import Reconciliation
    from sealedbeam.pipeline.jobs.entry import Counts, Entry

    from .context import CrawlContext


def judge(context: CrawlContext, entries: Sequence[Entry]) -> tuple[Reconciliation, Counts]:
    """Return the verdict on the ledger of all rounds, and what was counted in them."""
    hops = merge_accounts(entry.hops for entry in entries)
    hops.setdefault(FETCH, HopAccount())
    counts = merge_counts(entry.counts for entry in entries)

    def total(group: str) -> int:
        return sum(counts.get(group, {}).values())

    cell = hops[FETCH].total()
    equations = [
        Equation(
            "answers accepted = visits + answers about robots.txt",
            cell.records - cell.dropped,
            total("visits") + counts.get("robots", {}).get("asked", 0),
        ),
        *(
            Equation(
                f"rows of {kind} sent = folded + damaged",
                total(f"{kind}_sent"),
                total(f"{kind}_folded") + total(f"{kind}_damaged"),
            )
            for kind in ("events", "hosts")
        ),
    ]
    sealed = context.policy.protection.seals
    return reconcile(hops, equations, sealed=sealed), counts


def summarise(
    context: CrawlContext,
    entries: Sequence[Entry],
    latest: Sequence[Entry],
    rounds: int,
    seconds: float,
) -> dict[str, Any]:
    """Return what summary.json says.

    Args:
        context: the crawl.
        entries: of all tasks.
        latest: of the folds of the last round: what the frontier is now.
        rounds: how many there were.
        seconds: how long this run took.
    """
    verdict, counts = judge(context, entries)
    states = merge_counts(entry.counts for entry in latest).get("states", {})
    cell = merge_accounts(entry.hops for entry in entries).get(FETCH, HopAccount()).total()
    return {
        "status": "complete" if not verdict.findings else "failed",
        "rounds": rounds,
        "states": dict(sorted(states.items())),
        "visits": dict(sorted(counts.get("visits", {}).items())),
        "reasons": dict(sorted(counts.get("reasons", {}).items())),
        "links": counts.get("links", {}).get("found", 0),
        "links_left": dict(sorted(counts.get("links_left", {}).items())),
        "records": counts.get("records", {}).get("written", 0),
        "bytes": counts.get("bytes", {}).get("body", 0),
        "hops": {
            FETCH: {"records": cell.records}
            | {outcome: getattr(cell, outcome) for outcome in Outcome}
        },
        "ledger": verdict.verdict,
        "protection": context.config.protection,
        "seconds": round(seconds, 3),
    }
