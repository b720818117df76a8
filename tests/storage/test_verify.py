"""Claims about one file at rest: whatever is wrong with it is found, and placed to the strip."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING

import google_crc32c
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.manifest import Extent, FileEntry
from sealedbeam.pipeline.storage.pace import Halted, Pace
from sealedbeam.pipeline.storage.strips import (
    STRIP_BYTES_MAX,
    STRIP_BYTES_MIN,
    choose_strip_bytes,
    count_strips,
    strip_length,
)
from sealedbeam.pipeline.storage.verify import Condition, Expected, ranges_of, verify_file

from tests.support.stored_output import damage, some_bytes

if TYPE_CHECKING:
    from pathlib import Path

STRIP = 4096
DATA = some_bytes(3 * STRIP + 100, 7)
CRC = f"{google_crc32c.value(DATA):08x}"
DIGESTS = b"".join(
    xxhash.xxh3_128_digest(DATA[start : start + STRIP]) for start in range(0, len(DATA), STRIP)
)
PARTS = (
    Extent("head", 0, 4, f"{google_crc32c.value(DATA[:4]):08x}", 0, None, None),
    Extent("row_group", 4, 5000, f"{google_crc32c.value(DATA[4:5004]):08x}", 1, None, None),
    Extent("footer", 5004, 7384, f"{google_crc32c.value(DATA[5004:]):08x}", 0, None, None),
)
ENTRY = FileEntry("f", len(DATA), CRC, 1, PARTS)
BY_MANIFEST = Expected("f", len(DATA), CRC, entry=ENTRY)
BY_BOTH = Expected("f", len(DATA), CRC, DIGESTS, STRIP, ENTRY)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "f").write_bytes(DATA)
    return tmp_path


def problem_of(root: Path, expected: Expected = BY_BOTH) -> str:
    return verify_file(root, expected, Pace()).problem


def test_intact_file_is_read_once(root: Path) -> None:
    """A file that is what it has to be has no problem, and all of it was read."""
    for expected in (BY_MANIFEST, BY_BOTH):
        assert verify_file(root, expected, Pace()) == Condition("f", len(DATA))


@pytest.mark.parametrize("offset", [0, 3, 4, 5003, 5004, STRIP - 1, STRIP, len(DATA) - 1])
def test_damage_is_placed(root: Path, offset: int) -> None:
    """One changed byte is named by the part that the manifest knows and the strip of the parity."""
    damage(root / "f", offset)
    parts = ["head [0..4)", "row group 0 [4..5004)", "footer [5004..12388)"]
    part = parts[(offset >= 4) + (offset >= 5004)]
    start = offset // STRIP * STRIP
    strip = f"[{start}..{min(start + STRIP, len(DATA))})"
    assert problem_of(root, BY_MANIFEST) == f"is damaged: {part}"
    assert problem_of(root) == f"is damaged: {part}, within {strip}"
    unnamed = Expected("f", len(DATA), CRC, DIGESTS, STRIP)
    assert problem_of(root, unnamed) == f"is damaged: {strip}"


@pytest.mark.parametrize("size", [0, 1, STRIP, len(DATA) - 1, len(DATA) + 1])
def test_wrong_size(root: Path, size: int) -> None:
    """A file that is shorter or longer says so."""
    os.truncate(root / "f", size)
    for expected in (BY_MANIFEST, BY_BOTH):
        assert problem_of(root, expected) == f"has {size} bytes instead of {len(DATA)}"


def test_what_is_no_file(root: Path) -> None:
    """A file that is missing, or something else, cannot be read; nothing waits for a pipe."""
    (root / "f").unlink()
    assert problem_of(root) == "cannot be read: No such file or directory"
    (root / "f").mkdir()
    assert problem_of(root) == "cannot be read: Is a directory"
    (root / "f").rmdir()
    os.mkfifo(root / "f")
    assert problem_of(root).startswith("cannot be read: ")


def test_sector_that_cannot_be_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk in the middle of a file is a problem of this file and no crash."""
    pread = os.pread

    def failing(descriptor: int, length: int, offset: int) -> bytes:
        if offset == STRIP:
            raise OSError(5, "Input/output error")
        return pread(descriptor, length, offset)

    monkeypatch.setattr(os, "pread", failing)
    assert problem_of(root) == "cannot be read: Input/output error"


def test_running_out_of_descriptors_is_no_damage(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That this process may open no more files says nothing about a file."""

    def refuse(*_arguments: object) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OSError, match="Too many open files"):
        verify_file(root, BY_BOTH, Pace())


def test_halted_verification_ends(root: Path) -> None:
    """Nobody reads on when nobody wants to know."""
    pace = Pace()
    pace.halt()
    with pytest.raises(Halted):
        verify_file(root, BY_BOTH, pace)


@given(st.sets(st.integers(0, 9)), st.integers(1, 10 * STRIP))
def test_ranges_cover_the_strips(strips: set[int], size: int) -> None:
    """Ranges are apart, and cover the bytes of the strips and no others."""
    inside = {strip for strip in strips if strip * STRIP < size}
    ranges = ranges_of(sorted(inside), size, STRIP)
    covered = {
        byte // STRIP for start, end in ranges for byte in (*range(start, end, STRIP), end - 1)
    }
    assert covered == inside
    assert sum(end - start for start, end in ranges) == sum(
        strip_length(size, strip, STRIP) for strip in inside
    )
    assert all(first[1] < second[0] for first, second in pairwise(ranges))


@given(st.integers(0, 1 << 40), st.sampled_from([64, 4096, 65536]))
def test_strips_tile_a_file(size: int, strip_bytes: int) -> None:
    """Strips are full but for the last one, and add up to the file."""
    count = count_strips(size, strip_bytes)
    assert strip_length(size, count, strip_bytes) == 0
    if count:
        assert strip_length(size, 0, strip_bytes) == min(size, strip_bytes)
        last = strip_length(size, count - 1, strip_bytes)
        assert (count - 1) * strip_bytes + last == size
        assert last > 0


@given(st.integers(0, 1 << 40))
def test_length_of_strips(size: int) -> None:
    """Strips are powers of two within their limits, and no more of them than there need be."""
    found = choose_strip_bytes(size)
    assert STRIP_BYTES_MIN <= found <= STRIP_BYTES_MAX
    assert found.bit_count() == 1
    assert found == STRIP_BYTES_MAX or count_strips(size, found) <= 129
    assert found == STRIP_BYTES_MIN or count_strips(size, found // 2) > 128
