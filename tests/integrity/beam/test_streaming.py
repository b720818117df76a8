"""Streams with late data, on the local runner: elements, watermarks and accounts by window."""

from __future__ import annotations

from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing import test_stream
from apache_beam.transforms import window
from apache_beam.utils.timestamp import Duration
from sealedbeam.pipeline.integrity.transforms import Open, Protect, Reconcile, Seal

from tests.support.beam_orders import Gather, nothing, reasons

Pair = tuple[str, int]
LATENESS_SECONDS = 20


def stream() -> test_stream.TestStream:
    """Return a stream of pairs: on time, late, and too late for its window by ten seconds."""
    at = window.TimestampedValue
    return (
        test_stream.TestStream(coder=beam.coders.registry.get_coder(Pair))
        .add_elements([at(("a", 1), 1), at(("b", 3), 3)])
        .advance_watermark_to(12)
        .add_elements([at(("a", 5), 5), at(("b", 15), 15)])
        .advance_watermark_to(40)
        .add_elements([at(("a", 6), 6)])
        .advance_watermark_to_infinity()
    )


def run(step: beam.PTransform) -> Gather:
    """Return what a step makes of the stream, with times, windows and panes."""
    found = Gather()
    with beam.Pipeline(options=PipelineOptions(["--streaming"])) as pipeline:
        pairs = pipeline | stream() | beam.Map(lambda p: p).with_output_types(Pair)
        windowed = pairs | beam.WindowInto(
            window.FixedWindows(10), allowed_lateness=Duration(seconds=LATENESS_SECONDS)
        )
        _ = windowed | step | "Where" >> beam.Map(where) | found
    return found


def where(
    element: Any,
    time: Any = beam.DoFn.TimestampParam,
    within: Any = beam.DoFn.WindowParam,
    pane: Any = beam.DoFn.PaneInfoParam,
) -> tuple[Any, str, str, str]:
    return element, str(time), str(within), repr(pane)


class SealAndOpen(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """There and back."""

    def expand(self, pairs: beam.PCollection) -> beam.PCollection:
        return pairs | Seal() | Open(damage=nothing)


class SealAndGroup(beam.PTransform):  # type: ignore[misc]  # Beam is untyped
    """Groups sealed values."""

    def expand(self, pairs: beam.PCollection) -> beam.PCollection:
        return pairs | Seal(keyed=True) | beam.GroupByKey() | Open(damage=nothing)


def test_stream_is_the_same_behind_seals() -> None:
    """Late elements included, all arrive at their times, in their windows."""
    plain, sealed = run(beam.Map(lambda p: p)), run(SealAndOpen())
    assert len(plain.found) == 5
    assert sorted(plain.found) == sorted(sealed.found)


def test_panes_are_the_same_behind_sealed_groups() -> None:
    """Groups of sealed values fire when plain ones do, on time and late, in the same panes."""
    plain, sealed = run(beam.GroupByKey()), run(SealAndGroup())
    assert sorted(plain.found) == sorted(sealed.found)
    assert any("LATE" in pane for *_, pane in sealed.found)


def test_late_data_that_beam_drops_is_missed() -> None:
    """What comes too late for its group is lost, and said to be, within the account's grace."""
    ledger = Gather()
    step = Reconcile(beam.GroupByKey(), grace_seconds=100, on_imbalance="emit", ledger=ledger)
    assert len(run(step).found) == 4
    entries = {entry.window: entry for entry in ledger.found}
    first, second = entries["[0.0, 10.0)"], entries["[10.0, 20.0)"]
    assert (first.rows_in, first.rows_out, first.balanced) == (4, 3, False)
    assert (second.rows_in, second.balanced) == (1, True)


def test_protected_stream() -> None:
    """A transform of a stream is protected as one of a batch: by window, late elements included."""
    damaged, ledger = Gather(), Gather()
    inverse = beam.MapTuple(lambda key, number: (key, 30 // (number - 5)))
    found = run(Protect(inverse, damaged=damaged, ledger=ledger))
    assert len(found.found) == 4
    assert reasons(damaged) == [("raised", "ZeroDivisionError")]
    entered = {e.window: e.rows_in for e in ledger.found if e.name == "Protect/In"}
    assert entered == {"[0.0, 10.0)": 4, "[10.0, 20.0)": 1}
    assert all(entry.balanced for entry in ledger.found)
