from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apache_beam as beam
import pytest
from apache_beam.testing.util import assert_that, equal_to
from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.jobs.entry import Entry, encode_entry, entry_path
from sealedbeam.pipeline.jobs.index_job import run_index_job
from sealedbeam.pipeline.jobs.finish import Unobserved
from sealedbeam.pipeline.jobs.prepare import prepare
from sealedbeam.pipeline.jobs.tasks import Task
from sealedbeam.pipeline.jobs.transforms import BuildIndex, PlanParts

if TYPE_CHECKING:
    from sealedbeam.pipeline.jobs.context import JobContext

SAMPLE = str(Path(__file__).parents[2] / "seeds" / "sample.warc.gz")
RUN_BY_RUN = {"operations.jsonl", "summary.json"}  # they tell times
CASES = {"one worker, one part": (1, {}), "two workers, many parts": (2, {"part_bytes": 10_000})}


def job(output: Path, **options: Any) -> JobContext:
    return prepare([SAMPLE], output, JobConfig(**options))


def build(context: JobContext, runner: str = "FnApiRunner") -> list[dict[str, Any]]:
    summaries: list[dict[str, Any]] = []

    def check(found: list[dict[str, Any]]) -> None:
        assert len(found) == 1

    with beam.Pipeline(runner=runner) as pipeline:
        summary = pipeline | BuildIndex(context)
        assert_that(summary, check)
        _ = summary | beam.Map(lambda each: None)
    summaries.append(json.loads(context.store.read("summary.json")))
    return summaries


def stored(folder: Path) -> dict[str, bytes]:
    """Return every file that must be the same whoever did the job."""
    files = (path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: data for name, data in named.items() if name not in RUN_BY_RUN}


@pytest.fixture(scope="module", params=CASES.values(), ids=CASES)
def driven(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the options of a job, and the files that the local driver makes of it."""
    workers, options = request.param
    output = tmp_path_factory.mktemp("driven") / "index"
    result = run_index_job(job(output, **options), Unobserved(), workers, lambda _: None)
    assert result is not None
    assert result.summary["status"] == "complete"
    return options, stored(output)
