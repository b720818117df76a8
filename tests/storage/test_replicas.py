"""Claims about files that lie there twice: one good copy is enough, and so are two bad ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.storage.replicas import merge, read_replicated

from tests.support.stored_output import some_bytes

if TYPE_CHECKING:
    from pathlib import Path

SIZE = 20_000
ORIGINAL = some_bytes(SIZE, 1)
PATHS = ("value", "copy")


def decode(data: bytes) -> str:
    if data != ORIGINAL:
        raise IntegrityError("no proof")
    return "the value"


def damaged(*places: tuple[int, int]) -> bytes:
    data = bytearray(ORIGINAL)
    for start, length in places:
        data[start : start + length] = bytes(len(data[start : start + length]))
    return bytes(data)


@given(st.lists(st.tuples(st.integers(0, 18), st.booleans(), st.integers(1, 300)), max_size=8))
def test_two_damaged_copies_are_merged(holes: list[tuple[int, bool, int]]) -> None:
    """Copies that are damaged in some places, none of them in both, give the original."""
    chosen = {slot: (second, length) for slot, second, length in holes}
    places = {
        side: [(slot * 1000, length) for slot, (second, length) in chosen.items() if second == side]
        for side in (False, True)
    }
    first, second = damaged(*places[False]), damaged(*places[True])
    if first != second:
        assert merge(first, second, lambda data: data == ORIGINAL) == ORIGINAL


def test_damage_in_the_same_place_is_beyond_merging() -> None:
    """What both copies have lost is not made up."""
    first, second = damaged((100, 50)), damaged((120, 50), (5000, 10))
    assert merge(first, second, lambda data: data == ORIGINAL) is None
    assert merge(first, first, lambda data: data == ORIGINAL) is None
    assert merge(first, first[:-1], lambda data: data == ORIGINAL) is None


def test_too_many_places_are_not_tried() -> None:
    """The work is bounded: with damage all over both copies nothing is tried."""
    tried: list[bytes] = []

    def proves(data: bytes) -> bool:
        tried.append(data)
        return False

    first = damaged(*((slot * 1000, 5) for slot in range(0, 20, 2)))
    second = damaged(*((slot * 1000, 5) for slot in range(1, 20, 2)))
    assert merge(first, second, proves) is None
    assert tried == []


def write(root: Path, *copies: bytes | None) -> None:
    for path, data in zip(PATHS, copies, strict=True):
        (root / path).unlink(missing_ok=True)
        if data is not None:
            (root / path).write_bytes(data)


def test_one_good_copy_is_enough(tmp_path: Path) -> None:
    """The good copy is taken, whichever it is, and the other one is named with what is wrong."""
    bad = damaged((0, 9))
    for copies, problems in [
        ((ORIGINAL, ORIGINAL), {}),
        ((bad, ORIGINAL), {"value": "is damaged: it does not prove itself"}),
        ((ORIGINAL, bad), {"copy": "is damaged: it does not prove itself"}),
        ((None, ORIGINAL), {"value": "cannot be read: No such file or directory"}),
    ]:
        write(tmp_path, *copies)
        found = read_replicated(tmp_path, PATHS, decode)
        assert (found.value, found.data, found.problems) == ("the value", ORIGINAL, problems)


def test_no_good_copy(tmp_path: Path) -> None:
    """Two damaged copies are merged if they can be; else nothing is said, and both are named."""
    write(tmp_path, damaged((0, 9)), damaged((9000, 9)))
    found = read_replicated(tmp_path, PATHS, decode)
    assert (found.value, found.data, sorted(found.problems)) == (
        "the value",
        ORIGINAL,
        sorted(PATHS),
    )
    for copies in [(None, None), (damaged((0, 9)), None), (b"", b"")]:
        write(tmp_path, *copies)
        found = read_replicated(tmp_path, PATHS, decode)
        assert (found.value, found.data, sorted(found.problems)) == (None, None, sorted(PATHS))


def test_two_good_copies_that_differ(tmp_path: Path) -> None:
    """Where both prove themselves the first one counts, and the other one is named."""
    write(tmp_path, b"one", b"two")
    found = read_replicated(tmp_path, PATHS, bytes.decode)
    assert (found.value, found.problems) == ("one", {"copy": "is another file than its copy"})
