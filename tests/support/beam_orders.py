"""Orders for tests of pipelines: rows with a schema, what damages sealed bytes, what takes damage.

Damage is done by functions of the sealed bytes alone, in the middle of a pipeline, as a bad memory
would: they know where the payload of one order lies and nothing else.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import apache_beam as beam
from apache_beam.transforms import window

from tests.support.blocks import flip

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sealedbeam.pipeline.integrity.damaged import Damaged


class Order(NamedTuple):
    """What a customer ordered, at what price, in which second."""

    customer: str
    price: int
    second: int


beam.coders.registry.register_coder(Order, beam.coders.RowCoder)

ORDERS = [Order(f"customer {number % 4}", 100 + number, number) for number in range(12)]
HIT = ORDERS[7]
HIT_BYTES = beam.coders.registry.get_coder(Order).encode(HIT)


def make_orders(pipeline: beam.Pipeline, orders: Iterable[Order] = ORDERS) -> beam.PCollection:
    """Return orders at their times, in windows of five seconds, in one bundle."""
    made = pipeline | "Orders" >> beam.Create(list(orders), reshuffle=False)
    stamped = made | beam.Map(stamp).with_output_types(Order)
    return stamped | beam.WindowInto(window.FixedWindows(5))


def stamp(order: Order) -> window.TimestampedValue:
    """Return an order at its time."""
    return window.TimestampedValue(order, order.second)


def flip_in(sealed: bytes, payload: bytes, *bits: int) -> bytes:
    """Flip bits of a payload in the bytes that hold it; leave other bytes alone."""
    if payload not in sealed:
        return sealed
    start = 8 * sealed.index(payload)
    return flip(sealed, *(start + bit for bit in bits))


_FOUND: dict[int, list[Any]] = {}
_NUMBERS = count()


class Gather(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Keeps all elements in this process: `found` is there when a local pipeline has run."""

    def __init__(self) -> None:
        """Keep nothing yet."""
        super().__init__()
        self._number = next(_NUMBERS)
        self.found: list[Any] = _FOUND.setdefault(self._number, [])

    def expand(self, elements: beam.PCollection) -> beam.PCollection:
        """Keep every element."""
        return elements | beam.Map(_keep, self._number)


def _keep(element: Any, number: int) -> None:
    _FOUND[number].append(element)


def nothing(damaged: beam.PCollection) -> None:
    """Take damage, and fail if there is any."""
    _ = damaged | "NothingDamaged" >> beam.Map(_refuse)


def _refuse(damaged: Damaged) -> None:
    raise AssertionError(damaged)


def reasons(gathered: Gather) -> list[tuple[str, str]]:
    """Return the reasons and exceptions of gathered damage."""
    return sorted((each.reason, each.error) for each in gathered.found)
