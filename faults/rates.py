"""Failure rates and their units, and how many faults a record has to expect.

A FIT is one failure in 10^9 device-hours. Memory is counted in decimal units as makers do: a Mbit
is 10^6 bits, a Gbit 10^9; what programs hold is counted in binary ones: MiB and GiB.

Sources:
* `FIELD_CLASSES`: rates per DRAM device derived from the Jaguar supercomputer, as shipped in the
  tests of FaultSim (verified in its source; the field study is Sridharan and Liberty, SC'12). What
  SEC-DED and chipkill make of each class is our own mapping.
* DRAM_FIT_PER_GBIT: assumed, not measured, by Sullivan et al., MICRO'21 (verified there).
* SRAM_FIT_PER_MBIT by node: real-time tests in New York of one maker's chips, as collected in
  public notes that cite each paper (verified in the notes).
* cross sections: New York's flux, see `flux.py`.

Real rates are far below what a run of minutes can show. `acceleration` multiplies them, and stands
in every report: it is never hidden in a rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from .flux import NEW_YORK_FLUX_PER_CM2_HOUR

if TYPE_CHECKING:
    from collections.abc import Mapping

HOURS_PER_FIT = 1e9
BITS_PER_MBIT = 1e6
BITS_PER_GBIT = 1e9
BITS_PER_MEBIBYTE = 8 << 20
BITS_PER_GIBIBYTE = 8 << 30
SECONDS_PER_HOUR = 3600
SECONDS_PER_DAY = 86_400

DRAM_FIT_PER_GBIT = 12.51
SRAM_FIT_PER_MBIT: Mapping[str, float] = MappingProxyType(
    {"65 nm": 692.0, "28 nm": 66.0, "20 nm": 44.0, "16 nm": 20.0}
)
DEVICES_PER_GIBIBYTE = 144 / 64
"""DRAM devices for each GiB of a machine: 144 for 64 GiB; derived, not from a source."""


@dataclass(frozen=True, slots=True)
class FaultClass:
    """A class of DRAM faults: how often one device has it, and what memory codes make of it.

    Attributes:
        name: what is struck.
        transient_fit: faults that are gone once the cell is written again.
        permanent_fit: faults that stay.
        secded: "corrected" or "reported".
        chipkill: likewise.
    """

    name: str
    transient_fit: float
    permanent_fit: float
    secded: str
    chipkill: str


FIELD_CLASSES = (
    FaultClass("single bit", 14.2, 18.6, "corrected", "corrected"),
    FaultClass("single word", 1.4, 0.3, "reported", "corrected"),
    FaultClass("single column", 1.4, 5.6, "corrected", "corrected"),
    FaultClass("single row", 0.2, 8.2, "reported", "corrected"),
    FaultClass("single bank", 0.8, 10.0, "reported", "corrected"),
    FaultClass("multi bank", 0.3, 1.4, "reported", "corrected"),
    FaultClass("multi rank", 0.9, 2.8, "reported", "reported"),
)
TRANSIENT_FIT_PER_DEVICE = sum(each.transient_fit for each in FIELD_CLASSES)
PERMANENT_FIT_PER_DEVICE = sum(each.permanent_fit for each in FIELD_CLASSES)


def per_device_hour(fit: float) -> float:
    """Return the failures of one device in an hour."""
    return fit / HOURS_PER_FIT


def per_bit_second_from_fit_per_mbit(fit_per_mbit: float) -> float:
    """Return the errors of one bit in a second."""
    return fit_per_mbit / BITS_PER_MBIT / HOURS_PER_FIT / SECONDS_PER_HOUR


def per_bit_second_from_fit_per_gbit(fit_per_gbit: float) -> float:
    """Return the errors of one bit in a second."""
    return fit_per_gbit / BITS_PER_GBIT / HOURS_PER_FIT / SECONDS_PER_HOUR


def per_mebibyte_second(per_bit_second: float) -> float:
    """Return the errors of a MiB in a second."""
    return per_bit_second * BITS_PER_MEBIBYTE


def fit_per_mbit_from_cross_section(
    cm2_per_bit: float, flux_per_cm2_hour: float = NEW_YORK_FLUX_PER_CM2_HOUR
) -> float:
    """Return the rate of memory whose bits have this cross section, in a flux of neutrons.

    In New York this is the cross section times 1.3e16.
    """
    return cm2_per_bit * flux_per_cm2_hour * HOURS_PER_FIT * BITS_PER_MBIT


def fit_per_machine(fit_per_gbit: float, memory_gib: float) -> float:
    """Return the failures of a whole machine's memory in 10^9 hours."""
    return fit_per_gbit * memory_gib * BITS_PER_GIBIBYTE / BITS_PER_GBIT


def expected_per_machine_day(fit: float, acceleration: float = 1.0) -> float:
    """Return the failures to expect in a day of something that has this rate."""
    return per_device_hour(fit) * SECONDS_PER_DAY / SECONDS_PER_HOUR * acceleration


def expected_faults(
    length_bits: int,
    dwell_seconds: float,
    per_bit_second: float,
    factor: float = 1.0,
    acceleration: float = 1.0,
) -> float:
    """Return the faults to expect in a record that lies in memory.

    Args:
        length_bits: of the record.
        dwell_seconds: how long it lies there.
        per_bit_second: the rate in New York, by a healthy machine, in quiet times.
        factor: that of site, machine and moment (`flux.py`, `sick.py`, `bursts.py`) together.
        acceleration: explicit, and printed in every report.
    """
    return length_bits * dwell_seconds * per_bit_second * factor * acceleration
