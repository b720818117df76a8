from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that
from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.errors import SealedBeamError
from sealedbeam.pipeline.jobs.entry import Entry, encode_entry, entry_path
from sealedbeam.pipeline.jobs.finish import Unobserved
from sealedbeam.pipeline.jobs.index_job import run_index_job
from sealedbeam.pipeline.jobs.prepare import prepare
from sealedbeam.pipeline.jobs.tasks import Task
from sealedbeam.pipeline.jobs.transforms import BuildIndex, PlanParts

if TYPE_CHECKING:
    from sealedbeam.pipeline.jobs.context import JobContext

SAMPLE = Path(__file__).parents[2] / "seeds" / "sample.warc.gz"
RUN_BY_RUN = {"operations.jsonl", "summary.json"}  # they tell times
CASES: dict[str, tuple[int, dict[str, Any]]] = {
    "one worker, one part": (1, {}),
    "two workers, many parts": (2, {"part_bytes": 10_000, "shards": 3}),
}


def job(output: Path, *, keep_runs: bool = False, **options: Any) -> JobContext:
    return prepare([str(SAMPLE)], output, JobConfig(**options), keep_runs=keep_runs)


def build(context: JobContext, runner: str = "FnApiRunner") -> None:
    """Build an index in a pipeline; assert that it yields the summary, once."""

    def is_stored_summary(found: list[dict[str, Any]]) -> None:
        assert [json.loads(context.store.read("summary.json"))] == found

    with beam.Pipeline(runner=runner) as pipeline:
        assert_that(pipeline | BuildIndex(context), is_stored_summary)


def stored(folder: Path) -> dict[str, bytes]:
    """Return every file that must be the same whoever did the job."""
    files = (path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: data for name, data in named.items() if name not in RUN_BY_RUN}


@pytest.fixture(scope="module", params=list(CASES.values()), ids=list(CASES))
def driven(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return a job's options, and the files that the local driver makes of it."""
    workers, options = request.param
    output = tmp_path_factory.mktemp("driven") / "index"
    result = run_index_job(job(output, **options), Unobserved(), workers, lambda _: None)
    assert result is not None
    assert result.summary["status"] == "complete"
    return options, stored(output)


@pytest.mark.parametrize("runner", ["DirectRunner", "FnApiRunner"])
def test_index_is_the_local_drivers(
    driven: tuple[dict[str, Any], dict[str, bytes]], tmp_path: Path, runner: str
) -> None:
    """In a plain pipeline the same files come out, byte for byte, as from any number of workers."""
    options, expected = driven
    output = tmp_path / "index"
    build(job(output, **options), runner)
    actual = stored(output)
    assert sorted(expected) == sorted(actual)
    assert expected == actual
    folders = {name.partition("/")[0] for name in actual}
    assert {"documents", "shards", "ledger", "duplicates.parquet", "manifest.json"} <= folders


def test_interrupted_build_goes_on_to_the_same_index(tmp_path: Path) -> None:
    """A build that lost its end and some of its tasks makes the same files."""
    context = job(tmp_path / "index", part_bytes=10_000, keep_runs=True)
    build(context)
    expected = stored(tmp_path / "index")
    for path in (
        "manifest.json",
        "summary.json",
        entry_path("part-00002"),
        entry_path("shard-00000"),
    ):
        context.store.remove(path)
    build(context)
    assert expected == stored(tmp_path / "index")


def test_finished_index_is_left_alone(tmp_path: Path) -> None:
    """A second build in the same folder writes nothing and yields the stored summary."""
    output = tmp_path / "index"
    build(job(output))
    times = {path: path.stat().st_mtime_ns for path in output.rglob("*")}
    build(job(output))
    assert times == {path: path.stat().st_mtime_ns for path in output.rglob("*")}


def test_part_keeps_the_start_that_it_was_given(tmp_path: Path) -> None:
    """A part that was done again from another start is not planned from its first one."""
    context = job(tmp_path / "index", part_bytes=10_000)
    entry = Entry("part-00001", context.configuration_hash, details={"start": [10_123, True]})
    context.store.root.mkdir()
    context.store.write(entry_path("part-00001"), encode_entry(entry))
    tasks = [Task.from_json(text) for text in PlanParts().process(context.to_json())]
    starts = [(task.part.start, task.part.exact_start) for task in tasks if task.part is not None]
    assert starts[:3] == [(0, True), (10_123, True), (20_000, False)]


def test_task_that_cannot_go_on_fails_the_pipeline(tmp_path: Path) -> None:
    """A pipeline one of whose tasks failed fails as a whole; no manifest appears."""
    archive = tmp_path / "gone.warc.gz"
    archive.write_bytes(SAMPLE.read_bytes())
    context = prepare([str(archive)], tmp_path / "index", JobConfig())
    archive.unlink()
    with pytest.raises(SealedBeamError, match="cannot open input"):
        build(context)
    assert not context.store.exists("manifest.json")
