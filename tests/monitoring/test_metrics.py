"""Claims about the catalogue: documented as it is, bounded, and in the words of the rest."""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from sealedbeam.faults.outages import Scope
from sealedbeam.faults.sites import CLUSTERS_MAX
from sealedbeam.monitoring import metrics
from sealedbeam.monitoring.collector import LedgerCollector, TruthCollector
from sealedbeam.monitoring.entries import HOPS
from sealedbeam.monitoring.timeline import Site
from sealedbeam.monitoring.view import Campaign, View
from sealedbeam.pipeline.integrity.ledger import HopAccount
from sealedbeam.pipeline.integrity.reconcile import Reconciliation, Verdict
from sealedbeam.pipeline.jobs import totals
from sealedbeam.pipeline.jobs.redundancy import COMPUTATIONS, summarise_audit

from tests.support.jobs import ROOT
from tests.support.views import make_summary

if TYPE_CHECKING:
    from collections.abc import Iterator

ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*)\|", re.MULTILINE)
EVERY = (*metrics.CATALOGUE, *metrics.TRUTH, *metrics.CRAWLS, *metrics.SCRUBS)
SERIES_PER_CLUSTER, SERIES_OF_JOB = 103, 8


def make_view(clusters: int) -> View:
    """Return a view of a job in which nothing has happened yet, with every metric there is."""
    sites = tuple(Site(f"cluster-{number}", 1.5, -2.25) for number in range(clusters))
    campaign = Campaign("none", "not accelerated", 60, sites, ("single_bit",))
    reconciliation = Reconciliation(Verdict.BALANCED, (), 0)
    return View(
        {hop: HopAccount() for hop in HOPS},
        reconciliation,
        (),
        make_summary(),
        "sealedbeam",
        campaign=campaign,
        success_seconds=1.5,
    )


def count_series(view: View) -> int:
    return sum(len(family.samples) for family in LedgerCollector(view).collect())


def documented() -> Iterator[tuple[str, str, tuple[str, ...]]]:
    text = (ROOT / "monitoring" / "README.md").read_text()
    for name, kind, labels in ROW.findall(text):
        yield name, kind, tuple(filter(None, labels.replace(",", " ").split()))


def test_readme_lists_the_catalogue() -> None:
    """Name, type and labels of each metric stand in the README, in the catalogue's order."""
    declared = [(m.name, m.type, m.labels) for m in EVERY]
    assert declared == list(documented())


def test_names_follow_the_rules() -> None:
    """Counters end in total, units stand in names, help is a sentence, no label is a machine's."""
    for metric in EVERY:
        assert metric.name.startswith("sealedbeam_")
        assert metric.name.endswith("_total") == (metric.type is metrics.MetricType.COUNTER)
        assert metric.unit in metric.name
        assert metric.help.endswith(".")
        assert set(metric.labels).isdisjoint({"machine", "url", "file", "job", "instance"})


def test_series_stay_within_the_stated_budget() -> None:
    """A cluster adds so many series and no more, and the README says how many that makes."""
    for clusters in (1, 12, CLUSTERS_MAX):
        expected = SERIES_PER_CLUSTER * clusters + SERIES_OF_JOB
        assert expected == count_series(make_view(clusters))
    text = " ".join((ROOT / "monitoring" / "README.md").read_text().split())
    for clusters in (12, CLUSTERS_MAX):
        assert f"{SERIES_PER_CLUSTER * clusters + SERIES_OF_JOB:,}" in text
    assert f"{SERIES_PER_CLUSTER} series for each cluster and {SERIES_OF_JOB} for the job" in text


def test_everything_is_exported_as_zero_before_it_happens() -> None:
    """Of a job in which nothing has happened each counter is there, and none is above zero."""
    families = list(LedgerCollector(make_view(2)).collect())
    assert [metric.name for metric in metrics.CATALOGUE] == [
        f"{family.name}_total" if family.type == "counter" else family.name for family in families
    ]
    for family in families:
        assert family.samples
        if family.type == "counter":
            assert {sample.value for sample in family.samples} == {0}


def test_truth_has_one_series_for_each_cluster_and_kind() -> None:
    """The ground truth's series are bounded by clusters and kinds, and one for what escaped."""
    campaign = make_view(3).campaign
    assert campaign is not None
    injected, escaped = TruthCollector(campaign).collect()
    pairs = [(s.labels["cluster"], s.labels["kind"]) for s in injected.samples]
    assert sorted(product(campaign.clusters, campaign.kinds)) == pairs
    assert len(escaped.samples) == 1


def test_words_are_those_of_the_packages_that_are_watched() -> None:
    """Scopes of failures, hops and outcomes of an audit are what the others call them."""
    assert tuple(Scope) == metrics.FAILURE_SCOPES
    assert totals.HOPS == HOPS
    counts = {"audited": 6, "agreed": 1, "disagreed": 5, "outvoted": 3, "undecided": 2}
    audited = summarise_audit({COMPUTATIONS: counts}, ())
    assert sum(int(str(audited[name])) for name in metrics.AUDIT_OUTCOMES) == counts["audited"]
