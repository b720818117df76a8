"""Claims about the lookup of outages, against a slow oracle that reads them all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults import outages
from sealedbeam.faults.outages import Outage, OutageTable, Scope
from sealedbeam.pipeline.errors import UsageError

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


def test_too_many_outages_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What would not fit in memory is a mistake of the scenario's, and the remedy is named."""
    monkeypatch.setattr(outages, "INTERVALS_MAX", 6)
    fire = Outage(Scope.OVERHEATING, "b", 0, 7, 0, 10, "x")
    with pytest.raises(UsageError, match=r"7 failures of machines .* lower the acceleration"):
        OutageTable([fire], SIZES)
