from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.integrity.checksum import DIGEST_MODULUS, digest128
from sealedbeam.pipeline.integrity.damaged import set_aside
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT, NONE, PARITY
from sealedbeam.pipeline.integrity.rows import (
    NO_LABEL,
    PAGE_BYTES,
    RowsBuilder,
    open_rows,
    parse_table,
    seal_rows,
    still_intact,
    sum_digests,
)

from tests.support.blocks import every_flip, flip

if TYPE_CHECKING:
    from sealedbeam.pipeline.integrity.protection import Protection
    from sealedbeam.pipeline.integrity.rows import OpenedRows, SealedRows

ROWS = [b"first row", b"", b"second row", b"second row", b"a longer row of forty-two bytes, say 42"]
PRESETS = st.sampled_from([NONE, DETECT, CORRECT, PARITY])
SEALED = st.sampled_from([DETECT, CORRECT, PARITY])


def one_block(rows: list[bytes], protection: Protection = CORRECT, context: bytes = b"") -> bytes:
    return sealed(rows, protection, context).data


def sealed(rows: list[bytes], protection: Protection, context: bytes = b"") -> SealedRows:
    builder = RowsBuilder(protection, context=context)
    builder.add(rows, range(100, 100 + len(rows)))
    return builder.close()


def check_books(opened: OpenedRows, rows: list[bytes]) -> None:
    """Assert that what is proven was written, and that the rest is accounted for to the row."""
    for index, row, time in zip(opened.indices, opened.rows, opened.times, strict=True):
        assert (row, time) == (rows[index], 100 + index)
    assert len(set(opened.indices)) == len(opened.indices)
    if opened.label is None:
        assert [damaged.rows for damaged in opened.damaged] == [0]
        return
    lost = sum(damaged.rows for damaged in opened.damaged)
    assert len(rows) == len(opened.rows) + lost == opened.counts["rows_in"]
    total = opened.digest_sum + sum(int.from_bytes(each.digest) for each in opened.damaged)
    assert sum(int.from_bytes(digest128(row)) for row in rows) % DIGEST_MODULUS == (
        total % DIGEST_MODULUS
    )


@given(st.lists(st.binary(max_size=60)), PRESETS, st.integers(1, 500), st.sampled_from([0, 1]))
def test_rows_come_back(
    rows: list[bytes], protection: Protection, block_bytes: int, step: int
) -> None:
    """Rows and times come back in order, whatever the size of a block."""
    given_rows = [(row, 7 - step * number) for number, row in enumerate(rows)]
    blocks = list(seal_rows(given_rows, protection, block_bytes))
    opened = [open_rows(block.data, protection) for block in blocks]
    found = [pair for each in opened for pair in zip(each.rows, each.times, strict=True)]
    assert given_rows == found
    assert all(not each.damaged for each in opened)
    assert len(rows) == sum(block.rows for block in blocks)
    assert [block.digest_sum for block in blocks] == [each.digest_sum for each in opened]


def test_many_pages() -> None:
    """Rows of all sizes, some larger than a page, come back from one block."""
    rows = [bytes([number % 251]) * (number * 7919 % 20_000) for number in range(40)]
    rows.append(b"x" * (3 * PAGE_BYTES))
    opened = open_rows(one_block(rows, context=b"window"), CORRECT)
    assert rows == opened.rows
    assert opened.context == b"window"
    assert opened.label == NO_LABEL


@pytest.mark.parametrize("protection", [CORRECT, PARITY], ids=lambda preset: preset.name)
def test_every_flip_is_corrected(protection: Protection) -> None:
    """Whichever (second) bit of a block flips, every row comes back, and somebody counts it."""
    rows = ROWS[:2]
    for _, data in islice(every_flip(one_block(rows, protection)), 0, None, 2):
        opened = open_rows(data, protection)
        assert (rows, []) == (opened.rows, opened.damaged)
        assert opened.counts["blocks_corrected"] == 1


def test_every_flip_is_detected() -> None:
    """Under `detect` no flip is corrected, none is accepted, and the books balance."""
    for _, data in islice(every_flip(one_block(ROWS[:3], DETECT)), 0, None, 3):
        check_books(open_rows(data, DETECT), ROWS[:3])


def test_one_flip_in_each_of_two_rows() -> None:
    """Two flips are too many for a page, but each row is corrected by itself."""
    block = one_block(ROWS)
    hit = flip(block, 8 * block.index(ROWS[0]) + 3, 8 * block.index(ROWS[4]) + 40)
    opened = open_rows(hit, CORRECT)
    assert (opened.rows, opened.damaged) == (ROWS, [])
    assert opened.counts["rows_corrected"] == 2


def test_two_flips_in_a_row_cost_this_row() -> None:
    """The damaged row is set aside with its bytes, number and digest; its neighbours live."""
    block = one_block(ROWS)
    start = 8 * block.index(ROWS[4])
    opened = open_rows(flip(block, start + 1, start + 50), CORRECT)
    assert ROWS[:4] == opened.rows
    (damaged,) = opened.damaged
    expected = set_aside(
        "bad_seal",
        flip(ROWS[4], 1, 50),
        number=4,
        digest=digest128(ROWS[4]),
        block_id=opened.block_id,
    )
    assert expected == damaged
    check_books(opened, ROWS)


def test_swapped_rows_are_not_taken_for_each_other() -> None:
    """Rows of one length that change places are damage: a seal belongs to a place."""
    block = bytearray(one_block([b"aaaa", b"bbbb"]))
    at = block.index(b"aaaabbbb")
    block[at : at + 8] = b"bbbbaaaa"
    opened = open_rows(bytes(block), CORRECT)
    assert [damaged.reason for damaged in opened.damaged] == ["bad_seal", "bad_seal"]
    check_books(opened, [b"aaaa", b"bbbb"])


def test_one_table_suffices() -> None:
    """A table that is damaged beyond correction costs nothing; both cost the block, by number."""
    block = one_block(ROWS)
    table = digest128(ROWS[0]) + digest128(ROWS[1])
    first, second = block.index(table), block.rindex(table)
    assert first < second
    one = flip(block, 8 * first, 8 * first + 90)
    assert open_rows(one, CORRECT).rows == ROWS
    both = open_rows(flip(one, 8 * second, 8 * second + 90), CORRECT)
    assert both.rows == []
    assert [(damaged.reason, damaged.rows) for damaged in both.damaged] == [("bad_seal", len(ROWS))]
    check_books(both, ROWS)


def test_truncated_block_gives_what_is_left() -> None:
    """Rows before a cut are proven one by one; those behind it are set aside."""
    rows = [b"%3d" % number * 30 for number in range(20)]
    block = one_block(rows)
    opened = open_rows(block[: block.index(rows[12])], CORRECT)
    assert rows[:12] == opened.rows
    assert {damaged.reason for damaged in opened.damaged} == {"truncated"}
    check_books(opened, rows)


@given(st.lists(st.binary(max_size=40), max_size=12), SEALED, st.data())
def test_no_wrong_row(rows: list[bytes], protection: Protection, data: st.DataObject) -> None:
    """Whatever is flipped, cut out, put in or exchanged, no row is wrong and none is forgotten."""
    block = bytearray(one_block(rows, protection))
    places = st.integers(0, len(block) - 1)
    for _ in range(data.draw(st.integers(0, 4))):
        at, size = data.draw(places), data.draw(st.integers(0, 30))
        match data.draw(st.integers(0, 3)):
            case 0:
                for _ in range(size):
                    bit = data.draw(places)
                    block[bit % max(1, len(block))] ^= 1 << size % 8
            case 1:
                del block[at : at + size]
            case 2:
                block[at:at] = data.draw(st.binary(max_size=30))
            case 3:
                other = data.draw(places)
                piece = bytes(block[at : at + size])
                block[at : at + size] = block[other : other + size]
                block[other : other + len(piece)] = piece
        block = block or bytearray(b"x")
    check_books(open_rows(bytes(block), protection), rows)


@given(st.binary(max_size=300), PRESETS)
def test_any_bytes_are_damage(data: bytes, protection: Protection) -> None:
    """Bytes that are no block are one casualty, with all of them in it."""
    opened = open_rows(data, protection)
    assert [(damaged.reason, damaged.raw) for damaged in opened.damaged] == [
        ("unreadable_head", data)
    ]


@given(st.binary(max_size=100), SEALED | st.just(NONE))
def test_table_parser_never_raises(data: bytes, protection: Protection) -> None:
    """Whatever the bytes, the table's parser answers, and believes no length."""
    table = parse_table(data, sealed=protection.seals)
    assert table is None or len(table.times) == len(table.lengths)


def test_equal_rows_give_equal_blocks() -> None:
    """A bundle that is done again gives the same bytes; another context gives others."""
    assert one_block(ROWS) == one_block(ROWS)
    assert one_block(ROWS) != one_block(ROWS, context=b"elsewhere")


def test_second_look_goes_red() -> None:
    """A row that changed in memory by one bit is no longer the one that was sealed."""
    opened = open_rows(one_block(ROWS), CORRECT)
    assert opened.table is not None
    assert still_intact(ROWS[4], opened.table, 4)
    assert not still_intact(flip(ROWS[4], 9), opened.table, 4)
    assert not still_intact(ROWS[3], opened.table, 4)


@given(st.lists(st.binary(min_size=16, max_size=16), max_size=50))
def test_sum_of_digests(digests: list[bytes]) -> None:
    """The sum by columns is the sum of the numbers."""
    expected = sum(int.from_bytes(digest) for digest in digests) % DIGEST_MODULUS
    assert expected == sum_digests(b"".join(digests))
