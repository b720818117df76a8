"""Without seals nothing is noticed and nothing is promised, but no job falls over."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from sealedbeam.pipeline.errors import IntegrityError
from sealedbeam.pipeline.index.search import Index
from sealedbeam.pipeline.jobs import segment
from sealedbeam.pipeline.jobs.totals import HOPS

from tests.support.archives import pack, page_record, response_record
from tests.support.flipping import FLIP, STORM, Rule
from tests.support.jobs import Job, index_bytes

if TYPE_CHECKING:
    from pathlib import Path

RECORDS = [page_record(number, body_bytes=150) for number in range(14)]
RECORDS += [response_record(f"http://copy.example/{n}", RECORDS[n].body) for n in (1, 9)]
ARCHIVES = {"a.warc.gz": pack(RECORDS).data}
OPTIONS: dict[str, Any] = {"part_bytes": 1200, "protection": "none", "max_dropped_ratio": 1.0}


def test_flips_escape(tmp_path: Path) -> None:
    """The verdict is unknown, nothing is counted as damaged, and the index is another one."""
    clean = Job.make(tmp_path, ARCHIVES, output="clean", **OPTIONS)
    clean.run_here()
    rules = [Rule("documents", FLIP)]
    job = Job.make(tmp_path, clean.context.paths, rules, output="flipped", **OPTIONS)
    result = job.run_here()
    assert (result.exit_code, result.summary["ledger"]) == (0, "unknown")
    hops = result.summary["hops"]
    assert all(hops[hop]["records"] == hops[hop]["intact"] for hop in HOPS)
    assert index_bytes(clean.output) != index_bytes(job.output)


@pytest.mark.parametrize("seed", range(30))
def test_any_flips_end_in_an_index_or_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Many flips anywhere, lengths and identities included: a job ends, and its index opens.

    Either the counts balance, and then the verdict is unknown, or the job says that they do not.
    """
    monkeypatch.setattr(segment, "SEGMENT_TEXT_BYTES", 600)
    archives = {"a.warc.gz": pack(RECORDS, level=seed % 10).data}
    rules = [Rule(hop, STORM, seed=seed) for hop in HOPS]
    result = Job.make(tmp_path, archives, rules, **OPTIONS).run_here()
    verdict = {0: "unknown", 3: "imbalanced"}[result.exit_code]
    assert result.summary["ledger"] == verdict
    assert bool(result.findings) == (result.exit_code == 3)
    if result.exit_code == 0:
        pages = result.summary["pages"]
        outcomes = pages["indexed"] + pages["duplicate"] + sum(pages["rejected"].values())
        assert pages["read"] == outcomes + pages["quarantined"]
        index = Index.open(tmp_path / "index")
        for query in ("page", "the", '"sealed beam"'):
            with suppress(IntegrityError):  # a search may well find that they contradict each other
                index.search(query)
