"""An audit of a crawl finds every flipped bit and every missing file, and names the file."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.errors import UsageError
from sealedbeam.pipeline.jobs.crawl.audit import audit_crawl
from sealedbeam.pipeline.jobs.crawl.names import JOB

from tests.support.crawls import crawl_here, make_context
from tests.support.flipping import DOUBLE_FLIP, Rule
from tests.support.local_web import LocalWeb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SUMMARY = "summary.json"


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a crawl that has ended, with something in quarantine."""
    folder = tmp_path_factory.mktemp("crawl")
    with LocalWeb(hosts=2, pages=3) as web:
        rule = Rule("fetch", DOUBLE_FLIP, task="fetch-0001-000")
        context = make_context(folder, [rule], shards=2, max_attempts=5)
        crawl_here(context, [web.url(0, 0)], workers=1)
    context.store.write(JOB, canonical_json(context.configuration).encode() + b"\n")
    return folder


def files_in(folder: Path) -> Iterator[Path]:
    """Yield all files of the crawl that an audit vouches for, but for the summary."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != SUMMARY and path.suffix != ".prom":
            yield path


def test_a_good_crawl_passes(crawled: Path) -> None:
    """Nothing is found in a crawl as it was left, and all kinds of things were looked at."""
    report = audit_crawl(crawled)
    assert report.findings == []
    assert report.records >= 2 * 6
    assert report.rows >= 6
    folders = {path.parent.name for path in files_in(crawled)}
    assert {"warc", "frontier", "hosts", "digests", "ledger", "quarantine"} <= folders


def test_every_flipped_bit_is_found(crawled: Path) -> None:
    """One bit of any file is enough, and the finding names the file."""
    chance = random.Random(4)
    for path in files_in(crawled):
        data = path.read_bytes()
        flipped = bytearray(data)
        flipped[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        findings = audit_crawl(crawled).findings
        path.write_bytes(data)
        assert any(path.relative_to(crawled).as_posix() in finding for finding in findings), path


def test_every_missing_file_is_found(crawled: Path) -> None:
    """A file that is gone is named, whatever it held."""
    for path in files_in(crawled):
        data = path.read_bytes()
        path.unlink()
        findings = audit_crawl(crawled).findings
        path.write_bytes(data)
        assert any(path.relative_to(crawled).as_posix() in finding for finding in findings), path


def test_a_file_that_does_not_belong_is_named(crawled: Path) -> None:
    """An archive that nobody committed would be indexed with the others."""
    stranger = crawled / "warc" / "more.warc.gz"
    stranger.write_bytes(b"")
    findings = audit_crawl(crawled).findings
    stranger.unlink()
    assert findings == ["warc/more.warc.gz does not belong to the crawl"]


def test_a_summary_that_says_something_else_is_found(crawled: Path) -> None:
    """Each figure of summary.json follows from the ledger; one that does not is named."""
    path = crawled / SUMMARY
    text = path.read_text()
    summary = json.loads(text)
    path.write_text(json.dumps(summary | {"states": {"fetched": 7}}))
    findings = audit_crawl(crawled).findings
    path.write_text(text)
    assert findings == ["summary.json: states is not what the ledger says"]


def test_a_crawl_that_has_not_ended_is_refused(crawled: Path) -> None:
    """Before its end there is nothing to verify against: the same command goes on."""
    path = crawled / SUMMARY
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text) | {"rounds": 1}))
    with pytest.raises(UsageError, match="has not ended"):
        audit_crawl(crawled)
    path.unlink()
    with pytest.raises(UsageError, match="has not ended"):
        audit_crawl(crawled)
    path.write_text(text)
