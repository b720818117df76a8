"""Claims about the lookup of outages, against a slow oracle that reads them all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults import outages
from sealedbeam.faults.machines import ClusterShape, FailureRates, make_schedule
from sealedbeam.faults.outages import Outage, OutageTable, Scope
from sealedbeam.pipeline.errors import UsageError

from tests.support.campaigns import make_plan

SIZES = {"a": 5, "b": 7}


@st.composite
def some_outages(draw: st.DrawFn) -> list[Outage]:
    found = []
    for _ in range(draw(st.integers(0, 12))):
        cluster = draw(st.sampled_from(sorted(SIZES)))
        first = draw(st.integers(0, SIZES[cluster] - 1))
        machines = draw(st.integers(1, SIZES[cluster] - first))
        start = draw(st.integers(0, 50))
        end = start + draw(st.integers(1, 30))
        found.append(Outage(Scope.RACK, cluster, first, machines, start, end, "x"))
    return found


def is_covered(found: list[Outage], cluster: str, machine: int, time: int) -> bool:
    """The oracle: some outage of this cluster holds this machine at this time."""
    return any(
        outage.cluster == cluster
        and outage.first_machine <= machine < outage.first_machine + outage.machines
        and outage.start_seconds <= time < outage.end_seconds
        for outage in found
    )


@given(some_outages())
def test_lookup_is_that_of_the_oracle(found: list[Outage]) -> None:
    """However outages overlap, each machine and second is answered right, alone and in arrays."""
    table = OutageTable(found, SIZES)
    for cluster, size in SIZES.items():
        machines, times = (axis.ravel() for axis in np.indices((size, 85)))
        expected = [
            is_covered(found, cluster, machine, time)
            for machine, time in zip(machines.tolist(), times.tolist(), strict=True)
        ]
        assert table.cover(cluster, machines, times).tolist() == expected
        assert [table.covers(cluster, machine, 40) for machine in range(size)] == [
            is_covered(found, cluster, machine, 40) for machine in range(size)
        ]


@given(some_outages(), st.integers(0, 85))
def test_what_is_up_is_what_nothing_holds(found: list[Outage], time: int) -> None:
    """The machines that are up are listed through all clusters; what holds one is the latest."""
    table = OutageTable(found, SIZES)
    machines = [(cluster, machine) for cluster, size in SIZES.items() for machine in range(size)]
    expected = [n for n, place in enumerate(machines) if not is_covered(found, *place, time)]
    assert expected == table.find_up(time).tolist()
    for cluster, machine in machines:
        holding = [each for each in found if is_covered([each], cluster, machine, time)]
        latest = max((each.start_seconds for each in holding), default=None)
        outage = table.find(cluster, machine, time)
        assert latest == (outage and outage.start_seconds)
        assert outage is None or outage in holding


def test_too_many_outages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than fits in memory, stated or by chance, is refused as it is planned, with a remedy."""
    monkeypatch.setattr(outages, "INTERVALS_MAX", 6)
    fire = {"scope": "overheating", "cluster": "b", "start_seconds": 0, "seconds": 10}
    clusters = [{"name": name, "machines": machines} for name, machines in SIZES.items()]
    make_plan(outages=[fire | {"machines": 6}], clusters=clusters)
    with pytest.raises(UsageError, match=r"7 failures of machines .* lower the acceleration"):
        make_plan(outages=[fire], clusters=clusters)
    with pytest.raises(UsageError, match=r"\d+ failures of machines .* lower the acceleration"):
        make_schedule(0, [ClusterShape("b", 7)], FailureRates(), 20 * 365 * 86_400)
