"""The supernova, told by Prometheus from the blocks that promtool made of a backfill."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import yaml
from prometheus_client.parser import text_string_to_metric_families
from sealedbeam.faults.sphere import fixed_position, zenith_cosine

from tests.servers.conftest import CONFIGS, Story

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.servers.daemons import Labels

CONDITION = (
    "network:sealedbeam_affected_machines:significance_without_best > 4.5"
    " and network:sealedbeam_clusters_raised:count >= 3"
)
STEP_SECONDS = 15
LOW = 0.1  # lower above the horizon the burst adds little


def clusters_by_side(story: Story) -> tuple[set[str], set[str]]:
    """Return the clusters that see the source well in the middle of the burst, and those behind."""
    (burst,) = story.plan["bursts"]
    middle = burst["start_seconds"] + burst["duration_seconds"] / 2
    seeing, behind = set(), set()
    for name, *_, hardware, (latitude, longitude, *_) in story.plan["clusters"]:
        zenith = fixed_position(latitude, longitude, middle)
        cosine = float(zenith_cosine(zenith, np.array(burst["direction"])))
        if cosine > LOW and hardware != "none":  # without it nothing is counted
            seeing.add(name)
        elif cosine <= 0:
            behind.add(name)
    return seeing, behind


def by_label(found: Mapping[Labels, float], name: str) -> dict[str, float]:
    return {dict(labels)[name]: value for labels, value in found.items()}


def test_totals_are_those_of_the_file(supernova: Story) -> None:
    """At the end every counter has the value that metrics.prom has, to the unit."""
    text = (supernova.job / "metrics.prom").read_text()
    expected = {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        if family.type == "counter"
        for sample in family.samples
    }
    found = supernova.server.query(
        f'{{__name__=~"sealedbeam_.+_total", job_name="{supernova.job_name}"}}',
        supernova.at(supernova.plan["duration_seconds"]),
    )
    actual = {
        (dict(labels)["__name__"], labels - {("__name__", dict(labels)["__name__"]), *own}): value
        for labels, value in found.items()
        for own in [{("job_name", supernova.job_name)}]
    }
    assert expected == actual


def test_burst_is_found_while_it_lasts_and_at_no_other_time(supernova: Story) -> None:
    """GeoBurst's condition holds from the first minutes to the end of the burst, and else never."""
    (burst,) = supernova.plan["bursts"]
    onset, end = burst["start_seconds"], burst["start_seconds"] + burst["duration_seconds"]
    found = supernova.server.query_range(
        CONDITION,
        supernova.at(0),
        supernova.at(supernova.plan["duration_seconds"]),
        STEP_SECONDS,
    )
    (times,) = found.values()
    raised = sorted(time - supernova.start for time in times)
    assert onset < raised[0] <= onset + 60
    assert end <= raised[-1] <= end + 180 + STEP_SECONDS  # a score looks back 3 minutes
    assert list(range(int(raised[0]), int(raised[-1]) + 1, STEP_SECONDS)) == raised


def test_only_clusters_that_face_the_source_are_raised(supernova: Story) -> None:
    """Five minutes into the burst the clusters that see it stand out; those behind it do not."""
    seeing, behind = clusters_by_side(supernova)
    assert len(seeing) >= 4
    assert len(behind) >= 4
    (burst,) = supernova.plan["bursts"]
    middle = supernova.at(burst["start_seconds"] + burst["duration_seconds"] / 2)
    score = "cluster:sealedbeam_affected_machines:zscore3m"
    raised = by_label(supernova.server.query(f"{score} > 4", middle), "cluster").keys()
    assert seeing <= raised
    assert behind.isdisjoint(raised)


def test_hardware_corrects_the_same_share_throughout(supernova: Story) -> None:
    """A flux of particles is no SickMachine and no UncorrectedShareShift in any cluster."""
    for condition in (
        "cluster:sealedbeam_ecc_errors_per_affected_machine:rate5m_to_quartile6h > 2",
        "cluster:sealedbeam_uncorrected_per_ecc_errors:zscore10m > 5",
    ):
        found = supernova.server.query_range(
            condition, supernova.at(0), supernova.at(1800), STEP_SECONDS
        )
        assert found == {}


def test_every_rule_recorded_something(supernova: Story) -> None:
    """Over the past each recording rule has made at least one sample."""
    for name in ("rules.yml", "network.yml"):
        for group in yaml.safe_load((CONFIGS / name).read_text())["groups"]:
            for rule in group["rules"]:
                found = supernova.server.query_range(
                    rule["record"], supernova.at(0), supernova.at(1800), STEP_SECONDS
                )
                assert found, rule["record"]
