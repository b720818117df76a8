"""Claims about metrics: the ledger to the unit, complete, readable, and always the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sealedbeam.faults.journal import FaultOutcome
from sealedbeam.monitoring.metrics import CATALOGUE, CLUSTER_INFO, LAST_SUCCESS, TRUTH
from sealedbeam.monitoring.textfile import render_ledger, render_truth
from sealedbeam.monitoring.view import View, read_view
from sealedbeam.pipeline.integrity.block import LossReason
from sealedbeam.pipeline.integrity.correction import Method
from sealedbeam.pipeline.integrity.ledger import Outcome
from sealedbeam.pipeline.integrity.reconcile import Reconciliation, Verdict

from tests.support.views import (
    COMMAND,
    HOPS,
    Totals,
    add_campaign,
    make_folder,
    make_hops,
    make_summary,
)

if TYPE_CHECKING:
    from pathlib import Path

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def make_view(totals: Totals | None = None) -> View:
    totals = totals or Totals()
    return View(totals.hops, totals.reconciliation, (), make_summary(), COMMAND)


def parse(data: bytes) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(data.decode())
        for sample in family.samples
    }


def total(samples: Samples, name: str, **labels: str) -> float:
    wanted = set(labels.items())
    return sum(
        value for (found, has), value in samples.items() if found == name and wanted <= set(has)
    )


def test_metrics_equal_the_ledger() -> None:
    """Summed over clusters, each hop's figures are those of its account."""
    samples = parse(render_ledger(make_view()))
    for hop, account in make_hops().items():
        cell = account.total()
        for outcome in Outcome:
            found = total(samples, "sealedbeam_records_total", hop=hop, outcome=outcome)
            assert getattr(cell, outcome) == found
        assert cell.bytes == total(samples, "sealedbeam_record_bytes_total", hop=hop)
        for name, counts, label in (
            ("sealedbeam_corrected_bits_total", cell.corrected_bits, "method"),
            ("sealedbeam_retry_attempts_total", cell.retry_attempts, "reason"),
            ("sealedbeam_dropped_records_total", cell.dropped_reasons, "reason"),
        ):
            assert sum(counts.values()) == total(samples, name, hop=hop)
            for word, number in counts.items():
                assert number == total(samples, name, hop=hop, **{label: word})


def test_metrics_equal_the_ledger_in_each_cluster() -> None:
    """A cluster's figures are the sum of its windows."""
    samples = parse(render_ledger(make_view()))
    for cluster in ("dublin", "oregon"):
        cells = make_hops()["pages"].cells
        expected = sum(cell.records for (name, _), cell in cells.items() if name == cluster)
        labels = {"hop": "pages", "cluster": cluster}
        assert expected == total(samples, "sealedbeam_records_total", **labels)


def test_every_known_label_set_has_a_zero() -> None:
    """Before anything happened each outcome, method and reason is there for each hop, at zero."""
    totals = Totals(hops={hop: type(account)() for hop, account in make_hops().items()})
    samples = parse(render_ledger(make_view(totals)))
    for hop in HOPS:
        place = {("cluster", "local"), ("hop", hop)}
        for name, label, words in (
            ("sealedbeam_records_total", "outcome", Outcome),
            ("sealedbeam_corrected_bits_total", "method", Method),
            ("sealedbeam_retry_attempts_total", "reason", LossReason),
            ("sealedbeam_dropped_records_total", "reason", [*LossReason, "not_reproducible"]),
        ):
            for word in words:
                assert samples[name, frozenset(place | {(label, str(word))})] == 0
        assert samples["sealedbeam_record_bytes_total", frozenset(place)] == 0


def test_imbalance_and_run_are_shown() -> None:
    """By how much the ledger is out is a gauge; what the job was stands in the labels of 1."""
    totals = Totals(reconciliation=Reconciliation(Verdict.IMBALANCED, ("lost",), 3))
    samples = parse(render_ledger(make_view(totals)))
    assert total(samples, "sealedbeam_ledger_imbalance_records") == 3
    labels = {"protection": "correct", "seed": "0", "status": "complete", "scenario": ""}
    assert total(samples, "sealedbeam_run_info", **labels) == 1


def test_same_view_gives_the_same_bytes() -> None:
    """The order in which a ledger was added up does not show."""
    hops = make_hops()
    turned = {hop: type(account)() for hop, account in reversed(hops.items())}
    for hop, account in hops.items():
        for key in reversed(account.cells):
            turned[hop].cells[key] = account.cells[key]
    assert render_ledger(make_view()) == render_ledger(make_view(Totals(hops=turned)))


@pytest.mark.parametrize("outcomes", [(), (FaultOutcome.ESCAPED, FaultOutcome.CORRECTED)])
def test_truth_equals_the_journals(tmp_path: Path, outcomes: tuple[FaultOutcome, ...]) -> None:
    """Injected and escaped faults are the journals', with zeros for each cluster and kind."""
    make_folder(tmp_path)
    add_campaign(tmp_path, outcomes)
    campaign = read_view(tmp_path, Totals(), make_summary(), COMMAND).campaign
    assert campaign is not None
    samples = parse(render_truth(campaign))
    name = "sealedbeam_faults_injected_total"
    assert len([1 for found, _ in samples if found == name]) == 4
    assert len(outcomes) == total(samples, name)
    assert len(outcomes) == total(samples, name, cluster="oregon", kind="single_bit")
    assert outcomes.count(FaultOutcome.ESCAPED) == total(samples, "sealedbeam_faults_escaped_total")


def test_catalogue_is_all_that_is_exported(tmp_path: Path) -> None:
    """Names, labels and help are those of the catalogue; no truth, no time, no unknown place."""
    make_folder(tmp_path)
    add_campaign(tmp_path, (FaultOutcome.MASKED,))
    view = read_view(tmp_path, Totals(), make_summary(), COMMAND)
    assert view.campaign is not None
    known = [metric for metric in CATALOGUE if metric not in {LAST_SUCCESS, CLUSTER_INFO}]
    for declared, data in ((known, render_ledger(view)), (TRUTH, render_truth(view.campaign))):
        expected = {m.name: (m.type, m.help, set(m.labels)) for m in declared}
        found = {
            sample.name: (family.type, family.documentation, set(sample.labels))
            for family in text_string_to_metric_families(data.decode())
            for sample in family.samples
        }
        assert expected == found


def test_clusters_of_a_scenario_are_known_from_the_start(tmp_path: Path) -> None:
    """A cluster that no record was in yet has its zeros."""
    make_folder(tmp_path)
    add_campaign(tmp_path, ())
    totals = Totals(hops={hop: type(account)() for hop, account in make_hops().items()})
    samples = parse(render_ledger(read_view(tmp_path, totals, make_summary(), COMMAND)))
    names = {"sealedbeam_records_total", "sealedbeam_ecc_errors_total"}
    clusters = {dict(labels)["cluster"] for name, labels in samples if name in names}
    assert clusters == {"dublin", "oregon"}
