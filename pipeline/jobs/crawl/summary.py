"""The figures of a crawl: what is in summary.json, and whether its ledger balances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.integrity.ledger import HopAccount, Outcome, merge_accounts
from sealedbeam.pipeline.integrity.reconcile import Equation, reconcile
from sealedbeam.pipeline.jobs.entry import merge_counts

from .harvest import FETCH
from .measuring import FETCH_SECONDS, FETCHES, MICROSECONDS
from .refetch import REFETCHED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sealedbeam.pipeline.integrity.reconcile import Reconciliation
    from sealedbeam.pipeline.jobs.entry import Counts, Entry

    from .context import CrawlContext


@dataclass(frozen=True, slots=True)
class CrawlTotals:
    """The ledger of all rounds, added up, and what it says.

    Attributes:
        hops: the accounts by hop.
        counts: what was counted besides.
        reconciliation: the verdict.
        too_many_dropped: the hops at which too large a share was dropped for good, in words.
    """

    hops: Mapping[str, HopAccount]
    counts: Counts
    reconciliation: Reconciliation
    too_many_dropped: tuple[str, ...]

    @property
    def refetched(self) -> int:
        """How many answers were dropped to be fetched again."""
        return self.hops[FETCH].total().dropped_reasons.get(REFETCHED, 0)


def judge(context: CrawlContext, entries: Sequence[Entry]) -> CrawlTotals:
    """Return the ledger of all rounds and the verdict on it."""
    hops = merge_accounts(entry.hops for entry in entries)
    hops.setdefault(FETCH, HopAccount())
    counts = merge_counts(entry.counts for entry in entries)

    def total(group: str) -> int:
        return sum(counts.get(group, {}).values())

    cell = hops[FETCH].total()
    equations = [
        Equation(
            "answers accepted = visits + answers about robots.txt + unreadable and left ones",
            cell.records - cell.dropped,
            total("visits") + counts.get("robots", {}).get("asked", 0) + total("answers"),
        ),
        Equation(
            "visits + answers about robots.txt = requests + denials",
            total("visits") + counts.get("robots", {}).get("asked", 0),
            total(FETCHES) + total("denials"),
        ),
        Equation("requests = requests that were timed", total(FETCHES), total(FETCH_SECONDS)),
        *(
            Equation(
                f"rows of {kind} sent = folded + damaged",
                total(f"{kind}_sent"),
                total(f"{kind}_folded") + total(f"{kind}_damaged"),
            )
            for kind in ("events", "hosts")
        ),
    ]
    verdict = reconcile(hops, equations, sealed=context.policy.protection.seals)
    lost = cell.dropped - cell.dropped_reasons.get(REFETCHED, 0)
    most = context.config.max_dropped_ratio
    told = f"hop {FETCH}: {lost} of {cell.records} answers were dropped for good, {most} is allowed"
    return CrawlTotals(hops, counts, verdict, (told,) if lost > most * cell.records else ())


def limits_of(context: CrawlContext) -> dict[str, float | None]:
    """Return the options that say how far a crawl goes and that another run of it may change."""
    return {name: getattr(context.config, name) for name in ("pages", "max_bytes", "max_seconds")}


def summarise(
    context: CrawlContext,
    totals: CrawlTotals,
    latest: Sequence[Entry],
    rounds: int,
) -> dict[str, Any]:
    """Return what summary.json says.

    Args:
        context: the crawl.
        totals: of the ledger of all its tasks.
        latest: of the folds of the last round: what the frontier is now.
        rounds: how many there were.
    """
    counts = totals.counts
    states = merge_counts(entry.counts for entry in latest).get("states", {})
    cell = totals.hops[FETCH].total()
    findings = (*totals.reconciliation.findings, *totals.too_many_dropped)
    return {
        "status": "complete" if not findings else "failed",
        "rounds": rounds,
        "states": dict(sorted(states.items())),
        "visits": dict(sorted(counts.get("visits", {}).items())),
        "fetches": dict(sorted(counts.get(FETCHES, {}).items())),
        "fetch_seconds": sum(counts.get(MICROSECONDS, {}).values()) / 1e6,
        "reasons": dict(sorted(counts.get("reasons", {}).items())),
        "links": counts.get("links", {}).get("found", 0),
        "links_left": dict(sorted(counts.get("links_left", {}).items())),
        "records": counts.get("records", {}).get("written", 0),
        "bytes": counts.get("bytes", {}).get("body", 0),
        "hops": {
            FETCH: {"records": cell.records}
            | {outcome: getattr(cell, outcome) for outcome in Outcome}
        },
        "refetched": totals.refetched,
        "ledger": totals.reconciliation.verdict,
        "limits": limits_of(context),
        "seed": context.config.seed,
        "protection": context.config.protection,
        **({"findings": list(findings)} if findings else {}),
    }
