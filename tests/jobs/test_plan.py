"""The plan follows from the inputs alone, and the stitch check finds what parts disagree about."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.pipeline.jobs.plan import (
    PLAIN_PART_FACTOR,
    Extent,
    InputFile,
    Part,
    misstitched,
    plan_parts,
    plan_shards,
)
from sealedbeam.pipeline.warc.values import Container

INPUTS = st.lists(
    st.builds(
        InputFile, st.text(), st.integers(0, 5000), st.just("00000000"), st.sampled_from(Container)
    ),
    max_size=6,
)


@given(INPUTS, st.integers(1, 6000))
def test_parts_tile_every_readable_input(inputs: list[InputFile], part_bytes: int) -> None:
    """Parts are numbered in input order and cover each readable input once, without a gap."""
    parts = plan_parts(inputs, part_bytes)
    assert [part.number for part in parts] == list(range(len(parts)))
    for source, file in enumerate(inputs):
        own = [part for part in parts if part.source == source]
        readable = file.container.is_readable
        covered = [byte for part in own for byte in range(part.start, part.stop)]
        assert covered == list(range(file.size if readable else 0))
        assert [part.exact_start for part in own] == [part.start == 0 for part in own]
    assert [part.source for part in parts] == sorted(part.source for part in parts)


@given(INPUTS, st.integers(1, 6000))
def test_part_sizes_follow_the_container(inputs: list[InputFile], part_bytes: int) -> None:
    """A gzip stream is one part; plain bytes, which are not compressed, come in larger parts."""
    limits = {Container.PLAIN: part_bytes * PLAIN_PART_FACTOR}
    for part in plan_parts(inputs, part_bytes):
        file = inputs[part.source]
        whole = (part.start, part.stop) == (0, file.size)
        assert whole or part.stop - part.start <= limits.get(file.container, part_bytes)


@given(INPUTS, st.integers(1, 6000))
def test_a_part_depends_on_its_own_input_alone(inputs: list[InputFile], part_bytes: int) -> None:
    """Neither the other inputs' bytes nor anything else moves a part's bounds."""
    alone = [
        (number, part.start, part.stop)
        for number, file in enumerate(inputs)
        for part in plan_parts([file], part_bytes)
    ]
    together = plan_parts(inputs, part_bytes)
    assert alone == [(part.source, part.start, part.stop) for part in together]


def test_number_of_shards_follows_the_bytes_unless_given() -> None:
    """One shard for each `shard_bytes` begun, at least one, or as many as were asked for."""
    files = [InputFile("a", 150, "", Container.PLAIN), InputFile("b", 51, "", Container.PLAIN)]
    assert [
        plan_shards([], 100, 0),
        plan_shards(files, 100, 0),
        plan_shards(files, 101, 0),
        plan_shards(files, 100, 7),
    ] == [1, 3, 2, 7]


RECORDS = st.lists(st.integers(1, 40), min_size=1, max_size=30)
CUTS = st.lists(st.integers(1, 400), max_size=8, unique=True).map(sorted)


def read(part: Part, starts: list[int], size: int, decoys: set[int]) -> tuple[Extent, list[int]]:
    """Read a part as the archive reader does; a search, unlike reading on, falls for decoys."""
    starting = part.start if part.exact_start else size
    if not part.exact_start:
        starting = min((s for s in {*starts, *decoys} if s >= part.start), default=size)
        if starting >= part.stop:
            return Extent(None, part.stop), []  # a search ends with its part
    own, position = [], starting
    while position < min(part.stop, size):
        own.append(position)
        position = min((s for s in starts if s > position), default=size)
    return Extent(own[0] if own else None, position), own


@given(RECORDS, CUTS, st.sets(st.integers(1, 400), max_size=6))
def test_stitched_parts_find_the_true_records(
    lengths: list[int], cuts: list[int], decoys: set[int]
) -> None:
    """Whatever lies inside records, parts redone until they chain own each true record once."""
    starts = [sum(lengths[:n]) for n in range(len(lengths))]
    size = sum(lengths)
    bounds = [0, *(cut for cut in cuts if cut < size), size]
    parts = [
        Part(n, 0, bounds[n], bounds[n + 1], exact_start=n == 0) for n in range(len(bounds) - 1)
    ]
    done = {part.number: read(part, starts, size, decoys) for part in parts}
    rounds = 0
    while again := misstitched(parts, {number: extent for number, (extent, _) in done.items()}):
        assert len(again) == 1
        rounds += 1
        for part in again:
            assert part == replace(parts[part.number], start=part.start, exact_start=True)
            parts[part.number] = part
            done[part.number] = read(part, starts, size, decoys)
            if part.start >= part.stop:
                done[part.number] = Extent(None, part.start), []
    assert starts == [start for _, own in done.values() for start in own]
    assert rounds < len(parts)


@given(RECORDS, CUTS)
def test_parts_that_agree_are_left_alone(lengths: list[int], cuts: list[int]) -> None:
    """Without anything to mislead the search, no part is done twice."""
    starts = [sum(lengths[:n]) for n in range(len(lengths))]
    size = sum(lengths)
    bounds = [0, *(cut for cut in cuts if cut < size), size]
    parts = [
        Part(n, 0, bounds[n], bounds[n + 1], exact_start=n == 0) for n in range(len(bounds) - 1)
    ]
    extents = {part.number: read(part, starts, size, set())[0] for part in parts}
    assert misstitched(parts, extents) == []


def test_inputs_are_stitched_apart() -> None:
    """Each input has its own chain: one disagreement in each is sent back at once."""
    parts = [
        Part(0, 0, 0, 10, exact_start=True),
        Part(1, 0, 10, 20, exact_start=False),
        Part(2, 1, 0, 10, exact_start=True),
        Part(3, 1, 10, 20, exact_start=False),
        Part(4, 1, 20, 30, exact_start=False),
    ]
    extents = {
        0: Extent(0, 12),
        1: Extent(15, 20),
        2: Extent(0, 11),
        3: Extent(12, 22),
        4: Extent(25, 30),
    }
    assert misstitched(parts, extents) == [
        replace(parts[1], start=12, exact_start=True),
        replace(parts[3], start=11, exact_start=True),
    ]
