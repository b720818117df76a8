"""Claims about a job's alarms: what its counters show is what the detector gets, bin by bin."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from sealedbeam.faults.counters import encode_counters
from sealedbeam.faults.plan import make_plan as plan_scenario
from sealedbeam.faults.scenario import load_scenario
from sealedbeam.monitoring import alarms as module
from sealedbeam.monitoring.alarms import find_alarms
from sealedbeam.monitoring.detection.burst_detector import Alarm, AlarmKind, Sample
from sealedbeam.monitoring.machine_errors import read_counters
from sealedbeam.monitoring.timeline import Site
from sealedbeam.monitoring.view import Campaign, View
from sealedbeam.pipeline.integrity.reconcile import Reconciliation, Verdict

from tests.support.jobs import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sealedbeam.faults.plan import Plan


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_scenario(load_scenario(ROOT / "configs" / "scenarios" / "supernova.yaml"), 0)


@pytest.fixture(scope="module")
def view(plan: Plan) -> View:
    """Return the view of a job under the supernova of which nothing has committed yet."""
    assert plan.counters is not None
    sites = tuple(
        Site(c.name, c.position.latitude_degrees, c.position.longitude_degrees, 0.0, c.machines)
        for c in plan.clusters
        if c.position is not None
    )
    bins = plan.counters.bin_seconds
    campaign = Campaign("supernova", "", plan.duration_seconds, sites, (), (), bins)
    return View(
        {},
        Reconciliation(Verdict.UNKNOWN, (), 0),
        (),
        {},
        "",
        campaign=campaign,
        counters=read_counters(encode_counters(plan)),
    )


def test_supernova_is_found_where_it_was_planned(view: View) -> None:
    """One burst, within a minute of its start, from the place above which the source stood."""
    bursts = [alarm for alarm in find_alarms(view) if alarm.kind is AlarmKind.BURST]
    assert len(bursts) == 1
    burst = bursts[0]
    assert abs(burst.onset_seconds - 600) <= 30
    assert burst.detected_seconds - 600 <= 60
    assert burst.end_seconds is not None
    assert abs(burst.end_seconds - 1200) <= 60
    assert burst.latitude_degrees == pytest.approx(30, abs=4)
    assert burst.longitude_degrees == pytest.approx(-40, abs=5)


class Recorder:
    """Stands in for the detector: keeps what it is told, raises one alarm and changes it."""

    def __init__(self, sites: object, bin_seconds: int) -> None:
        self.sites, self.bin_seconds = sites, bin_seconds
        self.seen: dict[int, Mapping[str, Sample]] = {}
        made.append(self)

    def observe(self, time_seconds: int, samples: Mapping[str, Sample]) -> list[Alarm]:
        self.seen[time_seconds] = samples
        alarm = Alarm(AlarmKind.SICK_MACHINE, "a", 0, 20, None, 1.0, None, None, None, None, ())
        at = {10: [alarm], 40: [replace(alarm, end_seconds=40)]}
        return at.get(time_seconds, [])


made: list[Recorder] = []


@pytest.mark.parametrize("bins_max", [1000, 50])
def test_detector_is_told_what_the_counters_show(
    view: View, bins_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every bin in order, each cluster in each, with distinct machines and the one that leads."""
    monkeypatch.setattr(module, "BurstDetector", Recorder)
    monkeypatch.setattr(module, "BINS_MAX", bins_max)
    found = find_alarms(view)
    assert [(alarm.detected_seconds, alarm.end_seconds) for alarm in found] == [(20, 40)]
    recorder, errors = made[-1], view.counters
    seconds = {1000: 10, 50: 40}[bins_max]
    assert recorder.bin_seconds == seconds
    assert list(range(0, 1800, seconds)) == list(recorder.seen)
    counts: dict[tuple[int, str], Counter[str]] = defaultdict(Counter)
    for number in range(len(errors)):
        start = int(errors.time_seconds[number]) // seconds * seconds
        both = int(errors.corrected[number] + errors.uncorrected[number])
        cluster = errors.clusters[errors.cluster[number]]
        counts[start, cluster][errors.machines[errors.machine[number]]] += both
    assert view.campaign is not None
    for start, samples in recorder.seen.items():
        assert samples.keys() == set(view.campaign.clusters)
        for cluster, sample in samples.items():
            machines = counts[start, cluster]
            assert sample.affected_machines == len(machines)
            assert sample.corrected + sample.uncorrected == machines.total()
            assert sample.largest_machine == max(machines.values(), default=0)


def test_job_without_counters_raises_nothing(view: View) -> None:
    """Neither without a scenario nor with one whose machines do not count is there an alarm."""
    assert view.campaign is not None
    blind = replace(view.campaign, counter_bin_seconds=None)
    assert find_alarms(replace(view, campaign=blind)) == ()
    assert find_alarms(replace(view, campaign=None)) == ()
