"""What is assumed of a fleet, and the figures that come out.

Known numbers are in the modules used. Assumed, and ours: `record_memory_share`,
`records_per_permanent_fault`, `computations_per_machine_day`, `wrong_share`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .machines import YEAR_SECONDS, FailureRates
from .rates import (
    DEVICES_PER_GIBIBYTE,
    PERMANENT_FIT_PER_DEVICE,
    SECONDS_PER_DAY,
    TRANSIENT_FIT_PER_DEVICE,
    expected_per_machine_day,
)
from .sick import MERCURIAL_SHARE

MACHINES_PER_CLUSTER = 1800
_GIBIBYTE = 1 << 30


@dataclass(frozen=True, slots=True)
class FleetModel:
    """A fleet and what it does.

    Attributes:
        machines: of the fleet, in clusters of 1,800.
        days: of the run.
        memory_gib: of each machine.
        preset: of `widths.py`, what a fault flips.
        flux_factor: of its sites, on transient faults.
        acceleration: multiplies all rates; printed in every report.
        record_bytes: of a sealed record.
        record_memory_share: the part of memory that holds sealed records at a time.
        records_per_permanent_fault: records that are laid over bad cells until they are replaced.
        computations_per_machine_day: results that a machine seals in a day.
        mercurial_share: of machines with a core that computes wrongly.
        wrong_share: of the computations of such a core.
        audit_share: of computations that are repeated on another machine and compared.
        failures: of machines.
        tolerated_per_year: undetected corruptions that the owner puts up with.
    """

    machines: int = 100_000
    days: int = 365
    memory_gib: float = 64.0
    preset: str = "field_dram"
    flux_factor: float = 1.0
    acceleration: float = 1.0
    record_bytes: int = 10_240
    record_memory_share: float = 0.1
    records_per_permanent_fault: int = 100
    computations_per_machine_day: float = 1e6
    mercurial_share: float = MERCURIAL_SHARE
    wrong_share: float = 1e-6
    audit_share: float = 0.01
    failures: FailureRates = field(default_factory=FailureRates)
    tolerated_per_year: float = 0.01

    @property
    def years(self) -> float:
        """The run's length."""
        return self.days * SECONDS_PER_DAY / YEAR_SECONDS

    @property
    def transient_per_day(self) -> float:
        """Transient faults to expect in the fleet's memory in a day."""
        return self._per_day(TRANSIENT_FIT_PER_DEVICE) * self.flux_factor

    @property
    def permanent_per_day(self) -> float:
        """Permanent faults to expect in the fleet's memory in a day."""
        return self._per_day(PERMANENT_FIT_PER_DEVICE)

    def _per_day(self, fit_per_device: float) -> float:
        devices = DEVICES_PER_GIBIBYTE * self.memory_gib * self.machines
        return expected_per_machine_day(fit_per_device * devices, self.acceleration)

    @property
    def wrong_per_core(self) -> float:
        """Wrong results to expect of a mercurial core that nobody stops."""
        return self.computations_per_machine_day * self.days * self.wrong_share

    @property
    def in_flight_bytes(self) -> float:
        """Bytes of sealed records that are lost with a machine."""
        return self.memory_gib * _GIBIBYTE * self.record_memory_share


@dataclass(frozen=True, slots=True)
class Figures:
    """What happens to a fleet; counts are of the whole run.

    Attributes:
        faults_per_day: faults of memory.
        bits_flipped_per_day: within the records of `record_bytes` that they strike.
        outcomes: for each memory protection, faults by verdict.
        undetected: for each memory protection and each code, records altered and accepted.
        mended_records: for each memory protection, struck records that `correct` mends.
        refused_records: for each memory protection, struck records that `correct` refuses.
        wrong_computations: by mercurial cores that nobody stops.
        wrong_unnoticed: by mercurial cores under the audit.
        machines_lost: by failures of their own and of cascades.
        machine_outages: times that a machine is down for any cause.
        bytes_derived_again: for each memory protection.
    """

    faults_per_day: float
    bits_flipped_per_day: float
    outcomes: dict[str, dict[str, float]]
    undetected: dict[str, dict[str, float]]
    mended_records: dict[str, float]
    refused_records: dict[str, float]
    wrong_computations: float
    wrong_unnoticed: float
    machines_lost: float
    machine_outages: float
    bytes_derived_again: dict[str, float]
