"""Claims about the schedule of failures: as often as stated, together as stated, never endless."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter

import pytest
from sealedbeam.faults.machines import (
    YEAR_SECONDS,
    ClusterShape,
    FailureRates,
    make_schedule,
)
from sealedbeam.faults.outages import Outage, OutageTable, Scope
from sealedbeam.pipeline.errors import UsageError

Outages = tuple[Outage, ...]

YEAR = int(YEAR_SECONDS)
CLUSTERS = tuple(ClusterShape(f"cluster-{number}", 1800) for number in range(10))
MACHINE_YEARS = 18_000
# Gaps of this shape spread counts more than Poisson's, families of mean m by 1 / (1 - m)^3.
OVERDISPERSION = 1.81 / (1 - 0.217) ** 3


@pytest.fixture(scope="module")
def year() -> Outages:
    """A year of ten clusters."""
    return make_schedule(1, CLUSTERS, FailureRates(), YEAR)


def count_scopes(schedule: Outages) -> Counter[Scope]:
    """Return how many causes each scope has."""
    return Counter(scope for scope, _ in {(each.scope, each.cause_id) for each in schedule})


def test_machines_fail_as_often_as_stated(year: Outages) -> None:
    """0.56 failures for each machine and year, cascades included, within 3 sigma."""
    failures = sum(each.scope is Scope.MACHINE for each in year)
    mean = 0.56 * MACHINE_YEARS
    assert abs(failures - mean) <= 3 * math.sqrt(mean * OVERDISPERSION)


@pytest.mark.parametrize(
    ("scope", "per_cluster_year"),
    [
        (Scope.RACK, 20),
        (Scope.WONKY_RACK, 5),
        (Scope.POWER, 3 / 2.4),
        (Scope.OVERHEATING, 0.5),
        (Scope.NETWORK, 3),
        (Scope.SLOW_MACHINE, 180),
    ],
)
def test_groups_fail_as_often_as_stated(scope: Scope, per_cluster_year: float) -> None:
    """Over four years of ten clusters, counts of each scope are within 3 sigma of Poisson's."""
    rates = dataclasses.replace(FailureRates(), per_machine_year=0.0)
    causes = sum(
        count_scopes(make_schedule(seed, CLUSTERS, rates, YEAR))[scope] for seed in range(4)
    )
    mean = 4 * 10 * per_cluster_year
    assert abs(causes - mean) <= 3 * math.sqrt(mean)


def test_failures_have_company_as_often_as_stated(year: Outages) -> None:
    """Some 37 % of the machines that fail do so with others of the same cause, within 2 %."""
    families = Counter(each.cause_id for each in year if each.scope is Scope.MACHINE)
    together = sum(size for size in families.values() if size > 1)
    assert together / sum(families.values()) == pytest.approx(0.37, abs=0.02)


def test_cascades_are_quick_and_near(year: Outages) -> None:
    """Of two failures with one cause the second comes within 120 s, four in five in the rack."""
    families: dict[str, list[tuple[int, int]]] = {}
    for each in year:
        if each.scope is Scope.MACHINE:
            families.setdefault(each.cause_id, []).append((each.start_seconds, each.first_machine))
    pairs = [family for family in families.values() if len(family) == 2]
    assert all(second[0] - first[0] <= 120 for first, second in pairs)
    near = sum(first[1] // 40 == second[1] // 40 for first, second in pairs)
    assert near / len(pairs) == pytest.approx(0.8 + 0.2 / 45, abs=0.04)


def test_avalanche_is_stopped() -> None:
    """Where each failure raises five others, a rack loses no more than 10 a day to cascades."""
    rates = FailureRates(raised=5.0, raised_in_rack=1.0, per_machine_year=10.0)
    outages = make_schedule(1, CLUSTERS[:1], rates, 86_400)
    families = Counter(each.cause_id for each in outages if each.scope is Scope.MACHINE)
    assert families
    racks = Counter(each.first_machine // 40 for each in outages if each.scope is Scope.MACHINE)
    firsts = {each.cause_id: each.first_machine // 40 for each in reversed(outages)}
    begun = Counter(firsts[cause] for cause in families)
    assert max(racks[rack] - begun[rack] for rack in racks) == 10


def test_overheating_takes_most_of_a_cluster_in_five_minutes() -> None:
    """Neighbouring racks follow each other from one on, nine in ten within 300 s, for a day."""
    rates = FailureRates(per_machine_year=0, overheating_per_cluster_year=3)
    outages = make_schedule(2, CLUSTERS, rates, YEAR)
    fires: dict[str, list[tuple[int, int, int]]] = {}
    for each in outages:
        if each.scope is Scope.OVERHEATING:
            down = each.end_seconds - each.start_seconds
            fires.setdefault(each.cause_id, []).append(
                (each.start_seconds, each.first_machine // 40, down)
            )
    assert fires
    for fire in fires.values():
        origin = min(fire)
        assert len({rack for _, rack, _ in fire}) == 41
        assert max(fire)[0] - origin[0] < 300
        assert min(down for _, _, down in fire) >= 86_400 - 300
        distances = [abs(rack - origin[1]) for _, rack, _ in sorted(fire)]
        assert distances == sorted(distances)


def test_schedule_is_in_order_and_within_the_clusters(year: Outages) -> None:
    """Starts are in order and in the run; a table of a cluster's machines holds each outage."""
    starts = [each.start_seconds for each in year]
    assert starts == sorted(starts)
    assert starts[0] >= 0
    assert starts[-1] < YEAR + 300
    table = OutageTable(year, {cluster.name: cluster.machines for cluster in CLUSTERS})
    assert len(table) == sum(each.machines for each in year)
    for each in year[::50]:
        for machine in (each.first_machine, each.first_machine + each.machines - 1):
            assert table.covers(each.cluster, machine, each.start_seconds)
            assert table.covers(each.cluster, machine, each.end_seconds - 1)


def test_same_seed_same_schedule_and_other_clusters_shift_nothing() -> None:
    """The schedule is a function of the seed, and a cluster's of its name."""
    rates, duration = FailureRates(), YEAR // 4
    first = make_schedule(1, CLUSTERS[:2], rates, duration)
    assert first == make_schedule(1, CLUSTERS[:2], rates, duration)
    assert first != make_schedule(2, CLUSTERS[:2], rates, duration)
    alone = make_schedule(1, CLUSTERS[1:2], rates, duration)
    assert [each for each in first if each.cluster == "cluster-1"] == list(alone)


def test_acceleration_multiplies_failures_and_repair_shortens_them() -> None:
    """A minute at 500,000 times the rate has the failures of a year, each as short as told."""
    rates = FailureRates(acceleration=YEAR / 60, repair_factor=1e-3)
    outages = make_schedule(1, CLUSTERS[:1], rates, 60)
    failures = [each for each in outages if each.scope is Scope.RACK]
    assert abs(len(failures) - 20) <= 3 * math.sqrt(20)
    assert all(3 <= each.end_seconds - each.start_seconds <= 21 for each in failures)


def test_nothing_fails_without_rates() -> None:
    """Acceleration 0 is a year of peace."""
    assert make_schedule(1, CLUSTERS, FailureRates(acceleration=0.0), YEAR) == ()


def test_floods_are_refused_before_they_are_drawn() -> None:
    """More than a million outages are a mistake, told at once."""
    with pytest.raises(UsageError, match="outages are to be expected, 1,000,000 are allowed"):
        make_schedule(1, CLUSTERS, FailureRates(acceleration=1e6), YEAR)


def test_small_clusters_have_small_racks() -> None:
    """A cluster of three machines has one rack, and nothing outside of it fails."""
    outages = make_schedule(1, [ClusterShape("tiny", 3)], FailureRates(), 20 * YEAR)
    assert {each.scope for each in outages} >= {Scope.MACHINE, Scope.RACK, Scope.OVERHEATING}
    assert all(each.first_machine + each.machines <= 3 for each in outages)
