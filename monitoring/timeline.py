"""What happened when and where: the ledger and the machines' error counters over simulated time.

The ledger's grain is a minute. Windows are whole minutes; or, for the machines' own counters, equal
parts of a minute: then what the ledger counted stands in the first window of its minute, and its
damaged deliveries do not tell which machines were affected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sealedbeam.pipeline.integrity.channel import DEFAULT_CLUSTER
from sealedbeam.pipeline.integrity.ledger import WINDOW_SECONDS, Outcome

from .machine_errors import distinct

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from .machine_errors import MachineErrors
    from .view import View

    Wholes = NDArray[np.int64]

OUTCOMES = tuple(map(str, Outcome))
ECC_CORRECTED, ECC_UNCORRECTED, AFFECTED = "ecc_corrected", "ecc_uncorrected", "affected_machines"
SERIES = (*OUTCOMES, ECC_CORRECTED, ECC_UNCORRECTED, AFFECTED)
WINDOWS_MAX = 1440
_MACHINES_MAX = 1 << 24


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster and where it stands; None and 0 where that is not known."""

    name: str
    latitude_degrees: float | None = None
    longitude_degrees: float | None = None
    altitude_metres: float | None = None
    machines: int = 0


@dataclass(frozen=True, slots=True)
class Timeline:
    """Counts by cluster and window.

    Attributes:
        window_seconds: simulated.
        windows: how many there are.
        sites: the clusters, in the order of the rows.
        series: for each name of SERIES an array of shape (sites, windows). All count events but
            affected_machines: the distinct machines of the cluster that counted an error of their
            memory, or to which a delivery came damaged, in that window.
    """

    window_seconds: int
    windows: int
    sites: tuple[Site, ...]
    series: Mapping[str, Wholes]


def fitting_window_seconds(duration_seconds: int, windows_max: int = WINDOWS_MAX) -> int:
    """Return the shortest window of whole minutes of which `windows_max` span a duration."""
    return WINDOW_SECONDS * max(1, -(-duration_seconds // (WINDOW_SECONDS * windows_max)))


def build_timeline(view: View, window_seconds: int = WINDOW_SECONDS) -> Timeline:
    """Return the timeline of a job; one without a scenario has one site and one window.

    Args:
        view: the job, finished or not.
        window_seconds: whole minutes, or an equal part of one.

    Raises:
        ValueError: windows of this length do not go with the ledger's.
    """
    if window_seconds <= 0 or 0 not in (
        window_seconds % WINDOW_SECONDS,
        WINDOW_SECONDS % window_seconds,
    ):
        raise ValueError(f"windows of {window_seconds} s are neither minutes nor parts of one")
    sites = list_sites(view)
    duration = view.campaign.duration_seconds if view.campaign else window_seconds
    builder = _Builder(sites, window_seconds, -(-duration // window_seconds))
    builder.add_ledger(view)
    errors = (view.counters, view.journal_errors)
    for each in errors:
        builder.add_errors(each)
    builder.add_affected(view, errors)
    return Timeline(window_seconds, builder.windows, sites, builder.series)


def list_sites(view: View) -> tuple[Site, ...]:
    """Return the clusters of a job: those of its scenario, and any other that its ledger names."""
    sites = view.campaign.sites if view.campaign else ()
    known = {site.name for site in sites}
    named = {cluster for cluster, _ in view.sums}
    named |= {*view.counters.clusters, *view.journal_errors.clusters}
    found = (*sites, *(Site(name) for name in sorted(named - known)))
    return found or (Site(DEFAULT_CLUSTER),)


class _Builder:
    """Adds counts to arrays of sites and windows."""

    def __init__(self, sites: Sequence[Site], window_seconds: int, windows: int) -> None:
        self.windows = windows
        self.series = {name: np.zeros((len(sites), windows), dtype=np.int64) for name in SERIES}
        self._window_seconds = window_seconds
        self._rows = {site.name: row for row, site in enumerate(sites)}

    def _ledger_places(self, keys: Sequence[tuple[str, int]]) -> Wholes:
        """Return the place of cells of the ledger, by cluster and minute, in a flat array.

        A minute stands where it begins, and what is past the end in the last window.
        """
        rows = np.array([self._rows[cluster] for cluster, _ in keys], dtype=np.int64)
        minutes = np.array([minute for _, minute in keys], dtype=np.int64)
        columns = np.minimum(minutes * WINDOW_SECONDS // self._window_seconds, self.windows - 1)
        places: Wholes = rows * self.windows + columns
        return places

    def _places(self, errors: MachineErrors) -> Wholes:
        """Return the place of each row of `errors` in a flat array of sites and windows."""
        rows = np.array([self._rows[name] for name in errors.clusters], dtype=np.int64)
        columns = np.minimum(errors.time_seconds // self._window_seconds, self.windows - 1)
        places: Wholes = rows[errors.cluster] * self.windows + columns
        return places

    def add_ledger(self, view: View) -> None:
        """Add what became of the records."""
        cells = [item for account in view.hops.values() for item in account.cells.items()]
        places = self._ledger_places([key for key, _ in cells])
        for outcome in OUTCOMES:
            counts = [getattr(cell, outcome) for _, cell in cells]
            flat = self.series[outcome].reshape(-1)
            np.add.at(flat, places, np.array(counts, np.int64))

    def add_errors(self, errors: MachineErrors) -> None:
        """Add what machines counted."""
        places = self._places(errors)
        np.add.at(self.series[ECC_CORRECTED].reshape(-1), places, errors.corrected)
        np.add.at(self.series[ECC_UNCORRECTED].reshape(-1), places, errors.uncorrected)

    def add_affected(self, view: View, errors: Sequence[MachineErrors]) -> None:
        """Count each machine once for each window in which anything happened to it."""
        codes: dict[str, int] = {}
        found = [self._name_places(each, codes) for each in errors]
        if self._window_seconds >= WINDOW_SECONDS:
            found.append(self._damaged_places(view, codes))
        places = distinct(np.concatenate(found)) // _MACHINES_MAX
        np.add.at(self.series[AFFECTED].reshape(-1), places, 1)

    def _name_places(self, errors: MachineErrors, codes: dict[str, int]) -> Wholes:
        """Return one number for each place and machine, under codes common to all sources."""
        common = [codes.setdefault(name, len(codes)) for name in errors.machines]
        machines = np.array(common, dtype=np.int64)
        named: Wholes = self._places(errors) * _MACHINES_MAX + machines[errors.machine]
        return named

    def _damaged_places(self, view: View, codes: dict[str, int]) -> Wholes:
        cells = [item for account in view.hops.values() for item in account.cells.items()]
        damaged = [(key, cell.damaged_machines) for key, cell in cells if cell.damaged_machines]
        places = self._ledger_places([key for key, _ in damaged])
        repeats = np.array([len(machines) for _, machines in damaged], dtype=np.int64)
        names = [codes.setdefault(name, len(codes)) for _, machines in damaged for name in machines]
        found: Wholes = np.repeat(places, repeats) * _MACHINES_MAX + np.array(names, np.int64)
        return found
