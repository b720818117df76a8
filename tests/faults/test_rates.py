"""Claims about units of failure rates, against numbers worked out by hand."""

from __future__ import annotations

import pytest
from sealedbeam.faults.rates import (
    DEVICES_PER_GIBIBYTE,
    DRAM_FIT_PER_GBIT,
    FIELD_CLASSES,
    PERMANENT_FIT_PER_DEVICE,
    TRANSIENT_FIT_PER_DEVICE,
    expected_faults,
    expected_per_machine_day,
    fit_per_machine,
    fit_per_mbit_from_cross_section,
    per_bit_second_from_fit_per_gbit,
    per_bit_second_from_fit_per_mbit,
    per_device_hour,
    per_mebibyte_second,
)


def test_field_classes_have_the_published_sums() -> None:
    """Transient faults sum to 19.2 FIT a device, permanent ones to 46.9, together to 66.1."""
    assert pytest.approx(19.2) == TRANSIENT_FIT_PER_DEVICE
    assert pytest.approx(46.9) == PERMANENT_FIT_PER_DEVICE
    corrected = sum(
        each.transient_fit + each.permanent_fit
        for each in FIELD_CLASSES
        if each.secded == "corrected"
    )
    assert corrected == pytest.approx(39.8)


def test_cross_section_times_flux_is_a_rate() -> None:
    """In New York a cross section in cm2 per bit is 1.3e16 times as many FIT per Mbit."""
    assert fit_per_mbit_from_cross_section(1e-14) == pytest.approx(130)
    assert fit_per_mbit_from_cross_section(1e-14, 26.0) == pytest.approx(260)


def test_units_agree() -> None:
    """A FIT per Mbit is 1,000 per Gbit, and 10^15 bits with one each fail once in an hour."""
    assert per_bit_second_from_fit_per_mbit(1) == per_bit_second_from_fit_per_gbit(1000)
    assert per_bit_second_from_fit_per_mbit(1) * 1e15 * 3600 == pytest.approx(1)
    assert per_mebibyte_second(1e-9) == pytest.approx(8.388608e-3)
    assert per_device_hour(1e9) == 1


def test_machine_and_cluster_have_the_rates_worked_out_by_hand() -> None:
    """64 GiB at 12.51 FIT/Gbit are some 6,900 FIT; 1,800 machines see 0.3 faults a day."""
    machine = fit_per_machine(DRAM_FIT_PER_GBIT, 64)
    assert machine == pytest.approx(12.51 * 549.755813888)
    assert 1800 * expected_per_machine_day(machine) == pytest.approx(0.297, abs=1e-3)
    transient = TRANSIENT_FIT_PER_DEVICE * DEVICES_PER_GIBIBYTE * 64
    assert transient == pytest.approx(2765, abs=1)
    assert 1800 * expected_per_machine_day(transient) == pytest.approx(0.12, abs=1e-3)


def test_exposure_multiplies() -> None:
    """Bits, seconds, rate, factor and acceleration each count once."""
    assert expected_faults(80_000, 10, 1e-18) == pytest.approx(8e-13)
    assert expected_faults(80_000, 10, 1e-18, factor=2, acceleration=3e5) == pytest.approx(4.8e-7)
