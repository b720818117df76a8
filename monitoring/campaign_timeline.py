"""When and where the faults of a scenario struck: a lane for each cluster, bursts framed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .markup import Markup, join, tag
from .plots import Lane, Span, draw_timeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Cells = Sequence[Mapping[str, Any]]
    Scenario = Mapping[str, Any]

_FACES_SOURCE = 1.05
_DAY_SECONDS, _HOUR_SECONDS, _MINUTE_SECONDS = 86_400, 3600, 60


def draw_time(scenario: Scenario, cells: Cells) -> Markup:
    """Return the timeline of the last protection, whose retries show too, over all seeds."""
    last = cells[-1]
    chosen = [
        cell
        for cell in cells
        if (cell["protection"], cell["on_damage"]) == (last["protection"], last["on_damage"])
    ]
    seconds = last["timeline"]["bin_seconds"]
    lanes = [
        Lane(_describe_cluster(cluster), f"{sum(numbers):,} faults", numbers)
        for cluster in sorted(scenario["clusters"], key=_by_burst)
        for numbers in [
            _add_up(cell["timeline"]["clusters"][cluster["cluster"]] for cell in chosen)
        ]
    ]
    spans = [
        Span(
            burst["start_seconds"] / seconds,
            min(burst["end_seconds"], scenario["duration_seconds"]) / seconds,
            f"burst ({burst['mode']})",
        )
        for burst in scenario["bursts"]
    ]
    title = f"Faults of each cluster over time, under {last['protection']}, {last['on_damage']}"
    ends = ("0", _describe_seconds(scenario["duration_seconds"]))
    note = f"Each column is {_describe_seconds(seconds)}. {_describe_sides(scenario, chosen)}"
    return join((draw_timeline(title, lanes, spans, ends), tag("p", note, class_="dim")))


def _by_burst(cluster: Mapping[str, Any]) -> tuple[float, str]:
    return -cluster["burst_factor"], cluster["cluster"]


def _describe_cluster(cluster: Mapping[str, Any]) -> str:
    factor = cluster["burst_factor"]
    faces = f", x {factor:.1f}" if factor > _FACES_SOURCE else ""
    return f"{cluster['cluster']} ({cluster['hardware']}){faces}"


def _describe_sides(scenario: Scenario, cells: Cells) -> str:
    """Return how many faults fell on both sides of the Earth while a burst lasted, and else."""
    if not scenario["bursts"]:
        return ""
    facing = {c["cluster"] for c in scenario["clusters"] if c["burst_factor"] > _FACES_SOURCE}
    inside, outside = {True: 0, False: 0}, {True: 0, False: 0}
    for cell in cells:
        seconds = cell["timeline"]["bin_seconds"]
        for name, numbers in cell["timeline"]["clusters"].items():
            for column, number in enumerate(numbers):
                lit = any(
                    burst["start_seconds"] <= column * seconds < burst["end_seconds"]
                    for burst in scenario["bursts"]
                )
                (inside if lit else outside)[name in facing] += number
    return (
        f"During the burst {inside[True]:,} faults struck the {len(facing)} clusters that it "
        f"reaches and {inside[False]:,} the others; in the rest of the time {outside[True]:,} "
        f"and {outside[False]:,}. The factor behind a cluster's name is the burst at its highest."
    )


def _add_up(rows: Iterable[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*rows, strict=True)]


def _describe_seconds(seconds: int) -> str:
    for name, length in (
        ("days", _DAY_SECONDS),
        ("hours", _HOUR_SECONDS),
        ("minutes", _MINUTE_SECONDS),
    ):
        if seconds >= 2 * length:
            return (
                f"{seconds / length:g} {name}"
                if seconds % length == 0
                else (f"{seconds / length:.1f} {name}")
            )
    return f"{seconds} seconds"
