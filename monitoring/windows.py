"""A finished job window by window: what its records met in each stretch of simulated time alone.

The view of a window is a view like any other, so that whatever shows a job shows a window of it.
What the machines' own counters tell is left out, as a timeline has it at its own grain; and so is
what has no simulated time: computations that were audited, parts, things set aside.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

from sealedbeam.pipeline.integrity.ledger import WINDOW_SECONDS, Cell, HopAccount

from .machine_errors import NO_ERRORS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .view import Failure, View

    Cells = dict[tuple[str, int], Cell]


def split_view(view: View, window_seconds: int, windows: int) -> Iterator[View]:
    """Yield the view of each window in turn; what lies behind the last one is in the last one.

    Args:
        view: a finished job.
        window_seconds: whole minutes, which are the ledger's grain.
        windows: how many.
    """
    cells = _split_cells(view, window_seconds, windows)
    failures = _split_failures(view, window_seconds, windows)
    empty = replace(
        view,
        hops={hop: HopAccount() for hop in view.hops},
        counters=NO_ERRORS,
        journal_errors=NO_ERRORS,
        audit=dict.fromkeys(view.audit, 0),
        campaign=view.campaign and replace(view.campaign, failures=()),
    )
    for number in range(windows):
        within: Mapping[str, Cells] = cells.get(number, {})
        yield replace(
            empty,
            hops={hop: HopAccount(cells=within.get(hop, {})) for hop in view.hops},
            campaign=empty.campaign
            and replace(empty.campaign, failures=tuple(failures.get(number, ()))),
        )


def _split_cells(view: View, window_seconds: int, windows: int) -> dict[int, dict[str, Cells]]:
    """Return the cells of the ledger by window, then by hop."""
    split: dict[int, dict[str, Cells]] = defaultdict(lambda: defaultdict(dict))
    for hop, account in view.hops.items():
        for key, cell in account.cells.items():
            number = min(key[1] * WINDOW_SECONDS // window_seconds, windows - 1)
            split[number][hop][key] = cell
    return split


def _split_failures(view: View, window_seconds: int, windows: int) -> dict[int, list[Failure]]:
    """Return the failures of machines by the window in which they begin."""
    split: dict[int, list[Failure]] = defaultdict(list)
    for failure in view.campaign.failures if view.campaign else ():
        split[min(failure.start_seconds // window_seconds, windows - 1)].append(failure)
    return split
