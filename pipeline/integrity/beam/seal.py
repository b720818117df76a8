"""`Seal` and `Open`: elements of any type into sealed bytes, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import apache_beam as beam
from apache_beam.typehints import typehints
from sealedbeam.pipeline.integrity.block import BLOCK_TARGET_BYTES
from sealedbeam.pipeline.integrity.damaged import Damaged

from .blocks import DAMAGE, TALLY, OpenBlocks, SealBlocks, SealBlocksOfManyWindows
from .coder import check_preset
from .consumers import Consumer, HandsOver, check_consumer
from .contexts import windowing_of
from .kinds import Kind, kind_of, sealed_upstream
from .values import OpenValues, SealValues, key_and_value

if TYPE_CHECKING:
    from apache_beam.coders import Coder

beam.coders.registry.register_coder(Damaged, beam.coders.RowCoder)


class Seal(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Seals elements of any type: many to a block, or each value of keyed elements by itself.

    Blocks are byte strings of about `block_bytes`, gathered bundle by bundle; times, windows and
    panes are sealed with the elements and come back with them. With `keyed`, pairs stay pairs and
    can be grouped: each value is sealed together with its key.

    Example:
        with beam.Pipeline() as pipeline:
            _ = (
                pipeline
                | beam.Create(["a page", "another page"])
                | Seal()
                | beam.Reshuffle()
                | Open(damage=beam.io.WriteToText("damaged"))
                | beam.Map(print)
            )
    """

    def __init__(
        self,
        protection: str = "correct",
        *,
        keyed: bool = False,
        block_bytes: int = BLOCK_TARGET_BYTES,
        coder: Coder | None = None,
    ) -> None:
        """Seal with a preset.

        Args:
            protection: "detect", "correct" or "parity"; "none" is for measuring only.
            keyed: whether elements are pairs whose keys have to stay visible.
            block_bytes: when a block is full; a larger element gets a block of its own.
            coder: of the elements; by default the registered one of their type.
        """
        super().__init__()
        self._protection = check_preset(protection)
        self._keyed = keyed
        self._block_bytes = block_bytes
        self._coder = coder

    def expand(self, elements: beam.PCollection) -> beam.PCollection:
        """Return the sealed elements."""
        return seal(self, elements)[0]

    def settings(self) -> tuple[str, bool, int, Coder | None]:
        """Return the preset, whether keyed, the size of a block, and the coder."""
        return self._protection, self._keyed, self._block_bytes, self._coder


def seal(how: Seal, elements: beam.PCollection) -> tuple[beam.PCollection, beam.PCollection | None]:
    """Return the sealed elements, and of blocks what their producer says that it sealed."""
    protection, keyed, block_bytes, coder = how.settings()
    kind = kind_of(elements.element_type, coder)
    if keyed:
        values = SealValues(kind, protection)
        pair = typehints.Tuple[key_and_value("Seal", kind)[0].element_type, bytes]
        return elements | "SealValues" >> beam.ParDo(values).with_output_types(pair), None
    windowing = windowing_of(elements)
    step = SealBlocks if windowing.single else SealBlocksOfManyWindows
    fn = step(kind, protection, block_bytes, windowing)
    typed = beam.ParDo(fn).with_output_types(bytes, **{TALLY: tuple[int, bytes]})
    sealed = elements | "SealBlocks" >> typed.with_outputs(TALLY, main="blocks")
    return sealed.blocks, sealed[TALLY]


class Open(HandsOver):
    """Opens what `Seal` sealed: every element that is proven; the rest goes to `damage`.

    What was sealed, with which preset, and whether it was keyed is found upstream. Of groups of
    sealed values (behind a GroupByKey) it makes pairs of a key and a list.

    Example:
        totals = (
            orders                                # of tuple[str, Order]
            | Seal(keyed=True)
            | beam.GroupByKey()
            | Open(damage=beam.io.WriteToText("damaged"))
            | beam.MapTuple(lambda name, orders: (name, sum(each.price for each in orders)))
        )
    """

    def __init__(
        self,
        protection: str | None = None,
        *,
        damage: Consumer | None = None,
        element_type: Any = None,
        coder: Coder | None = None,
    ) -> None:
        """Open sealed elements.

        Args:
            protection: the preset they were sealed with, where no `Seal` stands upstream.
            damage: takes what cannot be proven: a transform, or a function of a PCollection of
                `Damaged`.
            element_type: what was sealed, where no `Seal` stands upstream.
            coder: its coder; by default the registered one.

        Raises:
            TypeError: nothing takes the damage.
        """
        super().__init__()
        self._damage = check_consumer("Open", "damage", damage)
        self._protection = None if protection is None else check_preset(protection)
        self._element_type = element_type
        self._coder = coder

    def expand(self, sealed: beam.PCollection) -> beam.PCollection:
        """Return the elements."""
        source = sealed_source("Open", sealed, self._element_type, self._coder, self._protection)
        opened = open_sealed(sealed, *source)
        self.hand_over(opened[DAMAGE], self._damage, "SetAside")
        return opened.elements


def sealed_source(
    step: str, sealed: beam.PCollection, element_type: Any, coder: Coder | None, preset: str | None
) -> tuple[Kind, str, bool]:
    """Return what was sealed, with which preset, and whether by key."""
    if element_type is not None:
        keyed = sealed.element_type not in {bytes, typehints.Any}
        return kind_of(element_type, coder), preset or "correct", keyed
    fn = sealed_upstream(step, sealed)
    kind = Kind(fn.kind.element_type, coder) if coder else fn.kind
    return kind, preset or fn.protection, fn.keyed


def open_sealed(
    sealed: beam.PCollection,
    kind: Kind,
    protection: str,
    keyed: bool,  # noqa: FBT001 - unpacked
) -> Any:
    """Return the outputs of opening: `elements`, and by tag DAMAGE and (of blocks) TALLY."""
    step = f"{sealed.pipeline.transforms_stack[-1].full_label}/Open"
    if keyed:
        fn: beam.DoFn = OpenValues(kind, protection, step)
        key, value = key_and_value("Open", kind)
        out = typehints.Tuple[key.element_type, _opened_type(sealed, value.element_type)]
        tags: dict[str, Any] = {DAMAGE: Damaged}
    else:
        fn, out = OpenBlocks(kind, protection, windowing_of(sealed), step), kind.element_type
        tags = {DAMAGE: Damaged, TALLY: tuple[int, bytes]}
    typed = beam.ParDo(fn).with_output_types(out, **tags)
    return sealed | "Open" >> typed.with_outputs(*tags, main="elements")


def _opened_type(sealed: beam.PCollection, value_type: Any) -> Any:
    """Return the type of what sealed values become: one value, a list of them, or not known."""
    given = getattr(sealed.element_type, "tuple_types", (None, typehints.Any))[1]
    if given is bytes:
        return value_type
    return typehints.Any if given == typehints.Any else typehints.List[value_type]
