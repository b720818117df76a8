"""Plans the parts and shards of a job from the inputs alone, never from who will do the work.

A part is a range of the stored bytes of one input. Parts are numbered in input order and never
created later; what lies across a boundary is settled by the stitch check: a part reports where its
first record began and where the next part's must begin, and a part that disagrees with the one
before it is done again from there. An archive inside an archive's record can therefore plant
nothing, whatever it looks like.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.warc.values import Container

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PLAIN_PART_FACTOR = 4
"""Plain archives are not compressed: this many times the bytes hold about as many pages."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """One input: path, size in bytes, CRC-32C of its bytes, and how records lie in it."""

    path: str
    size: int
    crc32c: str
    container: Container

    def to_json(self) -> dict[str, Any]:
        """Return the input as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> InputFile:
        """Return the input that `to_json` wrote."""
        fields = dict(value)
        return cls(**(fields | {"container": Container(fields["container"])}))


@dataclass(frozen=True, slots=True)
class Part:
    """The range [start, stop) of input number `source`; it owns the records that start in it.

    `exact_start` says that a record must begin at `start`; otherwise the first one is searched.
    A part that was done again may have `start` behind `stop`: then nothing in it is its own.
    """

    number: int
    source: int
    start: int
    stop: int
    exact_start: bool

    @property
    def task(self) -> str:
        """The part's name as a task."""
        return f"part-{self.number:05d}"


@dataclass(frozen=True, slots=True)
class Extent:
    """Where a part found its first record, and where the record after its last one begins."""

    first: int | None
    end: int


def plan_parts(inputs: Sequence[InputFile], part_bytes: int) -> list[Part]:
    """Return the parts of all readable inputs, in input order."""
    parts: list[Part] = []
    for source, file in enumerate(inputs):
        if not file.container.is_readable:
            continue
        step = part_bytes
        if file.container is Container.PLAIN:
            step *= PLAIN_PART_FACTOR
        if file.container.is_stream:
            step = max(1, file.size)
        for start in range(0, file.size, step):
            stop = min(start + step, file.size)
            parts.append(Part(len(parts), source, start, stop, exact_start=start == 0))
    return parts


def plan_shards(inputs: Sequence[InputFile], shard_bytes: int, shards: int) -> int:
    """Return the number of shards: `shards` if given, else one per `shard_bytes` of input."""
    return shards or max(1, -(-sum(file.size for file in inputs) // shard_bytes))


def misstitched(parts: Sequence[Part], extents: Mapping[int, Extent]) -> list[Part]:
    """Return the parts that must be done again, each with the start that its neighbour demands.

    In one input, part k + 1 must have begun where part k ended. Only the first disagreement of an
    input counts: what follows it is judged again once that part has been done again.
    """
    again: list[Part] = []
    end: int | None = None
    source, settled = -1, False
    for part in parts:
        if part.source != source:
            source, end, settled = part.source, None, False
        extent = extents[part.number]
        if end is not None and not settled and not _agrees(part, extent, end):
            again.append(replace(part, start=end, exact_start=True))
            settled = True
        searched_in_vain = extent.first is None and end is not None
        end = max(end or 0, extent.end) if searched_in_vain else extent.end
    return again


def _agrees(part: Part, extent: Extent, end: int) -> bool:
    if part.exact_start and part.start == end:
        return True
    if extent.first is None:
        # Nothing starts in this part: right if the neighbour's next record lies behind it.
        return end >= part.stop
    return extent.first == end
