"""Clusters on a map of the world: which side of the Earth sees its memory err.

Positions come from sealedbeam_cluster_info. The map has each cluster's highest value in the time
shown, so that a burst stays on it when it is over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from grafana_foundation_sdk.builders import common as shared
from grafana_foundation_sdk.builders import geomap as maps
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models.geomap import TooltipMode

from .panels import (
    BLUE,
    ORANGE,
    PLACE,
    SKY,
    VERMILION,
    Step,
    add,
    by_threshold,
    dress,
    finish,
    link_runbook,
    open_dashboard,
    rows,
    setting,
    sheet,
    steps,
    transform,
    with_choices,
)

if TYPE_CHECKING:
    from grafana_foundation_sdk.builders import table
    from grafana_foundation_sdk.models.dashboard import Dashboard

UID = "sealedbeam-world"
PEAK_SCORE = (
    "max by (cluster) "
    f"(max_over_time(cluster:sealedbeam_affected_machines:zscore3m{{{PLACE}}}[$__range]))"
)
PEAK_CORRECTIONS = (
    "max by (cluster) (max_over_time("
    f"cluster:sealedbeam_corrections_per_records:ratio_rate5m{{{PLACE}}}[$__range]))"
)
_POSITIONS = (
    "max by (cluster, latitude, longitude) "
    f"(max_over_time(sealedbeam_cluster_info{{{PLACE}}}[$__range]))"
)


def build() -> Dashboard:
    """Return the dashboard."""
    text = "Where on Earth clusters stand, and how far each was above its usual."
    board = with_choices(open_dashboard(UID, "Sealed Beam: world", text))
    add(board, "Where", _scores(), _corrections(), _clusters())
    return finish(board)


def at_positions(by_cluster: str) -> str:
    """Return the values of an expression by cluster, with positions as labels.

    A cluster that stood in two places is shown at both, and one without a position is not shown.
    """
    return f"{_POSITIONS} * on (cluster) group_left () ({by_cluster})"


def _scores() -> maps.Panel:
    panel = _map(
        "Affected machines above the hour before",
        "The highest score of each cluster in the time shown: how many standard deviations its "
        "distinct machines with an error lie above the hour before. Beyond 2 a cluster counts as "
        "raised. A burst raises one side of the Earth; a sick machine raises no cluster at all.",
        PEAK_SCORE,
        ((None, SKY), (2, ORANGE), (4.5, VERMILION)),
    )
    return link_runbook(panel.unit("short").decimals(1), "GeoBurst", "SickMachine")


def _corrections() -> maps.Panel:
    panel = _map(
        "Corrected, share of records",
        "The highest share of 5 minutes in the time shown. Nothing is lost where it is high; "
        "something flips bits there.",
        PEAK_CORRECTIONS,
        ((None, SKY), (0.01, ORANGE), (0.1, VERMILION)),
    )
    return link_runbook(panel.unit("percentunit"), "CorrectionRateHigh")


def _map(title: str, text: str, by_cluster: str, bounds: tuple[Step, ...]) -> maps.Panel:
    """Return a map with a disc for each cluster, in the colour of its value and beside its name."""
    places = (
        shared.FrameGeometrySource()
        .mode(common.FrameGeometrySourceMode.COORDS)
        .latitude("latitude")
        .longitude("longitude")
    )
    style = {
        "color": {"field": "Value", "fixed": BLUE},
        "opacity": 0.8,
        "size": {"field": "Value", "fixed": 8, "min": 6, "max": 18},
        "symbol": {"mode": "fixed", "fixed": "img/icons/marker/circle.svg"},
        "text": {"mode": "field", "field": "cluster", "fixed": ""},
        "textConfig": {"fontSize": 12, "offsetX": 0, "offsetY": -16, "textAlign": "center"},
    }
    layer = shared.MapLayerOptions().type("markers").name("Clusters").location(places)
    numbers = [{"targetField": name, "destinationType": "number"} for name in _COORDINATES]
    return (
        dress(maps.Panel(), title, text, [rows(at_positions(by_cluster))], (12, 14))
        .with_transformation(transform("convertFieldType", conversions=numbers, fields={}))
        .thresholds(steps(*bounds))
        .color_scheme(by_threshold())
        .view(maps.MapViewConfig().id("coords").lat(20).lon(0).zoom(1))
        .tooltip(maps.TooltipOptions().mode(TooltipMode.DETAILS))
        .basemap(shared.MapLayerOptions().type("default").name("Basemap"))
        .layers([layer.config({"showLegend": True, "style": style}).tooltip(tooltip=True)])
        .controls(maps.ControlsOptions().show_zoom(show_zoom=True).mouse_wheel_zoom(_NO_WHEEL))
    )


_COORDINATES = ("latitude", "longitude")
_NO_WHEEL = False  # the page scrolls by it


def _clusters() -> table.Panel:
    """Return a table of the clusters, for those who prefer reading to maps."""
    counted = f"max by (cluster) (max_over_time(sealedbeam_affected_machines{{{PLACE}}}[$__range]))"
    dropped = (
        "sum by (cluster) (max_over_time("
        f'sealedbeam_records_total{{{PLACE}, outcome="dropped"}}[$__range]))'
    )
    columns = {
        "cluster": "cluster",
        "latitude": "latitude",
        "longitude": "longitude",
        "Value #A": "highest score",
        "Value #B": "most affected machines in one bin",
        "Value #C": "highest share corrected",
        "Value #D": "dropped records",
    }
    text = "The same by cluster. Latitudes north and longitudes east, in degrees."
    expressions = (PEAK_SCORE, counted, PEAK_CORRECTIONS, dropped)
    queries = [rows(at_positions(expression)) for expression in expressions]
    found = sheet("Clusters", text, queries, columns, (24, 12))
    found.override_by_name("highest score", [setting("decimals", 1)])
    share = [setting("unit", "percentunit"), setting("decimals", 2)]
    return found.override_by_name("highest share corrected", share)
