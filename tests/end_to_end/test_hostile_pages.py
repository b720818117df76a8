"""Hostile pages cost a job no more than they should, and print nothing that a terminal obeys."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.warc import Container

from tests.support import monsters
from tests.support.archives import flip_bit, pack, page_record
from tests.support.jobs import Job, command, environment, found_urls, summary_of
from tests.support.monsters import MONSTERS, TERMINAL

if TYPE_CHECKING:
    from pathlib import Path

_CHEAP_TO_MAKE = (
    "20,000 links",
    "title of a megabyte",
    "attribute of 10 MB",
    "nested tables",
    "fonts and paragraphs",
    "4 million empty elements",
    "combining marks of 5 MB",
    "chunk of 4 GB",
    "header of 10 MB",
    "URL of a megabyte",
    "long base",
    "invalid UTF-8",
    "bidi controls",
)
_MEMORY_OF_A_WORKER_BYTES = 1 << 30
# A new process counts as its own the memory of the one that it was forked from: a small one.
_MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
# All that a terminal obeys but the line feed; tabs are not expected either.
_OBEYED = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_NASTY_NAME = "evil\x1b[31m\u202e\x07\x9b\n.warc.gz"


def test_a_job_bears_monsters(tmp_path: Path) -> None:
    """Among hostile pages every other page is indexed, within the memory of a worker."""
    records = []
    for number, name in enumerate(_CHEAP_TO_MAKE):
        records += [MONSTERS[name](), page_record(number)]
    path = tmp_path / "monsters.warc.gz"
    path.write_bytes(pack(records, level=1).data)
    output = tmp_path / "index"

    ended = subprocess.run(
        [
            *(sys.executable, "-c", _MEASURED),
            *command("index", str(path), "--output", str(output), "--quiet"),
            *("--workers", "1", "--record-seconds", "600"),  # this machine may be busy
        ],
        env=environment(),
        capture_output=True,
        check=False,
    )

    summary = summary_of(output)
    assert ended.returncode == 0, ended.stderr
    assert 1024 * int(ended.stdout) < _MEMORY_OF_A_WORKER_BYTES
    assert summary["ledger"] == "balanced"
    assert summary["pages"]["quarantined"] == 0
    assert summary["inputs"]["damaged_regions"] == 1  # the header of a megabyte
    assert {f"http://example.org/page/{number}" for number in range(len(_CHEAP_TO_MAKE))} <= set(
        found_urls(output, "page")
    )


def test_what_was_cut_is_in_the_summary(tmp_path: Path) -> None:
    """Cut documents are counted by what was cut, and the same again when they are made again."""
    bomb = monsters.page(monsters.gzip_bomb(20 << 20), fields="Content-Encoding: gzip\r\n")
    archive = pack([bomb, MONSTERS["20,000 links"](), page_record(0)])
    cuts = []
    for output in ("first", "again"):
        job = Job.make(tmp_path, {"a.warc.gz": archive.data}, output=output)
        job.run_here()
        cuts.append(summary_of(job.output)["cut"])

    assert cuts == [{"body": 1, "text": 1, "links": 1}] * 2


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of a page full of controls, and of one that is damaged, from a nasty file name."""
    folder = tmp_path_factory.mktemp("nasty")
    archive = pack([MONSTERS["controls everywhere"](), page_record(1)], Container.PLAIN)
    damaged = flip_bit(archive.data, archive.records[1].offset + archive.records[1].length - 90)
    job = Job.make(folder, {_NASTY_NAME: damaged})
    job.run_here()
    return job.output


def _run(*arguments: str) -> tuple[str, str, int]:
    ended = subprocess.run(command(*arguments), env=environment(), capture_output=True, check=False)
    return ended.stdout.decode(), ended.stderr.decode(), ended.returncode


@pytest.mark.parametrize("is_json", [False, True])
@pytest.mark.parametrize(
    "arguments",
    [
        ("search", "INDEX", "needle"),
        ("search", "INDEX", f"needle {TERMINAL.replace(chr(0), '')}"),
        ("audit", "INDEX"),
        ("quarantine", "INDEX"),
    ],
)
def test_commands_print_nothing_that_a_terminal_obeys(
    index: Path, arguments: tuple[str, ...], *, is_json: bool
) -> None:
    """Titles, addresses, queries, file names and raw bytes cannot steer the terminal."""
    options = ["--json"] if is_json else []

    output, errors, code = _run(
        *[str(index) if part == "INDEX" else part for part in arguments], *options
    )

    assert code == 0, errors
    assert not _OBEYED.search(output)
    assert not _OBEYED.search(errors)
    if is_json:
        json.loads(output)


def test_json_keeps_what_text_neutralises(index: Path) -> None:
    """The file name in the JSON of a quarantine is the one that was given."""
    output, _, _ = _run("quarantine", str(index), "--json")

    assert any(row["source_file"].endswith(_NASTY_NAME) for row in json.loads(output))


@pytest.mark.parametrize(
    "arguments",
    [
        ("index", _NASTY_NAME, "--output", "index"),
        ("index", "x.warc.gz", "--output", _NASTY_NAME),
        ("index", "x.warc.gz", "--output", "index", "--config", _NASTY_NAME),
        ("index", "x.warc.gz", "--output", "index", "--scenario", _NASTY_NAME),
        ("search", _NASTY_NAME, "needle"),
        ("audit", _NASTY_NAME),
        ("quarantine", _NASTY_NAME),
        (_NASTY_NAME,),
        ("index", f"--{_NASTY_NAME}"),
    ],
)
def test_errors_print_nothing_that_a_terminal_obeys(arguments: tuple[str, ...]) -> None:
    """A hostile name in an error stays on its one line, without its controls."""
    output, errors, code = _run(*arguments)

    assert code == 2
    assert not _OBEYED.search(output + errors)
    assert len(errors.splitlines()) == 1


def test_indexing_prints_nothing_that_a_terminal_obeys(tmp_path: Path) -> None:
    """Neither summary nor errors nor report repeat the controls of names and pages."""
    good = tmp_path / _NASTY_NAME
    good.write_bytes(pack([MONSTERS["controls everywhere"]()]).data)
    bad = tmp_path / f"bad{_NASTY_NAME}"
    bad.write_bytes(b"no archive")
    output = tmp_path / "out\x1b[2J\u202e"

    printed, errors, code = _run("index", str(good), str(bad), "--output", str(output))
    again, _, _ = _run("index", str(good), str(bad), "--output", str(output))
    as_json, _, _ = _run("index", str(good), str(bad), "--output", str(output), "--json")

    assert code == 4
    report = (output / "report.html").read_text()
    assert not _OBEYED.search(printed + errors + again + as_json + report)
    assert summary_of(output) == json.loads(as_json)
