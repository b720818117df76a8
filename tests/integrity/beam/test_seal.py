from __future__ import annotations

from functools import partial
from typing import Any

import apache_beam as beam
import pytest
from apache_beam.transforms import window
from sealedbeam.pipeline.integrity.beam import blocks
from sealedbeam.pipeline.integrity.beam.contexts import windowing_of
from sealedbeam.pipeline.integrity.beam.kinds import kind_of
from sealedbeam.pipeline.integrity.protection import CORRECT
from sealedbeam.pipeline.integrity.rows import open_rows
from sealedbeam.pipeline.integrity.transforms import NAMESPACE, Damaged, Open, Seal

from tests.support.beam_orders import (
    HIT,
    HIT_BYTES,
    ORDERS,
    Gather,
    Order,
    flip_in,
    make_orders,
    nothing,
    reasons,
)

RUNNER = "FnApiRunner"


def where(
    element: Any,
    time: Any = beam.DoFn.TimestampParam,
    within: Any = beam.DoFn.WindowParam,
    pane: Any = beam.DoFn.PaneInfoParam,
) -> tuple[Any, str, str, str]:
    return element, str(time), str(within), repr(pane)


def key_of(order: Order) -> tuple[str, Order]:
    return order.customer, order


def test_elements_of_any_type_come_back() -> None:
    """Rows with a schema, text, pairs, numbers, dicts and None come back, with their type."""
    anything: list[Any] = [None, 1, 2.5, {"a": [1]}, ("b", b"c"), 1 << 70]
    cases: list[tuple[list[Any], Any]] = [
        (ORDERS, Order),
        (["a", "", "a"], str),
        ([("k", 1)], tuple[str, int]),
        (anything, Any),
    ]
    gathered = [Gather() for _ in cases]
    with beam.Pipeline(runner=RUNNER) as pipeline:
        for number, (values, kind) in enumerate(cases):
            created = pipeline | f"Create{number}" >> beam.Create(values, reshuffle=False)
            typed = created | f"Type{number}" >> beam.Map(lambda e: e).with_output_types(kind)
            sealed = typed | f"Seal{number}" >> Seal(block_bytes=200)
            opened = sealed | f"Open{number}" >> Open(damage=nothing)
            assert typed.element_type == opened.element_type
            _ = opened | f"Gather{number}" >> gathered[number]
    assert [values for values, _ in cases] == [each.found for each in gathered]


def test_dynamic_rows_keep_their_schema() -> None:
    """Elements that are `beam.Row` can be used by name behind `Open`, in a schema transform too."""
    totals = Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        rows = pipeline | beam.Create(ORDERS) | beam.Select("price", who="customer")
        opened = rows | Seal() | Open(damage=nothing)
        _ = opened | beam.GroupBy("who").aggregate_field("price", sum, "total") | totals
    expected = {(each.customer, sum(o.price for o in ORDERS if o.customer == each.customer))
                for each in ORDERS}  # fmt: skip
    assert expected == {(each.who, each.total) for each in totals.found}


@pytest.mark.parametrize(
    "windows",
    [
        window.GlobalWindows(),
        window.FixedWindows(5),
        window.SlidingWindows(6, 3),
        window.Sessions(2),
    ],
    ids=lambda windows: type(windows).__name__,
)
def test_times_windows_and_panes_are_kept(windows: Any) -> None:
    """Every element comes back at its time, in its windows and its pane."""
    before, after = Gather(), Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        orders = make_orders(pipeline) | "Windows" >> beam.WindowInto(windows)
        grouped = orders | beam.Map(key_of) | beam.GroupByKey() | beam.MapTuple(lambda k, _: k)
        both = (orders | beam.Map(str), grouped) | beam.Flatten() | "Text" >> beam.Map(str)
        _ = both | "WhereBefore" >> beam.Map(where) | "Before" >> before
        opened = both | Seal() | beam.Reshuffle() | Open(damage=nothing)
        _ = opened | "WhereAfter" >> beam.Map(where) | "After" >> after
    # Beam drops panes where it splits windows.
    kept = slice(3 if isinstance(windows, window.SlidingWindows) else 4)
    assert len(before.found) > len(ORDERS)
    assert sorted(each[kept] for each in before.found) == sorted(each[kept] for each in after.found)


def test_keyed_values_can_be_grouped() -> None:
    """Keys stay visible; values open one by one, or as lists behind a GroupByKey."""
    single, groups = Gather(), Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        keyed = make_orders(pipeline) | beam.Map(key_of).with_output_types(tuple[str, Order])
        sealed = keyed | Seal(keyed=True)
        opened = sealed | "One" >> Open(damage=nothing)
        assert opened.element_type == keyed.element_type
        _ = opened | "Single" >> single
        _ = sealed | beam.GroupByKey() | "Many" >> Open(damage=nothing) | "Groups" >> groups
    expected = [key_of(order) for order in ORDERS]
    assert expected == single.found
    assert sorted(expected) == sorted(
        (key, each) for key, values in groups.found for each in values
    )


def test_keys_must_be_known() -> None:
    """Keyed sealing of what is not known to be pairs is refused, and told how to declare it."""
    with pytest.raises(TypeError, match=r"keyed elements are pairs .*with_output_types"):
        _ = beam.Pipeline(runner=RUNNER) | beam.Create(["a"]) | Seal(keyed=True)


def test_value_in_one_group_of_many_is_lost_alone() -> None:
    """A damaged value leaves its group with its key; the group goes on without it."""
    groups, damaged = Gather(), Gather()

    def damage(customer: str, values: Any) -> tuple[str, list[bytes]]:
        return customer, [flip_in(each, HIT_BYTES, 1, 9) for each in values]

    with beam.Pipeline(runner=RUNNER) as pipeline:
        _ = (
            make_orders(pipeline)
            | beam.Map(key_of).with_output_types(tuple[str, Order])
            | Seal(keyed=True)
            | beam.GroupByKey()
            | beam.MapTuple(damage)
            | Open(damage=damaged)
            | groups
        )
    found = [each for _, values in groups.found for each in values]
    assert sorted(order for order in ORDERS if order != HIT) == sorted(found)
    assert reasons(damaged) == [("bad_seal", "")]


def test_blocks_in_other_windows() -> None:
    """A block in a foreign window is damage; a windowing that the user chose on the way is not."""
    moved, damaged, rewindowed = Gather(), Gather(), Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        sealed = make_orders(pipeline) | Seal()
        astray = sealed | beam.Map(lambda block: window.TimestampedValue(block, 1000))
        _ = astray | "OpenAstray" >> Open(damage=damaged) | "Moved" >> moved
        elsewhere = sealed | "Elsewhere" >> beam.WindowInto(window.FixedWindows(100))
        _ = elsewhere | "OpenElsewhere" >> Open(damage=nothing) | "Rewindowed" >> rewindowed
    assert moved.found == []
    assert reasons(damaged) == [("foreign_window", "")] * 3
    assert len(ORDERS) == sum(each.rows for each in damaged.found)
    assert sorted(ORDERS) == sorted(rewindowed.found)


def test_another_kind_fails_the_job() -> None:
    """Blocks that are opened as another type are a mistake, not damage, and said to be one."""
    with (
        pytest.raises(TypeError, match="holds elements of another kind than <class 'int'>"),
        beam.Pipeline(runner=RUNNER) as pipeline,
    ):
        _ = make_orders(pipeline) | Seal() | Open(element_type=int, damage=nothing)


def test_open_says_what_it_misses() -> None:
    """Without a Seal upstream, or with several kinds of them, Open asks for the type."""
    pipeline = beam.Pipeline(runner=RUNNER)
    blocks_only = pipeline | beam.Create([b"x"])
    with pytest.raises(TypeError, match=r"Open: no Seal stands upstream: .*element_type=bytes"):
        _ = blocks_only | "Alone" >> Open(damage=nothing)
    one = blocks_only | "One" >> Seal()
    two = pipeline | "Text" >> beam.Create(["x"]) | "Two" >> Seal()
    with pytest.raises(TypeError, match="Seals of several kinds stand upstream"):
        _ = (one, two) | beam.Flatten() | "Both" >> Open(damage=nothing)


def test_row_that_cannot_be_decoded() -> None:
    """A proven row that its coder refuses is damage, with the exception's name."""
    opened, damaged = Gather(), Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        sealed = pipeline | beam.Create([b"\xff", b"fine"], reshuffle=False) | Seal()
        typed = Open(element_type=str, coder=_LabelledAsBytes(), damage=damaged)
        _ = sealed | typed | opened
    assert opened.found == ["fine"]
    assert reasons(damaged) == [("unreadable_row", "UnicodeDecodeError")]


class _LabelledAsBytes(beam.coders.StrUtf8Coder):  # type: ignore[misc]  # Beam is untyped
    """Decodes text, and says that it is the coder of bytes."""


_LabelledAsBytes.__qualname__ = "BytesCoder"


def test_many_windows_in_one_bundle() -> None:
    """More blocks than may be begun at once lose nothing."""
    many = [Order("c", 1, 5 * second) for second in range(3 * blocks.BLOCKS_MAX)]
    opened = Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        _ = make_orders(pipeline, many) | Seal() | Open(damage=nothing) | opened
    assert many == sorted(opened.found)


def test_bundle_done_again_gives_the_same_blocks() -> None:
    """A step that runs twice over one bundle gives the same blocks, and begins no third one."""
    windowing = windowing_of(make_orders(beam.Pipeline(runner=RUNNER)))
    step = blocks.SealBlocks(kind_of(bytes), "correct", 300, windowing)
    windows = [(window.IntervalWindow(start, start + 10),) for start in (0, 10)]
    rows = [b"payload %d" % number for number in range(200)]

    def run_bundle() -> list[tuple[bytes, Any]]:
        step.start_bundle()
        emitted: list[Any] = []
        for number, row in enumerate(rows):
            value = beam.utils.windowed_value.WindowedValue(row, number, windows[number % 2])
            emitted += step.process(row, value)
        emitted += step.finish_bundle()
        kept = [each for each in emitted if not isinstance(each, beam.pvalue.TaggedOutput)]
        return [(each.value, each.windows) for each in kept]

    first = run_bundle()
    assert first == run_bundle()
    assert sorted(rows) == sorted(
        row for block, _ in first for row in open_rows(block, CORRECT).rows
    )


def test_counters() -> None:
    """Every step counts what it sealed, and what was intact, corrected and dropped."""
    pipeline = beam.Pipeline(runner=RUNNER)
    _ = (
        pipeline
        | beam.Create([b"row %d" % number for number in range(6)], reshuffle=False)
        | "Seal" >> Seal()
        | "One" >> beam.Map(flip_in, b"row 1", 5)
        | "Two" >> beam.Map(flip_in, b"row 2", 5, 9)
        | "Open" >> Open(damage=beam.Map(Damaged.to_json))
    )
    result = pipeline.run()
    result.wait_until_finish()
    named = beam.metrics.MetricsFilter().with_namespace(NAMESPACE)
    counted: dict[str, dict[str, int]] = {}
    for each in result.metrics().query(named)["counters"]:
        counted.setdefault(each.key.step.partition("/")[0], {})[each.key.metric.name] = each.result
    opened = {"blocks_in": 1, "blocks_corrected": 0, "blocks_dropped": 0, "rows_in": 6}
    assert counted == {
        "Seal": {"blocks_sealed": 1, "rows_sealed": 6},
        "Open": opened | {"rows_intact": 4, "rows_corrected": 1, "rows_dropped": 1},
    }


@pytest.mark.parametrize("damage", [None, "damaged.txt", beam.GroupByKey, 3])
def test_damage_that_nothing_can_take(damage: Any) -> None:
    """A step whose damage nothing takes cannot be made; the message says what to give."""
    with pytest.raises(TypeError, match=r"Open needs damage=.*WriteToText"):
        Open(damage=damage)


def test_damage_that_is_let_fall() -> None:
    """A function that lets the damage fall is found before the pipeline runs."""
    ran: list[str] = []
    pipeline = beam.Pipeline(runner=RUNNER)
    created = pipeline | beam.Create(["a"])
    _ = created | Seal() | Open(damage=lambda _damaged: None) | beam.Map(ran.append)
    with pytest.raises(RuntimeError) as caught:
        pipeline.run()
    assert "nothing takes the PCollection Open/Open/" in str(caught.value.__cause__)
    assert ran == []


def test_damage_that_is_kept_for_later() -> None:
    """Damage of several steps may be collected and given to one sink; then it is consumed."""
    kept: list[beam.PCollection] = []
    damaged = Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        created = pipeline | beam.Create(["a"], reshuffle=False)
        for name in ("One", "Two"):
            cut = created | f"{name}Seal" >> Seal() | f"{name}Cut" >> beam.Map(lambda b: b[:9])
            _ = cut | f"{name}Open" >> Open(damage=kept.append)
        _ = kept | beam.Flatten() | damaged
    assert reasons(damaged) == [("unreadable_head", "")] * 2


@pytest.mark.parametrize("step", [Seal, partial(Open, damage=nothing)])
def test_unknown_protection(step: Any) -> None:
    """The presets are named where one is unknown."""
    with pytest.raises(ValueError, match="'parrot' is not one of none, detect, correct, parity"):
        step("parrot")


def test_nearest_seal_upstream_counts() -> None:
    """What is sealed within a seal is bytes for the outer one, and still there for the inner."""
    found = Gather()
    with beam.Pipeline(runner=RUNNER) as pipeline:
        inner = make_orders(pipeline) | "Inner" >> Seal()
        opened = inner | "Outer" >> Seal() | "OpenOuter" >> Open(damage=nothing)
        assert opened.element_type is bytes
        _ = opened | "OpenInner" >> Open(element_type=Order, damage=nothing) | found
    assert sorted(ORDERS) == sorted(found.found)
