"""Inputs and outputs on S3: the bytes of a local job, whatever is killed between two requests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.objects import Objects

from tests.servers.object_server import S3Server
from tests.support.archives import flip_bit, pack, page_record
from tests.support.jobs import command, environment
from tests.support.remote_runs import LOG, OPTIONS, Run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.trials import Fork

KILLED = -signal.SIGKILL
_HANG_SECONDS = 120
_TURNS = 6  # of a test of many runs: each takes its share, so that all changes have their turn


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with S3Server.running() as found:
        client = found.client()
        client.create_bucket(Bucket="inputs")
        client.create_bucket(Bucket="outputs")
        archives = local_archives(tmp_path_factory.mktemp("archives"))
        for path in archives:
            client.put_object(Bucket="inputs", Key=f"crawl/{path.name}", Body=path.read_bytes())
        client.put_object(Bucket="inputs", Key="crawl/notes.txt", Body=b"no archive")
        yield found


def local_archives(folder: Path) -> list[Path]:
    """Write two small archives, one of them damaged; return their paths."""
    pages = pack([page_record(number, body_bytes=200) for number in range(6)])
    damaged = flip_bit(pages.data, pages.records[2].offset + 60)
    written = {"a.warc.gz": damaged, "b.warc.gz": pack([page_record(9, body_bytes=200)]).data}
    for name, data in written.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in written]


@pytest.fixture(scope="module")
def expected(
    server: S3Server, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, bytes], int]:
    """What an undisturbed job leaves, and how many requests of it change the store."""
    run = Run.new(server, tmp_path_factory.mktemp("undisturbed"))
    server.strike(0, lambda: None)
    assert run.start().wait() == 0, run.told
    return run.snapshot(), server.changes


def test_same_bytes_as_on_a_disk(
    server: S3Server, expected: tuple[dict[str, bytes], int], tmp_path: Path
) -> None:
    """Of the same inputs a folder and a bucket get the same files, the manifest among them."""
    run = Run.new(server, tmp_path)
    arguments = [
        str(tmp_path / "index") if word == run.output else word for word in run.arguments()
    ]
    assert run.start(*arguments).wait() == 0, run.told
    found = {
        path.relative_to(tmp_path / "index").as_posix(): path.read_bytes()
        for path in (tmp_path / "index").rglob("*")
        if path.is_file() and path.name not in {LOG, "summary.json", "metrics.prom", "report.html"}
    }
    assert found == {path: expected[0][path] for path in found}
    assert {"manifest.json", "summary.json", "report.html"} <= expected[0].keys()


@pytest.mark.parametrize("first", range(1, _TURNS + 1))
def test_killed_at_every_change(
    server: S3Server, expected: tuple[dict[str, bytes], int], tmp_path: Path, first: int
) -> None:
    """Killed between any two requests, the same command leaves the same objects and no others."""
    snapshot, changes = expected
    assert changes > 15
    wrong = {}
    for number in range(first, changes + 1, _TURNS):
        run = Run.new(server, tmp_path)
        started: list[Fork] = []

        def kill(started: list[Fork] = started) -> None:
            started[0].kill()

        server.strike(number, kill)
        started.append(run.start())
        codes = started[0].wait(), run.start().wait()
        if codes != (KILLED, 0) or run.snapshot() != snapshot:
            wrong[number] = codes, run.told, run.snapshot().keys() ^ snapshot.keys()
    assert wrong == {}


def test_job_of_another_machine_is_harmless(
    server: S3Server, expected: tuple[dict[str, bytes], int], tmp_path: Path
) -> None:
    """The same job at the same time elsewhere, begun and ended meanwhile, changes nothing."""
    snapshot, changes = expected
    (tmp_path / "other").mkdir()
    codes = set()
    for number in range(1, changes + 1, _TURNS - 1):
        run = Run.new(server, tmp_path)
        held, free = threading.Event(), threading.Event()

        def hold(held: threading.Event = held, free: threading.Event = free) -> None:
            held.set()
            assert free.wait(_HANG_SECONDS)

        server.strike(number, hold)
        first = run.start()
        assert held.wait(_HANG_SECONDS)
        other = Run(server, tmp_path / "other", run.prefix)
        assert other.start().wait() == 0, other.told
        free.set()
        codes.add(first.wait())
        assert run.snapshot() == snapshot
    assert codes <= {0, 1}


def test_second_job_of_this_machine_is_refused(server: S3Server, tmp_path: Path) -> None:
    """While a job writes to an output, another one of the same machine exits with 2."""
    run = Run.new(server, tmp_path)
    second = Run(server, tmp_path, run.prefix)
    codes: list[int] = []
    server.strike(4, lambda: codes.append(second.start().wait()))
    first = run.start()
    assert first.wait() == 0
    assert codes == [2]


def test_real_processes(
    server: S3Server, expected: tuple[dict[str, bytes], int], tmp_path: Path
) -> None:
    """Driver and workers are killed in mid-job, the job ends, and the index is used from there."""
    run = Run.new(server, tmp_path)
    place = environment() | server.environment | {"TMPDIR": str(tmp_path)}
    processes: list[subprocess.Popen[bytes]] = []
    server.strike(6, lambda: os.killpg(processes[0].pid, signal.SIGKILL))

    def start(*arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command(*arguments),
            env=place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    processes.append(start(*run.arguments()))
    processes[0].communicate(timeout=_HANG_SECONDS)
    assert processes[0].returncode == KILLED
    with start(*run.arguments()) as process:
        assert process.communicate(timeout=_HANG_SECONDS)[0] == b""
    assert process.returncode == 0
    assert run.snapshot() == expected[0]
    told = {}
    for words in (
        ("search", run.output, "page"),
        ("audit", run.output),
        ("quarantine", run.output),
    ):
        assert run.start(*words).wait() == 0, run.told
        told[words[0]] = run.told
    assert "documents found" in told["search"]
    assert "all intact" in told["audit"]
    assert run.start("quarantine", run.output).wait() == 0
    assert "bad_gzip_member" in run.told


def test_damage_in_a_bucket_is_found(
    server: S3Server, expected: tuple[dict[str, bytes], int], tmp_path: Path
) -> None:
    """An object with a flipped bit is named by audit, and a stranger among the objects too."""
    run = Run.new(server, tmp_path)
    assert run.start().wait() == 0
    client = server.client()
    (shard,) = (path for path in expected[0] if path.startswith("shards/"))
    flipped = flip_bit(expected[0][shard], 100)
    client.put_object(Bucket="outputs", Key=f"{run.prefix}/index/{shard}", Body=flipped)
    client.put_object(Bucket="outputs", Key=f"{run.prefix}/index/shards/x", Body=b"x")
    assert run.start("audit", run.output).wait() == 3
    assert f"{shard} is damaged: row group 0" in run.told
    assert "shards/x does not belong to the index" in run.told


@pytest.mark.parametrize(
    ("pattern", "output", "said"),
    [
        ("s3://inputs/crawl/none.gz", "s3://outputs/x", "matches no file"),
        ("s3://nowhere/crawl/", "s3://outputs/x", "s3://nowhere/crawl/: No such bucket"),
        ("s3://inputs/crawl/", "s3://nowhere/x", "s3://nowhere/x: No such bucket"),
        ("s3://inputs/crawl/", "s3://inputs/crawl", "is not empty and holds no job"),
        ("s3://inputs/crawl/", "hdfs://outputs/x", "folder, s3:// or gs://"),
    ],
)
def test_what_cannot_work_is_refused(
    server: S3Server, tmp_path: Path, pattern: str, output: str, said: str
) -> None:
    """A missing bucket or object, and an output of somebody else, end with one line and 2."""
    run = Run.new(server, tmp_path)
    assert run.start("index", pattern, "--output", output, "--quiet").wait() == 2, run.told
    assert said in run.told
    assert run.told.count("\n") == 1


def test_folder_of_a_bucket_stands_for_its_archives(server: S3Server, tmp_path: Path) -> None:
    """The archives below a prefix are taken, and nothing else that lies there."""
    run = Run.new(server, tmp_path)
    assert run.start("index", "s3://inputs/", "--output", run.output, *OPTIONS).wait() == 0
    job = server.objects("outputs")[f"{run.prefix}/index/ledger/job.json"]
    assert b'"inputs":["s3://inputs/crawl/a.warc.gz","s3://inputs/crawl/b.warc.gz"]' in job


def test_store_that_cannot_be_reached(tmp_path: Path) -> None:
    """Nobody at the address: one line with the reason, 2, and no minutes of waiting."""
    run = Run.new(S3Server("http://127.0.0.1:9"), tmp_path)
    assert run.start().wait() == 2
    assert "Could not connect to the endpoint URL" in run.told
    assert run.told.count("\n") == 1


def test_objects_as_files(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranges, sizes, absence and conditional writes are those of a file."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    objects = Objects("s3")
    url = "s3://outputs/object"
    assert objects.write(url, b"0123456789")
    assert not objects.write(url, b"other", only_new=True)
    ranges: list[tuple[Any, ...]] = [(), (3,), (3, 4), (8, 5), (10, 1), (99, 1), (0, 0)]
    assert [objects.read(url, *asked) for asked in ranges] == [
        *(b"0123456789", b"3456789", b"3456", b"89", b"", b"", b"")
    ]
    assert objects.size(url) == 10
    objects.remove(url)
    objects.remove(url)
    assert not objects.exists(url)
    with pytest.raises(FileNotFoundError):
        objects.read(url)


@pytest.mark.parametrize(
    ("scheme", "module", "extra"),
    [("s3", "boto3", "s3"), ("gs", "apache_beam.io.gcp.gcsio", "gcs")],
)
def test_missing_extra(
    monkeypatch: pytest.MonkeyPatch, scheme: str, module: str, extra: str
) -> None:
    """Without the packages of a scheme the command that installs them is told."""
    monkeypatch.setitem(sys.modules, module, None)
    for name in ("s3", "gs"):
        monkeypatch.delitem(sys.modules, f"sealedbeam.pipeline.objects_{name}", raising=False)
    with pytest.raises(UsageError, match=rf"pip install 'sealedbeam\[{extra}\]'"):
        Objects(scheme)
