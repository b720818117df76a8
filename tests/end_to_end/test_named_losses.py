"""What jobs with seals lose is named, all of it, wherever it is lost: none of it is silent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.faults.comparison import compare_indexes
from sealedbeam.faults.losses import Named, name_losses
from sealedbeam.pipeline.jobs.quarantine import read_quarantine

from tests.support.campaigns import flips, make_plan
from tests.support.faulty_jobs import prepare_job
from tests.support.jobs import SAMPLE, Job

if TYPE_CHECKING:
    from pathlib import Path

SPLIT: dict[str, Any] = {"part_bytes": 1 << 15, "shards": 3}
"""Several parts and shards, so that what is named must be of the right ones."""


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the index without faults."""
    job = Job.make(tmp_path_factory.mktemp("reference"), [SAMPLE], **SPLIT)
    job.run_here()
    return job.output


@pytest.mark.parametrize(
    ("hops", "per_mebibyte", "seed"),
    [
        (["pages"], 300, 0),
        (["documents"], 300, 1),
        (["runs"], 20, 2),
        (["runs"], 20, 3),
        (["shards"], 100, 4),
        (["pages", "documents", "runs", "shards"], 20, 5),
    ],
)
def test_every_loss_is_named(
    reference: Path, tmp_path: Path, hops: list[str], per_mebibyte: float, seed: int
) -> None:
    """With a third of the blocks lost and two flips in many records, all that is missing is named.

    The same index without its quarantine is silently wrong: something was lost, and was looked at.
    """
    blocks = {"kind": "lost_block", "per_block": 0.3, "hops": hops}
    plan = make_plan(flips("double_bit", per_mebibyte, hops=hops), blocks, seed=seed)
    job = prepare_job([SAMPLE], tmp_path / "index", plan, on_damage="drop", **SPLIT)
    job.run_here()
    named = name_losses(read_quarantine(job.output))
    difference = compare_indexes(reference, job.output, named)
    assert not difference.byte_identical
    assert difference.silent == 0
    assert compare_indexes(reference, job.output, Named()).silent > 0
