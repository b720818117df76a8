"""The command line as a user meets it: exit codes, what goes to which stream, and signals."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.cli.program import main

from tests.support.archives import build_archive, flip_bit
from tests.support.jobs import (
    ROOT,
    SAMPLE,
    command,
    environment,
    index_bytes,
    left_over,
    summary_of,
)
from tests.support.processes import await_end, children_of, started

if TYPE_CHECKING:
    from pathlib import Path

SCENARIO = ROOT / "configs" / "scenarios" / "bitflips.yaml"
DRASTIC = """
name: drastic
description: two flips in nearly every record
acceleration_note: as far from real rates as can be
duration_seconds: 60
clusters: [{name: dublin, machines: 3}]
faults: [{kind: double_bit, per_mebibyte: 3000, hops: [pages]}]
"""

Finished = tuple["Path", subprocess.CompletedProcess[str]]

# The command line with a line of progress for each task, so that a test knows how far it is.
CHATTY = "import sealedbeam.pipeline.progress as p; p._LINE_SECONDS = 0; "
CHATTY += "from sealedbeam.pipeline.cli.program import main; main()"


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*map(str, arguments)),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment(),
    )


@pytest.fixture(scope="module")
def finished(
    tmp_path_factory: pytest.TempPathFactory,
) -> Finished:
    """Return the index of a damaged archive, and how the command that made it ended."""
    folder = tmp_path_factory.mktemp("cli")
    archive = build_archive(12, body_bytes=400)
    (folder / "a.warc.gz").write_bytes(flip_bit(archive.data, archive.records[5].offset + 60))
    output = folder / "index"
    return output, run("index", folder, "--output", output, "--part-bytes", 900, "--workers", 2)


def test_index_says_what_it_did(finished: Finished) -> None:
    """Results go to standard output, progress in plain lines to standard error."""
    output, done = finished
    assert done.returncode == 0
    assert "11 pages read: 11 indexed, 0 duplicate, 0 rejected, 0 quarantined" in done.stdout
    assert "1 damaged region in the input" in done.stdout
    assert "ledger: balanced; status: complete" in done.stdout
    phases = dict.fromkeys(line.split()[0] for line in done.stderr.splitlines())
    assert list(phases) == ["parts", "duplicates", "shards"]
    assert "11 pages" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert summary_of(output)["pages"]["indexed"] == 11


def test_finished_index_is_left_alone(
    finished: Finished,
) -> None:
    """The same command again says that there is nothing to do; with --json it shows the figures."""
    output, _ = finished
    same = ("index", output.parent / "a.warc.gz", "--output", output, "--part-bytes", 900)
    again = run(*same)
    assert (again.returncode, again.stderr) == (0, "")
    assert "already finished" in again.stdout
    shown = run(*same, "--json")
    assert json.loads(shown.stdout) == summary_of(output)
    other = run(*same, "--seed", 4)
    assert (other.returncode, other.stdout) == (2, "")
    assert "configuration.options.seed was 0, is 4" in other.stderr


def test_search_audit_and_quarantine(
    finished: Finished,
) -> None:
    """The three commands that read an index, for people and as JSON."""
    output, _ = finished
    hits = json.loads(run("search", output, '"page 7"', "--json").stdout)
    assert [hit["url"] for hit in hits["hits"]] == ["http://example.org/page/7"]
    assert "http://example.org/page/7" in run("search", output, '"page 7"').stdout
    audited = run("audit", output)
    assert (audited.returncode, "all intact" in audited.stdout) == (0, True)
    assert json.loads(run("audit", output, "--json").stdout)["findings"] == []
    rows = json.loads(run("quarantine", output, "--json").stdout)
    exported = output.parent / "set-aside.jsonl"
    assert run("quarantine", output, "--export", exported).returncode == 0
    assert [json.loads(line) for line in exported.read_text().splitlines()] == rows
    (row,) = rows
    data = (output.parent / "a.warc.gz").read_bytes()
    end = row["source_offset"] + row["source_length"]
    assert base64.b64decode(row["raw"]) == data[row["source_offset"] : end]
    assert row["reason"] in run("quarantine", output).stdout


def test_damaged_index_is_3(finished: Finished) -> None:
    """An audit that finds damage names the file, and its exit code is 3."""
    output, _ = finished
    (shard,) = (output / "shards").iterdir()
    data = shard.read_bytes()
    try:
        shard.write_bytes(flip_bit(data, 30))
        audited = run("audit", output)
        assert audited.returncode == 3
        assert f"DAMAGED  shards/{shard.name} is damaged: row group 0" in audited.stdout
        assert run("search", output, "page").returncode == 3
    finally:
        shard.write_bytes(data)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["index", "gone.warc", "--output", "OUT"], "matches no file"),
        (["index", SAMPLE, "--output", SAMPLE], "cannot write to"),
        (["index", SAMPLE, "--output", ROOT / "seeds"], "holds no job of this program"),
        (
            ["index", SAMPLE, "--output", "OUT", "--protection", "much"],
            "'none', 'detect', 'correct'",
        ),
        (["index", SAMPLE, "--output", "OUT", "--on-damage", "cry"], "'retry', 'drop', 'fail'"),
        (["index", SAMPLE, "--output", "OUT", "--part-bytes", "0"], "--part-bytes is 0; allowed"),
        (["index", SAMPLE, "--output", "OUT", "--max-dropped-ratio", "2"], "a number from 0 to 1"),
        (["index", SAMPLE, "--output", "OUT", "--workers", "0"], "--workers is 0; allowed"),
        (["index", SAMPLE, "--output", "OUT", "--config", "gone.yaml"], "gone.yaml"),
        (["index", SAMPLE, "--output", "OUT", "--scenario", "gone.yaml"], "gone.yaml"),
        (["index", SAMPLE, "--output", "OUT", "--", "--direct_num_workers=4"], "--workers"),
        (["index", SAMPLE, "--output", "OUT", "--", "--foo=4"], "no Beam options"),
        (["index", SAMPLE], "--output"),
        (["index", "--output", "OUT"], "INPUT"),
        (["search", "OUT", "word"], "does not exist"),
        (["audit", "OUT"], "does not exist"),
        (["quarantine", "OUT"], "does not exist"),
        (["dance"], "No such command"),
    ],
    ids=lambda value: " ".join(map(str, value[:1] + value[-2:])) if isinstance(value, list) else "",
)
def test_wrong_usage_is_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[Any], said: str
) -> None:
    """What cannot work is refused before anything is done, in one line that says what is wrong."""
    replaced = [str(tmp_path / "out") if text == "OUT" else str(text) for text in arguments]
    with pytest.raises(SystemExit) as caught:
        main(replaced)
    shown = capsys.readouterr()
    assert caught.value.code == 2
    assert said in shown.err
    assert shown.out == ""
    assert "Traceback" not in shown.err
    assert not (tmp_path / "out" / "ledger" / "part-00000.json").exists()


@pytest.mark.parametrize("command", ["index", "search", "audit", "quarantine"])
def test_help_teaches_by_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each command shows how it is called."""
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert "Example:" in shown
    assert f"sealedbeam {command} " in shown.partition("Example:")[2]


def test_help_lists_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    """The overall help has an example and every exit code."""
    with pytest.raises(SystemExit):
        main(["--help"])
    shown = capsys.readouterr().out
    assert "sealedbeam index crawl.warc.gz --output index" in shown
    assert all(f"{code} " in shown for code in (0, 1, 2, 3, 4))
    assert "130, 143" in shown


def test_quiet_is_silent_and_json_is_json(tmp_path: Path) -> None:
    """--quiet prints nothing when all is well; --json prints the summary and nothing else."""
    quiet = run("index", SAMPLE, "--output", tmp_path / "a", "--quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    shown = run("index", SAMPLE, "--output", tmp_path / "b", "--json")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout) == summary_of(tmp_path / "b")
    assert index_bytes(tmp_path / "a") == index_bytes(tmp_path / "b")


def test_unreadable_input_is_4(tmp_path: Path) -> None:
    """The rest is indexed, the file is named; the same command again has the same exit code."""
    (tmp_path / "a.warc.gz").write_bytes(build_archive(3).data)
    (tmp_path / "b.warc.gz").write_bytes(b"no archive at all")
    arguments = ("index", tmp_path / "*.warc.gz", "--output", tmp_path / "index", "--quiet")
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (4, "")
    assert "b.warc.gz is not a web archive that can be read" in done.stderr
    assert summary_of(tmp_path / "index")["status"] == "incomplete"
    assert run(*arguments).returncode == 4
    assert "3 documents found" in run("search", tmp_path / "index", "page").stdout


def test_scenario_changes_nothing_but_the_counts(tmp_path: Path) -> None:
    """Under bit flips the index is the same, and every injected fault has its outcome."""
    small = ("--part-bytes", 20_000, "--shards", 2, "--json", "--workers", 2)
    run("index", SAMPLE, "--output", tmp_path / "clean", *small)
    done = run("index", SAMPLE, "--output", tmp_path / "hit", "--scenario", SCENARIO, *small)
    summary = json.loads(done.stdout)
    assert (done.returncode, summary["ledger"]) == (0, "balanced")
    faults = summary["faults"]
    assert faults["injected"] > 0
    assert faults["injected"] == sum(faults.values()) - faults["injected"]
    assert faults["escaped"] == faults["dropped"] == 0
    assert index_bytes(tmp_path / "clean") == index_bytes(tmp_path / "hit")
    assert run("audit", tmp_path / "hit").returncode == 0
    bare = ("--scenario", SCENARIO, "--protection", "none")
    escaped = json.loads(run("index", SAMPLE, "--output", tmp_path / "bare", *bare, *small).stdout)
    assert escaped["ledger"] == "unknown"
    assert escaped["faults"]["escaped"] > 0


def test_too_much_damage_is_3(tmp_path: Path) -> None:
    """A job that has to drop too much fails: no manifest, the finding is told, search refuses."""
    (tmp_path / "drastic.yaml").write_text(DRASTIC)
    output = tmp_path / "index"
    drop = ("--scenario", tmp_path / "drastic.yaml", "--on-damage", "drop", "--quiet")
    done = run("index", SAMPLE, "--output", output, *drop)
    assert (done.returncode, done.stdout) == (3, "")
    assert "records were dropped, more than the allowed share of 0.01" in done.stderr
    assert "FAILED, no manifest was written" in done.stderr
    assert summary_of(output)["status"] == "failed"
    assert run("search", output, "checksum").returncode == 2
    set_aside = json.loads(run("quarantine", output, "--json").stdout)
    assert len(set_aside) == sum(hop["dropped"] for hop in summary_of(output)["hops"].values())


def test_limit_of_nothing_is_taken_at_its_word(tmp_path: Path) -> None:
    """A limit of 0 is a limit, and not taken for one that was not given."""
    output = tmp_path / "index"
    assert run("index", SAMPLE, "--output", output, "--max-dropped-ratio", 0).returncode == 0
    job = json.loads((output / "ledger" / "job.json").read_bytes())
    assert job["configuration"]["options"]["max_dropped_ratio"] == 0


def test_damage_that_must_not_be_ends_the_job_in_one_line(tmp_path: Path) -> None:
    """With the policy to fail, the user sees the reason and no traceback."""
    (tmp_path / "drastic.yaml").write_text(DRASTIC)
    fail = ("--scenario", tmp_path / "drastic.yaml", "--on-damage", "fail", "--quiet")
    done = run("index", SAMPLE, "--output", tmp_path / "index", *fail)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("sealedbeam: hop pages: ")
    assert len(done.stderr.splitlines()) == 1
    summary = summary_of(tmp_path / "index")
    assert (summary["status"], summary["ledger"]) == ("failed", "unknown")
    assert f"sealedbeam: {summary['reason']}\n" == done.stderr


@pytest.mark.parametrize(
    ("number", "code", "said"),
    [
        (signal.SIGINT, 130, "interrupted; the same command goes on from here"),
        (signal.SIGTERM, 143, "terminated; the same command goes on from here"),
    ],
)
def test_signals_end_the_job_and_keep_what_was_done(
    tmp_path: Path, number: signal.Signals, code: int, said: str
) -> None:
    """After an interrupt or a request to end, workers are gone and committed parts stay."""
    (tmp_path / "a.warc.gz").write_bytes(build_archive(200, body_bytes=200).data)
    arguments = ["index", tmp_path / "a.warc.gz", "--output", tmp_path / "index"]
    arguments += ["--part-bytes", "300", "--workers", "2"]
    with started([sys.executable, "-c", CHATTY, *map(str, arguments)]) as process:
        assert process.stderr is not None
        for _ in range(3):
            process.stderr.readline()
        workers = children_of(process.pid)
        os.killpg(process.pid, number)
        shown = process.stderr.read()
        assert process.wait() == code
        await_end(workers)
    assert len(workers) == 2
    assert "Traceback" not in shown
    assert said in shown
    committed = {path.name for path in (tmp_path / "index" / "ledger").iterdir()}
    assert len(committed) > 3
    assert not (tmp_path / "index" / "manifest.json").exists()
    done = run(*arguments)
    assert done.returncode == 0
    assert "200 pages read: 200 indexed" in done.stdout
    assert left_over(tmp_path / "index") == []
