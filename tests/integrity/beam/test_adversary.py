"""Every kind of damage in the middle of a pipeline: corrected, set aside or missed by the books."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import apache_beam as beam
import pytest
from sealedbeam.faults.transforms import InjectFaults
from sealedbeam.pipeline.integrity.transforms import Balance, Open, Seal

from tests.support.beam_orders import ORDERS, Gather, Order, make_orders
from tests.support.blocks import flip
from tests.support.campaigns import flips as flip_faults
from tests.support.campaigns import make_scenario

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sealedbeam.pipeline.integrity.transforms import Damaged, LedgerEntry

RUNNER = "FnApiRunner"
SEEDS = 12
SCENARIO = make_scenario(
    flip_faults("single_bit", 3000),
    flip_faults("double_bit", 3000),
    {"kind": "truncated_block", "per_block": 0.2},
)


def flips(data: bytes, chance: Random) -> list[bytes]:
    return [flip(data, *(chance.randrange(8 * len(data)) for _ in range(chance.randrange(1, 6))))]


def burst(data: bytes, chance: Random) -> list[bytes]:
    start = chance.randrange(len(data))
    return [data[:start] + chance.randbytes(8) + data[start + 8 :]]


def header(data: bytes, chance: Random) -> list[bytes]:
    return [chance.randbytes(chance.randrange(1, 120)).ljust(88, b"\0") + data[88:]]


def cut(data: bytes, chance: Random) -> list[bytes]:
    return [data[: chance.randrange(len(data))]]


def hole(data: bytes, chance: Random) -> list[bytes]:
    start = chance.randrange(len(data))
    return [data[:start] + data[start + chance.randrange(1, 200) :]]


def shuffle(data: bytes, chance: Random) -> list[bytes]:
    middle = chance.randrange(len(data))
    return [data[middle:] + data[:middle]]


def lose(data: bytes, chance: Random) -> list[bytes]:
    del data, chance
    return []


def double(data: bytes, chance: Random) -> list[bytes]:
    del chance
    return [data, data]


DAMAGING = (flips, burst, header, cut, hole, shuffle)


class Adversary(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Sends each sealed element, or the value of each pair, once for each damage and seed."""

    def __init__(self, *damaging: Any, seeds: int = SEEDS) -> None:
        self._damaging = damaging
        self._seeds = seeds

    def process(self, element: Any) -> Iterator[Any]:
        for damage in self._damaging:
            for seed in range(self._seeds):
                if isinstance(element, bytes):
                    yield from damage(element, Random(seed))
                else:
                    for value in damage(element[1], Random(seed)):
                        yield element[0], value


class Attacked(NamedTuple):
    """What came of an attack, and how often each order was sent."""

    arrived: list[Order]
    damaged: list[Damaged]
    ledger: list[LedgerEntry]
    times: int


def attack(adversary: beam.PTransform, times: int, *, keyed: bool) -> Attacked:
    """Return what comes of sealed orders that are attacked, each of them sent `times` times."""
    arrived, damaged, ledger = Gather(), Gather(), Gather()
    aside: list[beam.PCollection] = []
    with beam.Pipeline(runner=RUNNER) as pipeline:
        orders = make_orders(pipeline)
        pairs = orders | "Pair" >> beam.Map(pair).with_output_types(tuple[str, Order])
        given = pairs if keyed else orders
        hit = given | Seal(keyed=keyed) | adversary
        opened = hit | Open(damage=aside.append)
        sent = given | beam.FlatMap(lambda each: [each] * times)
        sides = {"in": sent, "out": opened, "aside": aside}
        _ = sides | Balance("attack", on_imbalance="emit") | "Ledger" >> ledger
        _ = aside | beam.Flatten() | "Damaged" >> damaged
        _ = opened | "Arrived" >> arrived
    values = [each[1] if keyed else each for each in arrived.found]
    return Attacked(values, damaged.found, ledger.found, times)


def pair(order: Order) -> tuple[str, Order]:
    return order.customer, order


def check_nothing_wrong(attacked: Attacked) -> None:
    """Assert that what arrived was sent, no oftener than that, and that the rest is not silent."""
    counts = Counter(attacked.arrived)
    assert set(counts) <= set(ORDERS)
    assert max(counts.values(), default=0) <= attacked.times
    nameless = sum(each.rows == 0 for each in attacked.damaged)
    aside = sum(each.rows for each in attacked.damaged)
    missing = len(ORDERS) * attacked.times - len(attacked.arrived) - aside
    assert (missing > 0) == (nameless > 0)
    # A value whose seal itself was hit cannot say under which digest it was sent.
    assert nameless or all(e.rows_in == e.rows_out + e.rows_aside for e in attacked.ledger)
    assert not nameless or not all(entry.balanced for entry in attacked.ledger)


@pytest.mark.parametrize("keyed", [False, True], ids=["blocks", "values"])
def test_no_wrong_element(keyed: bool) -> None:  # noqa: FBT001 - pytest's parameter
    """Whatever is done to the bytes, no element is wrong, and none is missing without notice."""
    step = beam.ParDo(Adversary(*DAMAGING))
    attacked = attack(step, SEEDS * len(DAMAGING), keyed=keyed)
    check_nothing_wrong(attacked)
    assert attacked.arrived
    assert {"bad_seal", "truncated"} <= {each.reason for each in attacked.damaged}


@pytest.mark.parametrize(
    ("damage", "word", "keyed"), [(lose, "lost", False), (double, "too many", True)]
)
def test_lost_and_doubled(damage: Any, word: str, keyed: bool) -> None:  # noqa: FBT001 - likewise
    """What is lost or doubled as a whole leaves no damage; the books miss it in each window."""
    attacked = attack(beam.ParDo(Adversary(damage, seeds=1)), 1, keyed=keyed)
    assert attacked.damaged == []
    assert [word in entry.finding for entry in attacked.ledger] == [True] * 3


def test_values_that_change_their_keys() -> None:
    """Values that are swapped between keys do not open, and are set aside under the key found."""

    def swap(each: tuple[str, bytes]) -> tuple[str, bytes]:
        partner = {"customer 1": "customer 3", "customer 3": "customer 1"}
        return partner.get(each[0], each[0]), each[1]

    attacked = attack(beam.Map(swap), 1, keyed=True)
    check_nothing_wrong(attacked)
    stayed = [order for order in ORDERS if order.customer not in {"customer 1", "customer 3"}]
    assert sorted(stayed) == sorted(attacked.arrived)
    assert {each.key for each in attacked.damaged} == {b"customer 1", b"customer 3"}


@pytest.mark.parametrize("keyed", [False, True], ids=["blocks", "values"])
def test_injected_faults(keyed: bool) -> None:  # noqa: FBT001 - pytest's parameter
    """Faults of the campaign's own injector, between Seal and Open, give no wrong element."""
    attacked = attack(Injected(keyed=keyed), 1, keyed=keyed)
    check_nothing_wrong(attacked)


class Injected(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """InjectFaults with a scenario so hard that most elements are hit."""

    def __init__(self, *, keyed: bool) -> None:
        super().__init__()
        self._keyed = keyed

    def expand(self, sealed: beam.PCollection) -> beam.PCollection:
        struck = InjectFaults(SCENARIO, seed=3, keyed=self._keyed)
        arrived, journal = sealed | struck
        _ = journal | beam.Map(lambda fault: fault.kind)
        return arrived
