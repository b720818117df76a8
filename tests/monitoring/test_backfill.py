from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from sealedbeam.monitoring.backfill import (
    BLOCK_SECONDS,
    RECENT_SECONDS,
    choose_start,
    duration_seconds,
    render_backfill,
    render_truth,
    trace,
)
from sealedbeam.monitoring.collector import LedgerCollector
from sealedbeam.monitoring.machine_errors import MachineErrors
from sealedbeam.monitoring.serving.replay import view_until
from sealedbeam.monitoring.timeline import WINDOWS_MAX, Site, build_timeline
from sealedbeam.monitoring.view import Campaign, Failure, View
from sealedbeam.monitoring.windows import split_view
from sealedbeam.pipeline.integrity.ledger import HopAccount

from tests.support.views import COMMAND, Totals, make_hops, make_summary

if TYPE_CHECKING:
    from collections.abc import Iterable

START = 1_700_006_400
SITES = (Site("dublin", machines=4), Site("oregon", machines=4))
FAILURES = (Failure("rack", "oregon", 40, 61, 90), Failure("machine", "dublin", 1, 999, 1000))
Key = tuple[str, frozenset[tuple[str, str]]]
Samples = dict[Key, list[tuple[float, float]]]


def make_errors(rows: Iterable[tuple[int, int, int, int]]) -> MachineErrors:
    """Return rows of (cluster, second, machine, corrected); each has one uncorrected error."""
    columns = np.array([*rows], dtype=np.int64).reshape(-1, 4).T
    cluster, seconds, machine, corrected = columns
    return MachineErrors(
        tuple(site.name for site in SITES),
        ("machine-0", "machine-1", "machine-2"),
        cluster,
        machine,
        seconds,
        corrected,
        np.ones_like(corrected),
    )


ERRORS = make_errors([(0, 0, 0, 3), (0, 0, 1, 1), (1, 70, 2, 5), (1, 110, 2, 2), (0, 170, 1, 1)])


def make_view(
    duration: int = 180, errors: MachineErrors = ERRORS, bin_seconds: int | None = 10
) -> View:
    campaign = Campaign("story", "Faster.", duration, SITES, ("single_bit",), FAILURES, bin_seconds)
    totals = Totals()
    return View(
        make_hops(),
        totals.reconciliation,
        (),
        make_summary(),
        COMMAND,
        parts={"pending": 0, "committed": 2},
        campaign=campaign,
        counters=errors,
        audit={"agreed": 7},
        success_seconds=1_700_000_000.5,
    )


def parse(text: str) -> Samples:
    """Return times and values by name and labels, as a strict reader of OpenMetrics has them."""
    found: Samples = {}
    read: Any = text_string_to_metric_families  # it has no types
    for family in read(text):
        for sample in family.samples:
            key = sample.name, frozenset(sample.labels.items())
            assert sample.timestamp is not None
            found.setdefault(key, []).append((float(sample.timestamp), sample.value))
    return found


def render(jobs: dict[str, View]) -> Samples:
    text = "".join(render_backfill(jobs, START))
    assert text.endswith("\n# EOF\n")
    return parse(text)


def totals_of(view: View, job: str, kind: str) -> dict[Key, float]:
    return {
        (sample.name, frozenset({**sample.labels, "job_name": job}.items())): sample.value
        for family in LedgerCollector(view).collect()
        if family.type == kind
        for sample in family.samples
    }


def series(samples: Samples, name: str, **labels: str) -> list[tuple[float, float]]:
    wanted = set(labels.items())
    (found,) = [points for (n, has), points in samples.items() if n == name and wanted <= set(has)]
    return found


def test_counters_run_from_zero_to_the_totals() -> None:
    """Each counter of metrics.prom begins with 0, never falls, and ends with that file's value."""
    view = make_view()
    samples = render({"a": view})
    expected = totals_of(view, "a", "counter")
    assert len(expected) > 150
    actual = {key: samples[key][-1][1] for key in expected}
    assert expected == actual
    for key in expected:
        values = [value for _, value in samples[key]]
        assert values[0] == 0
        assert values == sorted(values)


def test_everything_of_the_catalogue_is_there_and_nothing_else() -> None:
    """The series are those of metrics.prom; truth is not among them."""
    view = make_view()
    expected = totals_of(view, "a", "counter").keys() | totals_of(view, "a", "gauge").keys()
    assert expected == render({"a": view}).keys()


def test_truth_is_zero_until_the_end() -> None:
    """What a campaign knows is there for each known label set: zero, and at the end all of it."""
    view = make_view()
    assert view.campaign is not None
    injected = {("oregon", "single_bit"): 7}
    told = replace(view, campaign=replace(view.campaign, injected=injected, escaped=2))
    samples = parse("".join(render_truth({"a": told}, START)))
    kinds = {"kind": "single_bit", "job_name": "a"}
    name = "sealedbeam_faults_injected_total"
    assert samples.keys() == {
        (name, frozenset({"cluster": "dublin", **kinds}.items())),
        (name, frozenset({"cluster": "oregon", **kinds}.items())),
        ("sealedbeam_faults_escaped_total", frozenset({("job_name", "a")})),
    }
    times = [START + minute for minute in (0, 60, 120, 180)]
    assert series(samples, name, cluster="dublin") == [(time, 0) for time in times]
    assert series(samples, name, cluster="oregon")[-2:] == [(times[2], 0), (times[3], 7)]
    assert series(samples, "sealedbeam_faults_escaped_total")[-1] == (times[3], 2)


def test_samples_stand_at_the_ends_of_windows() -> None:
    """The ledger has a sample each minute, the machines' counters one for each of their bins."""
    samples = render({"a": make_view()})
    minutes = [START + minute for minute in (0, 60, 120, 180)]
    bins = [START + second for second in range(0, 181, 10)]
    for (name, _), points in samples.items():
        times = [time for time, _ in points]
        if name == "sealedbeam_affected_machines":
            assert bins[1:] == times  # a window's gauge is not known before its end
        else:
            assert (bins if name == "sealedbeam_ecc_errors_total" else minutes) == times


def test_values_are_those_of_their_windows() -> None:
    """A count shows at the end of the window it fell into; affected machines are each window's."""
    samples = render({"a": make_view()})
    dublin = {"cluster": "dublin"}
    corrected = series(samples, "sealedbeam_ecc_errors_total", outcome="corrected", **dublin)
    assert [int(value) for _, value in corrected[1:]] == [4] * 17 + [5]
    affected = series(samples, "sealedbeam_affected_machines", **dublin)
    assert [2, *[0] * 16, 1] == [int(value) for _, value in affected]
    failures = series(samples, "sealedbeam_machine_failures_total", cluster="oregon", scope="rack")
    assert [int(value) for _, value in failures] == [0, 0, 40, 40]
    records = series(
        samples, "sealedbeam_records_total", outcome="intact", hop="runs", cluster="dublin"
    )
    assert [int(value) for _, value in records] == [0, 1, 1, 1]


def test_gauges_of_the_job_stand_still() -> None:
    """Parts, verdict and run have no simulated time: they are what they are at the end."""
    view = make_view()
    samples = render({"a": view})
    for key, value in totals_of(view, "a", "gauge").items():
        if key[0] != "sealedbeam_affected_machines":
            assert {value} == {found for _, found in samples[key]}


def test_jobs_of_a_campaign_bear_their_names() -> None:
    """Samples of several jobs stand under one head, each with its own end and its own windows."""
    long = make_view(duration=600)
    samples = render(
        {
            "cells/a-0": make_view(),
            'b "\\\n': long,
            "plain": View(
                {"pages": HopAccount()}, Totals().reconciliation, (), make_summary(), COMMAND
            ),
        }
    )
    ends = {
        dict(labels)["job_name"]: points[-1][0] - START
        for (name, labels), points in samples.items()
        if name == "sealedbeam_records_total"
    }
    assert ends == {"cells/a-0": 180, 'b "\\\n': 600, "plain": 60}


def test_long_campaign_has_longer_windows() -> None:
    """A year has no more windows than a day, and the bins of its counters are as long as those."""
    families = trace(make_view(duration=365 * 86_400))
    for family in families.values():
        assert WINDOWS_MAX * 0.9 < family.windows <= WINDOWS_MAX
        assert family.windows * family.window_seconds >= 365 * 86_400


def test_without_counters_machines_are_counted_by_the_minute() -> None:
    """Then only the ledger tells which machines were affected."""
    family = trace(make_view(bin_seconds=None))["sealedbeam_affected_machines"]
    assert (family.window_seconds, family.windows) == (60, 3)


ROWS = st.tuples(st.integers(0, 1), st.integers(0, 700), st.integers(0, 2), st.integers(0, 9))


@settings(max_examples=25)  # each renders a job's every series
@given(st.lists(ROWS, max_size=30), st.sampled_from((None, 10, 15, 60)))
def test_machines_are_those_of_the_timeline(
    rows: list[tuple[int, int, int, int]], bin_seconds: int | None
) -> None:
    """Whatever was counted, affected machines are the timeline's, and errors end at the totals."""
    view = make_view(600, make_errors(rows), bin_seconds)
    samples = render({"a": view})
    timeline = build_timeline(view, bin_seconds or 60)
    for row, site in enumerate(timeline.sites):
        found = series(samples, "sealedbeam_affected_machines", cluster=site.name)
        expected = timeline.series["affected_machines"][row].tolist()
        assert expected == [int(value) for _, value in found]
    for key, value in totals_of(view, "a", "counter").items():
        assert value == samples[key][-1][1]


@pytest.mark.parametrize("window_seconds", [60, 120, 600])
def test_windows_are_the_whole(window_seconds: int) -> None:
    """Added up, the windows' accounts are the job's, whatever their length."""
    view = make_view()
    merged: dict[str, HopAccount] = {hop: HopAccount() for hop in view.hops}
    failures: list[Failure] = []
    for part in split_view(view, window_seconds, -(-180 // window_seconds)):
        assert part.campaign is not None
        failures += part.campaign.failures
        for hop, account in part.hops.items():
            for key, cell in account.cells.items():
                assert key not in merged[hop].cells
                merged[hop].cells[key] = cell
    assert {hop: a.cells for hop, a in view.hops.items()} == {
        hop: a.cells for hop, a in merged.items()
    }
    assert set(FAILURES) == set(failures)


@given(st.integers(1_600_000_000, 4_000_000_000), st.integers(60, 400 * 86_400))
def test_default_start_can_be_imported_in_few_blocks(now: int, longest: int) -> None:
    """It begins a block, ends 3 hours back or more, and no later block would do."""
    start = choose_start(now, longest)
    assert start % BLOCK_SECONDS == 0
    assert start + longest <= now - RECENT_SECONDS < start + longest + BLOCK_SECONDS


def test_job_without_a_scenario_has_one_window() -> None:
    """It spans the ledger's one minute."""
    view = View({"pages": HopAccount()}, Totals().reconciliation, (), make_summary(), COMMAND)
    assert duration_seconds(view) == 60


@pytest.mark.parametrize("bin_seconds", [None, 10])
def test_replay_shows_what_a_backfill_writes(bin_seconds: int | None) -> None:
    """At each sample's time, a replay has the same value: rules see the same by either way."""
    view = make_view(bin_seconds=bin_seconds)
    assert view.campaign is not None
    view = replace(view, campaign=replace(view.campaign, failures=FAILURES[:1]))
    samples = render({"a": view})
    timeless = {"sealedbeam_audited_records_total"}
    for seconds in range(0, 181, 10):
        replayed = view_until(view, seconds)
        for kind in ("counter", "gauge"):
            for key, value in totals_of(replayed, "a", kind).items():
                found = dict(samples[key]).get(START + seconds)
                assert found in {None, value} or key[0] in timeless, (key, seconds)
