"""Claims about scrub.prom: the history's figures, whatever became of its lines."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families
from sealedbeam.monitoring import metrics
from sealedbeam.monitoring.scrubs import render_scrubs


def scrub(ended: float, damaged: int, repaired: int, *, whole: bool = True) -> dict[str, Any]:
    figures = {"bytes": 100, "damaged": damaged, "repaired": repaired}
    return {"ended": ended, "whole": whole} | figures


def values_of(*history: dict[str, Any]) -> dict[str, float]:
    text = render_scrubs(history).decode()
    families = text_string_to_metric_families(text)
    return {sample.name: sample.value for family in families for sample in family.samples}


def test_sums_and_the_last_whole_scrub() -> None:
    """Counters sum all scrubs; gauges tell of the last one that looked at everything."""
    history = (scrub(10, 3, 1), scrub(20, 2, 1), scrub(30, 5, 5, whole=False))
    assert values_of(*history) == {
        "sealedbeam_scrub_bytes_total": 300,
        "sealedbeam_scrub_damaged_files_total": 10,
        "sealedbeam_scrub_repaired_files_total": 7,
        "sealedbeam_scrub_unrepaired_files": 1,
        "sealedbeam_scrub_last_timestamp_seconds": 20,
    }


def test_counters_begin_with_zero() -> None:
    """Before any scrub there are zeros, and no time at which one ended."""
    counters = {metric.name for metric in metrics.SCRUBS if metric.type == "counter"}
    assert values_of() == dict.fromkeys(counters, 0)
    assert values_of(scrub(10, 0, 0, whole=False)).keys() == counters


def test_damaged_lines_add_what_they_say() -> None:
    """A line of another shape adds nothing where it is no number, and stops nothing."""
    history: tuple[dict[str, Any], ...] = (
        {"bytes": "many", "whole": True},
        {},
        {"bytes": 7, "damaged": None, "whole": 1},
    )
    assert values_of(*history)["sealedbeam_scrub_bytes_total"] == 7
