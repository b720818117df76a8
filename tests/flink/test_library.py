from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.flink.jobs import begun
from tests.flink.library_pipeline import BAD, READINGS, main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.flink.cluster import Cluster

pytestmark = pytest.mark.timeout(900)
_SECONDS_MAX = 400.0  # only ends what would hang


def lines_of(folder: Path, name: str) -> list[str]:
    return sorted(
        line for path in folder.glob(f"{name}-*") for line in path.read_text().splitlines()
    )


def test_a_protected_pipeline_does_on_flink_what_it_does_here(
    cluster: Cluster, tmp_path: Path
) -> None:
    """Sums, dead letters and the ledger of sealed groups are those of the local runner."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder in (here, there):
        folder.mkdir()
    main(here, [])
    options = ["--runner=FlinkRunner", "--flink_version=1.19", "--environment_type=EXTERNAL"]
    module = [sys.executable, "-m", "tests.flink.library_pipeline", str(there)]
    with begun([*module, *options, "--parallelism=2", *cluster.beam_options()]) as process:
        _, error = process.communicate(timeout=_SECONDS_MAX)
    assert process.returncode == 0, error[-4000:]
    assert len(lines_of(here, "sums")) == 7
    assert lines_of(here, "sums") == lines_of(there, "sums")
    letters = [
        [(letter["reason"], letter["error"], letter["message"]) for letter in found]
        for found in (map(json.loads, lines_of(folder, "damaged")) for folder in (here, there))
    ]
    assert sorted(letters[0]) == sorted(letters[1])
    assert len(letters[1]) == READINGS // BAD
    assert lines_of(there, "lost") == []
    (entry,) = map(json.loads, lines_of(there, "ledger"))
    assert [entry] == [*map(json.loads, lines_of(here, "ledger"))]
