"""Claims about fleets: simulation and expectation agree, and the advice follows from them."""

from __future__ import annotations

import dataclasses
import json
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sealedbeam.faults.ecc import Hardware
from sealedbeam.faults.fleet import FleetReport, expect, expected_unnoticed, report_fleet, simulate
from sealedbeam.faults.fleet_model import Figures, FleetModel
from sealedbeam.faults.fleet_pool import Pool, make_pool
from sealedbeam.faults.machines import FailureRates
from sealedbeam.faults.misses import Code

SEEDS = 40
PEACE = FailureRates(acceleration=0.0)
MODEL = FleetModel(machines=20_000, wrong_share=1e-8, failures=PEACE)


@pytest.fixture(scope="module")
def pool() -> Pool:
    return make_pool(MODEL.preset, 8 * MODEL.record_bytes, 1, faults_per_pattern=30)


@pytest.fixture(scope="module")
def runs(pool: Pool) -> list[Figures]:
    """The same fleet in many years."""
    return [simulate(MODEL, pool, seed) for seed in range(SEEDS)]


@pytest.fixture(scope="module")
def report() -> FleetReport:
    """A small fleet whose machines fail."""
    return report_fleet(FleetModel(machines=5000), 1)


def is_close(values: list[float], expected: float) -> bool:
    """Whether the mean of runs is within 3 standard errors of what is expected."""
    error = statistics.stdev(values) / math.sqrt(len(values))
    return abs(statistics.fmean(values) - expected) <= 3 * error + 1e-9


def test_faults_are_as_many_as_worked_out_by_hand() -> None:
    """100,000 machines of 64 GiB see 22.8 faults a day: 144 devices at 66.1 FIT each."""
    model = FleetModel()
    assert model.transient_per_day == pytest.approx(100_000 * 144 * 19.2e-9 * 24)
    assert model.permanent_per_day == pytest.approx(100_000 * 144 * 46.9e-9 * 24)


def test_scale_multiplies() -> None:
    """Faults grow with machines, memory and acceleration; flux counts for transient ones."""
    model = FleetModel(machines=200_000, memory_gib=128, acceleration=3, flux_factor=5)
    assert model.permanent_per_day == pytest.approx(12 * FleetModel().permanent_per_day)
    assert model.transient_per_day == pytest.approx(60 * FleetModel().transient_per_day)


@pytest.mark.parametrize("name", ["faults_per_day", "wrong_computations", "wrong_unnoticed"])
def test_simulated_totals_are_those_expected(runs: list[Figures], pool: Pool, name: str) -> None:
    """Over 40 years the mean is within 3 sigma."""
    expected = getattr(expect(MODEL, pool), name)
    assert is_close([getattr(run, name) for run in runs], expected)


@pytest.mark.parametrize("hardware", Hardware)
def test_simulated_outcomes_are_those_expected(
    runs: list[Figures], pool: Pool, hardware: Hardware
) -> None:
    """So are the faults that each memory protection corrects, reports and misses."""
    expected = expect(MODEL, pool)
    for verdict, mean in expected.outcomes[hardware].items():
        assert is_close([run.outcomes[hardware][verdict] for run in runs], mean)
    refused, mended = expected.refused_records[hardware], expected.mended_records[hardware]
    assert is_close([run.refused_records[hardware] for run in runs], refused)
    assert is_close([run.mended_records[hardware] for run in runs], mended)


@pytest.mark.parametrize("code", [Code.NONE, Code.CRC32C_CORRECTING])
def test_simulated_corruptions_are_those_expected(pool: Pool, code: Code) -> None:
    """So are undetected corruptions, at a rate at which chance shows some."""
    model = dataclasses.replace(MODEL, acceleration=30_000.0)
    runs = [simulate(model, pool, seed) for seed in range(SEEDS)]
    for hardware in (Hardware.NONE, Hardware.SECDED):
        mean = expect(model, pool).undetected[hardware][code]
        assert mean > 50
        assert is_close([run.undetected[hardware][code] for run in runs], mean)


def test_same_seed_same_year(pool: Pool) -> None:
    """A run is a function of its seed."""
    assert simulate(MODEL, pool, 1) == simulate(MODEL, pool, 1)
    assert simulate(MODEL, pool, 1) != simulate(MODEL, pool, 2)


def test_codes_are_ordered(report: FleetReport) -> None:
    """A checksum misses less than none, with XXH3 less still; better memory leaves less to it."""
    undetected = report.expected.undetected
    for codes in undetected.values():
        assert codes[Code.NONE] >= codes[Code.CRC32C_CORRECTING] >= codes[Code.CRC32C]
        assert codes[Code.CRC32C] >= codes[Code.CORRECT] >= codes[Code.DETECT]
    order = [undetected[hardware][Code.NONE] for hardware in Hardware]
    assert order == sorted(order, reverse=True)


def test_machines_are_lost_as_often_as_expected(report: FleetReport) -> None:
    """A simulated year has the failures of machines that the rates promise, within a tenth."""
    expected, simulated = report.expected, report.simulated
    assert simulated.machines_lost == pytest.approx(expected.machines_lost, rel=0.1)
    assert simulated.machine_outages > simulated.machines_lost
    in_flight = simulated.machine_outages * report.model.in_flight_bytes
    assert simulated.bytes_derived_again["secded"] == pytest.approx(in_flight, rel=0.01)


@given(st.floats(0, 500), st.floats(0.001, 1))
def test_audit_lets_through_what_the_formula_says(wrong: float, share: float) -> None:
    """The formula is the sum, over the wrong results, of the chance that none was repeated yet."""
    # The n-th result goes out if neither it nor one before was repeated; Poisson(wrong) of them.
    tail, term, expected = 1.0, math.exp(-wrong), 0.0
    for number in range(1, 900):
        tail -= term
        expected += max(tail, 0.0) * (1 - share) ** number
        term *= wrong / number
    assert expected_unnoticed(wrong, share) == pytest.approx(expected, rel=1e-6, abs=1e-6)
    assert expected_unnoticed(wrong, 0.0) == wrong


def test_advice_names_the_cheapest_code_that_is_enough(report: FleetReport) -> None:
    """Plain memory needs a checksum and gains by correction; wrong results need the audit."""
    advice = report.advice[Hardware.NONE]
    assert (advice.code, advice.protection) == (Code.CRC32C, "correct")
    assert advice.enough_up_to_machines is not None
    assert advice.enough_up_to_machines > 1e6
    assert report.advice[Hardware.SECDED].protection == "detect"
    assert report.audit_needed


def test_advice_follows_what_is_tolerated() -> None:
    """Where a CRC misses too much the hash is needed; without mercurial cores no audit is."""
    model = FleetModel(
        machines=1000,
        preset="sram_nominal",
        tolerated_per_year=1e-12,
        mercurial_share=0.0,
        failures=PEACE,
    )
    report = report_fleet(model, 1)
    assert report.advice[Hardware.NONE].code == Code.DETECT
    assert not report.audit_needed


def test_report_is_plain(report: FleetReport) -> None:
    """A report goes through JSON unchanged."""
    values = report.to_dict()
    assert json.loads(json.dumps(values)) == values
    assert values["expected"]["undetected"]["secded"]["crc32c"] >= 0
