"""`Protect`: an existing transform in one line, with its inputs and its outputs under seal."""

from __future__ import annotations

from typing import Any, Self

import apache_beam as beam
from apache_beam import pvalue

from .blocks import DAMAGE, TALLY
from .catching import Catching
from .consumers import Consumer, HandsOver, check_consumer
from .reconcile import FAIL, GRACE_SECONDS, check_action, settle
from .seal import Seal, open_sealed, seal, sealed_source
from .tallies import ASIDE, IN, OUT, Measure

_TALLIED = Measure()
_COUNTED = Measure(each_is_one=True)


class Protect(HandsOver):
    """Applies an existing transform to sealed elements, and seals what comes out of it.

    The elements travel sealed to the transform and from it, each of its outputs too, over `hop` if
    there is one. An element that makes a function inside raise leaves as damage, with the name of
    the exception; its neighbours live. On both ways what was sealed must equal what was opened and
    what was set aside, by window, or the job fails.

    Example:
        invoices = orders | Protect(PriceOrders(), damaged=beam.io.WriteToText("damaged"))

        invoices, rejected = orders | Protect(
            PriceOrders().with_outputs("rejected", main="invoices"),
            damaged=WriteDeadLetters("damaged"),
            hop=beam.Reshuffle(),
        )
    """

    def __init__(
        self,
        transform: beam.PTransform,
        protection: str = "correct",
        *,
        damaged: Consumer | None = None,
        hop: beam.PTransform | None = None,
        ledger: Consumer | None = None,
        on_imbalance: str = FAIL,
        grace_seconds: float = GRACE_SECONDS,
        one_to_one: bool = False,
    ) -> None:
        """Protect a transform of one PCollection; it may have any number of outputs, by name.

        Args:
            transform: what to apply.
            protection: the preset.
            damaged: takes what cannot be proven and what raised: a transform, or a function of a
                PCollection of `Damaged`.
            hop: what the sealed blocks go through on their way in and out, such as a Reshuffle.
            ledger: takes the PCollection of `LedgerEntry`.
            on_imbalance: "fail" the job, or "emit" the entry to the ledger and go on.
            grace_seconds: how much later than its window and allowed lateness an account closes.
            one_to_one: whether each element gives one result, in any of the outputs, unless it
                raises: then the transform itself is held to it, by numbers.

        Raises:
            TypeError: nothing takes the damage, or an imbalance would be told to nobody.
        """
        super().__init__()
        if not isinstance(transform, beam.PTransform):
            raise TypeError(f"Protect takes a transform, got {transform!r}")
        self._transform = transform
        self._seal = Seal(protection)
        self._damaged = check_consumer("Protect", "damaged", damaged)
        self._hop = hop
        self._action = check_action(on_imbalance)
        self._ledger = ledger
        if ledger is not None or on_imbalance != FAIL:
            self._ledger = check_consumer("Protect", "ledger", ledger)
        self._grace_seconds = grace_seconds
        self._one_to_one = one_to_one

    def expand(self, elements: beam.PCollection) -> Any:
        """Return the outputs of the transform, in the form that it returns them."""
        crossings: list[_Crossing] = []

        def cross(name: str, given: beam.PCollection) -> beam.PCollection:
            crossing = _Crossing(self._seal, self._hop, self._grace_seconds, self._action)
            crossings.append(crossing)
            return given | name >> crossing

        catching = Catching(self._transform)
        given = cross("In", elements)
        inner = given | "Protected" >> catching
        result = _map_outputs(inner, cross)
        damage = [each.damage for each in crossings] + catching.raised
        flat = tuple(damage) | "AllDamage" >> beam.Flatten()
        self.hand_over(flat, self._damaged, "SetAside")
        ledgers = [each.ledger for each in crossings]
        if self._one_to_one:
            ledgers.append(self._hold_to_it(given, crossings[1:], catching.raised))
        if self._ledger is not None:
            entries = tuple(ledgers) | "AllEntries" >> beam.Flatten()
            self.hand_over(entries, self._ledger, "Ledger")
        return result

    def _hold_to_it(
        self, given: beam.PCollection, crossings: list[_Crossing], raised: list[beam.PCollection]
    ) -> beam.PCollection:
        """Return the ledger of the transform itself: in = out + raised."""
        sides = [(IN, given, _COUNTED)]
        sides += [(OUT, each.given, _COUNTED) for each in crossings]
        sides += [(ASIDE, each, _COUNTED) for each in raised]
        name = f"{given.pipeline.transforms_stack[-1].full_label}/Protected"
        return settle(sides, name, self._grace_seconds, self._action)


class _Crossing(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Elements sealed, over a hop, and opened again; keeps the damage and the ledger."""

    def __init__(
        self, how: Seal, hop: beam.PTransform | None, grace_seconds: float, action: str
    ) -> None:
        super().__init__()
        self._seal = how
        self._hop = hop
        self._grace_seconds = grace_seconds
        self._action = action
        self.given: Any = None
        self.damage: Any = None
        self.ledger: Any = None

    def expand(self, elements: beam.PCollection) -> beam.PCollection:
        self.given = elements
        sealed, sent = seal(self._seal, elements)
        if self._hop is not None:
            sealed = sealed | "Hop" >> self._hop
        opened = open_sealed(sealed, *sealed_source("Protect", sealed, None, None, None))
        self.damage = opened[DAMAGE]
        sides = [
            (IN, sent, _TALLIED),
            (OUT, opened[TALLY], _TALLIED),
            (ASIDE, opened[DAMAGE], _TALLIED),
        ]
        name = elements.pipeline.transforms_stack[-1].full_label
        self.ledger = settle(sides, name, self._grace_seconds, self._action)
        return opened.elements


def _map_outputs(result: Any, cross: Any) -> Any:
    """Return the outputs of a transform in the form that they had, each behind a crossing."""
    if isinstance(result, beam.PCollection):
        return cross("Out", result)
    if isinstance(result, pvalue.DoOutputsTuple):
        main = result._main_tag  # noqa: SLF001 - Beam does not tell it otherwise
        named = {str(main if each.tag is None else each.tag): each for each in result}
        return Outputs({name: cross(f"Out-{name}", each) for name, each in named.items()})
    if isinstance(result, dict):
        return {name: cross(f"Out-{name}", each) for name, each in result.items()}
    if isinstance(result, tuple):
        crossed = [cross(f"Out-{number}", each) for number, each in enumerate(result)]
        return type(result)(*crossed) if hasattr(result, "_fields") else tuple(crossed)
    return result


class Outputs(tuple):  # type: ignore[type-arg]  # noqa: SLOT001 - PCollections are untyped
    """Several outputs by their tags, to be used like what Beam's `with_outputs` gives."""

    _by_tag: dict[str, Any]

    def __new__(cls, by_tag: dict[str, Any]) -> Self:
        """Hold outputs, the main one first."""
        made = super().__new__(cls, by_tag.values())
        made._by_tag = by_tag
        return made

    def __getitem__(self, tag: Any) -> Any:
        """Return an output by its tag, or by its number."""
        if isinstance(tag, str):
            return self._by_tag[tag]
        return super().__getitem__(tag)

    def __getattr__(self, tag: str) -> Any:
        """Return an output by its tag."""
        if tag.startswith("_") or tag not in self._by_tag:
            raise AttributeError(tag)
        return self._by_tag[tag]
