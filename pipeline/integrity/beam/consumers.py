"""Damage has to be consumed: who takes it, and the proof that somebody does.

Two checks, because one would not do:
1. `damage` is a required argument of each step that has damage. Forgetting it is a TypeError in
   the line that forgets it.
2. A function can be given that lets the damage fall, or keeps it for later and never comes back. So
   before a pipeline runs (when it is translated, which every runner does) each PCollection of
   damage must be the input of some step, or the pipeline does not build.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import apache_beam as beam
from apache_beam.pipeline import PipelineVisitor

if TYPE_CHECKING:
    from apache_beam.pipeline import AppliedPTransform

Consumer: TypeAlias = beam.PTransform | Callable[[Any], Any]
"""What takes damage: a transform, or a function of the PCollection of `Damaged`."""


def check_consumer(step: str, argument: str, consumer: Consumer | None) -> Consumer:
    """Return what takes the damage of a step; raises TypeError when that is nothing usable."""
    usable = isinstance(consumer, beam.PTransform) or callable(consumer)
    if consumer is None or isinstance(consumer, type) or not usable:
        raise TypeError(
            f"{step} needs {argument}=: what cannot be proven leaves by an output of its own, and "
            "something must take it, a transform or a function of a PCollection of Damaged, such "
            f"as {step}(..., {argument}=beam.io.WriteToText('damaged')); got {consumer!r}"
        )
    return consumer


class HandsOver(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """A transform that hands something over to a consumer, and checks that it is taken."""

    def __init__(self) -> None:
        """Have handed over nothing yet."""
        super().__init__()
        self._handed: list[beam.PCollection] = []

    def hand_over(self, given: beam.PCollection, consumer: Consumer, label: str) -> None:
        """Give a PCollection to its consumer."""
        self._handed.append(given)
        if isinstance(consumer, beam.PTransform):
            _ = given | label >> consumer
        else:
            consumer(given)

    def to_runner_api_parameter(self, unused_context: Any) -> Any:
        """Translate this transform; Beam calls it for each transform of a pipeline that is run.

        Raises:
            TypeError: nothing takes what was handed over.
        """
        for given in self._handed:
            if not is_consumed(given):
                raise TypeError(
                    f"{self.label}: nothing takes the PCollection {given.producer.full_label}"
                    f"[{given.tag}]: the function that it was handed to let it fall; apply a "
                    "transform to it, such as beam.io.WriteToText('damaged')"
                )
        return super().to_runner_api_parameter(unused_context)


class _Search(PipelineVisitor):  # type: ignore[misc]  # Beam is untyped
    """Looks for a step that takes a PCollection in."""

    def __init__(self, wanted: beam.PCollection) -> None:
        self._wanted = wanted
        self.found = False

    def visit_transform(self, transform_node: AppliedPTransform) -> None:
        sides = [side.pvalue for side in transform_node.side_inputs]
        self.found |= any(given is self._wanted for given in (*transform_node.inputs, *sides))


def is_consumed(pcollection: beam.PCollection) -> bool:
    """Whether some step of its pipeline takes a PCollection in."""
    search = _Search(pcollection)
    pcollection.pipeline.visit(search)
    return search.found
