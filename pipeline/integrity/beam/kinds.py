"""Of what kind sealed elements are: their type and coder, found upstream, and named in each block.

Rules:
1. The bytes of a block do not say how to decode them beyond a label: what is decoded by is code of
   the pipeline, never of the data.
2. A block that is opened as another kind than it was sealed as is a mistake in the pipeline, not
   damage: it fails the job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import apache_beam as beam
from apache_beam import coders
from sealedbeam.pipeline.integrity.checksum import digest128
from sealedbeam.pipeline.integrity.rows import LABEL_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable


class Kind(NamedTuple):
    """A type of elements with the coder that turns them into bytes."""

    element_type: Any
    coder: coders.Coder

    def label(self) -> bytes:
        """Return eight bytes that tell this kind from others."""
        return digest128(describe(self.coder).encode())[:LABEL_BYTES]

    def encoder(self) -> Callable[[Any], bytes]:
        """Return the function that encodes an element."""
        encode: Callable[[Any], bytes] = self.coder.get_impl().encode
        return encode

    def decoder(self) -> Callable[[bytes], Any]:
        """Return the function that decodes an element."""
        decode: Callable[[bytes], Any] = self.coder.get_impl().decode
        return decode


def describe(coder: coders.Coder) -> str:
    """Return the name of a coder with its parts and, for rows, its fields."""
    components = coder._get_component_coders()  # noqa: SLF001 - Beam has no other way to ask
    parts = [describe(part) for part in components]
    if isinstance(coder, coders.RowCoder):
        parts += [f"{one.name}:{one.type.WhichOneof('type_info')}" for one in coder.schema.fields]
    return f"{type(coder).__qualname__}({', '.join(parts)})"


def kind_of(element_type: Any, coder: coders.Coder | None = None) -> Kind:
    """Return the kind of elements of a type, with the registered coder if none is given."""
    return Kind(element_type, coder or coders.registry.get_coder(element_type))


class SealingFn(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """A DoFn whose main output is sealed elements of one kind."""

    kind: Kind
    keyed = False


def sealed_upstream(step: str, sealed: beam.PCollection) -> SealingFn:
    """Return the step that sealed the elements of a PCollection, however many steps above.

    Raises:
        TypeError: there is none, or there are several that seal different kinds.
    """
    found: dict[tuple[bytes, bool], SealingFn] = {}
    seen: set[int] = set()
    waiting = [sealed]
    while waiting:
        pcollection = waiting.pop()
        producer = getattr(pcollection, "producer", None)
        if producer is None or id(producer) in seen:
            continue
        seen.add(id(producer))
        fn = getattr(producer.transform, "fn", None)
        if isinstance(fn, SealingFn):
            found[fn.kind.label(), fn.keyed] = fn
        else:
            waiting += producer.inputs
    if len(found) == 1:
        return next(iter(found.values()))
    problem = "no Seal stands upstream" if not found else "Seals of several kinds stand upstream"
    raise TypeError(f"{step}: {problem}: say what was sealed, as in {step}(element_type=bytes)")
