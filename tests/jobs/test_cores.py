"""A walk visits each core once and gives the thread its freedom back."""

from __future__ import annotations

import os

import pytest
from sealedbeam.pipeline.jobs import cores
from sealedbeam.pipeline.jobs.cores import CoreWalk, parse_processors

BOUND = hasattr(os, "sched_setaffinity")


@pytest.mark.skipif(not BOUND, reason="this system binds no thread to a core")
def test_walk_visits_each_core_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many names as cores are met, on each the thread is bound, and afterwards it is free."""
    monkeypatch.setattr(cores, "_siblings", lambda number: frozenset((number,)))
    free = os.sched_getaffinity(0)
    with CoreWalk() as walk:
        names, bound = [walk.name], [os.sched_getaffinity(0)]
        while walk.move():
            names.append(walk.name)
            bound.append(os.sched_getaffinity(0))
    assert sorted(names) == sorted(f"{walk.name.rpartition('-')[0]}-{n}" for n in free)
    assert sorted(number for numbers in bound for number in numbers) == sorted(free)
    assert os.sched_getaffinity(0) == free


@pytest.mark.skipif(not BOUND, reason="this system binds no thread to a core")
def test_threads_of_one_core_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all processors are hardware threads of one core, there is nowhere to go."""
    free = frozenset(os.sched_getaffinity(0))
    monkeypatch.setattr(cores, "_siblings", lambda _: free)
    with CoreWalk() as walk:
        assert not walk.move()
    assert os.sched_getaffinity(0) == free


def test_walk_without_a_way_to_bind_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system that does not tell or bind cores a walk stays where it is and harms nothing."""
    monkeypatch.setattr(cores, "_current", lambda: None)
    with CoreWalk() as walk:
        assert not walk.move()
        assert walk.name.endswith("/core-unknown")


@pytest.mark.parametrize(
    ("text", "expected"), [("0\n", {0}), ("0-2,8", {0, 1, 2, 8}), ("3,5-5\n", {3, 5})]
)
def test_lists_of_processors(text: str, expected: set[int]) -> None:
    """A kernel's list of processors is read as it writes it; anything else is refused."""
    assert parse_processors(text) == expected
    with pytest.raises(ValueError, match="invalid literal"):
        parse_processors(f"x{text}")
