"""A scrub in words."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .scrub import Finding, Report

_MEGABYTE = 1_000_000


def describe_scrub(report: Report) -> str:
    """Return what a scrub has found and done, the damaged files first."""
    rate = report.bytes / _MEGABYTE / max(report.seconds, 1e-3)
    lines = [_describe_finding(finding) for finding in report.findings]
    if report.files_before:
        begun = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(report.begun))
        lines.append(f"goes on from {begun} UTC: {_files(report.files_before)} found intact then")
    verdict = "all intact"
    if report.findings:
        mended = sum(not finding.is_open for finding in report.findings)
        verdict = f"{len(report.findings):,} damaged, {mended:,} of them repaired"
    lines.append(
        f"{_files(report.files)}, {report.bytes:,} bytes in {report.seconds:.1f} s "
        f"({rate:,.0f} MB/s): {verdict}"
    )
    if report.parity is None:
        lines.append("no parity: what gets damaged cannot be repaired; --protect makes it")
    else:
        lines.append(f"parity {report.parity}{' was made' if report.protected else ''}")
    return "\n".join(lines)


def _describe_finding(finding: Finding) -> str:
    if not finding.is_open:
        return f"REPAIRED  {finding.path} {finding.problem}"
    reason = f"; not repaired: {finding.repair}" if finding.repair else ""
    return f"DAMAGED   {finding.path} {finding.problem}{reason}"


def _files(number: int) -> str:
    return f"{number:,} file{'' if number == 1 else 's'}"


def describe_progress(done_bytes: int, all_bytes: int, seconds: float) -> str:
    """Return how far a scrub is."""
    share = done_bytes / all_bytes if all_bytes else 1.0
    rate = done_bytes / _MEGABYTE / max(seconds, 1e-3)
    return f"{share:.0%} of {all_bytes / _MEGABYTE:,.0f} MB verified, {rate:,.0f} MB/s"
