"""Writes the views of a finished job beside its results: aside first, then renamed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from sealedbeam.pipeline.errors import SealedBeamError

from .report import render_report
from .textfile import render_ledger, render_truth
from .view import read_view

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .view import LedgerTotals

METRICS = "metrics.prom"
TRUTH = "faults.prom"
REPORT = "report.html"


def publish(root: Path, totals: LedgerTotals, summary: Mapping[str, Any], command: str) -> None:
    """Write metrics.prom and report.html into `root`, and faults.prom under a scenario.

    Args:
        root: the output folder, whose tasks have all committed.
        totals: the sum of the ledger.
        summary: as in summary.json.
        command: the command line that ran the job.

    Raises:
        IntegrityError: a committed file cannot be read.
        SealedBeamError: the folder cannot be written.
    """
    view = read_view(root, totals, summary, command)
    files = {METRICS: render_ledger(view), REPORT: render_report(view)}
    if view.campaign is not None:
        files[TRUTH] = render_truth(view.campaign)
    for name, data in files.items():
        _replace(root / name, data)


def _replace(path: Path, data: bytes) -> None:
    """Make `data` the content of `path`: a reader sees the old content or the new, never a part."""
    aside = path.with_name(f".{path.name}.{os.getpid()}.attempt")
    try:
        aside.write_bytes(data)
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise SealedBeamError(
            f"cannot write {path}: {error.strerror}; put that right and run the same command again"
        ) from None
