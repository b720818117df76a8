"""A fleet with a storm of one sick machine in each cluster, and one burst, in a real Prometheus."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sealedbeam.monitoring.backfill import choose_start, render_backfill
from sealedbeam.monitoring.machine_errors import MachineErrors
from sealedbeam.monitoring.timeline import Site
from sealedbeam.monitoring.view import Campaign, View
from sealedbeam.pipeline.integrity.ledger import HopAccount
from sealedbeam.pipeline.integrity.reconcile import Reconciliation, Verdict

from tests.servers.conftest import import_history
from tests.servers.daemons import PROMETHEUS, Prometheus, prometheus, require
from tests.support.views import make_summary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

HOURS, BIN_SECONDS, STEP_SECONDS = 5, 10, 15
CLUSTERS, MACHINES, ERRORS_A_BIN = 12, 1800, 10.0
STORM_ERRORS_A_BIN, STORM_SECONDS = 60.0, 600
TOGETHER_SECONDS = 9000  # the storms of the first three clusters begin here
BURST_SECONDS, BURST_CLUSTERS, AMPLITUDE = (15_000, 15_600), 5, 1.0
SICK = "cluster:sealedbeam_ecc_errors_per_affected_machine:rate5m_to_quartile6h > 2"
BURST = (
    "network:sealedbeam_affected_machines:significance_without_best > 4.5"
    " and network:sealedbeam_clusters_raised:count >= 3"
)


def storm_starts(cluster: int) -> int:
    """Return when a cluster's storm begins: three at once, the others one after the other."""
    return TOGETHER_SECONDS if cluster < 3 else 3600 + 900 * (cluster - 3)


def draw_errors(seed: int) -> MachineErrors:
    """Return what the machines of the fleet count; one error in sixteen is uncorrected."""
    random = np.random.default_rng(seed)
    rows: list[NDArray[np.int64]] = []
    times = np.arange(0, HOURS * 3600, BIN_SECONDS)
    bursting = (times >= BURST_SECONDS[0]) & (times < BURST_SECONDS[1])
    for cluster in range(CLUSTERS):
        factor = 1 + AMPLITUDE * bursting * (cluster < BURST_CLUSTERS)
        seconds = np.repeat(times, random.poisson(ERRORS_A_BIN * factor))
        machines = random.integers(1, MACHINES, len(seconds))
        storm = (times >= storm_starts(cluster)) & (times < storm_starts(cluster) + STORM_SECONDS)
        sick = np.repeat(times, random.poisson(STORM_ERRORS_A_BIN * storm))
        seconds, machines = np.append(seconds, sick), np.append(machines, np.zeros_like(sick))
        failing = random.random(len(seconds)) < 1 / 16
        columns = (np.full_like(seconds, cluster), machines, seconds, ~failing, failing)
        rows.append(np.stack(columns).astype(np.int64))
    cluster_, machine, second, corrected, uncorrected = np.concatenate(rows, axis=1)
    return MachineErrors(
        tuple(f"c{number:02d}" for number in range(CLUSTERS)),
        tuple(f"machine-{number:05d}" for number in range(MACHINES)),
        cluster_,
        machine,
        second,
        corrected,
        uncorrected,
    )


@dataclass(frozen=True)
class Fleet:
    """A Prometheus that has the fleet's hours behind it, and when they began."""

    server: Prometheus
    start: int

    def when(self, expression: str) -> dict[str, list[int]]:
        """Return the simulated seconds at which an expression holds, by cluster."""
        end = self.start + HOURS * 3600
        found = self.server.query_range(expression, self.start, end, STEP_SECONDS)
        return {
            dict(labels).get("cluster", ""): sorted(int(t - self.start) for t in times)
            for labels, times in found.items()
        }


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Yield the fleet."""
    require(PROMETHEUS)
    folder = tmp_path_factory.mktemp("fleet")
    sites = tuple(Site(f"c{number:02d}", machines=MACHINES) for number in range(CLUSTERS))
    campaign = Campaign("storms", "none", HOURS * 3600, sites, (), (), BIN_SECONDS)
    view = View(
        {"pages": HopAccount()},
        Reconciliation(Verdict.BALANCED, (), 0),
        (),
        make_summary(),
        "none",
        campaign=campaign,
        counters=draw_errors(seed=7),
    )
    written = folder / "fleet.om"
    start = choose_start(time.time(), HOURS * 3600)
    with written.open("w") as file:
        file.writelines(render_backfill({"fleet": view}, start))
    config, data, first = import_history(written, folder)
    assert first == start
    with prometheus(config, data) as server:
        yield Fleet(server, start)


def test_storms_raise_no_burst_and_a_burst_does(fleet: Fleet) -> None:
    """Twelve storms, three of them at once, are silent; a burst of amplitude 1 is not."""
    (raised,) = fleet.when(BURST).values()
    assert raised[0] <= BURST_SECONDS[0] + 120
    assert [t for t in raised if not BURST_SECONDS[0] < t <= BURST_SECONDS[1] + 195] == []


def test_each_storm_is_a_sick_machine_and_a_burst_is_none(fleet: Fleet) -> None:
    """SickMachine's condition holds in each cluster during its own storm, and at no other time."""
    found = fleet.when(SICK)
    assert sorted(found) == [f"c{number:02d}" for number in range(CLUSTERS)]
    for number in range(CLUSTERS):
        start = storm_starts(number)
        times = found[f"c{number:02d}"]
        assert start < times[0] <= start + 180
        assert start + STORM_SECONDS <= times[-1] <= start + STORM_SECONDS + 330


def test_share_of_uncorrected_errors_stays_as_it_is(fleet: Fleet) -> None:
    """Neither storms nor the burst, whose errors are corrected as all others, shift the share."""
    assert fleet.when("cluster:sealedbeam_uncorrected_per_ecc_errors:zscore10m > 5") == {}
