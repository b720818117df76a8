"""Claims about how data at rest is measured: every operation is, and nothing is left."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.benchmarks.at_rest import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_each_operation_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A tiny output has a row for each reader, for parity, for repair, and for the code."""
    main(["--files", "3", "--megabytes", "1", "--rounds", "1", "--folder", str(tmp_path)])
    rows = [line[:16].strip() for line in capsys.readouterr().out.splitlines()]
    assert rows[:7] == [
        "cat",
        "scrub",
        "scrub, 1 worker",
        "scrub --protect",
        "repair of two",
        "encode",
        "recover",
    ]
    assert list(tmp_path.iterdir()) == []
