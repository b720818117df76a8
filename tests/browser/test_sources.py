"""The files of the page: small, explained, complete, with nothing from elsewhere."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

from tests.support.page_server import STATIC

OWN = sorted(STATIC.glob("*.js"))
VENDORED = sorted(path for path in (STATIC / "vendor").rglob("*") if path.is_file())
FILE_LINES_MAX, LINE_LENGTH_MAX = 400, 100
COASTLINE_BYTES_MAX = 60_000
# What could turn text into markup or code.
UNSAFE = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|"
    r"DOMParser|createContextualFragment|setHTML"
)
IMPORT = re.compile(r'(?:from|import) "(\./[^"]+)"')
NAMED = re.compile(r'(?:href|src)="(static/[^"]+)"')


def find_unsafe(source: str) -> list[str]:
    """Return what could turn text into markup or code."""
    return UNSAFE.findall(source)


@pytest.mark.parametrize("path", OWN, ids=lambda path: path.name)
def test_module_keeps_the_limits(path: Path) -> None:
    """Each module opens with what it is for, is short, and makes no markup from text."""
    source = path.read_text(encoding="utf-8")
    lines = source.splitlines()
    assert source.startswith("/**")
    assert len(lines) <= FILE_LINES_MAX
    assert max(map(len, lines)) <= LINE_LENGTH_MAX
    assert find_unsafe(source) == []


def test_unsafe_calls_are_found() -> None:
    """The search for markup made from text goes red."""
    assert find_unsafe("box.innerHTML = name; eval('1')") == ["innerHTML", "eval("]


def test_everything_named_is_there() -> None:
    """Every module that is imported and every file that the page names exists, and none is idle."""
    named = {"app.js"}
    for path in OWN:
        for name in IMPORT.findall(path.read_text(encoding="utf-8")):
            assert (STATIC / name).is_file(), f"{path.name} imports {name}"
            named.add(Path(name).name)
    assert {path.name for path in OWN} == named
    index = (STATIC / "index.html").read_text(encoding="utf-8")
    for name in NAMED.findall(index):
        assert (STATIC / name.removeprefix("static/")).is_file(), name


def test_readme_lists_every_module() -> None:
    """The folder's README names each module."""
    readme = (STATIC / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in OWN if f"`{path.name}`" not in readme] == []


def test_page_has_no_inline_code() -> None:
    """index.html has no script, style or handler in it, and names no other host."""
    index = (STATIC / "index.html").read_text(encoding="utf-8")
    assert re.findall(r"<style|<script(?![^>]*\bsrc=)|\bstyle=|\son\w+=", index) == []
    assert re.findall(r"(?:https?:)?//[a-z]", index) == []


def test_vendored_files_are_as_noted() -> None:
    """vendor/README.md names each file that is not ours with the digest that it has."""
    noted = (STATIC / "vendor" / "README.md").read_text(encoding="utf-8")
    others = [path for path in VENDORED if path.name != "README.md"]
    assert len(others) == 3
    for path in [*others, STATIC / "coastline.json"]:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert digest in noted, f"{path.name} has {digest}"
    assert "MIT" in noted


def test_coastline_is_small_and_whole() -> None:
    """The coastline has rings of at least three corners, all of them on the Earth."""
    path = STATIC / "coastline.json"
    assert path.stat().st_size < COASTLINE_BYTES_MAX
    value = json.loads(path.read_text(encoding="utf-8"))
    assert len(value["rings"]) > 100
    for ring in value["rings"]:
        assert len(ring) % 2 == 0
        assert len(ring) >= 6
        x = y = 0
        for east, north in zip(ring[::2], ring[1::2], strict=True):
            x, y = x + east, y + north
            assert abs(x * value["unit_degrees"]) <= 180
            assert abs(y * value["unit_degrees"]) <= 90
            assert abs(east) < 1800 or abs(y) == 900 or (x, y) == (east, north)
