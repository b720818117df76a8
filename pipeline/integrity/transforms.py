"""Seals for any Beam pipeline: `Seal`, `Guard` and `Open`, wiring over the pure functions beside.

    elements ──Seal──▶ blocks ──any steps──▶ blocks ──Guard(fn)──▶ blocks ──Open──▶ payloads
                                                         └──▶ damage          └──▶ damage

Rules:
1. What cannot be delivered leaves as `Damaged`, and `damage` has to be given: a pipeline that
   ignores it cannot be built.
2. Blocks never mix windows. A block's time is the end of its window, and so is the time of what
   is opened: give elements a time of their own in their payload where it matters.
3. Every step counts under the namespace "sealedbeam", in the same words.

Example:
    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | beam.Create([b"a page", b"another page"])
            | Seal()
            | beam.Reshuffle()
            | Guard(lambda page: page.upper(), damage=beam.io.WriteToText("damaged/in-use"))
            | Open(damage=beam.io.WriteToText("damaged/at-the-end"))
            | beam.Map(print)
        )
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.utils.windowed_value import WindowedValue

from .block import BLOCK_TARGET_BYTES
from .elements import (
    BlockBuilder,
    Damaged,
    Element,
    guard_records,
    open_records,
    seal_elements,
)
from .protection import PROTECTIONS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .block import Block
    from .elements import Fn

Consumer: TypeAlias = beam.PTransform | Callable[[Any], Any]
"""What `damage` is given: a transform, or a function of the PCollection of `Damaged`."""

NAMESPACE = "sealedbeam"
WINDOWS_MAX = 32
"""So many windows of one bundle may have a block begun; beyond that the fullest is closed."""
_DAMAGE = "damage"


class Seal(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Seals byte strings into blocks, bundle by bundle and window by window.

    Elements are payloads; with `identified` they are pairs of identity and payload. Blocks hold at
    most `block_bytes`, but for a record that is larger alone. The protection "none" seals nothing:
    damage passes unseen, it is for measuring only.
    """

    def __init__(
        self,
        protection: str = "correct",
        *,
        identified: bool = False,
        block_bytes: int = BLOCK_TARGET_BYTES,
    ) -> None:
        """Seal with the preset named `protection`."""
        super().__init__()
        self._protection = _preset(protection)
        self._identified = identified
        self._block_bytes = block_bytes

    def expand(self, elements: beam.PCollection) -> beam.PCollection:
        """Return the blocks."""
        fn = _SealElements(self._protection, self._block_bytes, identified=self._identified)
        wanted = tuple[bytes, bytes] if self._identified else bytes
        step = beam.ParDo(fn).with_input_types(wanted).with_output_types(bytes)
        return elements | "SealElements" >> step


class Open(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Opens blocks: every record that is proven, corrected if need be; the rest goes to `damage`.

    Yields payloads, with `identified` pairs of identity and payload.
    """

    def __init__(
        self,
        protection: str = "correct",
        *,
        identified: bool = False,
        damage: Consumer | None = None,
    ) -> None:
        """Open blocks that were sealed with the preset named `protection`.

        Raises:
            TypeError: nothing takes the damage.
        """
        super().__init__()
        self._damage = _consumer("Open", damage)
        self._protection = _preset(protection)
        self._identified = identified

    def expand(self, blocks: beam.PCollection) -> beam.PCollection:
        """Return the records."""
        fn = _OpenBlocks(self._protection, identified=self._identified)
        out = tuple[bytes, bytes] if self._identified else bytes
        return _part(blocks, "OpenBlocks", fn, out, self._damage)


class Guard(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Takes blocks through a pure function `fn` of a payload and seals what it gives.

    `fn` gives bytes, an iterable of bytes, or None to filter the record out. Each record is proven
    before and after `fn` has used it. Where it cannot be, or where `fn` raises, this record alone
    goes to `damage`.
    """

    def __init__(
        self,
        fn: Fn,
        protection: str = "correct",
        *,
        block_bytes: int = BLOCK_TARGET_BYTES,
        damage: Consumer | None = None,
    ) -> None:
        """Guard `fn` with the preset named `protection`, on both sides.

        Raises:
            TypeError: nothing takes the damage, or `fn` is not a function.
        """
        super().__init__()
        if isinstance(fn, beam.PTransform) or not callable(fn):
            raise TypeError(f"Guard takes a function of one payload, got {fn!r}")
        self._fn = fn
        self._damage = _consumer("Guard", damage)
        self._protection = _preset(protection)
        self._block_bytes = block_bytes

    def expand(self, blocks: beam.PCollection) -> beam.PCollection:
        """Return the blocks of results."""
        fn = _GuardBlocks(self._fn, self._protection, self._block_bytes)
        return _part(blocks, "GuardBlocks", fn, bytes, self._damage)


def _preset(name: str) -> str:
    """Return the name of a preset; steps travel with the name, since presets are singletons."""
    if name not in PROTECTIONS:
        raise ValueError(f"protection {name!r} is not one of {', '.join(PROTECTIONS)}")
    return name


def _consumer(step: str, damage: Consumer | None) -> Consumer:
    usable = isinstance(damage, beam.PTransform) or callable(damage)
    if damage is None or isinstance(damage, type) or not usable:
        raise TypeError(
            f"{step} needs damage=: what cannot be proven leaves by an output of its own, and "
            "something must take it, a transform or a function of a PCollection of Damaged, such "
            f"as {step}(..., damage=beam.io.WriteToText('damaged')); got {damage!r}"
        )
    return damage


def _part(
    blocks: beam.PCollection, label: str, fn: beam.DoFn, out: Any, damage: Consumer
) -> beam.PCollection:
    """Part blocks into the main output of `fn` and the damage; hand the damage over."""
    step = beam.ParDo(fn).with_input_types(bytes).with_output_types(out, **{_DAMAGE: Damaged})
    parted = blocks | label >> step.with_outputs(_DAMAGE, main="records")
    if isinstance(damage, beam.PTransform):
        _ = parted[_DAMAGE] | "SetAside" >> damage
    else:
        damage(parted[_DAMAGE])
    return parted.records


def _count(counts: Mapping[str, int]) -> None:
    """Add to the counters; zeros too, so that a counter that is absent is never read as zero."""
    for name, number in counts.items():
        Metrics.counter(NAMESPACE, name).inc(number)


class _SealElements(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Gathers the elements of each window of a bundle into blocks."""

    def __init__(self, protection: str, block_bytes: int, *, identified: bool) -> None:
        self._protection = protection
        self._block_bytes = block_bytes
        self._identified = identified

    def start_bundle(self) -> None:
        self._builders: dict[Any, BlockBuilder] = {}

    def process(self, element: Any, window: Any = beam.DoFn.WindowParam) -> list[WindowedValue]:
        identity, payload = element if self._identified else (None, element)
        if not isinstance(payload, bytes) or not (identity is None or isinstance(identity, bytes)):
            wanted = "pairs of bytes" if self._identified else "bytes"
            raise TypeError(f"Seal takes {wanted}, got {type(payload).__name__}: encode it first")
        builder = self._builders.get(window)
        if builder is None:
            builder = BlockBuilder(PROTECTIONS[self._protection], self._block_bytes)
            self._builders[window] = builder
        closed = _emit(window, builder.add(Element(payload, identity)))
        if len(self._builders) > WINDOWS_MAX:
            fullest = max(self._builders, key=lambda each: self._builders[each].size)
            closed += _emit(fullest, self._builders.pop(fullest).close())
        return closed

    def finish_bundle(self) -> list[WindowedValue]:
        builders, self._builders = self._builders, {}
        return [
            closed
            for window, builder in builders.items()
            for closed in _emit(window, builder.close())
        ]


def _emit(window: Any, block: Block | None) -> list[WindowedValue]:
    """Return a closed block as an output in its window; nothing where there is none."""
    if block is None:
        return []
    _count({"blocks_sealed": 1, "records_sealed": len(block.identities)})
    return [WindowedValue(block.data, window.max_timestamp(), (window,))]


class _OpenBlocks(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Opens one block after another."""

    def __init__(self, protection: str, *, identified: bool) -> None:
        self._protection = protection
        self._identified = identified

    def process(self, element: bytes) -> Iterator[Any]:
        recovered = open_records(element, PROTECTIONS[self._protection])
        _count(recovered.counts)
        for found in recovered.found:
            payload = bytes(found.payload)
            yield (found.identity, payload) if self._identified else payload
        for damaged in recovered.damaged:
            yield beam.pvalue.TaggedOutput(_DAMAGE, damaged)


class _GuardBlocks(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Guards one block after another."""

    def __init__(self, fn: Fn, protection: str, block_bytes: int) -> None:
        self._fn = fn
        self._protection = protection
        self._block_bytes = block_bytes

    def process(self, element: bytes) -> Iterator[Any]:
        protection = PROTECTIONS[self._protection]
        elements, recovered = guard_records(element, self._fn, protection)
        _count(recovered.counts)
        for block in seal_elements(elements, protection, self._block_bytes):
            _count({"blocks_sealed": 1, "records_sealed": len(block.identities)})
            yield block.data
        for damaged in recovered.damaged:
            yield beam.pvalue.TaggedOutput(_DAMAGE, damaged)
