from __future__ import annotations

import heapq
import itertools
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl.politeness import HostQueues, Turn


class Request(NamedTuple):
    host: str
    address: str
    item: int
    begun: float
    ended: float


def simulate(
    queues: HostQueues[int], addresses: dict[str, str], durations: dict[str, float]
) -> list[Request]:
    """Run a worker on a clock of its own: every request takes its host's duration."""
    now, under_way, requests = 0.0, list[tuple[float, str]](), list[Request]()
    for _ in range(100_000):
        while (turn := queues.take(now)) is not None:
            address = addresses[turn.host]
            if not queues.resolve(turn.host, address, now):
                queues.put_back(turn.host, turn.item, now)
                continue
            ended = now + durations[turn.host]
            requests.append(Request(turn.host, address, turn.item, now, ended))
            heapq.heappush(under_way, (ended, turn.host))
        soonest = queues.next_seconds()
        times = [time for time in (soonest, under_way[0][0] if under_way else None) if time]
        if not times and not under_way:
            return requests
        now = max(now, min(times))
        while under_way and under_way[0][0] <= now:
            queues.done(heapq.heappop(under_way)[1], now)
    raise AssertionError("the scheduler does not come to an end")


HOSTS = st.dictionaries(
    st.sampled_from([f"host-{number}" for number in range(8)]),
    st.tuples(st.integers(1, 5), st.sampled_from("abc"), st.floats(0.01, 3)),
    min_size=1,
)


@given(HOSTS, st.floats(0.1, 2), st.sampled_from([0.0, 5.0]))
def test_everybody_is_asked_politely(
    hosts: dict[str, tuple[int, str, float]], delay: float, rate: float
) -> None:
    """All is asked once; to one host or address one at a time, with the delay between; in order."""
    queues: HostQueues[int] = HostQueues(delay, rate)
    for host, (count, _, _) in hosts.items():
        queues.add(host, range(count))
    addresses = {host: address for host, (_, address, _) in hosts.items()}
    durations = {host: duration for host, (_, _, duration) in hosts.items()}
    requests = simulate(queues, addresses, durations)
    assert len(queues) == 0
    for host, (count, _, _) in hosts.items():
        assert [request.item for request in requests if request.host == host] == list(range(count))
    for field in ("host", "address"):
        for key in {getattr(request, field) for request in requests}:
            ours = [request for request in requests if getattr(request, field) == key]
            for before, after in itertools.pairwise(ours):
                assert after.begun >= before.ended + delay - 1e-9
    if rate:
        begun = [request.begun for request in requests]
        assert all(b >= a + 1 / rate - 1e-9 for a, b in itertools.pairwise(begun))


def test_a_slow_host_holds_up_nobody() -> None:
    """While one host takes its time, all others get on."""
    queues: HostQueues[int] = HostQueues(1.0)
    queues.add("slow", range(2))
    queues.add("quick", range(50))
    addresses = {"slow": "1", "quick": "2"}
    requests = simulate(queues, addresses, {"slow": 1000.0, "quick": 0.1})
    quick = [request for request in requests if request.host == "quick"]
    assert quick[-1].ended < 60
    assert [request.begun for request in requests if request.host == "slow"] == [0.0, 1001.0]


def test_a_host_that_is_told_to_wait_waits() -> None:
    """A pause beyond the delay holds for the next request, and a longer delay for all of them."""
    queues: HostQueues[str] = HostQueues(1.0)
    queues.add("host", ["first", "second", "third"])
    assert queues.take(0.0) == Turn("host", "first")
    assert queues.take(0.0) is None
    queues.done("host", 2.0, wait_seconds=30)
    assert (queues.take(31.9), queues.next_seconds()) == (None, 32.0)
    assert queues.take(32.0) == Turn("host", "second")
    queues.slow_down("host", 5.0)
    queues.done("host", 33.0)
    assert (queues.take(37.9), queues.take(38.0)) == (None, Turn("host", "third"))


def test_items_that_are_added_while_a_host_rests_wait_for_it() -> None:
    """A host that comes back with new items keeps its distance from the last request."""
    queues: HostQueues[str] = HostQueues(10.0)
    queues.add("host", ["first"])
    assert queues.take(0.0) == Turn("host", "first")
    queues.done("host", 1.0)
    queues.add("host", ["second"])
    assert (queues.take(10.9), queues.take(11.0)) == (None, Turn("host", "second"))


def test_what_is_given_up_comes_back() -> None:
    """Giving up a host returns all that waited for it, and nothing of others."""
    queues: HostQueues[str] = HostQueues(1.0)
    queues.add("bad", ["a", "b", "c"])
    queues.add("good", ["d"])
    assert queues.take(0.0) == Turn("bad", "a")
    assert queues.give_up("bad") == ["b", "c"]
    queues.done("bad", 0.5)
    assert queues.take(0.5) == Turn("good", "d")
    assert (len(queues), queues.take(99.0), queues.next_seconds()) == (0, None, None)


def test_a_thousand_hosts_are_under_way_at_once() -> None:
    """Hosts do not wait for each other: with addresses of their own all begin at once."""
    queues: HostQueues[int] = HostQueues(1.0)
    for number in range(1000):
        queues.add(str(number), [0, 1], address=f"address-{number}")
    turns = [queues.take(0.0) for _ in range(1001)]
    assert len({turn.host for turn in turns if turn is not None}) == 1000
    assert turns[-1] is None


def test_what_was_asked_before_rests() -> None:
    """A host or an address that was asked elsewhere is left alone until then; others are not."""
    queues: HostQueues[int] = HostQueues(1.0)
    for host, address in (("a", "x"), ("b", "y"), ("c", "y"), ("d", "z")):
        queues.add(host, [1], address=address)
    queues.rest("a", 3.0)
    queues.rest_address("y", 5.0)
    begun = simulate(queues, dict(zip("abcd", "xyyz", strict=True)), dict.fromkeys("abcd", 0.5))
    assert [(request.host, request.begun) for request in begun] == [
        ("d", 0.0),
        ("a", 3.0),
        ("b", 5.0),
        ("c", 6.5),
    ]


def test_what_comes_first() -> None:
    """Items may be put before all that waits for their host, in their own order."""
    queues: HostQueues[int] = HostQueues(0.0)
    queues.add("a", [1, 2])
    queues.add("a", [8, 9], first=True)
    taken = simulate(queues, {"a": "x"}, {"a": 1.0})
    assert [request.item for request in taken] == [8, 9, 1, 2]
