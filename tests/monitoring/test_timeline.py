"""Claims about timelines: nothing is lost or counted twice, and machines count once a window."""

from __future__ import annotations

import io
from collections import Counter, defaultdict
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.journal import Fault, encode_journal
from sealedbeam.monitoring.machine_errors import (
    NO_ERRORS,
    MachineErrors,
    join,
    read_counters,
    read_journal_errors,
)
from sealedbeam.monitoring.timeline import (
    OUTCOMES,
    SERIES,
    Site,
    build_timeline,
    fitting_window_seconds,
)
from sealedbeam.monitoring.view import Campaign, View
from sealedbeam.pipeline.integrity.ledger import Cell, HopAccount
from sealedbeam.pipeline.integrity.reconcile import Reconciliation, Verdict

from tests.support.views import make_summary

DURATION_SECONDS = 250
SITES = (Site("oslo", 59.9, 10.8, 20.0, 9), Site("lima", -12.0, -77.0, 150.0, 9))
CLUSTERS = st.sampled_from([site.name for site in SITES])
MACHINES = st.sampled_from(["machine-00000", "machine-00001", "machine-00007"])
SECONDS = st.integers(0, DURATION_SECONDS - 1)
COUNTS = st.integers(0, 5)
ROWS = st.lists(st.tuples(CLUSTERS, SECONDS, MACHINES, COUNTS, COUNTS), max_size=20)
DELIVERIES = st.lists(st.tuples(CLUSTERS, SECONDS, MACHINES), max_size=20)
NAMES = ("cluster", "time_seconds", "machine", "corrected", "uncorrected")

Row = tuple[str, int, str, int, int]


def errors_of(rows: list[Row]) -> MachineErrors:
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) or [()] * len(NAMES)
    types = (pa.string(), pa.int64(), pa.string(), pa.int64(), pa.int64())
    arrays = [pa.array(column, kind) for column, kind in zip(columns, types, strict=True)]
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(arrays, NAMES), sink, write_page_checksum=True)
    return read_counters(sink.getvalue())


def pairs_of(errors: MachineErrors) -> set[tuple[str, str]]:
    found = errors.machines_by_cluster
    return {(cluster, machine) for cluster in found for machine in found[cluster]}


def make_view(
    deliveries: list[tuple[str, int, str]],
    counters: MachineErrors = NO_ERRORS,
    journal_errors: MachineErrors = NO_ERRORS,
) -> View:
    """Return a view in which each delivery is a record, corrected, at one of two hops."""
    hops = {"pages": HopAccount(), "documents": HopAccount()}
    for number, (cluster, seconds, machine) in enumerate(deliveries):
        cell = list(hops.values())[number % 2].cell(cluster, seconds)
        cell.corrected += 1
        cell.intact += 2
        cell.note_damage(machine)
    campaign = Campaign("test", "none", DURATION_SECONDS, SITES, ())
    return View(
        hops,
        Reconciliation(Verdict.BALANCED, (), 0),
        (),
        make_summary(),
        "sealedbeam",
        campaign=campaign,
        counters=counters,
        journal_errors=journal_errors,
    )


@pytest.mark.parametrize("window", [1, 10, 30, 60, 120, 600])
@given(deliveries=DELIVERIES, rows=ROWS, more=ROWS)
def test_timeline_agrees_with_counting_by_hand(
    window: int, deliveries: list[tuple[str, int, str]], rows: list[Row], more: list[Row]
) -> None:
    """Each count stands in its window, each affected machine once in each window it was hit in."""
    view = make_view(deliveries, errors_of(rows), errors_of(more))
    timeline = build_timeline(view, window)
    counts: Counter[tuple[str, str, int]] = Counter()
    affected = defaultdict(set)
    for cluster, seconds, machine in deliveries:
        column = seconds // 60 * 60 // window
        counts["corrected", cluster, column] += 1
        counts["intact", cluster, column] += 2
        if window >= 60:
            affected[cluster, column].add(machine)
    for cluster, seconds, machine, corrected, uncorrected in (*rows, *more):
        column = seconds // window
        counts["ecc_corrected", cluster, column] += corrected
        counts["ecc_uncorrected", cluster, column] += uncorrected
        affected[cluster, column].add(machine)
    for (cluster, column), machines in affected.items():
        counts["affected_machines", cluster, column] = len(machines)
    assert timeline.windows == -(-DURATION_SECONDS // window)
    for name in SERIES:
        expected = [
            [counts[name, site.name, column] for column in range(timeline.windows)]
            for site in SITES
        ]
        assert expected == timeline.series[name].tolist()


@pytest.mark.parametrize("window", [0, -60, 7, 45, 90, 61])
def test_windows_that_do_not_go_with_the_ledger_are_refused(window: int) -> None:
    """A window is whole minutes or an equal part of one."""
    with pytest.raises(ValueError, match=f"windows of {window} s"):
        build_timeline(make_view([]), window)


def test_job_without_a_scenario_has_one_site_and_one_window() -> None:
    """Its cluster is known from the ledger, or is called what it is called by default."""
    view = View({"pages": HopAccount()}, Reconciliation(Verdict.BALANCED, (), 0), (), {}, "")
    assert build_timeline(view).sites == (Site("local"),)
    account = HopAccount(cells={("rack-7", 0): Cell(intact=5)})
    view = replace(view, hops={"pages": account})
    timeline = build_timeline(view)
    assert (Site("rack-7"),) == timeline.sites
    assert (timeline.windows, timeline.window_seconds) == (1, 60)
    assert timeline.series["intact"].tolist() == [[5]]


def test_cluster_that_the_scenario_does_not_know_is_shown_too() -> None:
    """No cell of the ledger is left out, and places past the end stand in the last window."""
    view = make_view([("oslo", 10, "machine-00000")])
    view.hops["pages"].cells["atlantis", 99] = Cell(records=3, intact=3)
    timeline = build_timeline(view)
    assert [site.name for site in timeline.sites] == ["oslo", "lima", "atlantis"]
    assert timeline.series["intact"][2].tolist() == [0, 0, 0, 0, 3]
    assert sum(timeline.series[name].sum() for name in OUTCOMES) == 3 + 3


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [(1, 60), (1800, 60), (86_400, 60), (86_401, 120), (31_536_000, 21_900)],
)
def test_fitting_windows_are_whole_minutes_and_few_enough(duration: int, seconds: int) -> None:
    """The window is the shortest of whole minutes of which a day's number span the run."""
    assert fitting_window_seconds(duration) == seconds
    assert -(-duration // seconds) <= 1440
    assert seconds == 60 or -(-duration // (seconds - 60)) > 1440


def test_affected_machines_are_distinct_over_the_whole_job() -> None:
    """A machine counts once, whatever showed it and however often; names repeat in each cluster."""
    one = errors_of([("oslo", 0, "machine-00001", 5, 0), ("oslo", 90, "machine-00001", 0, 1)])
    other = errors_of([("lima", 0, "machine-00001", 1, 0), ("oslo", 9, "machine-00002", 1, 0)])
    deliveries = [("oslo", 200, "machine-00001"), ("oslo", 200, "machine-00003")]
    view = make_view(deliveries, one, other)
    assert dict(view.affected) == {"oslo": 3, "lima": 1}


@given(first=ROWS, second=ROWS)
def test_joined_errors_are_those_of_both(first: list[Row], second: list[Row]) -> None:
    """Names keep their counts, whatever codes they had before."""
    joined = join([errors_of(first), errors_of(second)])
    rows = [
        (joined.clusters[cluster], seconds, joined.machines[machine], corrected, uncorrected)
        for cluster, machine, seconds, corrected, uncorrected in zip(
            joined.cluster,
            joined.machine,
            joined.time_seconds.tolist(),
            joined.corrected.tolist(),
            joined.uncorrected.tolist(),
            strict=True,
        )
    ]
    assert [*first, *second] == rows
    assert join([]) is NO_ERRORS
    expected: Counter[str] = Counter()
    for cluster, _, _, corrected, _ in rows:
        expected[cluster] += corrected
    assert joined.corrected_by_cluster == dict(expected)
    assert pairs_of(joined) == {(cluster, machine) for cluster, _, machine, *_ in rows}


def test_journal_tells_what_hardware_made_of_faults() -> None:
    """Corrected and reported upsets are errors that a machine counts; missed ones are not."""
    verdicts = ("corrected", "reported", "missed", "", "corrected")
    faults = [
        Fault(str(n), "single_bit", "pages", "00", "0", (n,), "oslo", f"m{n}", 5 * n, 1)
        for n in range(len(verdicts))
    ]
    data = encode_journal(
        [replace(fault, hardware=verdict) for fault, verdict in zip(faults, verdicts, strict=True)]
    )
    errors = read_journal_errors(data)
    assert pairs_of(errors) == {("oslo", "m0"), ("oslo", "m1"), ("oslo", "m4")}
    assert sorted(errors.time_seconds.tolist()) == [0, 5, 20]
    assert (sum(errors.corrected.tolist()), sum(errors.uncorrected.tolist())) == (2, 1)
