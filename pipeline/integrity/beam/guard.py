"""`Guard`: a function or a transform between two seals, from blocks to blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_type_hints

import apache_beam as beam
from apache_beam.typehints import typehints
from apache_beam.typehints.native_type_compatibility import convert_to_beam_type
from sealedbeam.pipeline.integrity.block import BLOCK_TARGET_BYTES
from sealedbeam.pipeline.integrity.damaged import CHANGED_IN_USE, RAISED, Damaged, describe_error
from sealedbeam.pipeline.integrity.rows import OpenedRows, still_intact

from .blocks import DAMAGE, TALLY, BlockSink, emit_damage, open_in_place
from .catching import Catching
from .coder import check_preset
from .consumers import Consumer, HandsOver, check_consumer
from .contexts import pane_of, windowing_of
from .counters import count
from .kinds import Kind, SealingFn, kind_of
from .seal import Seal, open_sealed, sealed_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .contexts import Windowing


class Guard(HandsOver):
    """Takes sealed elements through a function or a transform and seals what it gives.

    A pure function of one element gives one element, or None to filter it out; with `flat`, an
    iterable of elements. Each element is proven before and after the function has used it, and
    keeps its time, window and pane. A transform is expanded as it is; elements that make a function
    in it raise are caught. Where an element cannot be proven, or something raises, this element
    alone goes to `damage`.

    Example:
        blocks = orders | Seal()
        priced = blocks | Guard(add_tax, damage=beam.io.WriteToText("damaged/tax"))
        totals = priced | Guard(
            beam.GroupBy("customer").aggregate_field("price", sum, "total"),
            damage=beam.io.WriteToText("damaged/totals"),
        )
    """

    def __init__(
        self,
        guarded: beam.PTransform | beam.DoFn | Callable[[Any], Any],
        protection: str | None = None,
        *,
        damage: Consumer | None = None,
        flat: bool = False,
        element_type: Any = None,
        result_type: Any = None,
        block_bytes: int = BLOCK_TARGET_BYTES,
    ) -> None:
        """Guard a function, a DoFn or a transform.

        Args:
            guarded: what to apply.
            protection: the preset; by default that of the `Seal` upstream.
            damage: takes what cannot be proven and what raised.
            flat: whether a function gives an iterable of elements.
            element_type: what was sealed, where no `Seal` stands upstream.
            result_type: what a function gives; by default what its annotations say.
            block_bytes: when a block is full.

        Raises:
            TypeError: nothing takes the damage, or `guarded` can be neither called nor applied.
        """
        super().__init__()
        if isinstance(guarded, beam.DoFn):
            guarded = beam.ParDo(guarded)
        if not isinstance(guarded, beam.PTransform) and not callable(guarded):
            raise TypeError(f"Guard takes a function, a DoFn or a transform, got {guarded!r}")
        self._guarded = guarded
        self._damage = check_consumer("Guard", "damage", damage)
        self._protection = None if protection is None else check_preset(protection)
        self._flat = flat
        self._element_type = element_type
        self._result_type = result_type
        self._block_bytes = block_bytes

    def expand(self, blocks: beam.PCollection) -> beam.PCollection:
        """Return the blocks of results."""
        kind, protection, keyed = sealed_source(
            "Guard", blocks, self._element_type, None, self._protection
        )
        if isinstance(self._guarded, beam.PTransform):
            opened = open_sealed(blocks, kind, protection, keyed)
            catching = Catching(self._guarded)
            results = opened.elements | "Guarded" >> catching
            if not isinstance(results, beam.PCollection):
                raise TypeError("Guard: the transform has several outputs, or none: use Protect")
            damage = (opened[DAMAGE], *catching.raised) | "AllDamage" >> beam.Flatten()
            self.hand_over(damage, self._damage, "SetAside")
            return results | "Seal" >> Seal(protection, block_bytes=self._block_bytes)
        if keyed:
            raise TypeError("Guard takes blocks to a function; keyed values to a transform")
        result = kind_of(self._infer(self._guarded, kind.element_type))
        fn = GuardBlocks(
            Guarded(self._guarded, kind, result, flat=self._flat),
            protection,
            self._block_bytes,
            windowing_of(blocks),
            blocks.pipeline.transforms_stack[-1].full_label,
        )
        typed = beam.ParDo(fn).with_output_types(
            bytes, **{DAMAGE: Damaged, TALLY: tuple[int, bytes]}
        )
        parted = blocks | "GuardBlocks" >> typed.with_outputs(DAMAGE, TALLY, main="blocks")
        self.hand_over(parted[DAMAGE], self._damage, "SetAside")
        return parted.blocks

    def _infer(self, fn: Callable[[Any], Any], element_type: Any) -> Any:
        """Return the type of what a function gives, without the None that filters."""
        if self._result_type is not None:
            return self._result_type
        try:
            # Beam does not resolve annotations that are strings, as modules often have them.
            inferred = convert_to_beam_type(get_type_hints(fn)["return"])
            inferred = typehints.get_yielded_type(inferred) if self._flat else inferred
        except (KeyError, NameError, TypeError, ValueError):
            step = beam.FlatMap(fn) if self._flat else beam.Map(fn)
            inferred = step.infer_output_type(element_type)
        if isinstance(inferred, typehints.UnionConstraint):
            kept = [each for each in inferred.union_types if each is not type(None)]
            inferred = typehints.Union[tuple(kept)]
        return inferred


class Guarded:
    """A function of one element, as a function of its bytes."""

    def __init__(self, fn: Callable[[Any], Any], kind: Kind, result: Kind, *, flat: bool) -> None:
        """Take elements of `kind` through `fn` to elements of the kind `result`."""
        self._fn = fn
        self.kind = kind
        self.result = result
        self._flat = flat
        self.ready()

    def ready(self) -> None:
        """Get the coders ready."""
        self._decode = self.kind.decoder()
        self._encode = self.result.encoder()

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        del state["_decode"], state["_encode"]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.ready()

    def __call__(self, row: bytes) -> list[bytes]:
        """Return the encoded results of one row."""
        value = self._fn(self._decode(row))
        results: Iterable[Any] = value if self._flat else (value,)
        return [self._encode(each) for each in results or () if each is not None]


class GuardBlocks(SealingFn):
    """Guards one block after another."""

    def __init__(
        self,
        guarded: Guarded,
        protection: str,
        block_bytes: int,
        windowing: Windowing,
        step: str,
    ) -> None:
        """Guard a function of the elements of blocks."""
        self.kind = guarded.result
        self.protection = protection
        self._guarded = guarded
        self._block_bytes = block_bytes
        self._windowing = windowing
        self._step = step

    def process(self, element: bytes, window: Any = beam.DoFn.WindowParam) -> Iterator[Any]:
        """Yield the blocks of results of one block."""
        guarded, windowing = self._guarded, self._windowing
        opened = open_in_place(element, window, guarded.kind, self.protection, windowing)
        opened.counts |= {"rows_used": 0, "rows_filtered": 0}
        pane = pane_of(opened.context)
        sink = BlockSink(guarded.result, self.protection, self._block_bytes, windowing)
        for index, row, time in zip(opened.indices, opened.rows, opened.times, strict=True):
            results = guard_row(opened, index, row, guarded)
            yield from sink.add(results, [time] * len(results), window, pane)
        yield from sink.close()
        yield from emit_damage(opened.damaged, self._step)
        count(opened.counts)


def guard_row(
    opened: OpenedRows, index: int, row: bytes, guarded: Callable[[bytes], list[bytes]]
) -> list[bytes]:
    """Return the results of one proven row, if it was the same before and after its use."""
    failure: Exception | None = None
    results: list[bytes] = []
    try:
        results = guarded(row)
    except Exception as error:  # noqa: BLE001 - whatever it raises concerns this row alone
        failure = error
    assert opened.table is not None, "a row was found"
    if not still_intact(row, opened.table, index):
        opened.reject(index, row, CHANGED_IN_USE, "", "")
        return []
    if failure is not None:
        name, said = describe_error(failure)
        opened.reject(index, row, RAISED, said, name)
        return []
    opened.counts["rows_used" if results else "rows_filtered"] += 1
    return results
