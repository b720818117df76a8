"""The shipped configuration: promtool's own checks, and what alerts promise a reader."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.servers.conftest import CONFIGS
from tests.servers.daemons import run_promtool

RULES = sorted(path.name for path in CONFIGS.glob("*.yml") if path.name != "prometheus.yml")
CASES = sorted(path.name for path in (CONFIGS / "tests").glob("*.yml"))
ALERTS = {
    "CorrectionRateHigh",
    "DropRateHigh",
    "UncorrectedShareShift",
    "SickMachine",
    "GeoBurst",
    "RackCascade",
    "LedgerImbalance",
    "MonitoringBlind",
}


def load(name: str) -> Any:
    return yaml.safe_load((CONFIGS / name).read_text())


def rules_of(name: str) -> list[dict[str, Any]]:
    return [rule for group in load(name)["groups"] for rule in group["rules"]]


def test_configuration_is_valid() -> None:
    """Promtool takes the scrape configuration, and with it every file of rules that is shipped."""
    text = run_promtool("check", "config", str(CONFIGS / "prometheus.yml"))
    assert "FAILED" not in text
    assert sorted(load("prometheus.yml")["rule_files"]) == RULES


@pytest.mark.parametrize("name", CASES)
def test_alerts_fire_when_they_must_and_only_then(name: str) -> None:
    """Promtool finds each case as it is written: what fires, what a sick machine does, gaps."""
    assert "SUCCESS" in run_promtool("test", "rules", str(CONFIGS / "tests" / name))


def test_each_alert_has_its_cases() -> None:
    """Each alert is the subject of a case in which it fires, and one in which it must not."""
    text = "".join((CONFIGS / "tests" / name).read_text() for name in CASES)
    alerts = {rule["alert"] for rule in rules_of("alerts.yml")}
    assert alerts == ALERTS
    for alert in alerts:
        assert re.search(rf'alertname="{alert}"|alertname: {alert}\n', text), alert
        assert len(re.findall(rf'name: "[^"]*{alert}', text)) >= 2, alert


def test_a_wrong_expectation_is_found(tmp_path: Any) -> None:
    """The cases go red: without the rules of the network no burst is found."""
    text = (CONFIGS / "tests" / "burst.yml").read_text()
    files = f"[{CONFIGS / 'rules.yml'}, {CONFIGS / 'alerts.yml'}]"
    (tmp_path / "burst.yml").write_text(re.sub(r"rule_files: .*", f"rule_files: {files}", text))
    with pytest.raises(AssertionError, match="FAILED"):
        run_promtool("test", "rules", str(tmp_path / "burst.yml"))
