"""Prometheus' configuration as text: what needs no Prometheus to be checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from sealedbeam.monitoring.metrics import CATALOGUE, TRUTH
from sealedbeam.monitoring.pushing import BATCH

from tests.support.jobs import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIGS = ROOT / "configs" / "prometheus"
FILES = ("rules.yml", "network.yml", "alerts.yml")
LEVELS = {"cluster", "cluster_outcome", "hop_outcome", "network"}
METRIC = re.compile(r"\bsealedbeam_[a-z_]+\b")
RECORDED = re.compile(r"\b[a-z_]+:sealedbeam_[a-z_]+:[a-z0-9_]+\b")


def rules_of(name: str) -> Iterator[dict[str, Any]]:
    for group in yaml.safe_load((CONFIGS / name).read_text())["groups"]:
        assert group["interval"] == "15s"
        yield from group["rules"]


def all_rules() -> list[dict[str, Any]]:
    return [rule for name in FILES for rule in rules_of(name)]


def headings(text: str) -> set[str]:
    """Return the anchors of a page's headings, as a viewer of Markdown makes them."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_each_alert_tells_what_it_is_and_what_to_do() -> None:
    """Severity, summary and description are there, and the runbook has the section it leads to."""
    for rule in rules_of("alerts.yml"):
        assert rule["labels"]["severity"] in {"critical", "warning"}
        annotations = rule["annotations"]
        assert annotations.keys() == {"summary", "description", "runbook_url"}
        path, _, anchor = annotations["runbook_url"].partition("#")
        assert anchor == rule["alert"].lower()
        assert anchor in headings((ROOT / path).read_text())


def test_runbook_has_no_section_without_an_alert() -> None:
    """Each section of the second level is an alert's, in the order of the alerts."""
    text = (CONFIGS / "RUNBOOK.md").read_text()
    sections = re.findall(r"^## (.+)$", text, re.MULTILINE)
    assert [rule["alert"] for rule in rules_of("alerts.yml")] == sections


@pytest.mark.parametrize("words", ["What it means", "How to look", "What to do"])
def test_each_section_answers_three_questions(words: str) -> None:
    """What it means, how to look and what to do stand in every section of the runbook."""
    sections = re.split(r"^## ", (CONFIGS / "RUNBOOK.md").read_text(), flags=re.MULTILINE)[1:]
    for section in sections:
        assert f"**{words}.**" in section, section.splitlines()[0]


def test_names_are_level_metric_operations() -> None:
    """Each recorded name has the three parts, a level that is known, and is recorded once."""
    names = [rule["record"] for rule in all_rules() if "record" in rule]
    assert len(names) == len(set(names))
    for name in names:
        level, metric, operations = name.split(":")
        assert level in LEVELS
        assert metric.startswith("sealedbeam_")
        assert operations


def test_rules_read_what_exists() -> None:
    """Each metric is of the catalogue and each recorded series recorded; truth is never read."""
    recorded = {rule["record"] for rule in all_rules() if "record" in rule}
    known = {metric.name for metric in (*CATALOGUE, *BATCH)}
    for rule in all_rules():
        used = set(RECORDED.findall(rule["expr"]))
        assert used <= recorded
        plain = set(METRIC.findall(RECORDED.sub("", rule["expr"]))) - {"sealedbeam"}
        assert plain <= known
        assert plain.isdisjoint({metric.name for metric in TRUTH})


def test_rules_of_clusters_need_one_pass() -> None:
    """What is recorded for each cluster reads no other record, what is over all of them those."""
    for rule in rules_of("rules.yml"):
        assert RECORDED.findall(rule["expr"]) == []
    first = {rule["record"] for rule in rules_of("rules.yml")}
    for rule in rules_of("network.yml"):
        assert set(RECORDED.findall(rule["expr"])) <= first
