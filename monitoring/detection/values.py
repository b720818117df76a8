"""What the burst detector is given and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class AlarmKind(StrEnum):
    """What an alarm says."""

    BURST = "burst"
    SICK_MACHINE = "sick_machine"
    UNCORRECTED_SHARE_SHIFT = "uncorrected_share_shift"


class Site(Protocol):
    """A cluster; without a place it takes no part in bursts."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def latitude_degrees(self) -> float | None:
        """Geographic."""

    @property
    def longitude_degrees(self) -> float | None:
        """East of Greenwich."""

    @property
    def machines(self) -> int:
        """How many stand there."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One cluster in one bin.

    Attributes:
        affected_machines: distinct machines with an error.
        corrected: errors.
        uncorrected: errors.
        largest_machine: errors of the one machine with most of them, 0 where not known.
    """

    affected_machines: int
    corrected: int
    uncorrected: int
    largest_machine: int = 0


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is known of one event; see `burst_detector` for its identity.

    Attributes:
        kind: what it says.
        cluster: where, None for the whole network.
        onset_seconds: the start of its first bin.
        detected_seconds: the end of the bin that raised it.
        end_seconds: the end of its last bin, None while it goes on.
        significance_sigma: the highest so far, in standard deviations, of one test.
        amplitude: of a burst: by how much the rate rose where the source was in the zenith.
        latitude_degrees: of the place above which the source stood at the onset.
        longitude_degrees: likewise, -180 .. 180.
        uncertainty_degrees: the radius around it that holds the source with 90 % probability.
        clusters: that were hit, in the order of their names.
    """

    kind: AlarmKind
    cluster: str | None
    onset_seconds: int
    detected_seconds: int
    end_seconds: int | None
    significance_sigma: float
    amplitude: float | None
    latitude_degrees: float | None
    longitude_degrees: float | None
    uncertainty_degrees: float | None
    clusters: tuple[str, ...]
