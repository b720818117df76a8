"""Every query of every dashboard, asked of a real Prometheus that has the supernova behind it.

The time shown is wider than the campaign, as it is for whoever looks back: what holds a moment's
value alone would be empty there.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import pytest

from tests.servers.conftest import run_command
from tests.servers.daemons import prometheus, run_promtool
from tests.servers.test_backfilled_story import clusters_by_side
from tests.servers.test_scraping import scraping, serving
from tests.support.jobs import ROOT, SAMPLE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.conftest import Story
    from tests.servers.daemons import Labels, Prometheus

DASHBOARDS = sorted((ROOT / "configs" / "grafana" / "dashboards").glob("*.json"))
MARGIN_SECONDS = 600  # Prometheus takes a sample of 5 minutes ago for one of now
STEP_SECONDS = 30
LATE_SECONDS = 240  # a score looks back 3 minutes
BEYOND = 4.5  # the map's highest bound, in standard deviations
EMPTY = {
    ("overview", "Alerts that fire A"): "promtool makes no alerts over the past",
    ("burst", "Alert: GeoBurst"): "likewise",
    ("burst", "Alerts of one cluster"): "likewise; and there are none in this story",
    ("burst", "Other alerts"): "likewise",
}


@dataclass(frozen=True)
class Query:
    """What a panel or an annotation asks, and the matchers of its variables still in it."""

    dashboard: str
    title: str
    expression: str
    instant: bool

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.title}"


@dataclass(frozen=True)
class Shown:
    """The time that a dashboard shows, of a Prometheus."""

    server: Prometheus
    start: float
    end: float

    def ask(self, query: Query, **chosen: str) -> dict[Labels, list[float]]:
        """Return the numbers that Grafana would get, for the variables that are chosen."""
        values = {"job_name": ".*", "cluster": ".*", "__range": f"{self.end - self.start:.0f}s"}
        text = re.sub(r"\$(\w+)", lambda found: (values | chosen)[found[1]], query.expression)
        if query.instant:
            found = self.server.query(text, self.end).items()
            return {labels: [value] for labels, value in found if isfinite(value)}
        ranges = self.server.query_range(text, self.start, self.end, STEP_SECONDS).items()
        numbers = {labels: [*filter(isfinite, times.values())] for labels, times in ranges}
        return {labels: values for labels, values in numbers.items() if values}


def queries_of(path: Path) -> Iterator[Query]:
    board = json.loads(path.read_text())
    for panel in board["panels"]:
        for target in panel.get("targets", []):
            title = f"{panel['title']} {target['refId']}"
            yield Query(path.stem, title, target["expr"], target.get("instant", False))
    for annotation in board["annotations"].get("list") or []:
        yield Query(path.stem, annotation["name"], annotation["expr"], instant=False)


QUERIES = [query for path in DASHBOARDS for query in queries_of(path)]


@pytest.fixture(scope="module")
def shown(supernova: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """Yield the story together with its truth, and more time than it took."""
    folder = tmp_path_factory.mktemp("grafana")
    campaign = supernova.job.parents[1]
    end = int(supernova.at(supernova.plan["duration_seconds"]))
    blocks = [path.parent for path in (campaign.parent / "data").glob("*/meta.json")]
    assert blocks != []
    for block in blocks:
        shutil.copytree(block, folder / "data" / block.name)
    written = folder / "truth.om"
    start = str(supernova.start)
    done = run_command("backfill", campaign, "--truth", "--start", start, "--output", written)
    assert done.returncode == 0, done.stderr
    data = str(folder / "data")
    run_promtool("tsdb", "create-blocks-from", "openmetrics", str(written), data)
    with prometheus(campaign.parent / "prometheus.yml", folder / "data") as server:
        yield Shown(server, supernova.start - MARGIN_SECONDS, end + MARGIN_SECONDS)


def test_queries_are_found() -> None:
    """No panel but those of the runbook is without a query, and no query is without a panel."""
    found = {(query.dashboard, query.title.rpartition(" ")[0]) for query in QUERIES}
    for path in DASHBOARDS:
        panels = [panel for panel in json.loads(path.read_text())["panels"] if "title" in panel]
        asking = [panel for panel in panels if panel["type"] not in {"row", "text"}]
        assert {(path.stem, panel["title"]) for panel in asking} <= found
    assert {query.dashboard for query in QUERIES} == {"overview", "world", "burst", "comparison"}


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_query_returns_data(query: Query, shown: Shown) -> None:
    """Every query has an answer with all jobs chosen, but those of which the reason is known."""
    found = shown.ask(query)
    assert bool(found) is ((query.dashboard, query.title) not in EMPTY), query.expression


@pytest.mark.parametrize("query", QUERIES, ids=str)
def test_query_returns_data_of_one_job(query: Query, shown: Shown, supernova: Story) -> None:
    """Choosing the job leaves every query its answer, and no other job in it."""
    if (query.dashboard, query.title) in EMPTY:
        return
    found = shown.ask(query, job_name=re.escape(supernova.job_name).replace("\\", "\\\\"))
    assert found, query.expression
    names = {dict(labels).get("job_name", supernova.job_name) for labels in found}
    assert names == {supernova.job_name}


def one(title: str) -> Query:
    (found,) = [query for query in QUERIES if query.title == title]
    return found


def test_panels_tell_the_story(shown: Shown, supernova: Story) -> None:
    """The map shows each cluster where it stands, and those that see the source beyond all bounds.

    The burst is marked while it lasts, and nothing was lost.
    """
    places = {name: sky[:2] for name, *_, sky in supernova.plan["clusters"]}
    found = shown.ask(one("Affected machines above the hour before A"))
    assert places == {
        dict(labels)["cluster"]: [
            float(dict(labels)["latitude"]),
            float(dict(labels)["longitude"]),
        ]
        for labels in found
    }
    seeing, behind = clusters_by_side(supernova)
    scores = {dict(labels)["cluster"]: value for labels, (value,) in found.items()}
    assert min(scores[name] for name in seeing) > BEYOND
    assert max(scores[name] for name in behind) < BEYOND
    (burst,) = supernova.plan["bursts"]
    (marked,) = shown.ask(one("Burst")).values()
    lasted = len(marked) * STEP_SECONDS
    assert burst["duration_seconds"] <= lasted <= burst["duration_seconds"] + LATE_SECONDS
    assert list(shown.ask(one("Ledger imbalance, records A")).values()) == [[0]]


def test_a_job_served_alone_is_shown(tmp_path: Path) -> None:
    """Without a label job_name, and within seconds of its first scrape, the overview has answers.

    But for the rates over time, which a job that stands still does not have.
    """
    done = run_command("index", SAMPLE, "--output", tmp_path / "index", "--quiet")
    assert done.returncode == 0, done.stderr
    with serving(tmp_path / "index") as target, scraping(tmp_path, target) as server:
        shown = Shown(server, time.time() - 3600, time.time())
        asked = [query for query in QUERIES if query.dashboard == "overview" and query.instant]
        empty = {str(query) for query in asked if not shown.ask(query)}
        assert empty == {"overview: Alerts that fire A"}
        (verdict,) = shown.ask(one("Jobs by the ledger's verdict A"))
        assert dict(verdict) == {"ledger": "balanced"}
