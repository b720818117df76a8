"""The page against `sealedbeam serve` itself, on a job that went through the shipped supernova."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.chromium import Page
from tests.support.jobs import ROOT, SAMPLE, environment
from tests.support.spheres import separation

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from selenium.webdriver import Chrome

PROGRAM = (sys.executable, "-m", "sealedbeam.pipeline.cli")
SUPERNOVA = ROOT / "configs" / "scenarios" / "supernova.yaml"
SOURCE = (-40.0, 30.0)
AWAY_DEGREES_MAX = 8
PLACE = re.compile(r"from above (\d+)° ([NS]) (\d+)° ([EW])")
STORY = re.compile(r"Burst .*, 10:[01]0 to (19:50|20:[01]0): [78] of 12 clusters hit, up to x\d+\.")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with one job, whose archive is damaged in one place."""
    root = tmp_path_factory.mktemp("jobs")
    archive = bytearray(SAMPLE.read_bytes())
    archive[len(archive) // 2] ^= 0xFF
    (root / "sample.warc.gz").write_bytes(archive)
    command = [
        *(*PROGRAM, "index", str(root / "sample.warc.gz")),
        *("--output", str(root / "jobs" / "burst"), "--scenario", str(SUPERNOVA)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return root / "jobs"


@contextmanager
def served(folder: Path, *options: str) -> Generator[str]:
    """Run `sealedbeam serve` until the end of the block; yields the address."""
    command = [*PROGRAM, "serve", str(folder), "--port", "0", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as server:
        try:
            assert server.stdout is not None
            told = ""
            while not told.endswith("}\n"):
                line = server.stdout.readline()
                assert line, told
                told += line
            yield str(json.loads(told)["url"])
        finally:
            server.terminate()


def test_supernova_is_told(chrome: Chrome, folder: Path) -> None:
    """The shipped burst reads in one sentence, its direction is right, and nothing was lost."""
    with served(folder) as address:
        page = Page(chrome, address)
        page.read_requests()
        page.open("burst")
        assert STORY.fullmatch(page.text("#event"))
        found = PLACE.search(page.text("#event"))
        assert found
        north, south, east, west = found.groups()
        place = (
            float(east) * (-1 if west == "W" else 1),
            float(north) * (-1 if south == "S" else 1),
        )
        assert separation(place, SOURCE) < AWAY_DEGREES_MAX
        assert page.text("#outcome") == "0 records lost; ledger balanced."
        page.wait(lambda: page.count("#map .sign") == 12)
        assert page.count("#map .lit") == 1
        assert page.read_errors() == []
        requests = [url for url in page.read_requests() if not url.startswith(("data:", "about:"))]
        assert [url for url in requests if not url.startswith(address)] == []


def test_raw_bytes_are_those_of_the_archive(chrome: Chrome, folder: Path) -> None:
    """What the dialog shows of a damaged region is what stands there in the archive."""
    archive = (folder.parent / "sample.warc.gz").read_bytes()
    with served(folder) as address:
        page = Page(chrome, address).open("burst")
        page.wait(lambda: page.count("#rows tbody tr") > 0)
        offset = int(page.texts("#rows tbody tr:first-child td:nth-child(5)")[0].replace(",", ""))
        page.click("#rows button")
        page.wait(lambda: page.count("#hex > div") > 0)
        shown = bytes.fromhex(" ".join(page.texts("#hex .digits")))
        assert len(shown) > 0
        assert shown == archive[offset : offset + len(shown)]


def test_replay_tells_it_as_it_happens(chrome: Chrome, folder: Path) -> None:
    """Under --replay the page goes with the simulated clock until the burst is over."""
    with served(folder, "--replay", "--pace", "300") as address:
        page = Page(chrome, address).open("burst")
        assert page.text("#connection").startswith("Replay at ")
        page.wait(lambda: " since " in page.text("#event"))
        page.wait(lambda: STORY.fullmatch(page.text("#event")))
        assert page.read_errors() == []
