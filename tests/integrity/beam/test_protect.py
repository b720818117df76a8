from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apache_beam as beam
import pytest
from apache_beam.transforms.userstate import ReadModifyWriteStateSpec
from sealedbeam.pipeline.integrity.transforms import Protect, WriteDeadLetters

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


class Parse(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Parts orders into cheap and dear ones; one of them makes it raise."""

    def process(self, element: Order) -> Iterator[Any]:
        yield beam.pvalue.TaggedOutput("dear" if element.price > 105 else "cheap", element)
        if element == HIT:
            raise ZeroDivisionError


class TotalByCustomer(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Somebody's transform: several steps, two outputs, a shuffle."""

    def expand(self, orders: beam.PCollection) -> dict[str, beam.PCollection]:
        parted = orders | beam.ParDo(Parse()).with_outputs("dear", "cheap")
        totals = (
            parted.dear
            | beam.Map(lambda order: (order.customer, order.price))
            | beam.CombinePerKey(sum)
        )
        return {"totals": totals, "cheap": parted.cheap}


class Remember(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Raises, and has state."""

    SEEN = beam.DoFn.StateParam(ReadModifyWriteStateSpec("seen", beam.coders.VarIntCoder()))

    def process(self, element: tuple[str, int], state: Any = SEEN) -> Any:
        state.write(element[1])
        raise RuntimeError("with state")


def run(**options: Any) -> tuple[dict[str, Gather], Gather, Gather]:
    """Return what the protected transform gave, the damage, and the ledger."""
    outputs = {"totals": Gather(), "cheap": Gather()}
    damaged, ledger = Gather(), Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        protected = Protect(TotalByCustomer(), damaged=damaged, ledger=ledger, **options)
        for name, each in (make_orders(pipeline) | protected).items():
            _ = each | name >> outputs[name]
    return outputs, damaged, ledger


def test_existing_transform() -> None:
    """Outputs keep their form; what raises leaves with its bytes, its neighbours live."""
    outputs, damaged, ledger = run(hop=beam.Reshuffle())
    cheap = [order for order in ORDERS if order.price <= 105]
    dear = [order for order in ORDERS if order.price > 105 and order != HIT]
    assert cheap == sorted(outputs["cheap"].found, key=lambda order: order.second)
    assert sum(each.price for each in dear) == sum(total for _, total in outputs["totals"].found)
    (only,) = damaged.found
    assert (only.reason, only.error, only.raw) == ("raised", "ZeroDivisionError", HIT_BYTES)
    assert only.step.endswith("ParDo(Parse)")
    assert all(entry.balanced for entry in ledger.found)
    entered = [entry.rows_in for entry in ledger.found if entry.name == "Protect/In"]
    assert sorted(entered) == [2, 5, 5]


def test_damage_on_the_way_in_and_out() -> None:
    """A damaged row on either way leaves as damage, the books balance, all other rows arrive."""
    outputs, damaged, ledger = run(hop=beam.Map(flip_in, ORDERS[0].customer.encode(), 1, 9))
    assert {reason for reason, _ in reasons(damaged)} == {"bad_seal", "raised"}
    assert all(entry.balanced for entry in ledger.found)
    aside = sum(entry.rows_aside for entry in ledger.found)
    assert aside == len(damaged.found) - 1
    assert set(outputs["cheap"].found) < set(ORDERS)


def double(block: bytes) -> Iterator[bytes]:
    yield from [block] * (1 + (HIT_BYTES in block))


def test_doubled_block() -> None:
    """A doubled block leaves no trace but in the books of its window."""
    _, _, ledger = run(hop=beam.FlatMap(double).with_output_types(bytes), on_imbalance="emit")
    wrong = [entry for entry in ledger.found if not entry.balanced and entry.name == "Protect/In"]
    assert [(e.window, e.rows_in, e.rows_out) for e in wrong] == [("[5.0, 10.0)", 5, 10)]


def test_transform_that_loses_elements() -> None:
    """Held to one result for each element, a transform that drops one silently fails the job."""
    pipeline = beam.Pipeline(runner=RUNNER)
    drops_one = beam.Filter(lambda order: order.second != 11)
    _ = make_orders(pipeline) | Protect(drops_one, damaged=nothing, one_to_one=True)
    with pytest.raises(Exception, match=r"Protected .*2 in, 1 out, 0 set aside: 1 lost"):
        pipeline.run()


def test_steps_that_cannot_be_caught_fail_the_job() -> None:
    """What raises with state in hand fails as without protection: nothing is half done."""
    pipeline = beam.Pipeline(runner=RUNNER)
    keyed = make_orders(pipeline) | beam.Map(lambda order: (order.customer, order.price))
    typed = keyed | "Type" >> beam.Map(lambda p: p).with_output_types(tuple[str, int])
    _ = typed | Protect(beam.ParDo(Remember()), damaged=nothing)
    with pytest.raises(RuntimeError, match="with state"):
        pipeline.run()


def test_forms_of_outputs(tmp_path: Any) -> None:
    """Tagged outputs are had by tag, by attribute and in order, as they are without Protect."""
    with beam.Pipeline(runner=RUNNER) as pipeline:
        orders = make_orders(pipeline)
        tagged = orders | "T" >> Protect(
            beam.ParDo(Parse()).with_outputs("dear", main="cheap"),
            damaged=WriteDeadLetters(str(tmp_path / "damaged")),
        )
        cheap, dear = tagged
        assert (tagged.cheap, tagged["dear"], tagged[0]) == (cheap, dear, cheap)
        parity = beam.Partition(lambda order, _: order.price % 2, 2)
        even, odd = orders | "P" >> Protect(parity, damaged=nothing)
        assert even.element_type == odd.element_type
    (written,) = tmp_path.glob("damaged*.jsonl")
    assert '"error": "ZeroDivisionError"' in written.read_text()


def test_protect_refuses() -> None:
    """Nothing to apply, nobody to take damage, or an imbalance told to nobody is a mistake."""
    with pytest.raises(TypeError, match="Protect takes a transform"):
        Protect(str.upper, damaged=nothing)
    with pytest.raises(TypeError, match="Protect needs damaged="):
        Protect(beam.Map(str))
    with pytest.raises(TypeError, match="Protect needs ledger="):
        Protect(beam.Map(str), damaged=nothing, on_imbalance="emit")
    with pytest.raises(ValueError, match="on_imbalance is 'fail' or 'emit', not 'ask'"):
        Protect(beam.Map(str), damaged=nothing, ledger=nothing, on_imbalance="ask")
