"""What the error counters of a fleet show, bin by bin, drawn with known rates, bursts and storms.

Every machine of a cluster errs as often as every other, independently; a burst multiplies all of a
cluster's rates alike. A storm is one more machine that errs on its own: as often as its whole
cluster does in quiet times, for ten minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import yaml
from sealedbeam.faults.bursts import BurstSite, mean_multipliers
from sealedbeam.monitoring.detection.burst_detector import Sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray
    from sealedbeam.faults.bursts import Burst

    Floats = NDArray[np.float64]
    Counts = NDArray[np.int64]

WORLD = Path(__file__).parents[2] / "configs" / "clusters" / "world.yaml"
STORM_SECONDS = 600
UNCORRECTED_SHARE = 0.1
_REPEATS_MAX = 12


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster of the simulated fleet."""

    name: str
    latitude_degrees: float | None
    longitude_degrees: float | None
    machines: int


def read_world() -> tuple[Cluster, ...]:
    """Return the twelve clusters that the scenarios use."""
    rows = yaml.safe_load(WORLD.read_text())["clusters"]
    return tuple(
        Cluster(row["name"], row["latitude"], row["longitude"], row["machines"]) for row in rows
    )


def spread_fleet() -> tuple[Cluster, ...]:
    """Return twelve clusters in cities spread so that no side of the Earth is bare of them."""
    places = {
        "anchorage": (61.22, -149.9),
        "reykjavik": (64.15, -21.94),
        "honolulu": (21.31, -157.86),
        "ashburn": (39.04, -77.49),
        "lagos": (6.46, 3.39),
        "dubai": (25.2, 55.27),
        "tokyo": (35.68, 139.69),
        "perth": (-31.95, 115.86),
        "auckland": (-36.85, 174.76),
        "santiago": (-33.45, -70.67),
        "cape-town": (-33.92, 18.42),
        "papeete": (-17.54, -149.57),
    }
    return tuple(Cluster(name, *place, 1800) for name, place in places.items())


def burst_rates(
    per_bin: Floats, clusters: Sequence[Cluster], burst: Burst, starts: Counts, bin_seconds: int
) -> Floats:
    """Return the rate of each bin (row) and cluster, a burst included."""
    sites = [
        BurstSite(cluster.latitude_degrees or 0.0, cluster.longitude_degrees or 0.0)
        for cluster in clusters
    ]
    factors = [mean_multipliers([burst], sites, start, start + bin_seconds) for start in starts]
    return per_bin * np.array(factors)


def draw_storms(
    rng: np.random.Generator, per_bin: Floats, bins: int, bin_seconds: int, per_day: float = 1.0
) -> Counts:
    """Return what one sick machine of each cluster adds to each bin (row)."""
    added = np.zeros((bins, len(per_bin)), np.int64)
    length = STORM_SECONDS // bin_seconds
    expected = per_day * bins * bin_seconds / 86_400
    for cluster, rate in enumerate(per_bin):
        for start in rng.integers(1 - length, bins, rng.poisson(expected)):
            rows = slice(max(0, start), start + length)
            added[rows, cluster] += rng.poisson(rate, len(added[rows]))
    return added


def draw_counts(
    rng: np.random.Generator, rates: Floats, machines: Counts, storms: Counts | None = None
) -> Counts:
    """Return distinct machines, corrected, uncorrected and the largest machine's errors.

    Exact: machines that erred at all are binomial, and of those with j errors the ones with more
    are binomial again.

    Args:
        rng: of the draws.
        rates: errors of each bin (row) and cluster.
        machines: of each cluster.
        storms: errors of one sick machine of each bin and cluster.

    Returns:
        An array of (bin, cluster, 4).
    """
    mean = rates / machines
    at_least = [-np.expm1(-mean)]
    chance = np.exp(-mean)
    for repeats in range(1, _REPEATS_MAX):
        chance = chance * mean / repeats
        at_least.append(np.maximum(at_least[-1] - chance, 0))
    with_more = rng.binomial(np.broadcast_to(machines, rates.shape), at_least[0])
    affected, total, largest = with_more.copy(), with_more.copy(), (with_more > 0).astype(np.int64)
    for fewer, more in pairwise(at_least):
        with_more = rng.binomial(with_more, np.clip(more / np.maximum(fewer, 1e-300), 0, 1))
        total += with_more
        largest += with_more > 0
        if not with_more.any():
            break
    if storms is not None:
        affected, total = affected + (storms > 0), total + storms
        largest = np.maximum(largest, storms)
    uncorrected = rng.binomial(total, UNCORRECTED_SHARE)
    return np.stack([affected, total - uncorrected, uncorrected, largest], axis=-1)


def as_samples(names: Sequence[str], counts: Counts) -> Iterator[Mapping[str, Sample]]:
    """Yield what the detector is given for each bin."""
    for row in counts.tolist():
        yield {name: Sample(*values) for name, values in zip(names, row, strict=True)}
