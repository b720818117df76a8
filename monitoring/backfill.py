"""Finished jobs as OpenMetrics text with the timestamps of their simulated clock.

A burst lives in simulated time: to be seen in Prometheus, each sample must bear the time at which
it would have been scraped there. `promtool tsdb create-blocks-from openmetrics` makes blocks of it.

Rules:
1. Every series of `metrics.prom` is there. A counter begins with a zero, has a sample at the end of
   each window, of all that was counted until then, and ends with what `metrics.prom` says.
2. A gauge of a cluster tells of the window that ends at the sample's time, and begins with the
   first one's. Gauges of the whole job have no simulated time and stand at their last value.
3. Windows are minutes, as the ledger's; for what machines themselves counted, the bins of their
   counters. A scenario of more than a day has longer windows, at most 1,440 of them.
4. What a campaign knows is written apart, or not at all. It is known of the whole job, so it is
   zero until the end.
5. Prometheus keeps the last hours in memory and does not look for blocks there, so the end lies
   more than 3 hours back; and its blocks begin at even hours, so the start is one: a scenario of
   up to 2 hours makes one block, not two.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sealedbeam.monitoring.serving.exposition import JOB_LABEL
from sealedbeam.pipeline.integrity.ledger import WINDOW_SECONDS

from . import metrics
from .collector import LedgerCollector, TruthCollector
from .timeline import (
    AFFECTED,
    ECC_CORRECTED,
    ECC_UNCORRECTED,
    build_timeline,
    fitting_window_seconds,
)
from .windows import split_view

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray
    from prometheus_client.metrics_core import Metric

    from .view import View

BLOCK_SECONDS = 2 * 3600
RECENT_SECONDS = 3 * 3600
_TOTAL = "_total"
_CLUSTER = "cluster"
_ESCAPED = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})
_OF_MACHINES = {
    ECC_CORRECTED: (metrics.ECC_ERRORS.name, (("outcome", "corrected"),)),
    ECC_UNCORRECTED: (metrics.ECC_ERRORS.name, (("outcome", "uncorrected"),)),
    AFFECTED: (metrics.AFFECTED_MACHINES.name, ()),
}

Labels = tuple[tuple[str, str], ...]


class Point(NamedTuple):
    """A value that a series has from the end of this window on; window 0 ends at the start."""

    window: int
    value: float


@dataclass(slots=True)
class Family:
    """A metric over time: of each label set the values that differ from those before, from 0 on."""

    name: str
    type: str
    unit: str
    help: str
    window_seconds: int
    windows: int
    series: dict[Labels, list[Point]] = field(default_factory=lambda: defaultdict(list))

    @property
    def is_counter(self) -> bool:
        """Whether values only grow."""
        return self.type == "counter"

    @property
    def sample_name(self) -> str:
        """The name that samples bear."""
        return self.name + _TOTAL if self.is_counter else self.name

    def add(self, labels: Labels, window: int, value: float) -> None:
        """Note what a window has: a counter grows by it, a gauge takes it."""
        points = self.series[labels]
        before = points[-1].value if points else 0.0
        after = before + value if self.is_counter else value
        if after != before:
            points.append(Point(window, after))


def duration_seconds(view: View) -> int:
    """Return the simulated time that a job spans; one without a scenario has a single window."""
    return view.campaign.duration_seconds if view.campaign else WINDOW_SECONDS


def choose_start(now_seconds: float, longest_seconds: int) -> int:
    """Return the latest start of a block with which jobs of up to this length can be imported."""
    latest = int(now_seconds) - RECENT_SECONDS - longest_seconds
    return max(0, latest // BLOCK_SECONDS * BLOCK_SECONDS)


def render_backfill(jobs: Mapping[str, View], start_seconds: int) -> Iterator[str]:
    """Yield the text of finished jobs, in pieces of whole lines.

    Args:
        jobs: by the name that becomes the label `job_name`.
        start_seconds: when the simulated clock began, in seconds since 1970.
    """
    return _render({name: trace(view) for name, view in jobs.items()}, start_seconds)


def render_truth(jobs: Mapping[str, View], start_seconds: int) -> Iterator[str]:
    """Yield what was injected into jobs and what escaped, likewise; each has a scenario."""
    return _render({name: trace_truth(view) for name, view in jobs.items()}, start_seconds)


def _render(histories: Mapping[str, Mapping[str, Family]], start_seconds: int) -> Iterator[str]:
    for name in dict.fromkeys(name for history in histories.values() for name in history):
        having = {job: history[name] for job, history in histories.items() if name in history}
        yield _render_head(next(iter(having.values())))
        for job, family in having.items():
            yield from _render_family(job, family, start_seconds)
    yield "# EOF\n"


def trace(view: View) -> dict[str, Family]:
    """Return the metrics of a finished job over its simulated time, by name."""
    last = {family.name: family for family in LedgerCollector(view).collect()}
    duration = duration_seconds(view)
    seconds = fitting_window_seconds(duration)
    windows = -(-duration // seconds)
    families = {
        name: Family(name, family.type, family.unit, family.documentation, seconds, windows)
        for name, family in last.items()
    }
    for number, part in enumerate(split_view(view, seconds, windows), 1):
        for found in LedgerCollector(part).collect():
            for sample in found.samples:
                families[found.name].add(tuple(sample.labels.items()), number, sample.value)
    _trace_machines(view, families, seconds)
    for name, family in families.items():
        _settle(family, last[name])
    return families


def trace_truth(view: View) -> dict[str, Family]:
    """Return what only its scenario knows of a job: zero, and at the end all of it."""
    duration = duration_seconds(view)
    seconds = fitting_window_seconds(duration)
    windows = -(-duration // seconds)
    families = {}
    for found in TruthCollector(view.campaign).collect() if view.campaign else ():
        family = Family(found.name, found.type, found.unit, found.documentation, seconds, windows)
        _settle(family, found)
        families[found.name] = family
    return families


def _trace_machines(view: View, families: Mapping[str, Family], seconds: int) -> None:
    """Replace what machines themselves counted by what a timeline has, at its finest grain."""
    grain = view.campaign.counter_bin_seconds if view.campaign else None
    is_fine = grain and seconds == WINDOW_SECONDS and WINDOW_SECONDS % grain == 0
    timeline = build_timeline(view, grain if grain and is_fine else seconds)
    for series, (name, labels) in _OF_MACHINES.items():
        family = families[name.removesuffix(_TOTAL)]
        family.window_seconds, family.windows = timeline.window_seconds, timeline.windows
        for site, counts in zip(timeline.sites, timeline.series[series], strict=True):
            points = family.series[(_CLUSTER, site.name), *labels]
            points[:] = _find_changes(counts.cumsum() if family.is_counter else counts)


def _find_changes(values: NDArray[np.int64]) -> list[Point]:
    """Return each value that differs from the one before; before the first there is a zero."""
    before, points = 0, []
    for window, value in enumerate(values.tolist(), 1):
        if value != before:
            points.append(Point(window, value))
            before = value
    return points


def _settle(family: Family, last: Metric) -> None:
    """Let counters end with what the whole job counted, and the job's own gauges never change."""
    for sample in last.samples:
        points = family.series[tuple(sample.labels.items())]
        if family.is_counter and (points[-1].value if points else 0) != sample.value:
            points.append(Point(family.windows, sample.value))
        elif not family.is_counter and _CLUSTER not in sample.labels:
            points[:] = [Point(0, sample.value)]


def _render_head(family: Family) -> str:
    unit = f"# UNIT {family.name} {family.unit}\n" if family.unit else ""
    text = family.help.translate(_ESCAPED)
    return f"# HELP {family.name} {text}\n# TYPE {family.name} {family.type}\n{unit}"


def _render_family(job: str, family: Family, start_seconds: int) -> Iterator[str]:
    for labels, points in family.series.items():
        pairs = ((JOB_LABEL, job), *labels)
        text = ",".join(f'{key}="{value.translate(_ESCAPED)}"' for key, value in pairs)
        yield "".join(
            f"{family.sample_name}{{{text}}} {value:.17g} {start_seconds + seconds}\n"
            for seconds, value in _sample(family, points)
        )


def _sample(family: Family, points: list[Point]) -> Iterator[tuple[int, float]]:
    """Yield the value at the end of each window, and when that is.

    What is told of a window has no value before the first one is over: a zero would be a lie that
    whoever looks for a rise falls for.
    """
    value, waiting = 0.0, iter(points)
    coming = next(waiting, None)
    starts = family.is_counter or (coming is not None and coming.window == 0)
    for window in range(0 if starts else 1, family.windows + 1):
        while coming is not None and coming.window <= window:
            value, coming = coming.value, next(waiting, None)
        yield window * family.window_seconds, value
