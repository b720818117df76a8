"""The examples run as they stand, on inputs with faults in them."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def load(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return an example as a module; Beam must find it under its name."""
    path = ROOT / "examples" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"examples_{name}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def lines(pattern: str) -> list[str]:
    """Return all lines of the files of a sink, sorted."""
    files = Path().glob(pattern)
    return sorted(line for path in files for line in path.read_text().splitlines())


def test_protect_etl(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The totals are right; the line that cannot be parsed is a dead letter by itself."""
    (workspace / "orders.csv").write_text("ada, 3\nbob, many\nada, 4\ncy, 1\n")
    load("protect_etl", monkeypatch).main("orders.csv", "totals", "damaged")
    assert lines("totals*") == ["ada,7", "cy,1"]
    (letter,) = map(json.loads, lines("damaged*"))
    assert (letter["reason"], letter["error"]) == ("raised", "ValueError")
    assert "many" in letter["message"]


def test_dead_letters(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was set aside at first comes through when it is mended and fed in again."""
    (workspace / "readings.txt").write_text("roof 21.5\ncellar 12,5\nroof 22\n")
    example = load("dead_letters", monkeypatch)
    example.main("readings.txt", "good", "damaged")
    assert lines("good*") == ["roof: 21.5 °C", "roof: 22.0 °C"]
    assert len(lines("damaged*")) == 1
    example.main("damaged*.jsonl", "again", "left", again=True)
    assert lines("again*") == ["cellar: 12.5 °C"]
    assert lines("left*") == []


def test_conserve_groups(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups and ledger agree: all visits of each hour and letter."""
    (workspace / "visits.csv").write_text("10,a,x\n20,a,y\n30,b,x\n3700,a,x\n")
    load("conserve_groups", monkeypatch).main("visits.csv", "groups", "ledger")
    assert lines("groups-0*") == ["a,1", "a,2", "b,1"]
    entries = [json.loads(line) for line in lines("ledger*")]
    assert all(entry["balanced"] for entry in entries)
    assert sorted((e["window"], e["space"], e["rows_in"]) for e in entries) == [
        ("[0.0, 3600.0)", "a", 2),
        ("[0.0, 3600.0)", "b", 1),
        ("[3600.0, 7200.0)", "a", 1),
    ]
