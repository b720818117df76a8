from __future__ import annotations

import textwrap
from functools import partial
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.transforms import window
from sealedbeam.pipeline.integrity import transforms
from sealedbeam.pipeline.integrity.elements import Damaged, Element, open_records, seal_elements
from sealedbeam.pipeline.integrity.protection import CORRECT
from sealedbeam.pipeline.integrity.transforms import WINDOWS_MAX, Guard, Open, Seal

from tests.support.blocks import flip

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAYLOADS = [b"payload %d" % number for number in range(20)]
STEP: dict[str, Callable[..., Any]] = {
    "Seal": Seal,
    "Guard": partial(Guard, bytes.upper),
    "Open": Open,
}


@pytest.fixture(params=["DirectRunner", "FnApiRunner"])
def runner(request: pytest.FixtureRequest) -> str:
    """Return each of the local runners by name."""
    name: str = request.param
    return name


def none_damaged(damaged: beam.PCollection) -> None:
    assert_that(damaged, equal_to([]), label="NothingDamaged")


def damage_of(*expected: tuple[str, bytes]) -> Callable[[beam.PCollection], None]:
    """Return what takes damage and asserts its reasons and what its raw bytes end in."""

    def matches(found: list[Damaged]) -> None:
        assert sorted(each.reason for each in found) == sorted(reason for reason, _ in expected)
        for reason, tail in expected:
            assert any(each.reason == reason and each.raw.endswith(tail) for each in found)

    return lambda damaged: assert_that(damaged, matches, label="Damage")


def damage_payload(block: bytes, payload: bytes, *bits: int) -> bytes:
    """Flip bits of one payload in the block that holds it."""
    if payload not in block:
        return block
    start = 8 * block.index(payload)
    return flip(block, *(start + bit for bit in bits))


@pytest.mark.parametrize("protection", ["none", "detect", "correct"])
def test_round_trip(runner: str, protection: str) -> None:
    """Every payload comes back, equal ones as often as they were sealed."""
    payloads = [*PAYLOADS, b"", b"same", b"same"]
    with beam.Pipeline(runner=runner) as pipeline:
        opened = (
            pipeline
            | beam.Create(payloads)
            | Seal(protection, block_bytes=500)
            | beam.Reshuffle()
            | Open(protection, damage=none_damaged)
        )
        assert_that(opened, equal_to(payloads))


def test_identities_travel(runner: str) -> None:
    """With `identified` pairs go in and pairs come out, also where an identity repeats."""
    pairs = [(b"a", b"1"), (b"b", b"2"), (b"a", b"3")]
    with beam.Pipeline(runner=runner) as pipeline:
        sealed = pipeline | beam.Create(pairs) | Seal(identified=True)
        opened = sealed | Open(identified=True, damage=none_damaged)
        assert_that(opened, equal_to(pairs))


def test_one_flipped_bit_is_corrected(runner: str) -> None:
    """A bit that flips between sealing and opening is put back."""
    with beam.Pipeline(runner=runner) as pipeline:
        opened = (
            pipeline
            | beam.Create(PAYLOADS)
            | Seal()
            | beam.Map(damage_payload, b"payload 7", 3)
            | Open(damage=none_damaged)
        )
        assert_that(opened, equal_to(PAYLOADS))


def test_two_flipped_bits_cost_one_record(runner: str) -> None:
    """What cannot be corrected goes to the damage output; everything else is delivered."""
    hit = b"payload 7"
    with beam.Pipeline(runner=runner) as pipeline:
        opened = (
            pipeline
            | beam.Create(PAYLOADS)
            | Seal()
            | beam.Map(damage_payload, hit, 3, 12)
            | Open(damage=damage_of(("bad_seal", damage_payload(hit, hit, 3, 12))))
        )
        assert_that(opened, equal_to([each for each in PAYLOADS if each != hit]))


def test_half_of_a_block_is_lost(runner: str) -> None:
    """Each record of the half that is gone is damage; the other half is delivered."""
    payloads = [b"%d" % number * 100 for number in range(8)]
    (block,) = seal_elements(map(Element, payloads), CORRECT, 1 << 20)
    half = block.data[: len(block.data) // 2]
    whole = [payload for payload in payloads if payload in half]
    assert 0 < len(whole) < len(payloads)
    lost = [("truncated", b"")] * (len(payloads) - len(whole))
    with beam.Pipeline(runner=runner) as pipeline:
        opened = pipeline | beam.Create([half]) | Open(damage=damage_of(*lost))
        assert_that(opened, equal_to(whole))


def test_element_that_is_no_block(runner: str) -> None:
    """Bytes in which no head can be proven are damage as a whole."""
    with beam.Pipeline(runner=runner) as pipeline:
        opened = pipeline | beam.Create([b"x"]) | Open(damage=damage_of(("unreadable_head", b"x")))
        assert_that(opened, equal_to([]))


def test_guard(runner: str) -> None:
    """What fn gives is sealed, what it filters is gone, what it fails on is damage."""

    def fn(payload: bytes) -> bytes | list[bytes] | None:
        if payload.endswith(b"3"):
            raise ValueError("three")
        number = int(payload.split()[1])
        return None if number > 5 else [payload] * number if number % 2 else payload.upper()

    fails = [("fn_failed", payload) for payload in PAYLOADS if payload.endswith(b"3")]
    expected = [b"PAYLOAD 0", b"payload 1", b"PAYLOAD 2", b"PAYLOAD 4", *[b"payload 5"] * 5]
    with beam.Pipeline(runner=runner) as pipeline:
        opened = (
            pipeline
            | beam.Create(PAYLOADS)
            | Seal(block_bytes=600)
            | Guard(fn, damage=damage_of(*fails))
            | Open(damage=none_damaged)
        )
        assert_that(opened, equal_to(expected))


def test_windows_are_kept(runner: str) -> None:
    """No block holds records of two windows, and each is in its own, sliding windows too."""
    stamped = [(b"%d" % second, second) for second in range(0, 60, 7)]

    def with_window(payload: bytes, within: Any = beam.DoFn.WindowParam) -> tuple[bytes, int, int]:
        return payload, int(within.start), int(within.end)

    sliding = window.SlidingWindows(size=20, period=10)
    with beam.Pipeline(runner=runner) as pipeline:
        windowed = (
            pipeline
            | beam.Create(stamped)
            | beam.MapTuple(window.TimestampedValue)
            | beam.WindowInto(sliding)
        )
        opened = (
            windowed
            | Seal()
            | Guard(lambda payload: payload, damage=none_damaged)
            | Open(damage=none_damaged)
            | beam.Map(with_window)
        )
        starts = range(-10, 60, 10)
        expected = [
            (payload, start, start + 20)
            for payload, second in stamped
            for start in starts
            if start <= second < start + 20
        ]
        assert_that(opened, equal_to(expected), label="Windows")


def test_damage_keeps_its_window(runner: str) -> None:
    """What is set aside is in the window of the record that it was."""

    def count_by_window(damaged: beam.PCollection) -> None:
        counts = damaged | beam.combiners.Count.Globally().without_defaults()
        assert_that(counts, equal_to([2, 1]))

    with beam.Pipeline(runner=runner) as pipeline:
        _ = (
            pipeline
            | beam.Create([(b"a", 1), (b"b", 2), (b"c", 11)])
            | beam.MapTuple(window.TimestampedValue)
            | beam.WindowInto(window.FixedWindows(10))
            | Seal()
            | Guard(lambda payload: b"%d" % payload[9], damage=count_by_window)
        )


def test_many_windows_in_one_bundle(runner: str) -> None:
    """More windows than may be open at once lose nothing."""
    stamped = [(b"%d" % second, second) for second in range(3 * WINDOWS_MAX)]
    with beam.Pipeline(runner=runner) as pipeline:
        opened = (
            pipeline
            | beam.Create(stamped)
            | beam.MapTuple(window.TimestampedValue)
            | beam.WindowInto(window.FixedWindows(1))
            | Seal()
            | Open(damage=none_damaged)
        )
        assert_that(opened, equal_to([payload for payload, _ in stamped]))


def test_bundle_done_again_gives_the_same_blocks() -> None:
    """A step that runs twice over the same bundle gives the same blocks in the same windows."""
    step = transforms._SealElements("correct", 300, identified=False)
    windows = [window.IntervalWindow(start, start + 10) for start in (0, 10)]

    def run_bundle() -> list[Any]:
        step.start_bundle()
        given = [
            block
            for number, payload in enumerate(PAYLOADS)
            for block in step.process(payload, windows[number % 2])
        ]
        return [(each.value, each.windows) for each in [*given, *step.finish_bundle()]]

    first = run_bundle()
    assert first == run_bundle()
    payloads = [
        bytes(found.payload) for block, _ in first for found in open_records(block, CORRECT).found
    ]
    assert sorted(payloads) == sorted(PAYLOADS)


def test_counters(runner: str) -> None:
    """Each step counts what it sealed, what was intact, corrected and dropped, and what fn did."""
    pipeline = beam.Pipeline(runner=runner)
    _ = (
        pipeline
        | beam.Create([b"payload %d" % number for number in range(6)], reshuffle=False)
        | "Seal" >> Seal()
        | "One" >> beam.Map(damage_payload, b"payload 1", 5)
        | "Two" >> beam.Map(damage_payload, b"payload 2", 5, 9)
        | "Guard" >> Guard({b"payload 4": b"4"}.get, damage=beam.Map(lambda each: each))
        | "Open" >> Open(damage=beam.Map(lambda each: each))
    )
    result = pipeline.run()
    result.wait_until_finish()
    counted: dict[str, dict[str, int]] = {}
    named = beam.metrics.MetricsFilter().with_namespace(transforms.NAMESPACE)
    for each in result.metrics().query(named)["counters"]:
        counted.setdefault(each.key.step.partition("/")[0], {})[each.key.metric.name] = each.result
    opened = {"blocks_in": 1, "blocks_corrected": 0, "blocks_dropped": 0}
    sealed = {"blocks_sealed": 1}
    assert counted == {
        "Seal": sealed | {"records_sealed": 6},
        "Guard": opened
        | sealed
        | {"records_in": 6, "records_intact": 4, "records_corrected": 1, "records_dropped": 1}
        | {"records_used": 1, "records_filtered": 4, "records_sealed": 1},
        "Open": opened
        | {"records_in": 1, "records_intact": 1, "records_corrected": 0, "records_dropped": 0},
    }


@pytest.mark.parametrize("step", ["Open", "Guard"])
@pytest.mark.parametrize("damage", [None, "damaged.txt", beam.GroupByKey, 3])
def test_damage_that_nothing_takes(step: str, damage: Any) -> None:
    """A step whose damage nothing takes cannot be built; the message says what to give."""
    with pytest.raises(TypeError, match=rf"{step} needs damage=.*WriteToText"):
        STEP[step](damage=damage)


@pytest.mark.parametrize("step", ["Open", "Guard"])
def test_damage_that_is_not_given(step: str) -> None:
    """The same without the keyword at all."""
    with pytest.raises(TypeError, match=rf"{step} needs damage="):
        STEP[step]()


@pytest.mark.parametrize("step", STEP)
def test_unknown_protection(step: str) -> None:
    """The presets are named where one is unknown."""
    options = {} if step == "Seal" else {"damage": none_damaged}
    with pytest.raises(ValueError, match="'parrot' is not one of none, detect, correct"):
        STEP[step](protection="parrot", **options)


@pytest.mark.parametrize("fn", [beam.Map(bytes.upper), "upper"])
def test_guard_takes_a_function(fn: Any) -> None:
    """What is no function is refused at construction."""
    with pytest.raises(TypeError, match="Guard takes a function of one payload"):
        Guard(fn, damage=none_damaged)


def test_elements_that_are_not_bytes(runner: str) -> None:
    """Where the type is known the pipeline is not built; where not, the message says what to do."""
    with pytest.raises(beam.typehints.TypeCheckError, match=r"requires .*bytes.* but was .*str"):
        _ = beam.Pipeline(runner=runner) | beam.Create(["text"]) | Seal()
    untyped = beam.Map(lambda each: each).with_output_types(Any)
    with (
        pytest.raises(TypeError, match="Seal takes bytes, got str: encode it first"),
        beam.Pipeline(runner=runner) as pipeline,
    ):
        _ = pipeline | beam.Create(["text"]) | untyped | Seal()


def test_documented_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The example in the module's docstring runs as it stands, and sets nothing aside."""
    monkeypatch.chdir(tmp_path)
    example = textwrap.dedent((transforms.__doc__ or "").split("Example:\n")[1])
    names = {"beam": beam, "Seal": Seal, "Guard": Guard, "Open": Open}
    exec(compile(example, "example", "exec"), names)
    assert sorted(capsys.readouterr().out.split("\n")) == ["", "b'A PAGE'", "b'ANOTHER PAGE'"]
    written = sorted(tmp_path.glob("damaged/*"))
    assert [path.read_text() for path in written] == ["", ""]
