"""Whatever a newcomer gets wrong is told in one line, with the right exit code and no traceback."""

from __future__ import annotations

import gzip
import json
import os
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from sealedbeam.pipeline.cli.program import main

from tests.support.archives import build_archive, flip_bit
from tests.support.jobs import ROOT, SAMPLE, Job, command, environment, summary_of

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = ROOT / "configs" / "scenarios" / "bitflips.yaml"
HTML = b"<!DOCTYPE html><title>404</title>"


def ask(line: str, folder: Path) -> tuple[int, str, str]:
    """Run a command line in this process, `@` standing for the folder; return how it ended."""
    done = CliRunner().invoke(main, shlex.split(line.replace("@", str(folder))))
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def shell(line: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a shell line in which `sealedbeam` is the program and `@` stands for the folder."""
    program = shlex.join(command()) + ' "$@"'
    return subprocess.run(
        ["bash", "-c", f"sealedbeam() {{ {program}; }}; {line.replace('@', str(folder))}"],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment() | variables,
        timeout=120,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what a user may have lying about."""
    folder = tmp_path_factory.mktemp("bad")
    archive = build_archive(6)
    (folder / "good.warc.gz").write_bytes(archive.data)
    (folder / "page.warc").write_bytes(HTML)
    (folder / "crawl").mkdir()
    (folder / "crawl" / "notes.txt").write_text("none")
    (folder / "diary").mkdir()
    (folder / "diary" / "today.txt").write_text("mine")
    os.mkfifo(folder / "pipe.warc")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "job.yaml").write_text("sead: 1\nmax_attempts: 0\n")
    (folder / "broken.yaml").write_text("seed: [")
    hurt = flip_bit(archive.data, archive.records[3].offset + 60)
    Job.make(folder, {"hurt.warc.gz": hurt}).run_here()
    return folder


# What is typed, and what the one line on standard error says.
WRONG = [
    ("dance", "No such command 'dance'; see "),
    ("indx", "Did you mean 'index'?"),
    ("index", "Missing argument 'INPUT..."),
    ("index @/good.warc.gz", "Missing option '--output'; see "),
    ("index @/good.warc.gz --output", "Option '--output' requires an argument"),
    ("index @/good.warc.gz --output ''", "the path is empty"),
    ("index @/good.warc.gz --outptu @/o", "Did you mean '--output'?"),
    ("index @/gone.warc.gz --output @/o", "did you mean @/good.warc.gz?"),
    ("index '@/*.gone' --output @/o", "matches no file; give a WARC file, a glob, or a folder"),
    ("index '' --output @/o", "input of no name matches no file"),
    ("index @/crawl --output @/o", "in this folder and below is no *.warc or *.warc.gz"),
    ("index - --output @/o", "standard input can be read once only"),
    ("index @/pipe.warc --output @/o", "it is a pipe; an archive is read more than once"),
    ("index /dev/zero --output @/o", "it is a device"),
    ("index /proc/self/mem --output @/o", "cannot read input /proc/self/mem"),
    ("index @/loop --output @/o", "Too many levels of symbolic links"),
    (f"index {'a' * 5000} --output @/o", "File name too long"),
    ("index nowhere://a/b --output @/o", "cannot look up input nowhere://a/b"),
    ("index @/good.warc.gz --output ftp://a/b", "a folder, s3:// or gs://"),
    ("index @/good.warc.gz --output @/good.warc.gz", "it is a file; give a folder"),
    ("index @/good.warc.gz --output @/diary", "holds no job of this program; give a new folder"),
    ("index @/good.warc.gz --output /proc/x", "cannot write to /proc/x"),
    ("index @/good.warc.gz --output /dev/null/x", "cannot write to /dev/null"),
    ("index @/good.warc.gz --output @/loop", "cannot write to"),
    ("index '@/index/*/*' --output @/index", "lies in the output folder @/index"),
    ("index @/good.warc.gz --output @/index", "holds a job with other inputs"),
    ("index @/hurt.warc.gz --output @/index --seed 4", "configuration.options.seed was 0, is 4"),
    (f"index @/hurt.warc.gz --output @/index --scenario {SCENARIO}", "scenario was none, is "),
    ("index @/good.warc.gz --output @/o --workers 0", "--workers is 0; allowed: a whole number"),
    ("index @/good.warc.gz --output @/o --workers x", "'x' is not a valid integer"),
    ("index @/good.warc.gz --output @/o --protection no", "'none', 'detect', 'correct'"),
    ("index @/good.warc.gz --output @/o --max-dropped-ratio nan", "allowed: a number from 0 to 1"),
    ("index @/good.warc.gz --output @/o --shards 99999", "--shards is 99999; allowed: "),
    (
        "index @/good.warc.gz --output @/o --on-damage fail --max-dropped-ratio 0.5",
        "--max-dropped-ratio has no effect with on_damage fail; leave one of them out",
    ),
    (
        f"index @/good.warc.gz --output @/o --cluster a --scenario {SCENARIO}",
        "--cluster has no effect with a scenario",
    ),
    (
        "index @/good.warc.gz --output @/o --workers 2 --runner PrismRunner",
        "--workers has no effect with runner PrismRunner",
    ),
    ("index https://example.org/a.warc --output @/o", "is an address: download it"),
    (
        "index @/good.warc.gz --output @/o --runner Nope",
        "--runner Nope: Unexpected pipeline runner",
    ),
    ("index @/good.warc.gz --output @/o -- --quiet", "--quiet: give it before --"),
    ("index @/good.warc.gz --output @/o -- --streaming", "takes no Beam options: --streaming"),
    ("index @/good.warc.gz --output @/o --config @/gone.yaml", "gone.yaml: No such file"),
    ("index @/good.warc.gz --output @/o --config @/pipe.warc", "it is a pipe"),
    ("index @/good.warc.gz --output @/o --config @/broken.yaml", "line 1, column 8: "),
    ("index @/good.warc.gz --output @/o --config @/job.yaml", "sead is not known; did you mean se"),
    ("index @/good.warc.gz --output @/o --config @/job.yaml", "max_attempts is 0; allowed: "),
    (f"index @/good.warc.gz --output @/o --config {SCENARIO}", "give it with --scenario"),
    ("index @/good.warc.gz --output @/o --scenario /dev/zero", "it is a device"),
    ("index @/good.warc.gz --output @/o --scenario @/broken.yaml", "line 1, column 8: "),
    ("index @/good.warc.gz --output @/o --scenario @/job.yaml", "is no scenario"),
    ("search", "Missing argument 'DIR'"),
    ("search @/gone word", "Directory '@/gone' does not exist"),
    ("search @/good.warc.gz word", "is a file"),
    ("search @/diary word", "no finished index here"),
    ("search @/index ''", "the query has no word to look for"),
    ("search @/index '\"...\"'", "the query has no word to look for"),
    (
        "search @/index page 3",
        "the query is one argument, in quotes: sealedbeam search @/index 'pa",
    ),
    ("search @/index page --top 0", "ask for at least one hit"),
    ("search @/index -page", "No such option"),
    ("audit @/gone", "Directory '@/gone' does not exist"),
    ("audit @/diary", "has no manifest.json"),
    ("audit @/index @/index", "unexpected extra argument"),
    ("quarantine @/diary", "holds no job of this program"),
    ("quarantine @/index --export @/index/manifest.json", "lies in the index @/index"),
    ("quarantine @/index --export @/crawl", "Is a directory"),
    ("quarantine @/index --export /dev/full", "No space left"),
    ("quarantine @/index --export @/rows --json", "leave out --json"),
]


@pytest.mark.parametrize(("line", "said"), WRONG, ids=[line[:60] for line, _ in WRONG])
def test_what_cannot_work_is_told_in_one_line(folder: Path, line: str, said: str) -> None:
    """The exit code is 2, the line names what is wrong, and nothing is written."""
    before = sorted(folder.rglob("*"))
    code, shown, told = ask(line, folder)
    assert (code, shown) == (2, "")
    assert told.startswith("sealedbeam: ")
    assert told.count("\n") == 1
    assert told.rstrip("\n").isprintable()
    assert said.replace("@", str(folder)) in told
    assert before == sorted(folder.rglob("*"))


def test_names_cannot_steer_a_terminal(folder: Path) -> None:
    """A name with an escape, a line break or a byte that is no UTF-8 is shown without it."""
    for name in ("gone\x1b[31m", "gone\nsealedbeam: all is well", "gone\udcff"):
        done = CliRunner().invoke(main, ["index", name, "--output", str(folder / "o")])
        assert done.exit_code == 2
        assert done.stderr.count("\n") == 1
        assert done.stderr.rstrip("\n").isprintable()


def test_query_may_begin_with_a_dash(folder: Path) -> None:
    """Behind two dashes nothing is an option."""
    code, shown, told = ask("search @/index -- '-page 2'", folder)
    assert (code, told) == (0, "")
    assert "documents found for -page 2" in shown


def test_lonely_quotation_mark_is_told(folder: Path) -> None:
    """The words are searched, and the user learns that they were no phrase."""
    code, shown, told = ask("search @/index '\"page 4'", folder)
    assert code == 0
    assert "page/4" in shown
    assert told.startswith("sealedbeam: a quotation mark has no partner")


def test_phrase_without_hits_is_explained(folder: Path) -> None:
    """Where the quotes are the reason that nothing is found, they are named."""
    _, shown, _ = ask("search @/index '\"2 page\"'", folder)
    assert shown.startswith("0 documents found")
    assert "without quotes any of them counts" in shown


def test_quarantine_shows_bytes_as_a_dump(folder: Path) -> None:
    """What is no ASCII text is a dot, so that columns stand and nothing is taken for text."""
    _, shown, _ = ask("quarantine @/index", folder)
    dump = shown.rstrip("\n").rpartition("\n")[2]
    assert dump.startswith("  1f 8b 08 ")
    assert dump.isascii()
    assert len(dump.rpartition("  ")[2]) == len(dump.rpartition("  ")[0].split())


def test_quarantine_is_exported_to_standard_output(folder: Path) -> None:
    """A dash stands for standard output, line by line and nothing else."""
    code, shown, told = ask("quarantine @/index --export -", folder)
    assert (code, told) == (0, "")
    assert [json.loads(line)["stage"] for line in shown.splitlines()] == ["input"]


def test_file_that_is_no_archive_is_named_with_what_it_is(folder: Path, tmp_path: Path) -> None:
    """The exit code is 4 each time, and the line says what the file looks like."""
    (tmp_path / "b.warc.gz").write_bytes(gzip.compress(b"\0" * 99))
    line = f"index {folder}/page.warc @/b.warc.gz --output @/index --quiet --workers 1"
    for _ in range(2):
        code, shown, told = ask(line, tmp_path)
        assert (code, shown) == (4, "")
        first, second = told.splitlines()
        assert "page.warc is not a web archive that can be read: it is a web page; fetch" in first
        assert "b.warc.gz is not a web archive that can be read: it is gzip, and" in second


def test_options_of_a_file_are_those_of_the_command(folder: Path, tmp_path: Path) -> None:
    """What the file says holds, and what the command line says holds more."""
    text = "workers: 1\nquiet: true\nkeep-runs: true\nshards: 3\nseed: 5\n"
    (tmp_path / "job.yaml").write_text(text)
    line = f"index {folder}/good.warc.gz --output @/index --config @/job.yaml --seed 6"
    assert ask(line, tmp_path) == (0, "", "")
    assert summary_of(tmp_path / "index")["seed"] == 6
    assert len(list((tmp_path / "index" / "shards").iterdir())) == 3
    assert (tmp_path / "index" / "runs").is_dir()
    code, shown, _ = ask(f"{line} --no-quiet", tmp_path)
    assert (code, "already finished" in shown) == (0, True)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("sealedbeam --help >/dev/full", 1),
        ("sealedbeam audit @/index >/dev/full", 1),
        ("sealedbeam audit @/index >&-", 0),
        ("sealedbeam search @/index page | true; exit ${PIPESTATUS[0]}", 0),
        ("sealedbeam quarantine @/index | head -n 1; exit ${PIPESTATUS[0]}", 0),
        ("sealedbeam search @/gone page 2>&-", 2),
        ("sealedbeam search @/gone page 2>/dev/full", 2),
        ("PYTHONIOENCODING=latin-1 sealedbeam search @/index page", 0),
        ("PYTHONOPTIMIZE=2 sealedbeam search @/index page", 0),
        ("PYTHONWARNINGS=error sealedbeam quarantine @/index", 0),
        ("unset HOME LANG; LC_ALL=C sealedbeam search @/index page", 0),
        ("mkdir @/here; cd @/here; rmdir @/here; sealedbeam search @/index page", 0),
        ("mkdir @/here; cd @/here; rmdir @/here; sealedbeam index a --output b", 2),
    ],
)
def test_odd_surroundings(folder: Path, line: str, code: int) -> None:
    """Streams that are closed, full or left, and odd environments change no exit code."""
    done = shell(line, folder)
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert done.stderr.count("\n") <= 1


@pytest.mark.parametrize(
    "streams", ["2>/dev/full", "2>&-", "2>&1 >/dev/null | true", "| true", "<&- >&- 2>&-"]
)
def test_job_ends_whoever_listens(tmp_path: Path, streams: str) -> None:
    """Nobody has to read what a job says for it to be done, and its files hold its bytes alone."""
    line = (
        f"sealedbeam index {SAMPLE} --output @/index --workers 1 {streams}; exit ${{PIPESTATUS[0]}}"
    )
    assert shell(line, tmp_path).returncode == 0
    assert summary_of(tmp_path / "index")["status"] == "complete"
    assert ask("audit @/index", tmp_path)[0] == 0


def test_full_standard_output_is_told_and_the_index_is_there(tmp_path: Path) -> None:
    """The exit code says that something went wrong; the work is not lost."""
    done = shell(f"sealedbeam index {SAMPLE} --output @/index --json >/dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr == "sealedbeam: cannot write to standard output: No space left on device\n"
    assert (tmp_path / "index" / "manifest.json").is_file()
