from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity import elements as module
from sealedbeam.pipeline.integrity.block import Seal, open_block, seal_frame, seal_record
from sealedbeam.pipeline.integrity.elements import (
    BlockBuilder,
    Element,
    check_conserved,
    guard_records,
    open_records,
    seal_elements,
)
from sealedbeam.pipeline.integrity.protection import CORRECT, DETECT, NONE

from tests.support.blocks import every_flip, flip

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sealedbeam.pipeline.integrity.elements import Fn
    from sealedbeam.pipeline.integrity.protection import Protection

PAYLOADS = (b"first payload", b"", b"second payload", b"second payload", bytes(100))
PAIRS = st.lists(st.tuples(st.binary(max_size=4), st.binary(max_size=40)), max_size=30)
PRESETS = st.sampled_from([NONE, DETECT, CORRECT])
PROVEN = ("records_intact", "records_corrected", "records_dropped")


def one_block(payloads: Iterable[bytes] = PAYLOADS, protection: Protection = CORRECT) -> bytes:
    (block,) = seal_elements(map(Element, payloads), protection, 1 << 20)
    return block.data


def place_of(payload: bytes, data: bytes) -> int:
    """Return the number of the first bit of `payload` in a block."""
    return 8 * data.index(payload)


def kinds(found: Sequence[module.Damaged]) -> list[tuple[str, int | None]]:
    return [(damaged.reason, damaged.index) for damaged in found]


@given(PAIRS, PRESETS, st.integers(1, 1000))
def test_pairs_come_back(
    pairs: list[tuple[bytes, bytes]], protection: Protection, block_bytes: int
) -> None:
    """What is sealed is opened, in order, whatever the block's size and repeated identities."""
    elements = [Element(payload, identity) for identity, payload in pairs]
    blocks = list(seal_elements(elements, protection, block_bytes))
    found = [each for block in blocks for each in open_records(block.data, protection).found]
    assert [(each.identity, bytes(each.payload)) for each in found] == pairs
    assert all(len(b.data) <= block_bytes or len(b.identities) == 1 for b in blocks)


@given(st.lists(st.binary(max_size=40), max_size=30), st.integers(1, 1000))
def test_equal_elements_give_equal_blocks(payloads: list[bytes], block_bytes: int) -> None:
    """A bundle that is done again gives the same bytes."""
    first, again = (
        [block.data for block in seal_elements(map(Element, payloads), CORRECT, block_bytes)]
        for _ in range(2)
    )
    assert first == again


def test_other_elements_give_other_ids() -> None:
    """Blocks of the same bytes, cut or named otherwise, have ids of their own."""
    sets = [
        [Element(b"ab"), Element(b"c")],
        [Element(b"a"), Element(b"bc")],
        [Element(b"abc")],
        [Element(b"b", b"a"), Element(b"c", b"x")],
        [Element(b"", b"ab"), Element(b"c", b"x")],
    ]
    blocks = [block for elements in sets for block in seal_elements(elements, CORRECT, 1000)]
    assert len({block.block_id for block in blocks}) == len(sets)


def test_equal_payloads_have_identities_of_their_own() -> None:
    """Without identities a record has its number in the block."""
    found = open_records(one_block([b"same"] * 3), CORRECT).found
    assert [each.identity for each in found] == [b"\0\0\0\0", b"\0\0\0\1", b"\0\0\0\2"]


def test_record_is_sealed_when_it_is_added() -> None:
    """A record that changes while its block is being gathered shows when the block is opened."""
    payload = bytes(bytearray(b"gathered payload"))
    builder = BlockBuilder(CORRECT, 1 << 20)
    assert builder.add(Element(payload)) is None
    overwrite(payload, b"XY")
    block = builder.close()
    assert block is not None
    assert kinds(open_records(block.data, CORRECT).damaged) == [("bad_seal", 0)]


def test_seal_that_was_taken_before_is_kept() -> None:
    """An element that brings its seal is not sealed again."""
    stale = Element(b"payload", b"id", seal_record(b"id", b"Payload, other"))
    (block,) = seal_elements([stale], DETECT, 1000)
    assert kinds(open_records(block.data, DETECT).damaged) == [("bad_seal", 0)]


def test_record_that_no_frame_can_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """A payload over the limit is refused with its size."""
    monkeypatch.setattr(module, "PAYLOAD_BYTES_MAX", 3)
    with pytest.raises(ValueError, match="a record of 4 bytes: at most 3"):
        BlockBuilder(CORRECT, 1000).add(Element(b"1234"))


def test_every_flip_is_corrected_and_counted() -> None:
    """Wherever one bit of a block flips, every record comes out right, and it is counted."""
    data = one_block()
    for _, damaged in every_flip(data):
        recovered = open_records(damaged, CORRECT)
        assert [bytes(each.payload) for each in recovered.found] == list(PAYLOADS)
        counts = recovered.counts
        assert counts["records_corrected"] + counts["blocks_corrected"] == 1
        assert recovered.damaged == []


def test_two_flips_cost_one_record() -> None:
    """What cannot be corrected is set aside with its place and bytes; its neighbours stay."""
    data = one_block()
    bit = place_of(b"first payload", data)
    damaged = flip(data, bit, bit + 9)
    recovered = open_records(damaged, CORRECT)
    assert [bytes(each.payload) for each in recovered.found] == list(PAYLOADS[1:])
    (loss,) = recovered.damaged
    begin, end = loss.offset, loss.offset + loss.length
    assert (loss.reason, loss.index, loss.identity) == ("bad_seal", 0, None)
    assert loss.raw == damaged[begin:end]
    assert data[begin:end].endswith(b"first payload")
    assert loss.block_id is not None
    assert loss.block_id in data
    assert [recovered.counts[name] for name in PROVEN] == [4, 0, 1]


def test_block_that_ends_early() -> None:
    """The records before the cut are delivered, the others are set aside one by one."""
    data = one_block()
    cut = data.index(b"second payload") + 3
    recovered = open_records(data[:cut], CORRECT)
    assert [bytes(each.payload) for each in recovered.found] == [b"first payload", b""]
    assert kinds(recovered.damaged) == [("truncated", index) for index in (2, 3, 4)]
    assert recovered.damaged[0].raw == data[recovered.damaged[0].offset : cut]


@given(st.binary(max_size=300), PRESETS)
def test_bytes_that_are_no_block(data: bytes, protection: Protection) -> None:
    """They are set aside whole, and count as a block, not as records."""
    recovered = open_records(data, protection)
    (damaged,) = recovered.damaged
    assert (damaged.reason, damaged.index, damaged.raw) == ("unreadable_head", None, data)
    assert (damaged.block_id, recovered.found) == (None, [])
    assert (recovered.counts["blocks_dropped"], recovered.counts["records_in"]) == (1, 0)


def test_guard_keeps_lineage() -> None:
    """One result has the identity of its record, several have it with their number."""

    def fn(payload: bytes) -> bytes | list[bytes] | None:
        answers: dict[bytes, bytes | list[bytes]] = {b"one": b"1", b"two": [b"2a", b"2b"]}
        return answers.get(payload, [] if payload == b"empty" else None)

    names = (b"one", b"two", b"empty", b"none")
    (block,) = seal_elements([Element(name, name) for name in names], CORRECT, 1 << 20)
    results, recovered = guard_records(block.data, fn, CORRECT)
    assert [(each.identity, each.payload) for each in results] == [
        (b"one", b"1"),
        (b"two\0\0\0\0", b"2a"),
        (b"two\0\0\0\1", b"2b"),
    ]
    assert (recovered.counts["records_used"], recovered.counts["records_filtered"]) == (2, 2)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("text", "TypeError: fn gave str; "),
        (bytearray(b"x"), "TypeError: fn gave bytearray; "),
        ([b"x", 3], "TypeError: fn gave int; "),
        (3, "TypeError: 'int' object is not iterable"),
    ],
)
def test_guard_sets_wrong_results_aside(answer: object, message: str) -> None:
    """What is not bytes concerns that record alone; nothing of it is delivered."""
    fn = {b"second payload": answer}.get
    results, recovered = guard_records(one_block(), cast("Fn", fn), CORRECT)
    assert results == []
    assert kinds(recovered.damaged) == [("fn_failed", 2), ("fn_failed", 3)]
    assert recovered.damaged[0].message.startswith(message)


@pytest.mark.parametrize("protection", [NONE, DETECT, CORRECT])
def test_guard_sets_what_raises_aside(protection: Protection) -> None:
    """A record on which fn raises goes with its payload, place and cause; neighbours are used."""

    def fn(payload: bytes) -> Iterable[bytes]:
        yield payload
        if not payload:
            raise LookupError("x" * 2000)

    data = one_block(protection=protection)
    results, recovered = guard_records(data, fn, protection)
    assert [each.payload for each in results] == [each for each in PAYLOADS if each]
    (damaged,) = recovered.damaged
    assert (damaged.reason, damaged.identity, damaged.raw) == ("fn_failed", b"\0\0\0\1", b"")
    assert damaged.message == ("LookupError: " + "x" * 2000)[:1000]
    frame = data[damaged.offset : damaged.offset + damaged.length]
    assert frame == b"\4\0\0\0" + b"\0\0\0\1" + b"\0\0\0\0"
    assert [recovered.counts[name] for name in PROVEN] == [4, 0, 1]


def overwrite(payload: bytes, new: bytes) -> None:
    """Change bytes in place, as failing memory does."""
    header_bytes = bytes.__basicsize__ - 1
    ctypes.memmove(id(payload) + header_bytes, new, len(new))


@pytest.mark.parametrize("raises", [False, True])
def test_guard_sees_what_changed_in_use(*, raises: bool) -> None:
    """A record that changes while fn works on it is set aside, whether or not fn noticed."""

    def fn(payload: bytes) -> bytes:
        if payload == b"first payload":
            overwrite(payload, b"F")
            if raises:
                raise ValueError("strange input")
        return payload

    results, recovered = guard_records(one_block(), fn, CORRECT)
    assert [each.payload for each in results] == list(PAYLOADS[1:])
    (damaged,) = recovered.damaged
    assert (damaged.reason, damaged.raw) == ("changed_in_use", b"First payload")


def test_corrected_record_has_one_outcome() -> None:
    """A record that was corrected and then set aside is dropped, not both."""

    def fn(payload: bytes) -> bytes:
        raise ValueError(payload)

    data = one_block([b"payload"])
    damaged = flip(data, place_of(b"payload", data))
    _, recovered = guard_records(damaged, fn, CORRECT)
    assert [recovered.counts[name] for name in PROVEN] == [0, 0, 1]
    assert recovered.damaged[0].raw == b"payload"


def test_lost_record_is_seen() -> None:
    """Counts of which one is missing an outcome, or has two, do not pass."""
    counts = guard_records(one_block(), bytes.upper, CORRECT)[1].counts
    check_conserved(counts)
    for name in counts:
        if name.startswith("records_"):
            with pytest.raises(IntegrityError, match="not conserved"):
                check_conserved(counts | {name: counts[name] + 1})


def test_results_are_sealed_before_the_second_look() -> None:
    """A result whose bytes change after fn has given it shows when its block is opened."""
    results, _ = guard_records(one_block([b"payload"]), lambda payload: payload * 2, CORRECT)
    overwrite(results[0].payload, b"XY")
    (block,) = seal_elements(results, CORRECT, 1 << 20)
    opened = open_block(block.data, None, CORRECT)
    assert [loss.reason for loss in opened.losses] == ["bad_seal"]


@pytest.mark.parametrize("bit", range(160))
def test_flip_in_a_seal_before_it_is_written_costs_no_record(bit: int) -> None:
    """A record is used whose stored seal is wrong in one bit, and a change in use is still seen."""
    good = seal_record(b"i", b"payload")
    sealed = flip(good.crc.to_bytes(4) + good.digest, bit)
    hit = Seal(int.from_bytes(sealed[:4]), sealed[4:])
    (block,) = seal_elements([Element(b"payload", b"i", hit)], CORRECT, 1 << 20)
    results, recovered = guard_records(block.data, bytes.upper, CORRECT)
    assert [element.payload for element in results] == [b"PAYLOAD"]
    assert recovered.counts["records_corrected"] == recovered.counts["records_used"] == 1
    (found,) = recovered.found
    assert found.crc == good.crc == seal_frame(found.frame).crc
    assert found.agrees(found.frame)
    assert not any(found.agrees(damaged) for _, damaged in every_flip(bytes(found.frame)))
