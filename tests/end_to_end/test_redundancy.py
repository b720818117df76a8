"""Mercurial machines against redundant execution, through whole jobs.

The index of a job whose every page is audited is that of a job without faults. With a sample, what
was computed on a machine that was caught is computed again; workers, kills and late attempts change
nothing of that. Ground truth is the injector's, which the pipeline cannot see.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import apache_beam as beam
import pytest
from sealedbeam.faults.channel import FaultyChannel
from sealedbeam.faults.checkers import check_cells, count_cells, count_unseen, sum_figures
from sealedbeam.faults.plan import make_plan
from sealedbeam.pipeline.config import JobConfig
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.index.parse import Parsed, parse_page
from sealedbeam.pipeline.jobs import parsing
from sealedbeam.pipeline.jobs.audit import audit
from sealedbeam.pipeline.jobs.cores import CoreWalk
from sealedbeam.pipeline.jobs.finish import PLAN, Unobserved
from sealedbeam.pipeline.jobs.map_job import derive_runs
from sealedbeam.pipeline.jobs.prepare import claim, prepare
from sealedbeam.pipeline.jobs.redundancy import DISAGREE, EVICTED, TRUSTED, find_evicted
from sealedbeam.pipeline.jobs.settle import find_distrusted, finish_job
from sealedbeam.pipeline.jobs.tasks import execute, map_task
from sealedbeam.pipeline.jobs.transforms import BuildIndex

from tests.support.campaigns import make_scenario
from tests.support.jobs import (
    SAMPLE,
    Job,
    all_bytes,
    index_bytes,
    quarantined,
    summary_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sealedbeam.pipeline.records import Page

SEED = 5
CLUSTERS = [{"name": "dublin", "machines": 3}, {"name": "oregon", "machines": 5}]
CORES = {"share": 0.3, "share_of_results": 0.3}


def make(
    folder: Path,
    *,
    output: str = "index",
    seed: int = SEED,
    clusters: list[dict[str, Any]] = CLUSTERS,
    cores: dict[str, float] | None = CORES,
    **options: Any,
) -> Job:
    """Prepare a job over the sample web, in many parts, on machines some of which are mercurial."""
    config = JobConfig(**({"part_bytes": 4096, "shards": 2, "seed": seed} | options))
    root = folder / output
    if cores is None:
        return Job(prepare([str(SAMPLE)], root, config))
    plan = make_plan(make_scenario(clusters=clusters, mercurial_cores=cores), seed)
    channel = FaultyChannel(str(root / PLAN), plan.sha256).reference()
    return Job(prepare([str(SAMPLE)], root, config, channel, scenario=plan.to_json()))


def faults_of(job: Job) -> dict[str, int]:
    """Return the faults of a job by outcome; the law of conservation holds."""
    journals = [path.read_bytes() for path in sorted(job.output.glob("faults/*.parquet"))]
    cells = count_cells(journals)
    assert check_cells(cells) == []
    figures = sum_figures(cells)
    assert count_unseen(cells) == figures["escaped"]
    return figures


def test_nothing_escapes_where_every_page_is_audited(tmp_path: Path) -> None:
    """The index is that of a job without faults, and each wrong result is counted as corrected."""
    clean = make(tmp_path, output="clean", cores=None)
    job = make(tmp_path, redundancy="audit", audited_share=1)
    assert clean.run_here().exit_code == job.run_here().exit_code == 0
    assert index_bytes(clean.output) == index_bytes(job.output)
    faults = faults_of(job)
    assert faults["injected"] == faults["corrected"] > 0
    found = summary_of(job.output)["audit"]
    assert found["audited"] == summary_of(job.output)["pages"]["read"]
    assert found["disagreed"] == found["outvoted"] > 0
    assert audit(job.output).findings == []


def test_without_redundancy_wrong_results_are_indexed(tmp_path: Path) -> None:
    """No seal sees a wrong computation: the ledger balances over an index that is not right."""
    clean = make(tmp_path, output="clean", cores=None)
    job = make(tmp_path)
    assert clean.run_here().exit_code == job.run_here().exit_code == 0
    faults = faults_of(job)
    assert faults["injected"] == faults["escaped"] > 0
    assert summary_of(job.output)["ledger"] == "balanced"
    assert "audit" not in summary_of(job.output)
    assert index_bytes(clean.output) != index_bytes(job.output)


def test_audit_without_faults_changes_no_byte_of_the_index(tmp_path: Path) -> None:
    """On machines that compute rightly all agree, and the index is the same as without audit."""
    clean = make(tmp_path, output="clean", cores=None)
    job = make(tmp_path, cores=None, redundancy="audit", audited_share=0.5)
    assert clean.run_here().exit_code == job.run_here().exit_code == 0
    assert index_bytes(clean.output) == index_bytes(job.output)
    found = summary_of(job.output)["audit"]
    assert 0 < found["audited"] == found["agreed"] < summary_of(job.output)["pages"]["read"]


def sampled(folder: Path, output: str = "index", **options: Any) -> Job:
    """Prepare a job whose sample finds mercurial machines that others of its pages relied on."""
    return make(folder, output=output, redundancy="audit", audited_share=0.3, **options)


def map_once(job: Job) -> None:
    """Do all parts, and nothing about what they found."""
    claim(job.context)
    for part in job.parts():
        execute(job.context, map_task(part))


def test_evicted_machines_are_relied_on_no_more(tmp_path: Path) -> None:
    """Parts that relied on a machine that was caught are done again, and fewer results are wrong.

    What is counted against machines is the same in both rounds.
    """
    job = sampled(tmp_path)
    map_once(job)
    before = job.entries()
    tasks = find_distrusted(job.context, job.parts())
    assert tasks
    evicted = find_evicted(before, 1)
    job.map_here()
    after = job.entries()
    assert find_evicted(after, 1) == evicted
    assert find_distrusted(job.context, job.parts()) == []
    assert all(entry.counts.get(TRUSTED, {}).keys().isdisjoint(evicted) for entry in after)
    met = {name for entry in after for name in entry.details.get(EVICTED, ())}
    assert met <= set(evicted)
    job.duplicates_here()
    job.reduce_here()
    assert job.finish_here().exit_code == 0
    assert summary_of(job.output)["audit"][EVICTED] == list(evicted)
    unaudited = make(tmp_path, output="off")
    unaudited.run_here()
    assert faults_of(job)["escaped"] < faults_of(unaudited)["escaped"]


def test_workers_kills_and_order_change_no_byte(tmp_path: Path) -> None:
    """One worker, two, and a job stopped between the rounds end with the same ledger and index."""
    one, two, stopped = (sampled(tmp_path, name) for name in ("one", "two", "stopped"))
    one.run(workers=1)
    two.run(workers=2)
    map_once(stopped)
    tasks = find_distrusted(stopped.context, stopped.parts())
    execute(stopped.context, tasks[len(tasks) // 2])
    stopped.run(workers=1)
    assert all_bytes(one.output) == all_bytes(two.output) == all_bytes(stopped.output)


def test_late_attempt_that_knows_of_no_eviction_gives_way(tmp_path: Path) -> None:
    """A part as it was planned does not take back one that was done again; if it got in, it shows.

    The job is not finished on it, and the next run of the command puts it right.
    """
    job = sampled(tmp_path)
    map_once(job)
    late = {path: path.read_bytes() for path in (job.output / "ledger").glob("part-*.json")}
    (task, *_) = find_distrusted(job.context, job.parts())
    job.run_here()
    right = all_bytes(job.output)
    (job.output / "manifest.json").unlink()
    entry = job.entry(task.name)
    assert task.part is not None
    assert execute(job.context, map_task(task.part)) == entry
    path = job.output / "ledger" / f"{task.name}.json"
    path.write_bytes(late[path])
    with pytest.raises(IntegrityError):
        finish_job(job.context, Unobserved(), 0.0)
    job.run(workers=1)
    assert all_bytes(job.output) == right


def test_runs_of_an_audited_part_can_be_made_again(tmp_path: Path) -> None:
    """What a reducer derives is what the part committed, and no vote is held over it."""
    job = make(tmp_path, redundancy="audit", audited_share=1)
    job.map_here()
    for entry in job.entries():
        derived = derive_runs(job.context, entry)
        assert len(derived) == len(entry.runs)


def test_page_that_nobody_agrees_on_is_set_aside(tmp_path: Path) -> None:
    """Two machines that differ leave no majority: the page is in quarantine, not in the index."""
    job = make(
        tmp_path,
        clusters=[{"name": "pair", "machines": 2}],
        cores={"share": 1, "share_of_results": 0.1},
        redundancy="audit",
        audited_share=1,
        max_dropped_ratio=1,
    )
    assert job.run_here().exit_code == 0
    rows = [row for row in quarantined(job.output) if row.reason == DISAGREE]
    summary = summary_of(job.output)
    assert 0 < len(rows) == summary["audit"]["undecided"] <= summary["pages"]["quarantined"]
    assert {row.stage for row in rows} == {"parse"}
    assert summary["ledger"] == "balanced"
    assert faults_of(job)["dropped"] >= len(rows)


def test_job_that_nobody_agrees_on_fails(tmp_path: Path) -> None:
    """More such pages than may be dropped are a failure, and the reason is named."""
    job = make(
        tmp_path,
        clusters=[{"name": "pair", "machines": 2}],
        cores={"share": 1, "share_of_results": 0.5},
        redundancy="audit",
        audited_share=1,
    )
    done = job.run_here()
    assert done.exit_code == IntegrityError.exit_code
    assert "no two machines agree" in " ".join(done.findings)


class FakeWalk(CoreWalk):
    """Five cores, of which the first one computes one page wrongly."""

    number = 0

    def __enter__(self) -> Self:
        FakeWalk.number = 0
        return self

    def __exit__(self, *_: object) -> None:
        FakeWalk.number = -1

    @property
    def name(self) -> str:
        return f"host/core-{FakeWalk.number}"

    def move(self) -> bool:
        FakeWalk.number += 1
        return FakeWalk.number < 5


@pytest.fixture
def wrong_core(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let core 0 of a host misread the title of one page."""

    def misparse(page: Page) -> Any:
        result = parse_page(page)
        if FakeWalk.number == 0 and isinstance(result, Parsed) and "crc.html" in page.url:
            return Parsed(result.document._replace(title="wrong"), result.cuts)
        return result

    monkeypatch.setattr(parsing, "CoreWalk", FakeWalk)
    monkeypatch.setattr(parsing, "parse_page", misparse)
    yield
    FakeWalk.number = -1


@pytest.mark.usefixtures("wrong_core")
def test_real_core_that_computes_wrongly_is_named(tmp_path: Path) -> None:
    """Without simulated machines the cores vote; one that is wrong fails the job by its name.

    What else it has computed is not known, so there is nothing that could be done again.
    """
    job = make(tmp_path, cores=None, redundancy="audit", audited_share=1)
    done = job.run_here()
    assert done.exit_code == IntegrityError.exit_code
    assert any("host/core-0 computed" in finding for finding in done.findings)
    assert summary_of(job.output)["ledger"] == "balanced"


def test_runner_of_beam_evicts_like_the_driver(tmp_path: Path) -> None:
    """The index build as a transform does the same parts again and ends with the same bytes."""
    job, by_beam = sampled(tmp_path), sampled(tmp_path, "beam")
    job.run_here()
    with beam.Pipeline(runner="FnApiRunner") as pipeline:
        _ = pipeline | BuildIndex(by_beam.context)
    assert all_bytes(job.output) == all_bytes(by_beam.output)
