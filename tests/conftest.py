"""Rules for every test: properties have no deadline, and where `CI` is set nothing may be skipped.

A skipped test is a claim that nobody checked. On a contributor's machine that is shown (`-ra`); in
continuous integration it is a failure, because there everything a test may need is at hand.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeVar

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Generator

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# A deadline would assert a time. In CI the examples follow from the tests alone, so that the
# verdict is on the commit and not on the day.
settings.register_profile("contributor", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "contributor")


def _refuse_skip(report: Report) -> Report:
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("CI"):
        report.outcome = "failed"
        report.longrepr = f"skipped, which CI does not allow: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a test that was skipped into one that failed."""
    return _refuse_skip((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Turn a module that was skipped into one that failed."""
    return _refuse_skip((yield))
