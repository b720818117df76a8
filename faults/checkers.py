"""Judges a campaign by its journals: injected = corrected + retried + dropped + masked + escaped.

A fault without an outcome, or a record that was altered although nothing was injected into it,
breaks the equation; nothing here is rounded or forgiven.

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

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .journal import Fault

INJECTED = "injected"
FIGURES = (INJECTED, "corrected", "retried", "dropped", "masked", "escaped")
"""The figures of the summary, in its order."""

Figures = dict[str, int]


def count_faults(faults: Iterable[Fault]) -> dict[tuple[str, str], Figures]:
    """Return the figures of each cluster and kind that has any."""
    counts: dict[tuple[str, str], Figures] = {}
    for fault in faults:
        figures = counts.setdefault((fault.cluster, fault.kind), dict.fromkeys(FIGURES, 0))
        figures[INJECTED] += fault.kind != NO_FAULT
        if fault.outcome is not None:
            figures[str(fault.outcome)] += 1
    return dict(sorted(counts.items()))


def count_outcomes(journals: Sequence[bytes]) -> Figures:
    """Return the figures of all journals of a job.

    Raises:
        IntegrityError: a journal is damaged.
    """
    totals = dict.fromkeys(FIGURES, 0)
    for journal in journals:
        for figures in count_faults(decode_journal(journal)).values():
            for name, number in figures.items():
                totals[name] += number
    return totals


def check_conservation(figures: Mapping[str, int]) -> list[str]:
    """Return a finding if the figures do not add up, and none if they do."""
    injected = figures[INJECTED]
    ended = sum(figures[name] for name in FIGURES if name != INJECTED)
    if injected == ended:
        return []
    return [f"faults: {injected} injected, {ended} ended as one of {', '.join(FIGURES[1:])}"]


def check_escapes(figures: Mapping[str, int]) -> list[str]:
    """Return a finding if a fault escaped: a consumer took altered bytes for the record's own."""
    escaped = figures[FaultOutcome.ESCAPED]
    return [f"faults: {escaped} escaped: altered records were used unnoticed"] if escaped else []
