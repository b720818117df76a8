"""Tells a burst of cosmic rays from sick machines and from a changed mix, while counts come in.

It reads no clock and no file: each call of `observe` hands it one bin of all clusters, and the
same calls always give the same alarms. What it counts are distinct machines that erred.

Alarms. An alarm is identified by (kind, cluster, detected_seconds), which never change. `observe`
returns it when it is raised, again whenever what is known of it has changed (a burst: once a
minute), and last with `end_seconds` set; after that it never comes again. At most one burst is
open at a time, and one alarm of the other kinds for each cluster.

* `burst` (cluster None): the counts of the last ten minutes are so much likelier with a burst than
  without that chance does so a few times a year (`burst_odds`), and likelier by far than with a
  change of any one cluster. Where one or two clusters have changed, the others alone may show a
  burst; those that have changed have no baseline then until it is learned anew.
  `clusters` are those that face the source and have an excess of their own. The direction is the
  point of the Earth above which the source stood at the onset. The onset may move with an update.
* `sick_machine` (cluster set): one machine errs again and again. Until that ends, and from the
  time it began, the cluster counts as missing for bursts: no storm raises one.
* `uncorrected_share_shift` (cluster set): uncorrected errors take another share than they used
  to. A burst raises both alike.

While a burst is open the baseline stands still. What lasts longer than `duration_max_seconds` is
no event: its alarm is ended, and what was seen becomes the baseline from then on.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import sqrt
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from .burst_odds import (
    burst_log_odds,
    log_odds_threshold,
    mean_burst_gain,
    strongest_alone,
    total_log,
)
from .burst_tracking import Tracker, Tracking
from .history import History
from .machine_watch import MachineWatch
from .network_filter import responses, score
from .share_watch import ShareWatch
from .sky import fibonacci_cap, latitude_longitude, unit_vectors
from .values import Alarm, AlarmKind, Sample, Site

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Alarm", "AlarmKind", "BurstDetector", "Sample", "Site"]

# Most where a burst of amplitude 1, 0.5 and 0.2 is due at 60 counts a minute: 60, 120 and 600 s.
_SECONDS = (10, 20, 30, 40, 50, 60, 80, 100, 110, 120, 150, 200, 300, 450, 600)
_WEIGHTS = (0.2, 0.3, 0.3, 0.5, 2.0, 3.0, 0.5, 0.5, 1.5, 2.0, 0.5, 0.5, 0.5, 1.0, 3.0)
WINDOW_WEIGHTS = MappingProxyType(dict(zip(_SECONDS, _WEIGHTS, strict=True)))
FALSE_ALARMS_PER_YEAR = 4.0
_YEAR_SECONDS = 365.25 * 86_400
_GUARD_SECONDS = 60
_LEARNING_SECONDS = 300
_UPDATE_SECONDS = 60
_QUIET_SECONDS = 600
_FIT_SECONDS_MAX = 1200
_SOURCES = 400
_SCREEN_MARGIN_SIGMA = 0.3
_CHANGED_ALONE_MAX = 2
_NORTH = np.array([0.0, 0.0, 1.0])


class BurstDetector:
    """The detector of a fleet.

    Args:
        sites: the clusters, in any order.
        bin_seconds: how long a bin is.
        exponent: p of the response max(0, cos)^p of a cluster to a source.
        window_weights: the windows, in seconds, in which excesses are sought, and how much each
            counts.
        false_alarms_per_year: of bursts by chance.
        beyond_one_log_odds: of a burst against a change of any one cluster.
        memory_seconds: after so long a count weighs e times less in the baseline.
        duration_max_seconds: of any event.

    Raises:
        ValueError: a name stands twice, or bin_seconds is not above 0.
    """

    def __init__(
        self,
        sites: Sequence[Site],
        bin_seconds: int = 10,
        *,
        exponent: float = 1.0,
        window_weights: Mapping[int, float] = WINDOW_WEIGHTS,
        false_alarms_per_year: float = FALSE_ALARMS_PER_YEAR,
        beyond_one_log_odds: float = 1.0,
        memory_seconds: float = 7200.0,
        duration_max_seconds: int = 7200,
    ) -> None:
        if bin_seconds <= 0:
            raise ValueError(f"bin_seconds must be above 0, not {bin_seconds}")
        ordered = sorted(sites, key=lambda site: site.name)
        self._names = [site.name for site in ordered]
        twice = [name for name, times in Counter(self._names).items() if times > 1]
        if twice:
            raise ValueError(f"cluster {twice[0]!r} stands twice among the sites")
        self._bin_seconds = bin_seconds
        self._exponent = exponent
        self._beyond_one = beyond_one_log_odds
        self._duration_max = self._bins(duration_max_seconds)
        self._guard = self._bins(_GUARD_SECONDS)
        lengths = [self._bins(seconds) for seconds in window_weights]
        self._windows, places = np.unique(lengths, return_inverse=True)
        weights = np.bincount(places, list(window_weights.values())).astype(np.float64)
        self._weights = weights / weights.sum()
        self._kept = self._duration_max + 2 * int(self._windows[-1]) + 2 * self._guard
        self._positions = _positions(ordered)
        self._sources = fibonacci_cap(_NORTH, 180.0, _SOURCES)
        self._response = responses(self._positions, self._sources, exponent)
        self._squared = self._response**2
        self._threshold = log_odds_threshold(false_alarms_per_year * bin_seconds / _YEAR_SECONDS)
        self._screen_sigma = sqrt(2 * max(0.0, self._threshold)) - _SCREEN_MARGIN_SIGMA
        self._memory_bins = memory_seconds / bin_seconds
        self._machines = np.array([site.machines for site in ordered], np.float64)
        self._first_seconds: int | None = None
        self._burst: Tracking | None
        self._forget_everything()

    def observe(self, time_seconds: int, samples: Mapping[str, Sample]) -> list[Alarm]:
        """Take in the bin that starts at a time; return alarms that are new or changed.

        Args:
            time_seconds: later than that of the last call by whole bins. Bins left out are
                missing, of every cluster.
            samples: by cluster. One that is not in it is missing, not zero.

        Raises:
            ValueError: time does not go forward by whole bins, a cluster is not one of the sites,
                or a count is negative.
        """
        counts, seen = self._table(samples)
        skipped = self._skipped(time_seconds)
        alarms: list[Alarm] = []
        if skipped > self._kept:
            alarms += self._give_up()
            self._forget_everything()
            self._first_seconds, skipped = time_seconds, 0
        nothing = np.zeros_like(counts), np.zeros_like(seen)
        for _ in range(skipped):
            alarms += self._step(*nothing)
        alarms += self._step(counts, seen)
        return alarms

    def _step(self, counts: Floats, seen: NDArray[np.bool_]) -> list[Alarm]:
        affected, corrected, uncorrected, largest = counts
        machine_changes = self._machine_watch.observe(affected, largest, seen)
        healthy = seen & ~self._machine_watch.sick
        share_changes = self._share_watch.observe(corrected, uncorrected, affected, healthy)
        self._history.append(affected, healthy, learn=self._burst is None)
        alarms = []
        for change in machine_changes:
            if change.sick:
                start = self._history.rows - 1 - change.bins_ago - self._guard
                self._take_out(change.cluster, start)
            elif change.accepted:
                self._history.restart(self._only(change.cluster))
            alarms.append(
                self._mark(AlarmKind.SICK_MACHINE, change.cluster, change.bins_ago, change.sigma)
            )
        alarms += [
            self._mark(
                AlarmKind.UNCORRECTED_SHARE_SHIFT, change.cluster, change.bins_ago, change.sigma
            )
            for change in share_changes
        ]
        return alarms + (self._follow() if self._burst else self._detect())

    def _detect(self) -> list[Alarm]:
        """Look for a burst in every window that ends now."""
        stop = self._history.rows
        starts = stop - self._windows
        baseline = self._history.baseline(starts - self._guard)
        counts, expected = baseline.judge(*self._history.window(starts, stop))
        if score(counts, expected, self._response, self._squared).max() < self._screen_sigma:
            return []
        found = self._find(counts, expected)
        if found is None:
            return []
        window, sigma, changed = found
        if changed.any():
            self._history.restart(changed)
        self._burst = self._tracker.begin(window, sigma)
        self._history.hold(min(self._burst.baseline_row, self._burst.onset_row))
        self._updated_row = stop
        return [self._burst_alarm(self._burst)]

    def _find(
        self, counts: Floats, expected: Floats
    ) -> tuple[int, float, NDArray[np.bool_]] | None:
        """Return the best window, in bins, and the significance in it, None of no burst.

        Last come the clusters left out of account, because they have changed by themselves.
        """
        changed = np.zeros(len(self._names), bool)
        for _ in range(_CHANGED_ALONE_MAX + 1):
            odds = burst_log_odds(counts, expected, self._response, self._squared, self._weights)
            if total_log(odds) < self._threshold:
                return None
            best = int(np.argmax(odds))
            mean_gain, gain = mean_burst_gain(counts[best], expected[best], self._response)
            alone = strongest_alone(counts, expected)
            if mean_gain - alone.log_likelihood >= self._beyond_one:
                return int(self._windows[best]), sqrt(2 * gain), changed
            changed = changed | self._only(alone.cluster)
            counts, expected = counts * ~changed, expected * ~changed
        return None

    def _follow(self) -> list[Alarm]:
        """Bring the open burst up to date."""
        before = self._burst
        assert before is not None
        stop = self._history.rows
        tracking = self._tracker.follow(before)
        too_long = stop - before.detected_row > self._duration_max
        if too_long and tracking.end_row is None:
            tracking = self._tracker.refit(before, stop)
        if tracking.end_row is not None:
            self._burst = None
            if too_long:
                self._history.restart()
            else:
                self._history.forget(tracking.onset_row - 1, tracking.end_row + 1)
            return [self._burst_alarm(tracking)]
        if (stop - self._updated_row) * self._bin_seconds < _UPDATE_SECONDS:
            return []
        self._burst = self._tracker.refit(before)
        self._updated_row = stop
        return [self._burst_alarm(self._burst)]

    def _burst_alarm(self, tracking: Tracking) -> Alarm:
        latitude, longitude = latitude_longitude(tracking.place.direction)
        end = tracking.end_row
        return Alarm(
            AlarmKind.BURST,
            None,
            self._seconds(tracking.onset_row),
            self._seconds(tracking.detected_row + 1),
            None if end is None else self._seconds(end),
            tracking.sigma,
            tracking.place.amplitude,
            latitude,
            longitude,
            tracking.place.radius_degrees,
            tuple(self._names[index] for index in tracking.clusters),
        )

    def _mark(self, kind: AlarmKind, cluster: int, bins_ago: int, sigma: float) -> Alarm:
        """Raise an alarm of one cluster, or end the one that is open."""
        row = self._history.rows - 1 - bins_ago
        before = self._open.pop((kind, cluster), None)
        if before is not None:
            end = max(self._seconds(row + 1), before.detected_seconds)
            return replace(before, end_seconds=end)
        name = self._names[cluster]
        onset, detected = self._seconds(max(0, row)), self._seconds(self._history.rows)
        place = (None, None, None, None)
        alarm = Alarm(kind, name, onset, detected, None, sigma, *place, (name,))
        self._open[kind, cluster] = alarm
        return alarm

    def _give_up(self) -> list[Alarm]:
        """End every open alarm at the last bin seen."""
        end = self._seconds(self._history.rows)
        alarms = [replace(alarm, end_seconds=end) for alarm in self._open.values()]
        if self._burst is not None:
            alarms.append(replace(self._burst_alarm(self._burst), end_seconds=end))
        return alarms

    def _forget_everything(self) -> None:
        clusters = len(self._names)
        learning = self._bins(_LEARNING_SECONDS)
        self._history = History(clusters, self._kept, self._memory_bins, learning)
        self._machine_watch = MachineWatch(self._machines, self._duration_max)
        self._share_watch = ShareWatch(clusters, int(self._windows[-1]), self._duration_max)
        self._tracker = Tracker(
            self._history,
            self._positions,
            self._exponent,
            machines=self._machines,
            bin_seconds=self._bin_seconds,
            guard_bins=self._guard,
            fit_bins_max=self._bins(_FIT_SECONDS_MAX),
            quiet_bins=self._bins(_QUIET_SECONDS),
        )
        self._burst = None
        self._updated_row = 0
        self._open: dict[tuple[AlarmKind, int], Alarm] = {}

    def _table(self, samples: Mapping[str, Sample]) -> tuple[Floats, NDArray[np.bool_]]:
        """Return the samples as an array of (quantity, cluster), and which clusters there are."""
        rows = [
            (0, 0, 0, 0)
            if sample is None
            else (
                sample.affected_machines,
                sample.corrected,
                sample.uncorrected,
                sample.largest_machine,
            )
            for sample in map(samples.get, self._names)
        ]
        seen = np.array([name in samples for name in self._names], bool)
        unknown = samples.keys() - set(self._names) if len(samples) > seen.sum() else set()
        if unknown:
            raise ValueError(f"cluster {min(unknown)!r} is not one of the detector's sites")
        counts = np.array(rows, np.float64).reshape(-1, 4).T
        if (counts < 0).any():
            name = self._names[int(np.argmax((counts < 0).any(axis=0)))]
            raise ValueError(f"cluster {name!r}: a count is negative")
        return counts, seen

    def _skipped(self, time_seconds: int) -> int:
        """Return how many bins were left out before this one."""
        if self._first_seconds is None:
            self._first_seconds = time_seconds
        ahead = time_seconds - self._seconds(self._history.rows)
        if ahead < 0 or ahead % self._bin_seconds:
            raise ValueError(
                f"bin at {time_seconds} s: the next one starts at "
                f"{self._seconds(self._history.rows)} s or whole bins ({self._bin_seconds} s) later"
            )
        return ahead // self._bin_seconds

    def _take_out(self, cluster: int, start: int) -> None:
        start = max(start, self._history.oldest)
        self._history.forget(start, self._history.rows, self._only(cluster))

    def _only(self, cluster: int) -> NDArray[np.bool_]:
        one: NDArray[np.bool_] = np.arange(len(self._names)) == cluster
        return one

    def _bins(self, seconds: float) -> int:
        return max(1, round(seconds / self._bin_seconds))

    def _seconds(self, row: int) -> int:
        return (self._first_seconds or 0) + row * self._bin_seconds


def _positions(sites: Sequence[Site]) -> Floats:
    """Return the unit vector of each site, zeros where its place is not known."""
    places = [(site.latitude_degrees, site.longitude_degrees) for site in sites]
    known = np.array([None not in place for place in places], bool)
    angles = np.array([[value or 0.0 for value in place] for place in places]).reshape(-1, 2)
    vectors = unit_vectors(angles[:, 0], angles[:, 1])
    return np.where(known[:, None], vectors, 0.0)
