"""Measures the burst detector on simulated fleets: how surely, how soon, how falsely, how exactly.

Every figure comes out of the streaming class itself. Detectors are warmed up on quiet hours, a
few for each rate; each trial goes on from a copy of one of them, so that the baseline is one that
was estimated, with the error that has. A trial is a burst of the mode `hemisphere` from a
direction drawn evenly over the sky, 600 seconds long, begun anywhere within a bin, while the Earth
turns. Quiet days have a storm per cluster and day. `--alone` lets one cluster rise by itself for
as long as a burst would last: what is raised then is false.

The seeds here serve for nothing else: what there is to choose in the detector was chosen on
others, but for two numbers that the README names. Intervals are Wilson's at 95 %, for quantiles
those of order statistics.
"""

from __future__ import annotations

import argparse
import copy
import sys
import time
from dataclasses import dataclass
from math import acos, ceil, degrees, erfc, sqrt
from typing import TYPE_CHECKING

import numpy as np
from sealedbeam.faults.bursts import Burst, Mode
from sealedbeam.faults.sphere import fixed_position, source_direction, unit_vector
from sealedbeam.monitoring.detection.burst_detector import AlarmKind, BurstDetector
from sealedbeam.monitoring.detection.sky import fibonacci_cap

from tests.support.fleet_counts import (
    as_samples,
    burst_rates,
    draw_counts,
    draw_storms,
    read_world,
    spread_fleet,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from sealedbeam.monitoring.detection.burst_detector import Alarm

    from tests.support.fleet_counts import Cluster

    Floats = NDArray[np.float64]

BIN_SECONDS = 10
BURST_SECONDS = 600
WARM_BINS = 1440
DETECTORS = 20
LEAD_BINS_MAX = 60
AFTER_BINS = 90
DAY_BINS = 86_400 // BIN_SECONDS
CONFIDENCE = 1.96
SEEN_RESPONSE = 0.2  # of a cluster that sees a burst: 12 degrees above its horizon
MANY_CLUSTERS = 4
ALONE_AMPLITUDES = (0.5, 1.0, 3.0, 19.0)
FLEETS = {"world": read_world, "spread": spread_fleet}
CASES = {6: (0.5, 1.0, 3.0), 60: (0.2, 0.5, 1.0), 600: (0.05, 0.1, 0.2)}


@dataclass(frozen=True, slots=True)
class Case:
    """What all trials of one figure have in common."""

    clusters: Sequence[Cluster]
    per_minute: float
    amplitude: float
    exponent: float = 1.0
    storms: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the detector made of one burst; None where it did not see it or did not say.

    Attributes:
        delay_seconds: from the true start to the detection.
        error_degrees: of the direction that the last alarm states.
        first_error_degrees: of the first one's.
        covered: whether the truth lies within the stated 90 % radius.
        onset_error_seconds: stated less true.
        end_error_seconds: likewise.
        alarms: of bursts, in the whole trial.
        seen_by: so many clusters, well above their horizons.
    """

    delay_seconds: float | None
    error_degrees: float | None
    first_error_degrees: float | None
    covered: bool | None
    onset_error_seconds: float | None
    end_error_seconds: float | None
    alarms: int
    seen_by: int


def warm_up(
    clusters: Sequence[Cluster], per_minute: float, seed: int, count: int = DETECTORS
) -> list[BurstDetector]:
    """Return detectors that have seen some quiet hours each."""
    names, machines = [c.name for c in clusters], np.array([c.machines for c in clusters])
    rates = np.full((WARM_BINS, len(clusters)), per_minute * BIN_SECONDS / 60)
    detectors = []
    for number in range(count):
        rng = np.random.default_rng([seed, number])
        detector = BurstDetector(clusters, BIN_SECONDS)
        for row, samples in enumerate(as_samples(names, draw_counts(rng, rates, machines))):
            detector.observe(row * BIN_SECONDS, samples)
        detectors.append(detector)
    return detectors


def run_trial(detector: BurstDetector, case: Case, rng: np.random.Generator) -> Outcome:
    """Let a warm detector see one burst."""
    clusters = case.clusters
    names, machines = [c.name for c in clusters], np.array([c.machines for c in clusters])
    first = WARM_BINS * BIN_SECONDS
    start = first + rng.uniform(0, LEAD_BINS_MAX) * BIN_SECONDS
    direction = source_direction(rng.uniform(0, 360), 90 - degrees(acos(rng.uniform(-1, 1))))
    burst = Burst(Mode.HEMISPHERE, start, direction, BURST_SECONDS, case.amplitude, case.exponent)
    bins = LEAD_BINS_MAX + BURST_SECONDS // BIN_SECONDS + AFTER_BINS
    starts = first + np.arange(bins) * BIN_SECONDS
    per_bin = np.full(len(clusters), case.per_minute * BIN_SECONDS / 60)
    rates = burst_rates(per_bin, clusters, burst, starts, BIN_SECONDS)
    extra = draw_storms(rng, per_bin, bins, BIN_SECONDS) if case.storms else None
    alarms: list[Alarm] = []
    for second, samples in zip(
        starts.tolist(), as_samples(names, draw_counts(rng, rates, machines, extra)), strict=True
    ):
        alarms += detector.observe(second, samples)
    seen_by = int((rates.max(axis=0) >= per_bin * (1 + SEEN_RESPONSE * case.amplitude)).sum())
    return judge([a for a in alarms if a.kind is AlarmKind.BURST], burst, seen_by)


def judge(alarms: Sequence[Alarm], burst: Burst, seen_by: int) -> Outcome:
    """Compare what was said about a burst with the truth."""
    identities = {alarm.detected_seconds for alarm in alarms}
    seen = [
        a
        for a in alarms
        if burst.start_seconds < a.detected_seconds <= burst.end_seconds + BIN_SECONDS
    ]
    if not seen:
        return Outcome(None, None, None, None, None, None, len(identities), seen_by)
    first = seen[0]
    last = [alarm for alarm in seen if alarm.detected_seconds == first.detected_seconds][-1]
    error = separation(last, burst)
    assert last.uncertainty_degrees is not None
    return Outcome(
        first.detected_seconds - burst.start_seconds,
        error,
        separation(first, burst),
        error <= last.uncertainty_degrees,
        last.onset_seconds - burst.start_seconds,
        None if last.end_seconds is None else last.end_seconds - burst.end_seconds,
        len(identities),
        seen_by,
    )


def run_alone(
    detectors: Sequence[BurstDetector],
    case: Case,
    trials: int,
    seed: int,
) -> int:
    """Return in how many trials one cluster that rises by itself is told as a burst."""
    clusters = case.clusters
    names, machines = [c.name for c in clusters], np.array([c.machines for c in clusters])
    bins = LEAD_BINS_MAX + BURST_SECONDS // BIN_SECONDS + AFTER_BINS
    false = 0
    for trial in range(trials):
        rng = np.random.default_rng([seed, 2, round(10 * case.amplitude), trial])
        detector = copy.deepcopy(detectors[trial % len(detectors)])
        rates = np.full((bins, len(clusters)), case.per_minute * BIN_SECONDS / 60)
        rows = slice(LEAD_BINS_MAX, LEAD_BINS_MAX + BURST_SECONDS // BIN_SECONDS)
        rates[rows, rng.integers(len(clusters))] *= 1 + case.amplitude
        false += any(
            alarm.kind is AlarmKind.BURST
            for row, samples in enumerate(as_samples(names, draw_counts(rng, rates, machines)))
            for alarm in detector.observe((WARM_BINS + row) * BIN_SECONDS, samples)
        )
    return false


def separation(alarm: Alarm, burst: Burst) -> float:
    """Return how far the stated direction is from the true one."""
    assert alarm.latitude_degrees is not None
    assert alarm.longitude_degrees is not None
    stated = fixed_position(alarm.latitude_degrees, alarm.longitude_degrees, burst.start_seconds)
    return degrees(acos(min(1.0, max(-1.0, float(stated @ np.array(burst.direction))))))


@dataclass(frozen=True, slots=True)
class Quiet:
    """What days without a burst showed."""

    days: float
    storms: int
    bursts: int
    sick_machines: int
    share_shifts: int
    seconds_per_bin: float


def run_quiet(clusters: Sequence[Cluster], per_minute: float, days: int, seed: int) -> Quiet:
    """Count the alarms of quiet days with storms, and time the detector."""
    names, machines = [c.name for c in clusters], np.array([c.machines for c in clusters])
    per_bin = np.full(len(clusters), per_minute * BIN_SECONDS / 60)
    rng = np.random.default_rng([seed, 1])
    detector = BurstDetector(clusters, BIN_SECONDS)
    raised: set[tuple[AlarmKind, str | None, int]] = set()
    spent, storms_seen = 0.0, 0
    for day in range(days):
        storms = draw_storms(rng, per_bin, DAY_BINS, BIN_SECONDS)
        storms_seen += round(len(clusters) * DAY_BINS * BIN_SECONDS / 86_400)
        counts = draw_counts(rng, np.tile(per_bin, (DAY_BINS, 1)), machines, storms)
        bins = list(as_samples(names, counts))
        begun = time.process_time()
        for row, samples in enumerate(bins):
            alarms = detector.observe((day * DAY_BINS + row) * BIN_SECONDS, samples)
            raised |= {(a.kind, a.cluster, a.detected_seconds) for a in alarms}
        spent += time.process_time() - begun
    bursts, sick, shifts = (sum(kind is wanted for kind, _, _ in raised) for wanted in AlarmKind)
    return Quiet(days, storms_seen, bursts, sick, shifts, spent / (days * DAY_BINS))


def share_interval(hits: int, trials: int) -> tuple[float, float]:
    """Return Wilson's interval of a share."""
    if not trials:
        return 0.0, 1.0
    share, z2 = hits / trials, CONFIDENCE**2
    middle = (share + z2 / (2 * trials)) / (1 + z2 / trials)
    half = sqrt(share * (1 - share) / trials + z2 / (4 * trials**2)) / (1 + z2 / trials)
    return middle - CONFIDENCE * half, middle + CONFIDENCE * half


def show_share(hits: int, trials: int) -> str:
    low, high = share_interval(hits, trials)
    return f"{hits / max(1, trials):.3f} ({low:.3f} to {high:.3f})"


def show_quantile(values: Sequence[float], level: float, unit: str = "") -> str:
    """Return a quantile and its interval from order statistics."""
    ordered, count = sorted(values), len(values)
    if not count:
        return "none"
    half = CONFIDENCE * sqrt(count * level * (1 - level))
    low, high = max(0, int(count * level - half)), min(count - 1, ceil(count * level + half))
    middle = float(np.quantile(ordered, level))
    return f"{middle:.1f}{unit} ({ordered[low]:.1f} to {ordered[high]:.1f})"


def describe(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the lines that tell of the trials of one case."""
    trials = len(outcomes)
    seen = [o for o in outcomes if o.delay_seconds is not None]
    delays = [o.delay_seconds for o in seen if o.delay_seconds is not None]
    errors = [o.error_degrees for o in seen if o.error_degrees is not None]
    firsts = [o.first_error_degrees for o in seen if o.first_error_degrees is not None]
    onsets = [o.onset_error_seconds for o in seen if o.onset_error_seconds is not None]
    ends = [o.end_error_seconds for o in seen if o.end_error_seconds is not None]
    within = {limit: sum(delay <= limit for delay in delays) for limit in (60, 120)}
    many = [o.delay_seconds or np.inf for o in outcomes if o.seen_by >= MANY_CLUSTERS]
    return [
        f"  detected before the end   {show_share(len(delays), trials)}",
        *(
            f"  detected within {limit:3d} s     {show_share(hits, trials)}"
            for limit, hits in within.items()
        ),
        *(
            f"  of {len(many)} seen by {MANY_CLUSTERS} clusters or more, within {limit:3d} s "
            f"{show_share(sum(delay <= limit for delay in many), len(many))}"
            for limit in within
        ),
        f"  delay, median             {show_quantile(delays, 0.5, ' s')}",
        f"  direction error, median   {show_quantile(errors, 0.5, ' deg')}",
        f"  direction error, p90      {show_quantile(errors, 0.9, ' deg')}",
        f"  the same when detected    {show_quantile(firsts, 0.5, ' deg')}",
        f"  90 % radius covers        {show_share(sum(bool(o.covered) for o in seen), len(seen))}",
        f"  onset error, p10          {show_quantile(onsets, 0.1, ' s')}",
        f"  onset error, p90          {show_quantile(onsets, 0.9, ' s')}",
        f"  end error, p10            {show_quantile(ends, 0.1, ' s')}",
        f"  end error, p90            {show_quantile(ends, 0.9, ' s')}",
        f"  told as several bursts    {sum(o.alarms > 1 for o in outcomes)} of {trials}",
    ]


def ideal_share(
    clusters: Sequence[Cluster], per_minute: float, amplitude: float, seconds: float
) -> float:
    """Return what a test would detect that knows direction, start and baselines, at 5 sigma."""
    places = np.array([(c.latitude_degrees, c.longitude_degrees) for c in clusters], float)
    sources = fibonacci_cap(np.array([0.0, 0.0, 1.0]), 180.0, 2000)
    rise = amplitude * np.maximum(0, unit_vector(places[:, 0], places[:, 1]) @ sources.T)
    mean = per_minute * seconds / 60
    sigmas = np.sqrt(2 * mean * ((1 + rise) * np.log1p(rise) - rise).sum(0))
    return float(np.mean([erfc((5 - sigma) / sqrt(2)) / 2 for sigma in sigmas.tolist()]))


def run_case(
    detectors: Sequence[BurstDetector], case: Case, trials: int, seed: int
) -> list[Outcome]:
    """Run all trials of a case."""
    key = [seed, round(case.per_minute), round(1000 * case.amplitude)]
    return [
        run_trial(
            copy.deepcopy(detectors[trial % len(detectors)]),
            case,
            np.random.default_rng([*key, trial]),
        )
        for trial in range(trials)
    ]


def show_case(case: Case, outcomes: Sequence[Outcome]) -> None:
    """Print the figures of a case."""
    ideal = ", ".join(
        f"{ideal_share(case.clusters, case.per_minute, case.amplitude, limit):.3f} in {limit} s"
        for limit in (60, 120, 600)
    )
    title = f"{case.per_minute:.0f} a minute, amplitude {case.amplitude}, {len(outcomes)} trials"
    lines = [title, *describe(outcomes), f"  ideal test at 5 sigma     {ideal}"]
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--trials", type=int, default=300, help="bursts of each case")
    parser.add_argument("--days", type=int, default=30, help="quiet days of each rate")
    parser.add_argument("--alone", type=int, default=0, help="trials of one cluster by itself")
    parser.add_argument("--rates", type=int, nargs="+", default=[60, 6, 600], choices=CASES)
    parser.add_argument("--fleet", choices=FLEETS, default="world")
    parser.add_argument("--seed", type=int, default=31_415)
    parser.add_argument("--exponent", type=float, default=1.0, help="p of the true response")
    parser.add_argument("--storms", action="store_true", help="storms in the trials too")
    return parser.parse_args()


def main() -> None:
    """Print the figures."""
    options = parse_options()
    clusters = FLEETS[options.fleet]()
    for per_minute in options.rates:
        warm = options.trials or options.alone
        detectors = warm_up(clusters, per_minute, options.seed) if warm else []
        for amplitude in CASES[per_minute] if options.trials else ():
            case = Case(clusters, per_minute, amplitude, options.exponent, options.storms)
            show_case(case, run_case(detectors, case, options.trials, options.seed))
        for amplitude in ALONE_AMPLITUDES if options.alone else ():
            case = Case(clusters, per_minute, amplitude)
            false = run_alone(detectors, case, options.alone, options.seed)
            sys.stdout.write(
                f"{per_minute} a minute, one cluster alone, amplitude {amplitude}: "
                f"false bursts {show_share(false, options.alone)}\n"
            )
            sys.stdout.flush()
        if options.days:
            quiet = run_quiet(clusters, per_minute, options.days, options.seed)
            sys.stdout.write(
                f"{per_minute} a minute, {quiet.days} quiet days, about {quiet.storms} storms\n"
                f"  false bursts {quiet.bursts}, sick machines {quiet.sick_machines}, "
                f"share shifts {quiet.share_shifts}\n"
                f"  {quiet.seconds_per_bin * 1e6:.0f} us of processor time a bin\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
