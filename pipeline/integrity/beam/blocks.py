"""The DoFns that seal rows into blocks, bundle by bundle, and open them again.

Rules:
1. A block holds rows of one window and one pane. It lies in them itself, at the time of its
   earliest row: so no watermark overtakes a row that travels in it.
2. Memory: at most BLOCKS_MAX blocks are begun in a bundle, and none outlives its bundle.
"""

from __future__ import annotations

from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import apache_beam as beam
from apache_beam.pvalue import TaggedOutput
from apache_beam.utils.timestamp import Timestamp
from apache_beam.utils.windowed_value import WindowedValue, create
from sealedbeam.pipeline.integrity.damaged import (
    FOREIGN_WINDOW,
    UNREADABLE_ROW,
    describe_error,
    set_aside,
)
from sealedbeam.pipeline.integrity.protection import PROTECTIONS
from sealedbeam.pipeline.integrity.rows import (
    NO_LABEL,
    OpenedRows,
    RowsBuilder,
    open_rows,
)

from .contexts import pane_of
from .counters import count
from .kinds import Kind, SealingFn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sealedbeam.pipeline.integrity.damaged import Damaged

    from .contexts import Windowing

DAMAGE = "damage"
TALLY = "tally"
CHUNK_BYTES = 1 << 17
CHUNK_ROW_BYTES = 1 << 10
"""So many bytes of rows, with so many more for each, wait encoded for their seals: some 64 rows of
1 KiB. A call for each would double the cost."""
BLOCKS_MAX = 32
"""So many blocks of one bundle may be begun; beyond that the fullest is closed."""


class BlockSink:
    """Blocks under way in one bundle, by window and pane, and what is to be emitted of them."""

    def __init__(self, kind: Kind, protection: str, block_bytes: int, windowing: Windowing) -> None:
        self._label = kind.label()
        self._protection = PROTECTIONS[protection]
        self._block_bytes = block_bytes
        self._windowing = windowing
        self._builders: dict[tuple[Any, Any], RowsBuilder] = {}

    def add(
        self, rows: Sequence[bytes], times: Sequence[int], window: Any, pane: Any
    ) -> Sequence[Any]:
        """Add rows of one window and pane; return what is to be emitted now."""
        place = (window, pane)
        builder = self._builders.get(place)
        emitted: Sequence[Any] = ()
        if builder is None:
            if len(self._builders) >= BLOCKS_MAX:
                fullest = max(self._builders, key=lambda each: self._builders[each].size)
                emitted = self._close(fullest)
            context = self._windowing.encode(window, pane)
            builder = RowsBuilder(self._protection, self._label, context)
            self._builders[place] = builder
        if builder.add(rows, times) >= self._block_bytes:
            emitted = [*emitted, *self._close(place)]
        return emitted

    def close(self) -> Iterator[Any]:
        """Yield what is left, at the end of a bundle."""
        for place in list(self._builders):
            yield from self._close(place)

    def _close(self, place: tuple[Any, Any]) -> list[Any]:
        sealed = self._builders.pop(place).close()
        window, pane = place
        time = Timestamp(micros=sealed.time_min)
        count({"blocks_sealed": 1, "rows_sealed": sealed.rows})
        tally = (sealed.rows, sealed.digest_sum.to_bytes(16))
        return [
            WindowedValue(sealed.data, time, (window,), pane),
            TaggedOutput(TALLY, WindowedValue(tally, time, (window,))),
        ]


class SealBlocks(SealingFn):
    """Gathers the elements of each window and pane of a bundle into blocks."""

    def __init__(self, kind: Kind, protection: str, block_bytes: int, windowing: Windowing) -> None:
        """Seal elements of `kind` with a preset into blocks of about `block_bytes`."""
        self.kind = kind
        self.protection = protection
        self._block_bytes = block_bytes
        self._windowing = windowing

    def start_bundle(self) -> None:
        """Begin with no block."""
        self._encode = self.kind.encoder()
        self._sink = BlockSink(self.kind, self.protection, self._block_bytes, self._windowing)
        self._waiting: list[WindowedValue] = []
        self._rows: list[bytes] = []
        self._room = CHUNK_BYTES

    def process(
        self, element: Any, value: WindowedValue = beam.DoFn.WindowedValueParam
    ) -> Sequence[Any]:
        """Take an element that is in one window."""
        row = self._encode(element)
        self._rows.append(row)
        self._waiting.append(value)
        self._room -= len(row) + CHUNK_ROW_BYTES
        return () if self._room > 0 else self._seal_waiting()

    def _seal_waiting(self) -> Sequence[Any]:
        """Seal what waits, in runs of one window and pane; return what is to be emitted."""
        waiting, rows = self._waiting, self._rows
        self._waiting, self._rows, self._room = [], [], CHUNK_BYTES
        times = [value.timestamp_micros for value in waiting]
        places = [(value.windows, value.pane_info) for value in waiting]
        if places.count(places[0]) == len(places):
            ((window,), pane) = places[0]
            return self._sink.add(rows, times, window, pane)
        emitted: list[Any] = []
        for row, time, ((window,), pane) in zip(rows, times, places, strict=True):
            emitted += self._sink.add((row,), (time,), window, pane)
        return emitted

    def finish_bundle(self) -> Iterator[Any]:
        """Close what is begun."""
        if self._waiting:
            yield from self._seal_waiting()
        yield from self._sink.close()


class SealBlocksOfManyWindows(SealBlocks):
    """The same where an element may be in several windows: Beam hands it over once for each."""

    def process(
        self,
        element: Any,
        value: WindowedValue = beam.DoFn.WindowedValueParam,
        window: Any = beam.DoFn.WindowParam,
    ) -> Sequence[Any]:
        """Take an element in one of its windows."""
        alone = create(element, value.timestamp_micros, (window,), value.pane_info)
        return super().process(element, alone)


def open_in_place(
    block: bytes, window: Any, kind: Kind, protection: str, windowing: Windowing
) -> OpenedRows:
    """Return what a block holds, if it is where it belongs.

    Raises:
        TypeError: the block was sealed as another kind of elements: a mistake in the pipeline.
    """
    opened = open_rows(block, PROTECTIONS[protection])
    if opened.label not in {None, NO_LABEL, kind.label()}:
        raise TypeError(
            f"a block holds elements of another kind than {kind.element_type} in {kind.coder!r}: "
            "give the step the element_type or coder that they were sealed with"
        )
    if opened.rows and not windowing.belongs(opened.context, window):
        total = (opened.digest_sum + sum(int.from_bytes(d.digest) for d in opened.damaged)) % (
            1 << 128
        )
        rows = opened.counts["rows_in"]
        foreign = set_aside(FOREIGN_WINDOW, block, rows=rows, digest=total.to_bytes(16))
        counts = {**opened.counts, "rows_intact": 0, "rows_corrected": 0, "rows_dropped": rows}
        return OpenedRows(opened.label, opened.context, damaged=[foreign], counts=counts)
    return opened


def decode_rows(opened: OpenedRows, decode: Callable[[bytes], Any]) -> list[Any]:
    """Return the decoded rows; one that cannot be decoded is set aside."""
    try:
        return list(map(decode, opened.rows))
    except Exception:  # noqa: BLE001 - which of them it was, the slow way tells
        values, kept = [], []
        for place, (index, row) in enumerate(zip(opened.indices, opened.rows, strict=True)):
            try:
                values.append(decode(row))
                kept.append(place)
            except Exception as error:  # noqa: BLE001 - whatever a coder raises concerns this row
                name, said = describe_error(error)
                opened.reject(index, row, UNREADABLE_ROW, said, name)
        opened.times = [opened.times[place] for place in kept]
        return values


def emit_damage(damaged: list[Damaged], step: str) -> Iterator[TaggedOutput]:
    """Yield damage with the name of the step that found it."""
    for each in damaged:
        yield TaggedOutput(DAMAGE, each._replace(step=step))


class OpenBlocks(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Opens one block after another."""

    def __init__(self, kind: Kind, protection: str, windowing: Windowing, step: str) -> None:
        """Open blocks of elements of `kind`."""
        self._kind = kind
        self._protection = protection
        self._windowing = windowing
        self._step = step

    def process(self, element: bytes, window: Any = beam.DoFn.WindowParam) -> Iterable[Any]:
        """Return the elements of a block, with the time and pane that they were sealed with."""
        opened = open_in_place(element, window, self._kind, self._protection, self._windowing)
        values = decode_rows(opened, self._kind.decoder())
        pane = repeat(pane_of(opened.context))
        proven = opened.counts["rows_intact"] + opened.counts["rows_corrected"]
        count(opened.counts)
        return chain(
            map(create, values, opened.times, repeat((window,)), pane),
            emit_damage(opened.damaged, self._step),
            (TaggedOutput(TALLY, (proven, opened.digest_sum.to_bytes(16))),),
        )
