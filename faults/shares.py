"""Which part of upsets a memory protection corrects and reports: a table by preset of widths.

Computed with `ecc.shield`, bit by bit, from 1,500 patterns of each width in frames of 64 KiB; the
tests compute it again. The rest is missed. To decode every upset of a fleet anew takes minutes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from .ecc import Hardware

if TYPE_CHECKING:
    from collections.abc import Mapping


class Shares(NamedTuple):
    """The parts of all upsets that are corrected and reported."""

    corrected: float
    reported: float


_BLIND = Shares(0.0, 0.0)
_TABLE: Mapping[str, tuple[Shares, Shares, Shares]] = MappingProxyType(
    {
        "sram_nominal": (Shares(0, 0.9941), Shares(0.9400, 0.0574), Shares(0.9427, 0.0567)),
        "sram_low_voltage": (Shares(0, 0.9767), Shares(0.7850, 0.2111), Shares(0.7958, 0.2033)),
        "sram_k20": (Shares(0, 0.9942), Shares(0.9500, 0.0500), Shares(0.9527, 0.0473)),
        "dram_hbm2": (Shares(0, 0.8365), Shares(0.6850, 0.2173), Shares(0.7052, 0.2701)),
        "ddr4": (Shares(0, 0.7652), Shares(0.5400, 0.3118), Shares(0.5558, 0.3998)),
        "field_dram": (Shares(0, 0.9683), Shares(0.6068, 0.3794), Shares(0.9440, 0.0560)),
    }
)
"""For parity, SEC-DED and chipkill."""
_COLUMNS = (Hardware.PARITY, Hardware.SECDED, Hardware.CHIPKILL)


def shares_of(preset: str, hardware: Hardware) -> Shares:
    """Return what a memory protection makes of the upsets of a preset."""
    return _BLIND if hardware is Hardware.NONE else _TABLE[preset][_COLUMNS.index(hardware)]
