"""The seal of a row is the CRC-32C of its bytes as they are stated, and any change shows."""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.crawl.sealed_rows import SEAL, Layout, are_sound, rows_of, table_of
from sealedbeam.pipeline.integrity.checksum import crc32c


class Thing(NamedTuple):
    name: str
    small: int
    share: float
    large: int
    text: str


KINDS = {
    "name": pa.string(),
    "small": pa.int32(),
    "share": pa.float64(),
    "large": pa.int64(),
    "text": pa.string(),
}
LAYOUT: Layout[Thing] = Layout("things 1", KINDS, "name", 4, Thing._make)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=5)
THINGS = st.builds(
    Thing,
    TEXTS,
    st.integers(-(2**31), 2**31 - 1),
    st.floats(allow_nan=False),
    st.integers(-(2**63), 2**63 - 1),
    TEXTS,
)


def slow_seal(thing: Thing) -> int:
    texts = [thing.name.encode(), thing.text.encode()]
    numbers = struct.pack("<qdq", thing.small, thing.share, thing.large)
    return crc32c(numbers + struct.pack("<qq", *map(len, texts)) + b"".join(texts))


@given(st.lists(THINGS, max_size=8))
def test_rows_come_back_sealed(things: list[Thing]) -> None:
    """Rows come back as they were, each with the CRC-32C of its stated bytes."""
    table = table_of(things, LAYOUT)
    assert things == rows_of(table, LAYOUT)
    assert table.column(SEAL).to_pylist() == [slow_seal(thing) for thing in things]
    assert are_sound(table, LAYOUT).all()
    assert table.schema.equals(LAYOUT.schema, check_metadata=True)


@given(st.lists(THINGS, min_size=3, max_size=8))
def test_slices_and_chunks_are_sealed_alike(things: list[Thing]) -> None:
    """Where a table begins, and how it is cut, makes no difference to its seals."""
    table = table_of(things, LAYOUT)
    parts = pa.concat_tables([table.slice(1, 1), table.slice(2), table.slice(0, 1)])
    assert are_sound(parts, LAYOUT).all()
    assert [*things[1:], things[0]] == rows_of(parts, LAYOUT)


@given(st.lists(THINGS, min_size=1, max_size=4), st.data())
def test_every_change_shows(things: list[Thing], data: st.DataObject) -> None:
    """A flipped bit, or a character that moves to the next text, breaks the seal of that row."""
    table = table_of(things, LAYOUT)
    row = data.draw(st.integers(0, len(things) - 1))
    name = data.draw(st.sampled_from([*KINDS, SEAL, "moved"]))
    changed = _change(things[row], name, data)
    if changed is None:
        return
    rows = [changed if index == row else thing for index, thing in enumerate(things)]
    damaged = table_of(rows, LAYOUT).set_column(5, LAYOUT.schema.field(SEAL), table.column(SEAL))
    expected = [index != row for index in range(len(things))]
    assert expected == are_sound(damaged, LAYOUT).tolist()


def _change(thing: Thing, name: str, data: st.DataObject) -> Thing | None:
    if name == "moved":
        changed = thing._replace(name=thing.name + thing.text[:1], text=thing.text[1:])
        return changed if changed != thing else None
    value: Any = getattr(thing, name, None)
    if isinstance(value, int):
        value ^= 1 << data.draw(st.integers(0, 30))
    elif isinstance(value, float):
        bits = np.float64(value).view(np.int64) ^ np.int64(1 << data.draw(st.integers(0, 51)))
        value = float(bits.view(np.float64))
    elif isinstance(value, str):
        value += "x"
    else:
        return None
    return Thing(**thing._asdict() | {name: value})


@pytest.mark.parametrize(
    "thing",
    [
        Thing("a", 1 << 31, 0.0, 0, ""),
        Thing("a", 0, 0.0, 1 << 63, ""),
        Thing("\ud800", 0, 0.0, 0, ""),
        Thing("a", 0, 0.0, 0, None),  # type: ignore[arg-type] # what the type checker cannot stop
        Thing("a", "1", 0.0, 0, ""),  # type: ignore[arg-type] # likewise
    ],
)
def test_what_does_not_fit_is_refused(thing: Thing) -> None:
    """A value that does not fit its field is refused when the row is sealed."""
    with pytest.raises(ValueError, match="does not fit things 1"):
        table_of([thing], LAYOUT)
