"""A job ends with a manifest only if nobody who looked at its results objects."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.jobs.finish import SUMMARY, Unobserved
from sealedbeam.pipeline.jobs.plan import plan_parts
from sealedbeam.pipeline.jobs.settle import abandon, finish_job
from sealedbeam.pipeline.manifest import FILE_NAME

from tests.support.archives import build_archive
from tests.support.jobs import Job

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

ARCHIVES = {"a.warc.gz": build_archive(5, body_bytes=200).data}


class Objecting(Unobserved):
    """Sees one fault, and objects to it unless nothing was sealed."""

    def count_faults(self, journals: Sequence[bytes]) -> dict[str, int]:  # noqa: ARG002
        return {"injected": 1, "escaped": 1}

    def judge_faults(self, figures: dict[str, int], *, sealed: bool) -> list[str]:
        return [f"{figures['escaped']} escaped"] if sealed else []


def finish(folder: Path, **options: Any) -> tuple[Job, Any]:
    job = Job.make(folder, ARCHIVES, **options)
    job.map_here()
    job.duplicates_here()
    job.reduce_here()
    return job, finish_job(job.context, Objecting(), 0)


def test_objection_fails_the_job(tmp_path: Path) -> None:
    """Where a fault escaped although seals were on, there is no manifest and the exit code is 3."""
    job, finished = finish(tmp_path)
    assert (finished.exit_code, finished.summary["status"]) == (3, "failed")
    assert finished.findings == ("1 escaped",)
    assert not (job.output / FILE_NAME).exists()


def test_escapes_are_expected_without_seals(tmp_path: Path) -> None:
    """Under `none` the figures stand in the summary, and the index is there to be compared."""
    job, finished = finish(tmp_path, protection="none")
    assert (finished.exit_code, finished.summary["faults"]["escaped"]) == (0, 1)
    assert (job.output / FILE_NAME).exists()


def test_abandoned_job_says_so(tmp_path: Path) -> None:
    """The summary of a job that cannot go on has its status, the reason, and the pages so far."""
    job = Job.make(tmp_path, ARCHIVES)
    job.map_here()
    abandon(job.context, plan_parts(job.context.inputs, 1 << 20), "the reason")
    summary = json.loads((job.output / SUMMARY).read_text())
    assert (summary["status"], summary["reason"]) == ("failed", "the reason")
    assert summary["pages"]["read"] == 5
