from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from grafana_foundation_sdk.cog import plugins
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as schema
from sealedbeam.monitoring.dashboards import burst, panels
from sealedbeam.monitoring.dashboards.generate import generate
from sealedbeam.monitoring.dashboards.runbook import ALERTS, UID, locate_section, split_sections
from sealedbeam.monitoring.metrics import CATALOGUE, TRUTH

from tests.support.jobs import ROOT
from tests.support.schema_types import find_mistyped

if TYPE_CHECKING:
    from pathlib import Path

GRAFANA = ROOT / "configs" / "grafana"
FOLDER = GRAFANA / "dashboards"
PROMETHEUS = ROOT / "configs" / "prometheus"
RUNBOOK = (PROMETHEUS / "RUNBOOK.md").read_text()
FILES = sorted(FOLDER.glob("*.json"))
OKABE_ITO = ("#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7", "#999999")
COLOURS = {*OKABE_ITO, "transparent", "text"}
KINDS = {
    *("row", "text", "stat", "timeseries", "status-history"),
    *("barchart", "bargauge", "table", "geomap"),
}
"""Panel types that Grafana 10 to 12 have and none of them calls deprecated."""


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def panels_of(path: Path) -> list[dict[str, Any]]:
    """Return all panels of a dashboard but rows and text."""
    return [panel for panel in load(path)["panels"] if panel["type"] not in {"row", "text"}]


def expressions() -> list[str]:
    asked = [
        target["expr"] for path in FILES for panel in panels_of(path) for target in panel["targets"]
    ]
    marked = [note["expr"] for path in FILES for note in load(path)["annotations"].get("list", [])]
    return asked + marked


def rules(name: str, kind: str) -> dict[str, str]:
    groups = yaml.safe_load((PROMETHEUS / name).read_text())["groups"]
    return {rule[kind]: rule["expr"] for group in groups for rule in group["rules"]}


def parse(data: dict[str, Any]) -> schema.Dashboard:
    plugins.register_default_plugins()
    return schema.Dashboard.from_json(data)


def find_departures(data: dict[str, Any]) -> list[str]:
    """Return a line for each value that Grafana's schema does not allow at its place."""
    return find_mistyped(parse(data), schema.Dashboard, "board")


def test_files_are_what_the_code_generates() -> None:
    """The committed files are those of `make dashboards`, to the byte, and no others."""
    expected = generate(RUNBOOK)
    actual = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert expected.keys() == actual.keys()
    for name, data in expected.items():
        assert data == actual[name], f"{name} is out of date: make dashboards"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_file_is_of_grafanas_schema(path: Path) -> None:
    """Each field is one that Grafana's schema has, and each value of the type that it has there."""
    data = load(path)
    assert data == json.loads(json.dumps(parse(data), cls=JSONEncoder))
    assert find_departures(data) == []


@pytest.mark.parametrize(
    ("place", "value", "told"),
    [
        (("refresh",), 30, "refresh"),
        (("panels", 1, "gridPos", "w"), "wide", "grid_pos.w"),
        (("panels", 1, "options", "textMode"), "loud", "text_mode"),
        (("panels", 1, "targets", 0, "format"), "sheet", "format_val"),
        (("panels", 1, "fieldConfig", "defaults", "color", "mode"), "rainbow", "mode"),
    ],
)
def test_departure_from_the_schema_is_found(place: tuple[Any, ...], value: Any, told: str) -> None:
    """A value that the schema does not allow is reported, and by its place."""
    data = load(FOLDER / "overview.json")
    inner = data
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = value
    found = find_departures(data)
    assert len(found) >= 1
    assert told in found[0]


def test_unknown_field_is_found() -> None:
    """A field that the schema does not have does not survive."""
    data = load(FOLDER / "overview.json")
    data["panels"][1]["options"]["volume"] = 11
    assert data != json.loads(json.dumps(parse(data), cls=JSONEncoder))


def test_identities_are_unique() -> None:
    """Each dashboard has a uid and a title of its own, and each panel a number of its own."""
    boards = [load(path) for path in FILES]
    assert [board["uid"] for board in boards] == [f"sealedbeam-{path.stem}" for path in FILES]
    assert len({board["title"] for board in boards}) == len(boards)
    for board in boards:
        numbers = [panel["id"] for panel in board["panels"]]
        assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_lie_beside_each_other(path: Path) -> None:
    """No panel overlaps another, none is wider than the page, and there is no hole between them."""
    taken: set[tuple[int, int]] = set()
    for panel in load(path)["panels"]:
        grid = panel["gridPos"]
        cells = {
            (grid["x"] + column, grid["y"] + row)
            for column in range(grid["w"])
            for row in range(grid["h"])
        }
        assert grid["x"] + grid["w"] <= 24
        assert taken.isdisjoint(cells), panel["title"]
        taken |= cells
    assert len(taken) == 24 * (1 + max(row for _, row in taken))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_panels_say_how_to_read_them(path: Path) -> None:
    """Each panel has a title and a text, units but in tables, and the Prometheus that is chosen."""
    for panel in panels_of(path):
        assert panel["title"]
        assert panel["description"].endswith("."), panel["title"]
        assert panel["type"] == "table" or "unit" in panel["fieldConfig"]["defaults"]
        assert panel["datasource"]["uid"] == "${datasource}"
        assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}
    assert {panel["type"] for panel in load(path)["panels"]} <= KINDS


def test_colours_are_told_apart_by_everybody() -> None:
    """Every colour is one of Okabe and Ito's, or a scale from blue over yellow to red."""
    for path in FILES:
        text = path.read_text()
        assert set(re.findall(r'"#[0-9A-Fa-f]+"', text)) <= {f'"{colour}"' for colour in COLOURS}
        assert set(re.findall(r'"(?:palette|continuous)-\w+"', text)) <= {'"continuous-BlYlRd"'}
        for found in re.findall(r'"(?:color|fixedColor|iconColor)": "([^"]+)"', text):
            assert found in COLOURS


def test_panels_lead_to_the_runbook() -> None:
    """Each alert has a panel that leads to its section, which is there, word for word."""
    sections = split_sections(RUNBOOK)[1]
    board = load(FOLDER / "runbook.json")
    shown = {panel["id"]: panel for panel in board["panels"]}
    links = [
        link for path in FILES for panel in panels_of(path) for link in panel.get("links") or []
    ]
    assert {link["title"].removeprefix("Runbook: ") for link in links} == set(ALERTS)
    assert set(rules("alerts.yml", "alert")) == set(ALERTS)
    for link in links:
        alert = link["title"].removeprefix("Runbook: ")
        assert link["url"] == locate_section(alert)
        panel = shown[int(link["url"].removeprefix(f"/d/{UID}?viewPanel="))]
        assert panel["title"] == alert
        assert panel["options"]["content"] == sections[alert].strip()


def test_runbook_without_a_section_is_refused() -> None:
    """A runbook that lacks a section is not made a dashboard: the links would lead astray."""
    with pytest.raises(ValueError, match="the runbook has"):
        generate(RUNBOOK.replace("## GeoBurst", "## Geo"))


def test_queries_name_what_exists_and_all_of_it() -> None:
    """Each metric and each recording rule is shown by some query, and nothing else is asked for."""
    word = re.compile(r"[a-z_]*:?sealedbeam_\w+(?::\w+)?|ALERTS")
    named = {name for expression in expressions() for name in word.findall(expression)}
    metrics = {metric.name for metric in (*CATALOGUE, *TRUTH)}
    recorded = {*rules("rules.yml", "record"), *rules("network.yml", "record")}
    assert named == {*metrics, *recorded, "ALERTS"}


def test_bounds_are_those_of_the_alerts() -> None:
    """A burst is marked when GeoBurst's condition holds; dashed lines lie where alerts begin."""
    alerts = rules("alerts.yml", "alert")
    marked = burst.BURST.replace(f"{{{panels.JOB}}}", "")
    assert marked.split() == alerts["GeoBurst"].split()
    for title, alert in (
        ("Corrected, share of records", "CorrectionRateHigh"),
        ("Dropped, share of records", "DropRateHigh"),
        ("Shift of the uncorrected share", "UncorrectedShareShift"),
        ("Errors to an affected machine, against the usual", "SickMachine"),
        ("Significance without the best cluster", "GeoBurst"),
    ):
        (line,) = [
            panel
            for path in FILES
            for panel in panels_of(path)
            if (panel["title"], panel["type"]) == (title, "timeseries")
        ]
        asked = line["targets"][0]["expr"].partition("{")[0]
        bound = line["fieldConfig"]["defaults"]["thresholds"]["steps"][1]["value"]
        assert f"{asked} > {bound:g}" in alerts[alert]


def test_alerts_that_are_marked_exist() -> None:
    """The annotations of the burst view name every alert, and none that is not there."""
    notes = [note["expr"] for note in load(FOLDER / "burst.json")["annotations"]["list"]]
    named = re.findall(r'alertname=~"([^"]+)"', " ".join(notes))
    assert sorted("|".join(named).split("|")) == sorted(ALERTS)


def test_variables_are_the_same_everywhere() -> None:
    """Every dashboard with queries lets its reader choose Prometheus, jobs and clusters."""
    for path in FILES:
        board = load(path)
        names = [variable["name"] for variable in board["templating"].get("list") or []]
        assert names == (["datasource", "job_name", "cluster"] if panels_of(path) else [])
        chosen = re.findall(r"\$(\w+)", " ".join(expressions()))
        assert set(chosen) == {"job_name", "cluster", "__range"}


def test_provisioning_leads_to_the_dashboards() -> None:
    """The files that Grafana is given name the source that the dashboards ask, and their folder."""
    folder = GRAFANA / "provisioning"
    (source,) = yaml.safe_load((folder / "datasources" / "sealedbeam.yaml").read_text())[
        "datasources"
    ]
    assert source["uid"] == panels.DATASOURCE_UID
    assert source["type"] == "prometheus"
    (provider,) = yaml.safe_load((folder / "dashboards" / "sealedbeam.yaml").read_text())[
        "providers"
    ]
    named = provider["options"]["path"].replace("$SEALEDBEAM", str(ROOT))
    assert named == str(FOLDER)
