"""The requests of a crawl are those of its ledger, in metrics.prom, in `serve`, in summary.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prometheus_client.parser import text_string_to_metric_families
from sealedbeam.monitoring import metrics
from sealedbeam.monitoring.fetches import CRAWL, read_fetches
from sealedbeam.monitoring.live import LiveReader
from sealedbeam.monitoring.publish import METRICS, REPORT, publish
from sealedbeam.monitoring.serving.jobs_folder import ITSELF, find_jobs
from sealedbeam.monitoring.textfile import render_ledger
from sealedbeam.pipeline.config import canonical_json
from sealedbeam.pipeline.crawl.frontier import State
from sealedbeam.pipeline.jobs.crawl import context, measuring
from sealedbeam.pipeline.jobs.crawl.names import JOB
from sealedbeam.pipeline.jobs.crawl.watching import Unwatched

from tests.support.crawls import crawl_here, make_context
from tests.support.local_web import LocalWeb, Reply

if TYPE_CHECKING:
    from pathlib import Path

    from sealedbeam.pipeline.jobs.crawl.context import CrawlContext
    from sealedbeam.pipeline.jobs.crawl.summary import CrawlTotals


class _Publisher(Unwatched):
    """Writes metrics when a crawl ends."""

    def publish(self, context: CrawlContext, totals: CrawlTotals, summary: dict[str, Any]) -> None:
        publish(context.store.root, totals, summary, "sealedbeam crawl")


def samples_of(data: bytes) -> dict[tuple[str, str], float]:
    """Return the samples of the two metrics by name and label."""
    return {
        (sample.name, sample.labels.get("outcome", sample.labels.get("le", ""))): sample.value
        for family in text_string_to_metric_families(data.decode())
        for sample in family.samples
        if sample.name.startswith("sealedbeam_fetch")
    }


def test_words_and_bounds_are_those_of_the_crawl() -> None:
    """Outcomes are the states that a request can have, and robots; buckets are the ledger's."""
    never = {State.UNFETCHED, State.DUPLICATE, State.ROBOTS_DENIED, State.TRAPPED}
    assert set(metrics.FETCH_OUTCOMES) == {*State} - never | {measuring.ROBOTS}
    assert measuring.BOUNDS_SECONDS == metrics.FETCH_BOUNDS_SECONDS
    assert context.WORK == CRAWL
    assert read_fetches({}, {}) is None


def test_requests_add_up_wherever_they_are_told(tmp_path: Path) -> None:
    """Server, ledger, summary.json, metrics.prom and `serve` tell the same; the report has why."""
    with LocalWeb(pages=7, robots="User-agent: *\nDisallow: /6\n") as web:
        web.special = {
            "/1": lambda _: Reply(301, b"", (("Location", "/3"),)),
            "/2": lambda _: Reply(200, b'<a href="/5">5</a><a href="/6">6</a>'),
            "/5": lambda _: Reply(404, b""),
        }
        crawl = make_context(tmp_path, shards=1)
        crawl.store.write(JOB, canonical_json(crawl.configuration).encode())
        summary = crawl_here(crawl, [web.url(0, 0)], watcher=_Publisher())
        asked = len(web.asked)
    expected = {"fetched": 3, "gone": 1, "redirect_permanent": 1, "robots": 1}
    assert (summary["fetches"], asked) == (expected, 6)
    assert summary["visits"]["robots_denied"] == 1
    found = samples_of((tmp_path / METRICS).read_bytes())
    outcomes = dict.fromkeys(metrics.FETCH_OUTCOMES, 0) | expected
    assert outcomes == {
        label: value for (name, label), value in found.items() if name.endswith("fetches_total")
    }
    name = metrics.FETCH_DURATION.name
    assert found[f"{name}_count", ""] == found[f"{name}_bucket", "+Inf"] == 6
    assert found[f"{name}_sum", ""] == summary["fetch_seconds"] > 0
    buckets = [value for (each, _), value in found.items() if each == f"{name}_bucket"]
    assert buckets == sorted(buckets)
    assert len(buckets) == len(metrics.FETCH_BOUNDS_SECONDS) + 1
    assert find_jobs(tmp_path) == {ITSELF: tmp_path}
    assert samples_of(render_ledger(LiveReader(tmp_path).read())) == found
    page = (tmp_path / REPORT).read_text()
    for text in ("<td>gone</td>", "<td>status_404</td>", "Ledger: balanced", "goes on with"):
        assert text in page, text
