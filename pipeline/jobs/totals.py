"""Sums a job's entries: the whole ledger, its verdict, and the figures of summary.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.config import Redundancy
from sealedbeam.pipeline.index.limits import Cut
from sealedbeam.pipeline.integrity.ledger import HopAccount, Outcome, merge_accounts
from sealedbeam.pipeline.integrity.reconcile import Equation, Verdict, reconcile

from .entry import merge_counts
from .map_job import DOCUMENTS, PAGES, RUNS
from .reduce_job import SHARDS
from .redundancy import check_audit, find_evicted, objections, summarise_audit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sealedbeam.pipeline.integrity.reconcile import Reconciliation

    from .context import JobContext
    from .entry import Counts, Entry

HOPS = (PAGES, DOCUMENTS, RUNS, SHARDS)

POISON_FREE = 10
"""So few poison records are hostile pages, however small the archive, and fail no job.

They are no drops at a hop: they crossed it intact. Nor are they mere damage of the inputs: where
they are many, it is the machine or its limits that cannot cope, and an index of what is left would
pass for one of the archive. So beyond these the limit for drops holds for them too.
"""


@dataclass(frozen=True, slots=True)
class Totals:
    """The sum of all entries of a finished job, and what it says.

    `too_many_dropped` names each hop whose share of dropped records is over the limit, and poison
    records and computations that nobody agrees on, where they are too many. `evicted` are the
    machines that an audit found to compute wrongly.
    """

    hops: dict[str, HopAccount]
    counts: Counts
    reconciliation: Reconciliation
    too_many_dropped: tuple[str, ...]
    evicted: tuple[str, ...] = ()

    def get(self, group: str, name: str) -> int:
        """Return one count, 0 when nothing was counted."""
        return self.counts.get(group, {}).get(name, 0)

    @property
    def indexed(self) -> int:
        """Documents in the shards."""
        return self.get("documents", "parsed") - self.get("documents", "duplicate")

    @property
    def passes(self) -> bool:
        """Whether a manifest may be written.

        `unknown` is what an unsealed job gets that was asked for; nothing else may be unknown.
        """
        return self.reconciliation.verdict is not Verdict.IMBALANCED and not self.too_many_dropped


def total(context: JobContext, entries: Sequence[Entry]) -> Totals:
    """Return the totals of `entries`: all parts, the duplicates, all shards."""
    merged = merge_accounts(entry.hops for entry in entries)
    hops = {hop: merged.get(hop, HopAccount()) for hop in HOPS}
    counts = merge_counts(entry.counts for entry in entries)
    rows = sum(
        file.rows or 0
        for entry in entries
        for file in entry.files
        if file.path.startswith("documents/")
    )
    skipped = sum(len(entry.details.get("skipped", ())) for entry in entries)
    audited = context.config.redundancy is Redundancy.AUDIT
    equations = [
        *_equations(hops, counts, rows),
        *(check_audit(counts, hops[DOCUMENTS].sealed.records) if audited else ()),
        Equation(
            "poison records set aside = records on the parts' skip lists",
            sum(counts.get("poison", {}).values()),
            skipped,
        ),
    ]
    reconciliation = reconcile(hops, equations, sealed=context.policy.protection.seals)
    limit = context.config.max_dropped_ratio
    over = _over_limit(hops, limit) + _poison_over_limit(counts, limit)
    over += objections(counts, context.config)
    evicted = find_evicted(entries, context.config.evict_after)
    return Totals(hops, counts, reconciliation, over, evicted)


def _equations(hops: Mapping[str, HopAccount], counts: Counts, rows: int) -> list[Equation]:
    def get(group: str, name: str) -> int:
        return counts.get(group, {}).get(name, 0)

    parsed, rejected = get("documents", "parsed"), sum(counts.get("rejected", {}).values())
    dropped = get("runs", "tokens_dropped") + get("shards", "tokens_dropped")
    equations = [
        Equation(
            "pages read = parsed + rejected + quarantined",
            get("pages", "read"),
            parsed + rejected + get("pages", "quarantined"),
        ),
        Equation(
            "pages read = pages sealed + pages that arrived damaged",
            get("pages", "read"),
            hops[PAGES].sealed.records + get("pages", "arrived_damaged"),
        ),
        Equation("documents parsed = rows stored", parsed, rows),
        Equation(
            "tokens of all documents = term frequencies + tokens of duplicates + tokens dropped",
            get("documents", "tokens"),
            get("shards", "tokens") + get("shards", "tokens_duplicate") + dropped,
        ),
    ]
    if not dropped:
        equations.append(
            Equation(
                "tokens of duplicates = tokens left out of the shards",
                get("documents", "tokens_duplicate"),
                get("shards", "tokens_duplicate"),
            )
        )
    return equations


def _over_limit(hops: Mapping[str, HopAccount], limit: float) -> tuple[str, ...]:
    over = []
    for hop, account in hops.items():
        cell = account.total()
        if cell.dropped > limit * cell.records:
            share = f"{cell.dropped} of {cell.records} records were dropped"
            over.append(f"hop {hop}: {share}, more than the allowed share of {limit:g}")
    return tuple(over)


def _poison_over_limit(counts: Counts, limit: float) -> tuple[str, ...]:
    poison = sum(counts.get("poison", {}).values())
    read = counts.get("pages", {}).get("read", 0)
    if poison <= max(limit * read, POISON_FREE if limit else 0):
        return ()
    share = f"{poison} records beside {read} pages could not be worked on"
    return (f"poison: {share}, more than the allowed share of {limit:g}",)


def summarise(context: JobContext, totals: Totals, status: str) -> dict[str, Any]:
    """Return what summary.json says, but for the seconds and the faults."""
    config = context.config
    return {
        "status": status,
        "pages": {
            "read": totals.get("pages", "read"),
            "indexed": totals.indexed,
            "duplicate": totals.get("documents", "duplicate"),
            "rejected": dict(sorted(totals.counts.get("rejected", {}).items())),
            "quarantined": totals.get("pages", "quarantined"),
        },
        "hops": {hop: _outcomes(account) for hop, account in totals.hops.items()},
        "documents": totals.indexed,
        "cut": {cut: totals.get("documents", f"cut_{cut}") for cut in Cut},
        "tokens": totals.get("shards", "tokens"),
        "terms": totals.get("shards", "terms"),
        "postings": totals.get("shards", "postings"),
        "inputs": {
            "bytes": sum(file.size for file in context.inputs),
            "unreadable": list(unreadable_inputs(context)),
            **{
                name: totals.get("inputs", name)
                for name in ("damaged_regions", "digest_good", "digest_absent", "digest_bad")
            },
        },
        **(
            {"audit": summarise_audit(totals.counts, totals.evicted)}
            if config.redundancy is Redundancy.AUDIT
            else {}
        ),
        "ledger": totals.reconciliation.verdict,
        "seed": config.seed,
        "protection": config.protection,
    }


def unreadable_inputs(context: JobContext) -> tuple[str, ...]:
    """Return the paths of the inputs that are no archive that can be read."""
    return tuple(file.path for file in context.inputs if not file.container.is_readable)


def _outcomes(account: HopAccount) -> dict[str, int]:
    cell = account.total()
    return {"records": cell.records} | {outcome: getattr(cell, outcome) for outcome in Outcome}
