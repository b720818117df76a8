"""Runs the burst detector over a job's counters: what it would have raised, bin by bin.

The counters of a job reach over all its simulated time from the start, so that no bin is missing.
A run of more than some days is looked at in longer bins: a detector's work grows with their number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sealedbeam.monitoring.detection.burst_detector import BurstDetector, Sample

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray
    from sealedbeam.monitoring.detection.burst_detector import Alarm

    from .machine_errors import MachineErrors
    from .view import View

    Wholes = NDArray[np.int64]

BINS_MAX = 20_000


def find_alarms(view: View) -> tuple[Alarm, ...]:
    """Return every alarm that the counters of a job raise, as last told, by detection.

    None without counters.
    """
    campaign = view.campaign
    if campaign is None or campaign.counter_bin_seconds is None:
        return ()
    bin_seconds = _fitting_bin_seconds(campaign.counter_bin_seconds, campaign.duration_seconds)
    detector = BurstDetector(campaign.sites, bin_seconds)
    bins = campaign.duration_seconds // bin_seconds
    told: dict[tuple[str, str | None, int], Alarm] = {}
    for number, samples in enumerate(_samples(view, bin_seconds, bins)):
        for alarm in detector.observe(number * bin_seconds, samples):
            told[alarm.kind, alarm.cluster, alarm.detected_seconds] = alarm
    return tuple(sorted(told.values(), key=lambda a: (a.detected_seconds, a.kind, a.cluster or "")))


def _fitting_bin_seconds(counter_bin_seconds: int, duration_seconds: int) -> int:
    """Return a multiple of the counters' own bin of which the run does not have too many."""
    return counter_bin_seconds * max(1, -(-duration_seconds // (counter_bin_seconds * BINS_MAX)))


def _samples(view: View, bin_seconds: int, bins: int) -> Iterator[dict[str, Sample]]:
    """Yield what each cluster shows in each whole bin; zeros are samples, too."""
    assert view.campaign is not None, "whoever asks has looked"
    names = [site.name for site in view.campaign.sites]
    columns = _count(view.counters, names, bin_seconds, bins)
    quiet = dict.fromkeys(names, Sample(0, 0, 0, 0))
    for number in range(bins):
        rows = columns[:, :, number]
        if rows.any():
            yield {name: Sample(*row) for name, row in zip(names, rows.T.tolist(), strict=True)}
        else:
            yield quiet


def _count(errors: MachineErrors, names: list[str], bin_seconds: int, bins: int) -> Wholes:
    """Return the fields of a sample as an array of (field, cluster, bin)."""
    rows = {name: row for row, name in enumerate(names)}
    codes = np.array([rows[name] for name in errors.clusters], dtype=np.int64)
    columns = errors.time_seconds // bin_seconds
    kept = columns < bins
    places = codes[errors.cluster[kept]] * bins + columns[kept]
    machines = max(1, len(errors.machines))
    keys, index = np.unique(places * machines + errors.machine[kept], return_inverse=True)
    corrected = np.zeros(len(keys), dtype=np.int64)
    uncorrected = np.zeros(len(keys), dtype=np.int64)
    np.add.at(corrected, index, errors.corrected[kept])
    np.add.at(uncorrected, index, errors.uncorrected[kept])
    counted = np.zeros((4, len(names) * bins), dtype=np.int64)
    of_machine = keys // machines
    np.add.at(counted[0], of_machine, 1)
    np.add.at(counted[1], of_machine, corrected)
    np.add.at(counted[2], of_machine, uncorrected)
    np.maximum.at(counted[3], of_machine, corrected + uncorrected)
    return counted.reshape(4, len(names), bins)
