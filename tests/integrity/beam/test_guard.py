from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apache_beam as beam
import pytest
from sealedbeam.pipeline.integrity.beam.guard import guard_row
from sealedbeam.pipeline.integrity.protection import CORRECT
from sealedbeam.pipeline.integrity.rows import RowsBuilder, open_rows
from sealedbeam.pipeline.integrity.transforms import Guard, Open, Seal

from tests.support.beam_orders import (
    HIT,
    HIT_BYTES,
    ORDERS,
    Gather,
    Order,
    flip_in,
    make_orders,
    nothing,
    reasons,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

RUNNER = "FnApiRunner"


def add_tax(order: Order) -> Order | None:
    if order.price % 5 == 0:
        return None
    if order == HIT:
        raise KeyError("no tax is known")
    return order._replace(price=2 * order.price)


TAXED = [order._replace(price=2 * order.price) for order in ORDERS if order.price % 5]
TAXED.remove(HIT._replace(price=2 * HIT.price))


def twice(order: Order) -> list[Order]:
    return [order] * 2


class Price(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """A DoFn with a side input, a time and two outputs, that raises half way."""

    def start_bundle(self) -> None:
        self._begun = True

    def process(
        self, element: Order, extra: int, time: Any = beam.DoFn.TimestampParam
    ) -> Iterator[Any]:
        assert self._begun
        yield element.price + extra + int(time)
        if element == HIT:
            raise ValueError("half way")


def test_functions_are_guarded() -> None:
    """What a function gives is sealed at its time, what it filters is gone, what raises leaves."""
    results, damaged = Gather(), Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        guarded = make_orders(pipeline) | Seal() | Guard(add_tax, damage=damaged)
        flat = guarded | "Twice" >> Guard(twice, flat=True, damage=nothing)
        opened = flat | Open(damage=nothing)
        assert opened.element_type is Order
        _ = opened | results
    assert sorted(TAXED * 2) == sorted(results.found)
    assert reasons(damaged) == [("raised", "KeyError")]
    (each,) = damaged.found
    assert (each.raw, each.step) == (HIT_BYTES, "Guard")


def test_transforms_are_guarded() -> None:
    """A DoFn with side inputs gives all of an element or nothing; what raised leaves."""
    results, damaged = Gather(), Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        extra = beam.pvalue.AsSingleton(pipeline | "Extra" >> beam.Create([1000]))
        guarded = make_orders(pipeline) | Seal() | Guard(beam.ParDo(Price(), extra), damage=damaged)
        _ = guarded | Open(damage=nothing) | results
    expected = [each.price + 1000 + each.second for each in ORDERS if each != HIT]
    assert expected == sorted(results.found)
    assert reasons(damaged) == [("raised", "ValueError")]


def test_groups_are_guarded() -> None:
    """A transform of keyed values, and what it makes of groups, stand between seals as well."""
    results = Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        keyed = make_orders(pipeline) | beam.Map(lambda o: (o.customer, o.price))
        typed = keyed | beam.Map(lambda pair: pair).with_output_types(tuple[str, int])
        summed = Guard(beam.CombinePerKey(sum), damage=nothing)
        _ = typed | Seal(keyed=True) | summed | Open(damage=nothing) | results
    assert sum(each.price for each in ORDERS) == sum(total for _, total in results.found)


def test_row_that_changes_in_use() -> None:
    """A row whose bytes change under the function's hands is set aside, with all its results."""
    builder = RowsBuilder(CORRECT)
    builder.add([b"first", b"second"], [0, 0])
    opened = open_rows(builder.close().data, CORRECT)
    opened.counts |= {"rows_used": 0, "rows_filtered": 0}
    assert guard_row(opened, 0, b"fjrst", lambda row: [row.upper()]) == []
    assert guard_row(opened, 1, b"second", lambda row: [row.upper()]) == [b"SECOND"]
    assert [(each.reason, each.number) for each in opened.damaged] == [("changed_in_use", 0)]
    assert (opened.counts["rows_intact"], opened.counts["rows_dropped"]) == (1, 1)


def test_damage_before_and_after_the_guard() -> None:
    """One flip is corrected at each side; two cost the one row that they hit."""
    results, damaged = Gather(), Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        _ = (
            make_orders(pipeline)
            | Seal()
            | "One" >> beam.Map(flip_in, HIT_BYTES, 3)
            | Guard(lambda order: order, damage=nothing, result_type=Order)
            | "Two" >> beam.Map(flip_in, HIT_BYTES, 3, 11)
            | Open(damage=damaged)
            | results
        )
    assert [order for order in ORDERS if order != HIT] == sorted(
        results.found, key=lambda order: order.second
    )
    assert reasons(damaged) == [("bad_seal", "")]


@pytest.mark.parametrize("guarded", ["upper", None, 3])
def test_what_cannot_be_guarded(guarded: Any) -> None:
    """What is neither function nor transform is refused at construction."""
    with pytest.raises(TypeError, match="Guard takes a function, a DoFn or a transform"):
        Guard(guarded, damage=nothing)


def test_guard_needs_its_damage_taken() -> None:
    """The same check as everywhere."""
    with pytest.raises(TypeError, match="Guard needs damage="):
        Guard(str.upper)
