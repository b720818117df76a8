"""The claim about how the library is measured: every step runs, on rows of the size asked for."""

from __future__ import annotations

from tests.benchmarks.library import make_rows, measure, steps


def test_steps_are_measured() -> None:
    """A step and each pure cost have figures; keys repeat, rows do not."""
    name = next(name for name in steps() if "keyed" in name)
    figures = measure(20, 1, row_bytes=50, names=[name])
    assert figures[0].name == name
    assert len(figures) == 4
    rows = list(make_rows(2000, 50))
    assert len({key for key, _ in rows}) == 1000
    assert len({row for _, row in rows}) == 2000
    assert {len(row) for _, row in rows} == {50}
