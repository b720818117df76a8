"""What went in, came out and was set aside, as a PCollection: counts and sums of digests.

Each side of an account is a PCollection. Its elements are counted and their XXH3-128 are summed in
the bundle, by window and key space; only the sums travel. They are sealed themselves, wherever they
are: a referee that can be flipped would prove nothing.

A sum of digests is the same in any order, and another one where an element is lost, doubled or
exchanged for another, but for a chance of about 2^-128.

Rules:
1. The account of a window is closed `grace_seconds` after the window and its allowed lateness have
   passed. What arrives later than that is dropped by Beam itself, and unseen here.
2. Where windows merge, or differ between the sides, or are global, there is one account for the
   whole of the input, closed at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import apache_beam as beam
from apache_beam.transforms import window as windows
from apache_beam.transforms.trigger import AccumulationMode, AfterWatermark, DefaultTrigger
from apache_beam.utils.timestamp import MAX_TIMESTAMP, Duration
from apache_beam.utils.windowed_value import WindowedValue
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.block import LossReason
from sealedbeam.pipeline.integrity.checksum import DIGEST_MODULUS, digest128
from sealedbeam.pipeline.integrity.damaged import Damaged
from sealedbeam.pipeline.integrity.protection import CORRECT
from sealedbeam.pipeline.integrity.sealed_value import open_value, seal_value

from .contexts import windowing_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from apache_beam import coders

IN, OUT, ASIDE = "in", "out", "aside"
SIDES = (IN, OUT, ASIDE)
_ACCOUNTS_MAX = 1000
_COUNT_BYTES, _SUM_BYTES = 8, 16
_IDENTITY = b"tally"
_Numbers = list[tuple[int, int]]
_NOTHING: _Numbers = [(0, 0)] * len(SIDES)


class Account(NamedTuple):
    """What one account is about: key space, window as text, end of the window in microseconds."""

    space: str
    window: str
    end: int


def pack(numbers: Sequence[tuple[int, int]]) -> bytes:
    """Return counts and sums of the sides in sealed bytes."""
    payload = b"".join(
        rows.to_bytes(_COUNT_BYTES) + total.to_bytes(_SUM_BYTES) for rows, total in numbers
    )
    return seal_value(_IDENTITY, payload, CORRECT)


def unpack(tally: bytes) -> _Numbers:
    """Return counts and sums; raises IntegrityError where they cannot be proven."""
    opened = open_value(_IDENTITY, tally, CORRECT)
    size = _COUNT_BYTES + _SUM_BYTES
    if isinstance(opened, LossReason) or len(opened[0]) != size * len(SIDES):
        raise IntegrityError("a tally was damaged on its way: the books cannot be balanced")
    parts = [opened[0][start : start + size] for start in range(0, size * len(SIDES), size)]
    return [
        (int.from_bytes(part[:_COUNT_BYTES]), int.from_bytes(part[_COUNT_BYTES:])) for part in parts
    ]


def add(one: _Numbers, other: _Numbers) -> _Numbers:
    """Return the sum of counts and sums."""
    return [
        (rows + more, (total + extra) % DIGEST_MODULUS)
        for (rows, total), (more, extra) in zip(one, other, strict=True)
    ]


class Measure:
    """How many elements an element stands for, and the sum of their digests."""

    def __init__(
        self,
        coder: coders.Coder | None = None,
        by: Callable[[Any], str] | None = None,
        *,
        each_is_one: bool = False,
    ) -> None:
        """Digest what `coder` encodes; where there is none, elements are tallies themselves.

        With `each_is_one` they are counted and not digested.
        """
        self._coder = coder
        self._by = by
        self._each_is_one = each_is_one

    def start(self) -> None:
        """Get the coder ready."""
        self._encode = self._coder.get_impl().encode if self._coder else None

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_encode"}

    def space(self, element: Any) -> str:
        """Return the key space of an element."""
        if self._by is None or isinstance(element, Damaged):
            return ""
        return self._by(element)

    def of(self, element: Any) -> tuple[int, int]:
        """Return count and sum of digests."""
        if self._each_is_one:
            return (element.rows if isinstance(element, Damaged) else 1), 0
        if isinstance(element, Damaged):
            return element.rows, int.from_bytes(element.digest)
        if self._encode is None:
            rows, digest = element
            return rows, int.from_bytes(digest)
        return 1, int.from_bytes(digest128(self._encode(element)))


class TallyElements(beam.DoFn):  # type: ignore[misc]  # Beam is untyped
    """Adds up the elements of a bundle, by account."""

    def __init__(self, side: str, measure: Measure, delay: Duration | None) -> None:
        """Add to a side of the account; `delay` is when it closes, None where at the end."""
        self._side = SIDES.index(side)
        self._measure = measure
        self._delay = delay

    def start_bundle(self) -> None:
        """Begin at zero."""
        self._measure.start()
        self._sums: dict[tuple[str, Any], tuple[int, int]] = {}

    def process(self, element: Any, window: Any = beam.DoFn.WindowParam) -> Iterable[Any]:
        """Count one element."""
        place = self._measure.space(element), window
        rows, total = self._measure.of(element)
        known = self._sums.get(place)
        if known is not None:
            self._sums[place] = (known[0] + rows, known[1] + total)
            return ()
        self._sums[place] = (rows, total)
        return self.finish_bundle() if len(self._sums) > _ACCOUNTS_MAX else ()

    def finish_bundle(self) -> list[WindowedValue]:
        """Return the sums, each at the time when its account closes."""
        sums, self._sums = self._sums, {}
        return [self._emit(*place, *sums[place]) for place in sums]

    def _emit(self, space: str, window: Any, rows: int, total: int) -> WindowedValue:
        numbers = list(_NOTHING)
        numbers[self._side] = (rows, total % DIGEST_MODULUS)
        account, time = Account(space, "", 0), window.max_timestamp()
        if self._delay is not None:
            account = Account(space, str(window), window.end.micros)
            time = min(time + self._delay, MAX_TIMESTAMP - Duration(seconds=2 * 86_400))
        return WindowedValue((tuple(account), pack(numbers)), time, (window,))


class AddTallies(beam.CombineFn):  # type: ignore[misc]  # Beam is untyped
    """Adds sealed tallies; each partial sum is under seal again."""

    def create_accumulator(self) -> bytes:
        """Return zero."""
        return pack(_NOTHING)

    def add_input(self, mutable_accumulator: bytes, element: bytes) -> bytes:
        """Return the sum of two tallies."""
        return pack(add(unpack(mutable_accumulator), unpack(element)))

    def merge_accumulators(self, accumulators: Iterable[bytes]) -> bytes:
        """Return the sum of all tallies."""
        total = list(_NOTHING)
        for each in accumulators:
            total = add(total, unpack(each))
        return pack(total)

    def extract_output(self, accumulator: bytes) -> bytes:
        """Return the sum."""
        return accumulator


def closing_delay(
    pcollections: Iterable[beam.PCollection], grace_seconds: float
) -> Duration | None:
    """Return how long after its window an account closes; None where there is one for all."""
    known = list(pcollections)
    windowings = [each.windowing for each in known]
    names = {windowing_of(each).name for each in known}
    whole = any(
        each.windowfn.is_merging() or isinstance(each.windowfn, windows.GlobalWindows)
        for each in windowings
    )
    if whole or len(names) > 1:
        return None
    lateness = max(each.allowed_lateness for each in windowings)
    return Duration.of(lateness) + Duration(seconds=grace_seconds)


def check_panes(step: str, pcollection: beam.PCollection) -> None:
    """Raise ValueError where the panes of a window repeat each other, so that no sum holds."""
    windowing = pcollection.windowing
    accumulating = windowing.accumulation_mode == AccumulationMode.ACCUMULATING
    if accumulating and not isinstance(windowing.triggerfn, DefaultTrigger):
        raise ValueError(
            f"{step}: {pcollection} fires accumulating panes, which repeat elements: nothing is "
            "conserved over them; use AccumulationMode.DISCARDING"
        )


class SumSides(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Sums the sides of an account: (side, PCollection, Measure) to pairs of Account and tally."""

    def __init__(
        self, sides: Sequence[tuple[str, beam.PCollection, Measure]], grace_seconds: float
    ) -> None:
        """Sum `sides`, which close `grace_seconds` late."""
        super().__init__()
        self._sides = sides
        self._grace_seconds = grace_seconds

    def expand(self, _pcollections: Any) -> beam.PCollection:
        """Return one tally for each account."""
        delay = closing_delay((each for _, each, _ in self._sides), self._grace_seconds)
        over = windows.GlobalWindows() if delay is None else windows.FixedWindows(1)
        pair = tuple[tuple[str, str, int], bytes]
        tallies = []
        for number, (side, pcollection, measure) in enumerate(self._sides):
            fn = TallyElements(side, measure, delay)
            tally = pcollection | f"Tally{number}-{side}" >> beam.ParDo(fn).with_output_types(pair)
            tallies.append(
                tally
                | f"Account{number}"
                >> beam.WindowInto(
                    over,
                    # The default one would not be allowed over unbounded global windows.
                    trigger=AfterWatermark(),
                    accumulation_mode=AccumulationMode.DISCARDING,
                    allowed_lateness=0,
                )
            )
        flat = tallies | beam.Flatten()
        return flat | beam.CombinePerKey(AddTallies()).with_output_types(pair)
