"""The server as a user starts it: beside a job, on what a job left, and how it ends."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse_text
from sealedbeam.pipeline.integrity.ledger import Outcome

from tests.support.archives import build_archive, flip_bit
from tests.support.jobs import ROOT, SAMPLE, Job, command, environment, summary_of
from tests.support.processes import await_end, children_of, started
from tests.support.serving import get, get_json

if TYPE_CHECKING:
    from collections.abc import Iterator

SCENARIO = ROOT / "configs" / "scenarios" / "bitflips.yaml"
Records = dict[tuple[str, str], float]


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*map(str, arguments)),
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment(),
        timeout=120,  # a mistake that is taken for no mistake would be served for ever
    )


def count_records(port: int) -> Records:
    """Return the records of all clusters by hop and outcome, of one scrape."""
    status, _, body = get(port, "/metrics")
    found: Records = {}
    for family in parse_text(body.decode()) if status == 200 else ():
        for sample in family.samples:
            if sample.name == "sealedbeam_records_total":
                key = sample.labels["hop"], sample.labels["outcome"]
                found[key] = found.get(key, 0) + sample.value
    return found


def count_summary(output: Path) -> Records:
    hops = summary_of(output)["hops"]
    return {(hop, str(o)): counts[o] for hop, counts in hops.items() for o in Outcome}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the output of a job whose archive was damaged."""
    folder = tmp_path_factory.mktemp("serve")
    archive = build_archive(12, body_bytes=400)
    damaged = flip_bit(archive.data, archive.records[5].offset + 60)
    job = Job.make(folder, {"a.warc.gz": damaged}, part_bytes=900)
    job.run_here()
    return job.output


@contextmanager
def serving(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run `serve` on any port; yields the process and its port."""
    with started(command("serve", *map(str, arguments), "--port", "0", "--json")) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, process.communicate()
            text += line
        yield process, int(json.loads(text)["url"].rstrip("/").rpartition(":")[2])


@contextmanager
def indexing(output: Path, *arguments: object) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a job of many small parts with a server beside it; yields the process and its port."""
    archive = output.parent / "many.warc.gz"
    archive.write_bytes(build_archive(200, body_bytes=200).data)
    words = ["index", str(archive), "--output", str(output), "--serve", "0", *map(str, arguments)]
    with started(command(*words, "--part-bytes", "300", "--workers", "2")) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        found = re.fullmatch(r".* is shown at http://127\.0\.0\.1:([0-9]+)/ until the end\n", line)
        assert found, line
        yield process, int(found.group(1))


def is_served(port: int) -> bool:
    try:
        return get(port, "/healthz")[2] == b"ok\n"
    except (OSError, http.client.HTTPException):
        return False


def test_finished_job_is_served_to_the_unit(finished: Path) -> None:
    """What a scrape says of a finished job is what its summary says; the page is there, too."""
    with serving(finished) as (process, port):
        assert count_records(port) == count_summary(finished)
        told = get_json(port, "/api/job")
        assert (told["status"], told["pages"]) == ("complete", summary_of(finished)["pages"])
        assert b"<title>" in get(port, "/")[2]
        assert get(port, "/static/app.js")[0] == 200
        rows = get_json(port, "/api/quarantine")["rows"]
        assert [row["reason"] for row in rows] == ["bad_gzip_member"]
        raw = get_json(port, "/api/quarantine/bytes?row=0&limit=4")
        assert raw["hex"].startswith("1f8b")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 143


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_server_ends_when_it_is_asked_to(finished: Path, number: signal.Signals, code: int) -> None:
    """With clients connected and a request half sent, a signal ends it at once and quietly."""
    with serving(finished) as (process, port):
        with socket.create_connection(("127.0.0.1", port)) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nHost:")
            assert is_served(port)
            os.killpg(process.pid, number)
            assert process.wait() == code
        assert process.stderr is not None
        assert process.stderr.read() == ""
        assert not is_served(port)


def test_job_is_served_while_it_runs(tmp_path: Path) -> None:
    """Counters grow while parts commit, and the server ends with the job, whose result is whole."""
    output = tmp_path / "index"
    with indexing(output) as (process, port):
        before: Records = {}
        seen = 0
        while process.poll() is None and seen < 5:
            if is_served(port) and (now := count_records(port)):
                assert all(now[key] >= number for key, number in before.items())
                seen += 1
                before = now
        served = children_of(process.pid)
        assert process.wait() == 0
        await_end(served)
        assert not is_served(port)
    assert seen > 0
    with serving(output) as (_, port):
        assert count_records(port) == count_summary(output)
        assert get_json(port, "/api/job")["parts"]["pending"] == 0


def test_killed_job_leaves_no_server(tmp_path: Path) -> None:
    """When the command is killed its server ends, and another shows what had been committed."""
    output = tmp_path / "index"
    with indexing(output) as (process, port):
        while not (output / "ledger" / "part-00003.json").exists():
            assert process.poll() is None
        children = children_of(process.pid)
        process.kill()
        process.wait()
        await_end(children)
        assert not is_served(port)
    with serving(output) as (_, port):
        told = get_json(port, "/api/job")
        assert (told["status"], told["pages"]) == ("stopped", None)
        assert told["ledger"]["verdict"] == "open"
        assert told["parts"]["committed"] >= 1
        assert told["parts"]["pending"] >= 1


def test_job_outlives_its_server(tmp_path: Path) -> None:
    """A server that is killed costs the job nothing."""
    output = tmp_path / "index"
    with indexing(output) as (process, _):
        servers: list[int] = []
        while not servers:  # one that was just forked still bears its parent's name
            servers = [pid for pid in children_of(process.pid) if b"beside" in command_of(pid)]
        for pid in servers:
            os.kill(pid, signal.SIGKILL)
        assert process.wait() == 0
    assert len(servers) == 1
    assert summary_of(output)["status"] == "complete"


def command_of(pid: int) -> bytes:
    """Return the command line of a process, empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_campaign_is_served_as_a_folder_of_jobs(finished: Path, tmp_path: Path) -> None:
    """Jobs that lie below the folder are told apart by a label; a damaged one hides no other."""
    good, bad = tmp_path / "cells" / "good", tmp_path / "cells" / "bad"
    good.parent.mkdir()
    for name in (good, bad):
        subprocess.run(["cp", "-r", finished, name], check=True)
    entry = next((bad / "ledger").glob("part-00001.json"))
    entry.write_bytes(flip_bit(entry.read_bytes(), 100))
    half = tmp_path / "cells" / "half" / "ledger"
    half.mkdir(parents=True)
    (half / "job.json").write_text('{"configuration": ')
    with serving(tmp_path) as (_, port):
        jobs = {job["name"]: job["status"] for job in get_json(port, "/api/jobs")["jobs"]}
        assert jobs == {"cells/bad": "damaged", "cells/good": "complete", "cells/half": "damaged"}
        assert get(port, "/api/job?name=cells/half")[0] in {400, 409}
        told: dict[tuple[str, str], float] = {}
        for family in parse_text(get(port, "/metrics")[2].decode()):
            for sample in family.samples:
                if sample.name == "sealedbeam_records_total":
                    assert sample.labels["job_name"] == "cells/good"
                    key = sample.labels["hop"], sample.labels["outcome"]
                    told[key] = told.get(key, 0) + sample.value
        assert told == count_summary(good)


def test_port_in_use_is_told_before_any_work(finished: Path, tmp_path: Path) -> None:
    """A port that is taken ends every command that wants it, with 2 and nothing written."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for words in (
            ("serve", finished, "--port", port),
            ("index", SAMPLE, "--output", tmp_path / "out", "--serve", port),
            ("campaign", SCENARIO, "--output", tmp_path / "out", "--serve", port),
        ):
            done = run(*words)
            assert (done.returncode, done.stdout) == (2, "")
            assert re.fullmatch(
                f"sealedbeam: .*port {port} .* in use; give another port\n", done.stderr
            )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--pace", "60"), "--pace has no effect without --replay"),
        (("--bind", "example.org"), "example.org is not an IP address"),
        (("--bind", "192.0.2.1"), "Cannot assign requested address"),
        (("--port", "65536"), "--port"),
        (("--replay", "--pace", "0"), "--pace"),
        (("--replay", "--pace", "nan"), "--pace"),
        (("--allow-host", "a b"), "--allow-host a b: a name or an address is needed"),
        (("--allow-host", "example.org:80"), "without a port"),
    ],
)
def test_wrong_usage_is_2(finished: Path, arguments: tuple[str, ...], said: str) -> None:
    """What cannot be served is refused in one line."""
    done = run("serve", finished, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_help_teaches_by_an_example() -> None:
    """The command shows how it is called."""
    shown = run("serve", "--help").stdout
    assert "sealedbeam serve campaign --replay" in shown.partition("Example:")[2]
