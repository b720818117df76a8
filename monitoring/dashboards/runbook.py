"""The runbook of the alerts as a dashboard: a panel for each section, which other panels link to.

A link into Grafana itself works wherever it runs; one to a repository needs its address.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import text as texts
from grafana_foundation_sdk.models.text import TextMode

if TYPE_CHECKING:
    from grafana_foundation_sdk.models.dashboard import Dashboard

UID = "sealedbeam-runbook"
ALERTS = (
    "CorrectionRateHigh",
    "DropRateHigh",
    "UncorrectedShareShift",
    "SickMachine",
    "GeoBurst",
    "RackCascade",
    "LedgerImbalance",
    "MonitoringBlind",
)
_HEADING = re.compile(r"^## (\w+)\n+", re.MULTILINE)
_WIDTH, _HEIGHT, _OPENING_HEIGHT = 12, 16, 5


def locate_section(alert: str) -> str:
    """Return where in Grafana the section of an alert is; behind the opening come the alerts."""
    return f"/d/{UID}?viewPanel={ALERTS.index(alert) + 2}"


def split_sections(markdown: str) -> tuple[str, dict[str, str]]:
    """Return what a runbook opens with, and its sections by their headings.

    Raises:
        ValueError: the sections are not those of the alerts that panels link to.
    """
    opening, *parts = _HEADING.split(markdown)
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    if tuple(sections) != ALERTS:
        raise ValueError(f"the runbook has {', '.join(sections)}, not {', '.join(ALERTS)}")
    return opening, sections


def build(markdown: str) -> Dashboard:
    """Return the dashboard of a runbook."""
    opening, sections = split_sections(markdown)
    board = (
        boards.Dashboard("Sealed Beam: runbook")
        .uid(UID)
        .description("What each alert means, how to look, what to do.")
        .tags(["sealedbeam"])
        .time("now-1h", "now")
        .timezone("utc")
        .readonly()
    )
    board.with_panel(_write("", opening.partition("\n")[2], 24, _OPENING_HEIGHT))
    for alert, section in sections.items():
        board.with_panel(_write(alert, section, _WIDTH, _HEIGHT))
    built = board.build()
    for number, panel in enumerate(built.panels or [], 1):
        panel.id_val = number
    return built


def _write(title: str, markdown: str, width: int, height: int) -> texts.Panel:
    panel = texts.Panel().title(title).mode(TextMode.MARKDOWN).content(markdown.strip())
    return panel.span(width).height(height)
