"""Claims about the shipped scenarios: all are there, and say how far from real they are."""

from __future__ import annotations

from pathlib import Path

import pytest
from sealedbeam.faults.plan import make_plan
from sealedbeam.faults.scenario import load_scenario

FOLDER = Path(__file__).parents[2] / "configs" / "scenarios"
SHIPPED = sorted(FOLDER.glob("*.yaml"))
NAMES = {
    "1999",
    "bad-dimm",
    "bitflips",
    "cascade-fire",
    "everything",
    "machine-loss",
    "mercurial-core",
    "quiet-year",
    "solar-event",
    "supernova",
}


def test_all_stories_are_shipped() -> None:
    """There is a scenario for each story that the documents tell."""
    assert {path.stem for path in SHIPPED} >= NAMES


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_scenario_is_valid_and_explains_itself(path: Path) -> None:
    """Each shipped scenario resolves, and its comment names the acceleration and how to rescale."""
    plan = make_plan(load_scenario(path), seed=0)
    assert plan.kinds
    words = " ".join(path.read_text().replace("#", " ").split())
    assert "ACCELERATED" in words
    assert "larger" in words or "the size of pages" in words or "pages of 50 KiB" in words
    for _, factor in plan.accelerations:
        assert factor >= 1


def burst_factors(name: str) -> dict[str, float]:
    """Return by how much a burst at its highest raises the rate of each cluster."""
    plan = make_plan(load_scenario(FOLDER / f"{name}.yaml"), seed=0)
    burst = plan.bursts[0]
    times = range(int(burst.start_seconds), int(burst.end_seconds), 30)
    return {
        cluster.name: max(plan.exposure.healthy_factor(cluster.name, time) for time in times)
        / cluster.flux_factor
        for cluster in plan.clusters
    }


def test_supernova_reaches_one_side_of_the_earth() -> None:
    """Clusters around the Atlantic see it rise many times, those behind the Earth not at all."""
    factors = burst_factors("supernova")
    assert min(factors[name] for name in ("dublin", "council-bluffs", "queretaro")) > 5
    assert {factors[name] for name in ("tokyo", "singapore", "sydney")} == {1.0}


def test_solar_event_reaches_high_latitudes() -> None:
    """High latitudes see it rise many times, the tropics next to nothing."""
    factors = burst_factors("solar-event")
    assert min(factors["hamina"], factors["dublin"]) > 5
    assert max(factors["singapore"], factors["mumbai"]) < 1.05
