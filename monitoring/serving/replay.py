"""A finished job on a simulated clock: what could be known of it at an instant of its scenario.

Only whole windows count: those of the ledger are minutes, those of the machines' counters seconds.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sealedbeam.pipeline.integrity.ledger import WINDOW_SECONDS, HopAccount

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sealedbeam.monitoring.detection.burst_detector import Alarm
    from sealedbeam.monitoring.machine_errors import MachineErrors
    from sealedbeam.monitoring.view import View


@dataclass(frozen=True, slots=True)
class ReplayClock:
    """Simulated time that began with this value; `pace` is in simulated seconds a second."""

    pace: float
    clock: Callable[[], float] = time.monotonic
    started_seconds: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "started_seconds", self.clock())

    def now_seconds(self, duration_seconds: float) -> float:
        """Return the simulated time since the start; it stands still at the end."""
        passed = (self.clock() - self.started_seconds) * self.pace
        return min(duration_seconds, passed)


def view_until(view: View, now_seconds: float) -> View:
    """Return a job as its counters stood at an instant of simulated time."""
    windows = int(now_seconds // WINDOW_SECONDS)
    hops = {
        hop: HopAccount(
            account.sealed,
            account.accounted,
            {key: cell for key, cell in account.cells.items() if key[1] < windows},
        )
        for hop, account in view.hops.items()
    }
    campaign = view.campaign
    if campaign is not None:
        begun = tuple(each for each in campaign.failures if each.start_seconds < now_seconds)
        campaign = replace(campaign, failures=begun)
    return replace(
        view,
        hops=hops,
        campaign=campaign,
        counters=_errors_until(view.counters, now_seconds),
        journal_errors=_errors_until(view.journal_errors, now_seconds),
        until_seconds=now_seconds,
    )


def _errors_until(errors: MachineErrors, now_seconds: float) -> MachineErrors:
    """Return the rows of the bins that began before an instant."""
    seen = errors.time_seconds < now_seconds
    return replace(
        errors,
        **{
            name: getattr(errors, name)[seen]
            for name in ("cluster", "machine", "time_seconds", "corrected", "uncorrected")
        },
    )


def alarms_until(alarms: Sequence[Alarm], now_seconds: float) -> list[Alarm]:
    """Return the alarms that had been raised at an instant; one that goes on has no end yet."""
    return [
        replace(alarm, end_seconds=None)
        if alarm.end_seconds is not None and alarm.end_seconds > now_seconds
        else alarm
        for alarm in alarms
        if alarm.detected_seconds <= now_seconds
    ]
