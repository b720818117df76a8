"""A job, its timeline and its alarms as values of the JSON API; text in them is harmless."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.integrity.ledger import Cell, Outcome
from sealedbeam.pipeline.text import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sealedbeam.monitoring.detection.burst_detector import Alarm
    from sealedbeam.monitoring.timeline import Site, Timeline
    from sealedbeam.monitoring.view import Campaign, View

    from .live_jobs import Snapshot

Value = dict[str, Any]


def encode_json(value: Any) -> bytes:
    """Return a value as JSON in ASCII that no browser could take for markup."""
    text = json.dumps(_clean(value), separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode("ascii")


def _clean(value: Any) -> Any:
    """Return a value whose text obeys nothing, and whose numbers JSON has."""
    if isinstance(value, str):
        return harmless(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {harmless(str(key)): _clean(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return value if value and type(value[0]) is int else [_clean(item) for item in value]
    return value


def list_job(name: str, snapshot: Snapshot | None) -> Value:
    """Return a job's line in the list; one that has not been read yet has no more than a name."""
    told: Value = dict.fromkeys(("status", "scenario", "protection", "command"))
    if snapshot is not None:
        told["status"] = snapshot.status
        if snapshot.error:
            told["error"] = snapshot.error
        view = snapshot.view
        if view is not None:
            told["scenario"] = view.campaign.name if view.campaign else None
            told["protection"] = view.summary.get("protection")
            told["command"] = view.command
    return {"name": name, **told}


def describe_job(snapshot: Snapshot, view: View) -> Value:
    """Return all that the page shows of a job but its timeline."""
    summary, totals = view.summary, {hop: account.total() for hop, account in view.hops.items()}
    reconciliation = view.reconciliation
    return {
        "name": snapshot.name,
        "status": snapshot.status,
        "command": view.command,
        "configuration_hash": view.configuration_hash,
        "protection": summary.get("protection"),
        "seed": summary.get("seed"),
        "seconds": summary.get("seconds"),
        "pages": summary.get("pages"),
        "parts": dict(view.parts),
        "hops": {hop: _outcomes(cell) for hop, cell in totals.items()},
        "corrected_bits": _sum(cell.corrected_bits for cell in totals.values()),
        "retry_attempts": _sum(cell.retry_attempts for cell in totals.values()),
        "dropped_reasons": _sum(cell.dropped_reasons for cell in totals.values()),
        "ledger": {
            "verdict": view.verdict,
            "imbalance_records": reconciliation.imbalance_records,
            "findings": list(view.findings),
        },
        "inputs": [{"path": path, "bytes": size} for path, size in view.inputs],
        "scenario": _describe_scenario(view.campaign) if view.campaign else None,
        "truth": _describe_truth(view.campaign) if view.campaign else None,
        "set_aside": [
            {"stage": stage, "reason": reason, "records": number}
            for (stage, reason), number in view.set_aside.items()
        ],
    }


def _outcomes(cell: Cell) -> dict[str, int]:
    return {"records": cell.records} | {outcome: getattr(cell, outcome) for outcome in Outcome}


def _sum(many: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for counts in many:
        for word, number in counts.items():
            total[word] = total.get(word, 0) + number
    return dict(sorted(total.items()))


def _describe_scenario(campaign: Campaign) -> Value:
    return {
        "name": campaign.name,
        "acceleration_note": campaign.acceleration_note,
        "duration_seconds": campaign.duration_seconds,
        "clusters": _describe_sites(campaign.sites),
    }


def _describe_truth(campaign: Campaign) -> Value:
    return {"injected": sum(campaign.injected.values()), "escaped": campaign.escaped}


def _describe_sites(sites: Iterable[Site]) -> list[Value]:
    return [
        {
            "name": site.name,
            "latitude": site.latitude_degrees,
            "longitude": site.longitude_degrees,
            "altitude_metres": site.altitude_metres,
            "machines": site.machines,
        }
        for site in sites
    ]


def describe_timeline(
    timeline: Timeline, alarms: Sequence[Alarm], now_seconds: float, pace: float | None
) -> Value:
    """Return a timeline as far as an instant.

    Args:
        timeline: the whole of it.
        alarms: those that had been raised by then.
        now_seconds: the instant; windows that end later are left out.
        pace: of a replay, in simulated seconds a second.
    """
    windows = min(timeline.windows, int(now_seconds // timeline.window_seconds))
    return {
        "window_seconds": timeline.window_seconds,
        "windows": windows,
        "now_seconds": now_seconds,
        "replay": None if pace is None else {"pace": pace},
        "clusters": _describe_sites(timeline.sites),
        "series": {name: rows[:, :windows].tolist() for name, rows in timeline.series.items()},
        "alarms": [_describe_alarm(alarm) for alarm in alarms],
    }


def _describe_alarm(alarm: Alarm) -> Value:
    value = asdict(alarm)
    return value | {"kind": str(alarm.kind), "clusters": list(alarm.clusters)}
