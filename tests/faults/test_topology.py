"""Claims about places: pure, in proportion; a retry is elsewhere, on a machine that is up."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.outages import Outage, OutageTable, Scope
from sealedbeam.faults.topology import Cluster, Fleet

CLUSTERS = (Cluster("dublin", 3), Cluster("oregon", 1))
SIZES = {"dublin": 3, "oregon": 1}
ALWAYS = (0, 600)


def identity(number: int) -> bytes:
    return b"record %d" % number


def test_place_is_a_pure_function() -> None:
    """The same arguments give the same place, whatever was asked before and in which object."""
    asked = [(identity(n), hop, attempt) for n in range(20) for hop in "ab" for attempt in (1, 2)]
    one, other = Fleet(CLUSTERS, 600, 9), Fleet(CLUSTERS, 600, 9)
    forward = [one.place(*question) for question in asked]
    backward = [other.place(*question) for question in reversed(asked)]
    assert forward == backward[::-1]
    assert forward != [Fleet(CLUSTERS, 600, 10).place(*question) for question in asked]


def test_retry_lands_on_another_machine() -> None:
    """No two attempts in a row share a machine, even in a fleet of two."""
    fleet = Fleet((Cluster("a", 1), Cluster("b", 1)), 600, 0)
    for number in range(200):
        places = [fleet.place(identity(number), "pages", attempt) for attempt in range(1, 6)]
        for before, after in itertools.pairwise(places):
            assert before[:2] != after[:2]


def test_machines_share_the_records() -> None:
    """Each of the four machines gets its quarter, within 4 sigma, at retries too."""
    fleet = Fleet(CLUSTERS, 600, 0)
    for attempt in (1, 2):
        counts = Counter(fleet.place(identity(n), "runs", attempt)[:2] for n in range(4000))
        assert sorted(counts) == [
            ("dublin", "machine-00000"),
            ("dublin", "machine-00001"),
            ("dublin", "machine-00002"),
            ("oregon", "machine-00000"),
        ]
        sigma = math.sqrt(4000 * 0.25 * 0.75)
        assert all(abs(count - 1000) <= 4 * sigma for count in counts.values())


def test_time_spans_the_scenario_and_goes_forward() -> None:
    """Times lie in the scenario; the same at every hop, and a retry is not before its attempt."""
    fleet = Fleet(CLUSTERS, 600, 0)
    times = []
    for number in range(500):
        name = identity(number)
        first, again = (fleet.place(name, "pages", n).time_seconds for n in (1, 2))
        assert 0 <= first <= again < 600
        assert first == fleet.place(name, "documents", 1).time_seconds
        times.append(first)
    assert min(times) < 30
    assert max(times) > 570


def fleet_without(down: list[tuple[str, int, tuple[int, int]]]) -> Fleet:
    """Return a fleet of which these machines are down from the first second to the last."""
    outages = [Outage(Scope.MACHINE, name, n, 1, *span, "x") for name, n, span in down]
    return Fleet(CLUSTERS, 600, 0, OutageTable(outages, SIZES))


MACHINES = [(name, number) for name, count in SIZES.items() for number in range(count)]
SPANS = st.tuples(st.integers(0, 600), st.integers(1, 600)).map(lambda s: (s[0], s[0] + s[1]))
SOME_DOWN = st.lists(
    st.tuples(st.sampled_from(MACHINES), SPANS).map(lambda pair: (*pair[0], pair[1])), max_size=8
)


@given(SOME_DOWN, st.binary(min_size=1, max_size=4), st.integers(2, 4))
def test_retry_lands_on_a_machine_that_is_up(
    down: list[tuple[str, int, tuple[int, int]]], name: bytes, attempt: int
) -> None:
    """It is up at the time of the retry, and another one if any other is up; oracle: all four."""
    fleet = fleet_without(down)
    before, after = (fleet.spot(name, "pages", number) for number in (attempt - 1, attempt))
    held = {(n, m) for n, m, (start, end) in down if start <= after.time_seconds < end}
    up = [machine for machine in MACHINES if machine not in held]
    old, new = ((spot.cluster.name, spot.machine) for spot in (before, after))
    others = [machine for machine in up if machine != old]
    assert new in (others or up or MACHINES)
    assert up == [old] or new != old
    assert after.time_seconds == Fleet(CLUSTERS, 600, 0).spot(name, "pages", attempt).time_seconds


def test_retry_goes_to_all_that_are_up_alike() -> None:
    """With most of a large fleet down, those that are up share the retries, within 4 sigma."""
    clusters = (Cluster("dublin", 5000),)
    outage = Outage(Scope.OVERHEATING, "dublin", 2, 4996, 0, 600, "x")
    fleet = Fleet(clusters, 600, 0, OutageTable([outage], {"dublin": 5000}))
    spots = [fleet.spot(identity(number), "pages", 2) for number in range(4000)]
    counts = Counter(spot.machine for spot in spots)
    assert sorted(counts) == [0, 1, 4998, 4999]
    assert all(abs(count - 1000) <= 4 * math.sqrt(750) for count in counts.values())


@pytest.mark.parametrize("attempt", [1, 2, 3])
def test_first_delivery_knows_nothing_of_outages(attempt: int) -> None:
    """What is in flight on a machine that fails is there; only retries avoid what is down."""
    usual, fleet = Fleet(CLUSTERS, 600, 0), fleet_without([("dublin", 1, ALWAYS)])
    names = [identity(number) for number in range(200)]
    same = [fleet.spot(n, "pages", attempt) == usual.spot(n, "pages", attempt) for n in names]
    assert all(same) == (attempt == 1)
