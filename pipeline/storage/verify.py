"""Verifies one file at rest against what it has to be: reads every byte once, keeps none of them.

The CRC-32C of the whole file is the manifest's; where there is parity each strip is compared with
its XXH3-128, too. A file that is damaged is looked at again, to name the row groups that are hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sealedbeam.pipeline.integrity.checksum import active_provider, digest128
from sealedbeam.pipeline.manifest import format_crc32c, name_part

from .strips import STRIP_BYTES_MAX, StripFile, count_strips, digest_of, strip_length

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from sealedbeam.pipeline.manifest import FileEntry

    from .pace import Pace

_RANGES_NAMED = 8


@dataclass(frozen=True, slots=True)
class Expected:
    """What a file has to be; `digests` are None without parity, `entry` without a manifest."""

    path: str
    size_bytes: int
    crc32c: str
    digests: bytes | None = None
    strip_bytes: int = STRIP_BYTES_MAX
    entry: FileEntry | None = None


@dataclass(frozen=True, slots=True)
class Condition:
    """What a file was found to be; `problem` is empty if it is what it has to be."""

    path: str
    bytes_read: int
    problem: str = ""


def verify_file(root: Path, expected: Expected, pace: Pace) -> Condition:
    """Read a file and compare it.

    Raises:
        Halted: nobody wants to know any more.
    """
    extend, crc, read_bytes = active_provider().extend, 0, 0
    damaged: list[int] = []
    with StripFile(root / expected.path) as file:
        if file.refusal:
            return Condition(expected.path, 0, f"cannot be read: {file.refusal}")
        strip_bytes = expected.strip_bytes
        for strip in range(count_strips(min(expected.size_bytes, file.size), strip_bytes)):
            length = strip_length(expected.size_bytes, strip, strip_bytes)
            pace.take(length)
            data = file.read(strip * strip_bytes, length)
            read_bytes += len(data)
            crc = extend(crc, data)
            digests = expected.digests
            if digests is not None and digest128(data) != digest_of(digests, strip):
                damaged.append(strip)
        problem = ""
        if file.refusal:
            problem = f"cannot be read: {file.refusal}"
        elif file.size != expected.size_bytes:
            problem = f"has {file.size} bytes instead of {expected.size_bytes}"
        elif damaged or format_crc32c(crc) != expected.crc32c:
            problem = f"is damaged: {_name_places(file, expected, damaged)}"
    return Condition(expected.path, read_bytes, problem)


def _name_places(file: StripFile, expected: Expected, damaged: Sequence[int]) -> str:
    """Return the parts of a Parquet file that are hit, and the strips where they are known."""
    hit = ", ".join(
        name_part(entry, number)
        for entry in (expected.entry,)
        if entry is not None
        for number, part in enumerate(entry.parts)
        if format_crc32c(_crc_of_range(file, part.offset, part.length)) != part.crc32c
    )
    found = ranges_of(damaged, expected.size_bytes, expected.strip_bytes)
    ranges = [f"[{start}..{end})" for start, end in found]
    if ranges[_RANGES_NAMED:]:
        ranges = [*ranges[:_RANGES_NAMED], f"and {len(ranges) - _RANGES_NAMED} more ranges"]
    within = ", ".join(ranges) or f"[0..{expected.size_bytes})"
    return f"{hit}, within {within}" if hit and ranges else hit or within


def _crc_of_range(file: StripFile, offset: int, length: int) -> int:
    extend, crc = active_provider().extend, 0
    for start in range(offset, offset + length, STRIP_BYTES_MAX):
        crc = extend(crc, file.read(start, min(STRIP_BYTES_MAX, offset + length - start)))
    return crc


def ranges_of(strips: Iterable[int], size: int, strip_bytes: int) -> list[tuple[int, int]]:
    """Return the bytes that some strips, ascending, cover, as half-open ranges."""
    ranges: list[tuple[int, int]] = []
    for strip in strips:
        start, end = strip * strip_bytes, min((strip + 1) * strip_bytes, size)
        if ranges and ranges[-1][1] == start:
            start = ranges.pop()[0]
        ranges.append((start, end))
    return ranges
