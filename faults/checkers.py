"""Judges a campaign by its journals: injected = corrected + retried + dropped + masked + escaped.

A fault without an outcome, or a record that was altered although nothing was injected into it,
breaks the equation; nothing here is rounded or forgiven. The law holds for each cluster and kind by
itself: over all of them a fault too many would hide one too few.

What this does not check:
* that a fault which should have happened did: the injector is trusted to journal what it does;
* records of a hop at which the scenario injects nothing: they are not watched;
* what a stage made of an accepted record, such as a wrong computation on right bytes;
* damage that was in a block before the channel first got it: that counts as pristine;
* that a dropped record is really in the quarantine: the ledger and its reconciliation do that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .journal import NO_FAULT, FaultOutcome, decode_journal
from .kinds import MISCOMPUTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .journal import Fault

INJECTED = "injected"
FIGURES = (INJECTED, "corrected", "retried", "dropped", "masked", "escaped")
"""The figures of the summary, in its order."""

Figures = dict[str, int]
Cells = dict[tuple[str, str], Figures]
"""Figures by cluster and kind."""


def count_faults(faults: Iterable[Fault]) -> Cells:
    """Return the figures of each cluster and kind that has any."""
    counts: Cells = {}
    for fault in faults:
        figures = counts.setdefault((fault.cluster, fault.kind), dict.fromkeys(FIGURES, 0))
        figures[INJECTED] += fault.kind != NO_FAULT
        if fault.outcome is not None:
            figures[str(fault.outcome)] += 1
    return dict(sorted(counts.items()))


def count_cells(journals: Sequence[bytes]) -> Cells:
    """Return the figures of all journals of a job, by cluster and kind.

    Raises:
        IntegrityError: a journal is damaged.
    """
    return count_faults(fault for journal in journals for fault in decode_journal(journal))


def sum_figures(cells: Cells) -> Figures:
    """Return the figures of all clusters and kinds together."""
    return {name: sum(figures[name] for figures in cells.values()) for name in FIGURES}


def count_outcomes(journals: Sequence[bytes]) -> Figures:
    """Return the figures of all journals of a job.

    Raises:
        IntegrityError: a journal is damaged.
    """
    return sum_figures(count_cells(journals))


def check_conservation(figures: Mapping[str, int]) -> list[str]:
    """Return a finding if the figures do not add up, and none if they do."""
    injected = figures[INJECTED]
    ended = sum(figures[name] for name in FIGURES if name != INJECTED)
    if injected == ended:
        return []
    return [f"faults: {injected} injected, {ended} ended as one of {', '.join(FIGURES[1:])}"]


def check_cells(cells: Cells) -> list[str]:
    """Return a finding for each cluster and kind whose figures do not add up."""
    return [
        f"{cluster}, {kind}: {finding}"
        for (cluster, kind), figures in cells.items()
        for finding in check_conservation(figures)
    ]


def count_unseen(cells: Cells) -> int:
    """Return how many wrong computations escaped: those that no seal can show."""
    escaped = FaultOutcome.ESCAPED
    return sum(each[escaped] for (_, kind), each in cells.items() if kind == MISCOMPUTED)


def check_escapes(figures: Mapping[str, int], unseen: int = 0) -> list[str]:
    """Return a finding if a fault escaped: a consumer took altered bytes for the record's own.

    Of those that escaped, `unseen` are wrong computations. They count as escaped like any other,
    but no seal has failed that could have shown them.
    """
    escaped = figures[FaultOutcome.ESCAPED] - unseen
    return [f"faults: {escaped} escaped: altered records were used unnoticed"] if escaped else []
