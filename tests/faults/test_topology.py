"""Claims about places: pure, in proportion, and elsewhere at each retry."""

from __future__ import annotations

import itertools
import math
from collections import Counter

from sealedbeam.faults.topology import Cluster, Fleet

CLUSTERS = (Cluster("dublin", 3), Cluster("oregon", 1))


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
