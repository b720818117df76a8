from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apache_beam as beam
import pytest
from apache_beam.transforms import trigger, window
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.beam.reconcile import judge
from sealedbeam.pipeline.integrity.beam.tallies import Account, AddTallies, pack, unpack
from sealedbeam.pipeline.integrity.transforms import Balance, Reconcile

from tests.support.beam_orders import ORDERS, Gather, Order, make_orders
from tests.support.blocks import every_flip, flip

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

RUNNER = "FnApiRunner"
NUMBERS = st.lists(st.tuples(st.integers(0, 99), st.integers(0, (1 << 128) - 1)), max_size=9)


class FaultyGrouping(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Groups orders by customer, with a fault done to one of the groups."""

    def __init__(self, fault: Any = None) -> None:
        super().__init__()
        self._fault = fault

    def expand(self, pairs: beam.PCollection) -> beam.PCollection:
        grouped = pairs | beam.GroupByKey()
        return grouped if self._fault is None else grouped | beam.FlatMapTuple(self._fault)


def lose(key: str, values: Iterable[Order]) -> Iterator[tuple[str, list[Order]]]:
    yield key, list(values)[key == "customer 3" :]


def lose_first(key: str, values: Iterable[Order]) -> Iterator[tuple[str, list[Order]]]:
    yield key, [each for each in values if each.second]


def double(key: str, values: Iterable[Order]) -> Iterator[tuple[str, list[Order]]]:
    found = list(values)
    yield key, found + found[: key == "customer 3"]


def swap(key: str, values: Iterable[Order]) -> Iterator[tuple[str, list[Order]]]:
    yield {"customer 3": "customer 1", "customer 1": "customer 3"}.get(key, key), list(values)


def flip_one(key: str, values: Iterable[Order]) -> Iterator[tuple[str, list[Order]]]:
    found = list(values)
    yield key, [found[0]._replace(price=found[0].price ^ 1), *found[1:]]


def ungroup(group: tuple[str, Iterable[Order]]) -> list[tuple[str, Order]]:
    return [(group[0], each) for each in group[1]]


def reconcile(transform: beam.PTransform, **options: Any) -> tuple[Gather, Gather]:
    """Return the results and the ledger."""
    results, ledger = Gather(), Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        keyed = make_orders(pipeline) | beam.Map(lambda o: (o.customer, o))
        typed = keyed | "Type" >> beam.Map(lambda p: p).with_output_types(tuple[str, Order])
        _ = typed | Reconcile(transform, ledger=ledger, **options) | results
    return results, ledger


def test_grouping_is_balanced() -> None:
    """Around a GroupByKey every order is found again, by window and key space."""
    results, ledger = reconcile(beam.GroupByKey(), by=lambda pair: pair[0], name="by customer")
    assert len(ORDERS) == sum(len(list(values)) for _, values in results.found)
    expected = {
        (f"[{start}.0, {start + 5}.0)", order.customer)
        for order in ORDERS
        for start in [order.second // 5 * 5]
    }
    assert expected == {(entry.window, entry.space) for entry in ledger.found}
    assert len(ORDERS) == sum(entry.rows_in for entry in ledger.found)
    assert all(entry.balanced and entry.name == "by customer" for entry in ledger.found)


@pytest.mark.parametrize("fault", [lose, double, swap, flip_one])
def test_faults_are_seen(fault: Any) -> None:
    """Lost, doubled, swapped and changed elements show in the window where they happened."""
    _, ledger = reconcile(FaultyGrouping(fault), unfold=ungroup, on_imbalance="emit", name="faulty")
    wrong = [entry for entry in ledger.found if not entry.balanced]
    assert wrong
    word = {lose: "lost", double: "too many"}.get(fault, "not the same ones")
    assert all(word in entry.finding for entry in wrong)


def test_imbalance_fails_the_job() -> None:
    """By default an account that is out ends the job, with its name, window and numbers."""
    with pytest.raises(Exception, match=r"faulty \[0.0, 5.0\): 5 in, 4 out, 0 set aside: 1 lost"):
        reconcile(FaultyGrouping(lose_first), unfold=ungroup, name="faulty")


def test_without_windows_there_is_one_account() -> None:
    """Global windows have one account; so have sides whose windows differ, and sessions."""
    ledger, mixed = Gather(), Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        orders = make_orders(pipeline)
        everywhere = orders | "Global" >> beam.WindowInto(window.GlobalWindows())
        _ = everywhere | "R" >> Reconcile(beam.Map(lambda o: o).with_output_types(Order),
                                          ledger=ledger)  # fmt: skip
        both = {"in": orders, "out": everywhere}
        _ = both | Balance("mixed") | mixed
    assert [(each.window, each.rows_in) for each in ledger.found] == [("", len(ORDERS))]
    assert [(each.window, each.balanced) for each in mixed.found] == [("", True)]


def test_sides_may_be_several() -> None:
    """What is set aside counts, and each side may be made of several PCollections."""
    ledger = Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        orders = make_orders(pipeline)
        parts = [
            orders | f"Part{number}" >> beam.Filter(lambda o, n: o.second % 3 == n, number)
            for number in range(3)
        ]
        _ = {"in": orders, "out": parts[:2], "aside": parts[2]} | Balance() | ledger
    assert all(each.balanced for each in ledger.found)
    assert sum(each.rows_aside for each in ledger.found) == 4


def test_accumulating_panes_are_refused() -> None:
    """Panes that repeat elements cannot be balanced, and the message says what to do."""
    pipeline = beam.Pipeline(runner=RUNNER)
    windowed = make_orders(pipeline) | "Early" >> beam.WindowInto(
        window.FixedWindows(5),
        trigger=trigger.AfterWatermark(early=trigger.AfterCount(1)),
        accumulation_mode=trigger.AccumulationMode.ACCUMULATING,
    )
    with pytest.raises(ValueError, match=r"fires accumulating panes.*DISCARDING"):
        _ = {"in": windowed, "out": windowed} | Balance()


def test_mistakes_are_named() -> None:
    """Elements without comparable bytes, unknown sides and unheard imbalances are refused."""
    pipeline = beam.Pipeline(runner=RUNNER)
    orders = make_orders(pipeline)
    with pytest.raises(ValueError, match="'up' is no side of an account"):
        _ = {"up": orders} | "Up" >> Balance()
    with pytest.raises(ValueError, match="nothing goes in"):
        _ = {"out": orders} | "None" >> Balance()
    with pytest.raises(TypeError, match="Reconcile needs ledger="):
        Reconcile(beam.GroupByKey(), on_imbalance="emit")


@given(NUMBERS)
def test_sums_are_the_same_in_any_order(numbers: list[tuple[int, int]]) -> None:
    """Tallies add up like numbers modulo 2^128, whichever way the runner combines them."""
    combine = AddTallies()
    tallies = [pack([each, (0, 0), each]) for each in numbers]
    total = combine.create_accumulator()
    for tally in tallies:
        total = combine.add_input(total, tally)
    expected = sum(rows for rows, _ in numbers), sum(each for _, each in numbers) % (1 << 128)
    assert [expected, (0, 0), expected] == unpack(combine.extract_output(total))
    again = combine.merge_accumulators([combine.merge_accumulators(tallies[::-1])])
    assert unpack(again) == unpack(total)


def test_tallies_are_sealed_themselves() -> None:
    """One flip in a tally is put back, two fail: a referee that errs is worse than none."""
    numbers = [(3, 1 << 100), (2, 5), (1, 7)]
    assert {str(unpack(data)) for _, data in every_flip(pack(numbers))} == {str(numbers)}
    with pytest.raises(IntegrityError, match="a tally was damaged"):
        unpack(flip(pack(numbers), 200, 300))


@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_verdict(rows_in: int, rows_out: int, rows_aside: int) -> None:
    """Balanced is what adds up in number and in sum, nothing else."""
    same = pack([(rows_in, 5), (rows_out, 2), (rows_aside, 3)])
    entry = judge("a", Account("", "", 0), same)
    assert entry.balanced == (rows_in == rows_out + rows_aside)
    other = judge("a", Account("", "", 0), pack([(rows_in, 5), (rows_out, 2), (rows_aside, 4)]))
    assert not other.balanced
