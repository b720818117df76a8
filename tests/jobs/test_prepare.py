"""A job starts only on inputs that are there and in a folder that is its own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.errors import IntegrityError, UsageError
from sealedbeam.pipeline.filesystems import LocalSource
from sealedbeam.pipeline.integrity.channel import PerfectChannel
from sealedbeam.pipeline.integrity.ladder import OnDamage
from sealedbeam.pipeline.jobs.audit import audit
from sealedbeam.pipeline.jobs.context import JobContext
from sealedbeam.pipeline.jobs.finish import JOB, PLAN
from sealedbeam.pipeline.jobs.prepare import (
    claim,
    claimed,
    inspect_inputs,
    prepare,
)
from sealedbeam.pipeline.jobs.store import TEMPORARY_SUFFIX
from sealedbeam.pipeline.warc.values import Container

from tests.support.archives import build_archive, flip_bit
from tests.support.jobs import Job, all_bytes

if TYPE_CHECKING:
    from pathlib import Path

ARCHIVE = build_archive(3)
PLAIN = build_archive(2, Container.PLAIN)


def fill(folder: Path) -> None:
    """Make a folder with archives at several depths, and one file that is none."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "b.warc.gz").write_bytes(ARCHIVE.data)
    (folder / "a.warc").write_bytes(PLAIN.data)
    (folder / "deep" / "er" / "c.warc.gz").write_bytes(ARCHIVE.data)
    (folder / "notes.txt").write_text("no archive")


def names(folder: Path, *patterns: str) -> list[str]:
    found = inspect_inputs([str(folder / pattern) for pattern in patterns])
    return [file.path.removeprefix(f"{folder}/") for file in found]


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["b.warc.gz"], ["b.warc.gz"]),
        (["*.warc*"], ["a.warc", "b.warc.gz"]),
        (["**/*.warc.gz"], ["b.warc.gz", "deep/er/c.warc.gz"]),
        (["."], ["./a.warc", "./b.warc.gz", "./deep/er/c.warc.gz"]),
        (["deep"], ["deep/er/c.warc.gz"]),
        (["b.warc.gz", "*.warc*"], ["b.warc.gz", "a.warc"]),
        (["notes.txt"], ["notes.txt"]),
    ],
)
def test_inputs_are_files_globs_and_folders(
    tmp_path: Path, patterns: list[str], expected: list[str]
) -> None:
    """Inputs come in the order given, those of a pattern by name, each once."""
    fill(tmp_path)
    found = [name.removeprefix("./") for name in names(tmp_path, *patterns)]
    assert found == [name.removeprefix("./") for name in expected]


def test_inputs_are_looked_at(tmp_path: Path) -> None:
    """Size, CRC-32C and layout of each input are known; what is no archive is known to be none."""
    fill(tmp_path)
    (tmp_path / "empty.warc").touch()
    files = inspect_inputs([str(tmp_path)]) + inspect_inputs([str(tmp_path / "notes.txt")])
    layouts = {file.path.rpartition("/")[2]: file.container for file in files}
    assert layouts == {
        "a.warc": Container.PLAIN,
        "b.warc.gz": Container.GZIP_MEMBERS,
        "c.warc.gz": Container.GZIP_MEMBERS,
        "empty.warc": Container.UNKNOWN,
        "notes.txt": Container.UNKNOWN,
    }
    assert {file.size for file in files if file.path.endswith("gz")} == {len(ARCHIVE.data)}
    assert len({file.crc32c for file in files if file.path.endswith("gz")}) == 1


@pytest.mark.parametrize("pattern", ["gone.warc", "*.gone", "gone/", "empty"])
def test_missing_input_is_a_usage_error(tmp_path: Path, pattern: str) -> None:
    """A path, glob or folder without a file is refused before anything is written."""
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="matches no file"):
        prepare([str(tmp_path / pattern)], tmp_path / "out", JobConfig())
    assert not (tmp_path / "out").exists()


def test_context_travels_as_json(tmp_path: Path) -> None:
    """A worker makes the very same job out of the text that it is given."""
    fill(tmp_path)
    config = JobConfig(protection="detect", seed=7, shards=3)
    channel = PerfectChannel("south").reference()
    context = prepare(
        [str(tmp_path)], tmp_path / "out", config, channel, scenario="{}", keep_runs=True
    )
    again = JobContext.from_json(context.to_json())
    assert again == context
    attached = JobContext.from_json(replace(context, attached={"a/b": b"large"}).to_json())
    assert attached == replace(context, attached={"a/b": b""})  # its name is all a worker needs
    assert again.configuration_hash == context.configuration_hash


def test_hash_covers_what_decides_the_output(tmp_path: Path) -> None:
    """Inputs, options and scenario change the hash; folder, channel and cluster do not."""
    fill(tmp_path)
    context = prepare([str(tmp_path / "*.warc*")], tmp_path / "out", JobConfig())
    same = [
        replace(context, output="elsewhere", keep_runs=True),
        replace(context, channel=PerfectChannel("south").reference()),
    ]
    others = [
        replace(context, inputs=context.inputs[::-1]),
        replace(context, inputs=context.inputs[:1]),
        replace(context, scenario="{}"),
        *(
            replace(context, config=context.config.model_copy(update=change))
            for change in (
                {"protection": "none"},
                {"on_damage": OnDamage.DROP},
                {"max_attempts": 4},
                {"max_dropped_ratio": 0.5},
                {"seed": 1},
                {"part_bytes": 9},
                {"shard_bytes": 9},
                {"shards": 9},
            )
        ),
    ]
    assert {job.configuration_hash for job in same} == {context.configuration_hash}
    hashes = {job.configuration_hash for job in [context, *others]}
    assert len(hashes) == 1 + len(others)


def job(folder: Path, data: bytes = ARCHIVE.data, **options: Any) -> Job:
    return Job.make(folder, {"a.warc.gz": data}, **options)


def test_foreign_folder_is_refused(tmp_path: Path) -> None:
    """A folder that holds anything else is not written to; the message says what to do."""
    context = job(tmp_path).context
    (tmp_path / "index" / "deep").mkdir(parents=True)
    (tmp_path / "index" / "deep" / "diary.txt").write_text("mine")
    with pytest.raises(UsageError, match="give a new folder with --output"), claimed(context):
        pass
    assert [path.name for path in (tmp_path / "index").rglob("*")] == ["deep", "diary.txt"]


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    """An output path that cannot be a folder is an error of usage."""
    (tmp_path / "index").write_text("a file")
    with pytest.raises(UsageError, match="cannot write to"), claimed(job(tmp_path).context):
        pass


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"protection": "detect"}, "configuration.options.protection was correct, is detect"),
        ({"part_bytes": 999}, "configuration.options.part_bytes was 4096, is 999"),
        ({"seed": 5}, "configuration.options.seed was 0, is 5"),
        ({"data": flip_bit(ARCHIVE.data, 99)}, "configuration.inputs.0.1 was "),
    ],
)
def test_other_configuration_is_refused(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    """A folder belongs to one job; another one is told what differs, and nothing is touched."""
    job(tmp_path).run_here()
    before = all_bytes(tmp_path / "index")
    with pytest.raises(UsageError) as caught, claimed(job(tmp_path, **change).context):
        pass
    assert said in str(caught.value)
    assert str(caught.value).count(" was ") == 1
    assert before == all_bytes(tmp_path / "index")


def test_other_input_path_is_refused(tmp_path: Path) -> None:
    """Stored documents name their file, so that a job cannot go on under other names."""
    job(tmp_path).run_here()
    other = Job.make(tmp_path, {"b.warc.gz": ARCHIVE.data}).context
    with pytest.raises(UsageError, match=r"other inputs: .*a\.warc\.gz; now .*b\.warc\.gz"):
        claim(other)


def test_many_differences_are_counted(tmp_path: Path) -> None:
    """The message stays short, however many inputs there are."""
    archives = {f"{number:02}.warc.gz": ARCHIVE.data for number in range(30)}
    claim(Job.make(tmp_path, archives).context)
    with pytest.raises(UsageError, match=r"and \d+ more; now") as caught:
        claim(Job.make(tmp_path, {"other.warc.gz": PLAIN.data}, output="index").context)
    assert len(str(caught.value)) < 1500


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff"])
def test_damaged_job_file_is_an_integrity_error(tmp_path: Path, data: bytes) -> None:
    """If a folder's own mark is damaged, nothing is written there."""
    context = job(tmp_path).context
    claim(context)
    context.store.write(JOB, data)
    with pytest.raises(IntegrityError, match=r"job\.json is damaged"):
        claim(context)


def test_claim_that_was_killed_goes_on(tmp_path: Path) -> None:
    """Whatever a killed claim left behind, the same command can take the folder."""
    files = {"faults/counters.parquet": b"counts"}
    context = replace(job(tmp_path).context, scenario='{"plan": 1}', attached=files)
    attempt = context.store.root / "ledger" / f".job.json.0123{TEMPORARY_SUFFIX}"
    attempt.parent.mkdir(parents=True)
    attempt.write_bytes(b"{")
    claim(context)
    (context.store.root / PLAN).unlink()
    (context.store.root / "faults/counters.parquet").unlink()
    claim(context)
    assert (context.store.root / PLAN).read_text() == '{"plan": 1}'
    assert (context.store.root / "faults/counters.parquet").read_bytes() == b"counts"
    assert json.loads((context.store.root / JOB).read_text())["inputs"] == list(context.paths)


def test_attached_files_belong_to_the_output(tmp_path: Path) -> None:
    """They are there before the work, stay behind it, and are in the manifest; damage is told."""
    files = {"faults/counters.parquet": b"counts"}
    attached = Job(replace(job(tmp_path).context, scenario="{}", attached=files))
    stored = attached.output / "faults" / "counters.parquet"
    claim(attached.context)
    before = stored.stat().st_mtime_ns
    attached.run_here()
    assert (before, b"counts") == (stored.stat().st_mtime_ns, stored.read_bytes())
    manifest = json.loads((attached.output / "manifest.json").read_bytes())
    assert "faults/counters.parquet" in {file["path"] for file in manifest["files"]}
    assert audit(attached.output).findings == []
    stored.write_bytes(b"others")
    findings = audit(attached.output).findings
    assert findings == ["faults/counters.parquet is damaged: [0..6)"]


def test_input_that_changed_its_size_is_refused(tmp_path: Path) -> None:
    """Bytes that came or went after the job looked at its input are not read as if they were it."""
    context = job(tmp_path).context
    with (tmp_path / "a.warc.gz").open("ab") as file:
        file.write(ARCHIVE.data)
    with pytest.raises(UsageError, match=f"when the job began it had {len(ARCHIVE.data)}"):
        context.source(0)


def test_output_is_looked_at_before_the_inputs(tmp_path: Path) -> None:
    """A file, a link to nothing or a foreign folder is refused whatever the inputs are."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    (tmp_path / "diary").mkdir()
    (tmp_path / "diary" / "today").touch()
    refused = {"file": "is a file", "link": "link to nothing", "diary": "holds no job"}
    for name, said in refused.items():
        with pytest.raises(UsageError, match=said):
            prepare(["gone.warc"], tmp_path / name, JobConfig())


def test_inputs_in_the_output_folder_are_refused(tmp_path: Path) -> None:
    """An input that the job itself may have written would be another one at the next start."""
    done = job(tmp_path)
    done.run_here()
    for pattern in ("**/*", "index/shards/*", "./index/../index/summary.json"):
        with pytest.raises(UsageError, match="lies in the output folder"):
            prepare([str(tmp_path / pattern)], done.output, JobConfig())
    assert prepare([str(tmp_path)], tmp_path / "other", JobConfig()).paths == (
        str(tmp_path / "a.warc.gz"),
    )


def test_input_that_shrinks_while_it_is_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fewer bytes than the file had when it was opened are not taken for all of it."""
    path = tmp_path / "a.warc"
    path.write_bytes(PLAIN.data)
    read = LocalSource.read
    monkeypatch.setattr(LocalSource, "read", lambda *arguments: read(*arguments)[:-1])
    with pytest.raises(UsageError, match="became shorter while it was read"):
        inspect_inputs([str(path)])


def test_input_that_the_system_cannot_read_is_named(tmp_path: Path) -> None:
    """An error of the disk is told with the input's name, as one of usage: nothing was done."""
    with pytest.raises(UsageError, match="cannot read input /proc/self/mem: Input/output error"):
        prepare(["/proc/self/mem"], tmp_path / "out", JobConfig())
