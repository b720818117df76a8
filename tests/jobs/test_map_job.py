"""A part's documents and runs come out the same, whatever happens to memory meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.integrity.ladder import Accepted
from sealedbeam.pipeline.jobs import map_job, parsing, segment
from sealedbeam.pipeline.jobs.map_job import derive_runs
from sealedbeam.pipeline.jobs.segment import run_name
from sealedbeam.pipeline.jobs.tasks import execute, map_task

from tests.support.archives import build_archive
from tests.support.flipping import DOUBLE_FLIP, LOSS, Rule
from tests.support.jobs import Job, index_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ARCHIVE = build_archive(12, body_bytes=300)


@pytest.fixture
def _many_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut parts into blocks and segments of a few pages."""
    monkeypatch.setattr(map_job, "BLOCK_TARGET_BYTES", 700)
    monkeypatch.setattr(segment, "SEGMENT_TEXT_BYTES", 500)


def make(folder: Path, *rules: Rule) -> Job:
    output = f"index-{len(list(folder.iterdir()))}"
    archives = {"a.warc.gz": ARCHIVE.data}
    return Job.make(folder, archives, rules, output=output, part_bytes=1800, max_dropped_ratio=1.0)


@pytest.mark.usefixtures("_many_segments")
@pytest.mark.parametrize(
    "rules",
    [
        (),
        (Rule("pages", DOUBLE_FLIP, attempts=9, task="part-00001"),),
        (Rule("documents", DOUBLE_FLIP, attempts=9),),
        (Rule("documents", LOSS, attempts=9, task="part-00000"),),
    ],
    ids=["nothing lost", "a page lost", "documents lost", "all of a part lost"],
)
def test_runs_can_be_derived_from_the_input_alone(tmp_path: Path, rules: tuple[Rule, ...]) -> None:
    """Done again in memory, a part gives the very runs that it stored, without what it lost."""
    job = make(tmp_path, *rules)
    job.map_here()
    runs = 0
    for entry in job.entries():
        derived = derive_runs(job.context, entry)
        names = [run_name(entry.task, run.kind, run.segment, run.shard) for run in entry.runs]
        assert sorted(derived) == sorted(names)
        for name, run in zip(names, entry.runs, strict=True):
            stored = job.context.store.read(run.path, run.offset, run.length)
            assert derived[name] in stored
        runs += len(names)
    assert runs > 4 or rules


@pytest.mark.usefixtures("_many_segments")
def test_segments_do_not_show_in_the_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A part that was cut into segments has the same postings as one that was not."""
    several = make(tmp_path)
    several.run_here()
    monkeypatch.undo()
    one = make(tmp_path)
    one.run_here()
    assert len(several.entry("part-00000").runs) > len(one.entry("part-00000").runs)

    def shards(job: Job) -> dict[str, bytes]:
        files = index_bytes(job.output).items()
        return {path: data for path, data in files if not path.startswith("documents")}

    assert shards(several) == shards(one)


def failing(monkeypatch: pytest.MonkeyPatch, looks: Iterator[bool]) -> None:
    """Let the second look at records answer what `looks` says, then the truth."""
    truth = Accepted.still_intact
    monkeypatch.setattr(Accepted, "still_intact", lambda self: next(looks, True) and truth(self))


@pytest.mark.parametrize("wrong", [0, 3, 7, 11])
def test_record_that_changed_in_use_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: int
) -> None:
    """A page or document that fails its second look costs a repetition, and nothing else."""
    clean = make(tmp_path)
    clean.run_here()
    failing(monkeypatch, iter([True] * wrong + [False]))
    job = make(tmp_path)
    assert job.run_here().exit_code == 0
    changed = [entry.counts.get("operations", {}) for entry in job.entries()]
    assert sum(counts.get(parsing.CHANGED_IN_USE, 0) for counts in changed) == 1
    assert index_bytes(clean.output) == index_bytes(job.output)


def test_failing_memory_ends_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where documents keep changing while they are in use, the job says so and stops."""
    job = make(tmp_path)
    (part, *_) = job.parts()
    monkeypatch.setattr(parsing.PageParser, "_derive_again", None)
    pages = len([record for record in ARCHIVE.records if record.url and record.offset < part.stop])
    failing(monkeypatch, iter([True] * pages + [False] * 99))
    with pytest.raises(IntegrityError, match="this machine's memory is failing"):
        execute(job.context, map_task(part))


def test_page_that_cannot_be_made_again_ends_the_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a page changed in memory and the input no longer has it, the job stops and says so."""
    job = make(tmp_path)
    (part, *_) = job.parts()
    failing(monkeypatch, iter([False]))
    monkeypatch.setattr(parsing, "derive_pages", lambda *_: [])
    with pytest.raises(IntegrityError, match="was the input changed"):
        execute(job.context, map_task(part))
