"""Archives that other programs have made go into an index as they are."""

from __future__ import annotations

from pathlib import Path

from sealedbeam.pipeline.index.search import Index

from tests.support.jobs import Job

WGET = Path(__file__).parents[1] / "warc" / "wget.warc.gz"
"""What GNU Wget 1.21 made of three generated pages and a missing robots.txt (`--warc-file`)."""


def test_an_archive_made_by_wget(tmp_path: Path) -> None:
    """Each of its pages is found, its log is no page, and no digest of it is missed or bad."""
    job = Job.make(tmp_path, [WGET])
    summary = job.run_here().summary
    assert (summary["status"], summary["pages"]["indexed"]) == ("complete", 3)
    assert summary["pages"]["rejected"] == {"http_status": 1}
    assert summary["inputs"]["damaged_regions"] == summary["inputs"]["digest_bad"] == 0
    index = Index.open(job.output)
    for number in range(3):
        (hit,) = index.search(f"only0x{number}", 10).hits
        assert hit.url.endswith(f"/{number}")
