"""What the dashboards have in common: colours, variables, queries, and one maker for each panel.

Rules:
1. Colours are those of Okabe and Ito, which people tell apart whatever they see of red and green.
   No palette has twelve such colours, so of clusters the colour says how much, never which: names
   stand in the legend, the highest first.
2. What was counted up to now is the highest value in the time shown: it stays when the job is over
   and when the time shown ends later. What is told of a moment is the last value in it.
3. Each panel says how to read it; where an alert goes with it, a link leads to its runbook section.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from grafana_foundation_sdk.builders import barchart, bargauge, stat, statushistory, table
from grafana_foundation_sdk.builders import common as shared
from grafana_foundation_sdk.builders import dashboard as boards
from grafana_foundation_sdk.builders import geomap as maps
from grafana_foundation_sdk.builders import timeseries as lines
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from .runbook import locate_section

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from grafana_foundation_sdk.cog.builder import Builder

BLUE, SKY, GREEN = "#0072B2", "#56B4E9", "#009E73"
YELLOW, ORANGE, VERMILION = "#F0E442", "#E69F00", "#D55E00"
PURPLE, GREY = "#CC79A7", "#999999"
OUTCOMES = {"intact": SKY, "corrected": BLUE, "retried": ORANGE, "dropped": VERMILION}
ECC = {"corrected": BLUE, "uncorrected": VERMILION}
JOB = 'job_name=~"$job_name"'
PLACE = f'{JOB}, cluster=~"$cluster"'
DATASOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
DATASOURCE_UID = "sealedbeam-prometheus"
_TALL, _LOW, _FLAT = 9, 7, 4
_REFERENCES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

Step = tuple[float | None, str]
Panel = TypeVar(
    "Panel",
    lines.Panel,
    stat.Panel,
    barchart.Panel,
    bargauge.Panel,
    statushistory.Panel,
    table.Panel,
    maps.Panel,
)


def now(expression: str, legend: str = "") -> Dataquery:
    """Return a query of one moment, the end of the time shown."""
    return Dataquery().expr(expression).legend_format(legend or "__auto").instant()


def rows(expression: str) -> Dataquery:
    """Return a query of one moment whose series are rows, and their labels columns."""
    return now(expression).format(PromQueryFormat.TABLE)


def over_time(expression: str, legend: str) -> Dataquery:
    """Return a query of the time shown."""
    return Dataquery().expr(expression).legend_format(legend).range()


def total(by: str, metric: str, *matchers: str) -> str:
    """Return the expression of what a counter has counted, summed `by` labels."""
    inside = ", ".join((PLACE, *matchers))
    return f"sum by ({by}) (max_over_time({metric}{{{inside}}}[$__range]))"


def find_alerts(*names: str) -> str:
    """Return the expression of the alerts of these names while they fire."""
    return f'ALERTS{{alertname=~"{"|".join(names)}", alertstate="firing"}}'


def steps(*found: Step) -> boards.ThresholdsConfig:
    """Return thresholds: from each value on its colour, from None on the first."""
    listed = [dashboard.Threshold(value=value, color=colour) for value, colour in found]
    return boards.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(listed)


def by_threshold() -> boards.FieldColor:
    """Return the scheme in which thresholds decide the colour."""
    return boards.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS)


def by_amount() -> boards.FieldColor:
    """Return the scheme in which the highest value of a series decides its colour."""
    scheme = boards.FieldColor().mode(dashboard.FieldColorModeId.CONTINUOUS_BL_YL_RD)
    return scheme.series_by(dashboard.FieldColorSeriesByMode.MAX)


def link_runbook(panel: Panel, *alerts: str) -> Panel:
    """Lead from a panel to the runbook's sections of the alerts that go with it."""
    kind = dashboard.DashboardLinkType.LINK
    return panel.links(
        [
            boards.DashboardLink(f"Runbook: {alert}").type(kind).url(locate_section(alert))
            for alert in alerts
        ]
    )


def transform(name: str, **options: object) -> dashboard.DataTransformerConfig:
    """Return a step between the answers of queries and the panel."""
    return dashboard.DataTransformerConfig(id_val=name, options=options)


def setting(name: str, value: object) -> dashboard.DynamicConfigValue:
    """Return one setting of an override."""
    return dashboard.DynamicConfigValue(id_val=name, value=value)


def dress(
    panel: Panel, title: str, text: str, queries: Sequence[Dataquery], size: tuple[int, int]
) -> Panel:
    """Give a panel what every panel has; `size` is its width, of 24, and its height."""
    panel.title(title).description(text).datasource(DATASOURCE).span(size[0]).height(size[1])
    for letter, query in zip(_REFERENCES, queries, strict=False):
        panel.with_target(query.ref_id(letter).datasource(DATASOURCE))
    return panel


def paint(panel: Panel, colours: Mapping[str, str]) -> Panel:
    """Give the series of these names fixed colours."""
    for name, colour in colours.items():
        value = {"mode": "fixed", "fixedColor": colour}
        panel.override_by_name(name, [setting("color", value)])
    return panel


def figure(
    title: str,
    text: str,
    query: Dataquery,
    *bounds: Step,
    unit: str = "short",
    width: int = 4,
    names: bool = False,
) -> stat.Panel:
    """Return a panel with one number, or one for each series, told by `names` as well."""
    mode = common.BigValueTextMode.VALUE_AND_NAME if names else common.BigValueTextMode.VALUE
    return (
        dress(stat.Panel(), title, text, [query], (width, _FLAT))
        .unit(unit)
        .thresholds(steps(*(bounds or ((None, BLUE),))))
        .color_scheme(by_threshold())
        .color_mode(common.BigValueColorMode.VALUE)
        .graph_mode(common.BigValueGraphMode.NONE)
        .text_mode(mode)
        .reduce_options(shared.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def curves(
    title: str,
    text: str,
    queries: Sequence[Dataquery],
    *bounds: Step,
    unit: str = "short",
    width: int = 12,
) -> lines.Panel:
    """Return a panel of lines over time; from the second bound on a dashed line marks each."""
    legend = (
        shared.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.TABLE)
        .placement(common.LegendPlacement.RIGHT)
        .show_legend(show_legend=True)
        .calcs(["max", "lastNotNull"])
        .sort_by("Max")
        .sort_desc(sort_desc=True)
    )
    tip = shared.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    panel = (
        dress(lines.Panel(), title, text, queries, (width, _TALL))
        .unit(unit)
        .color_scheme(by_amount())
        .legend(legend)
        .tooltip(tip.sort(common.SortOrder.DESCENDING))
        .line_width(1)
        .fill_opacity(0)
        .show_points(common.VisibilityMode.NEVER)
        .thresholds(steps(*(bounds or ((None, "transparent"),))))
    )
    if bounds:
        dashed = common.GraphTresholdsStyleMode.DASHED
        panel.thresholds_style(shared.GraphThresholdsStyleConfig().mode(dashed))
    return panel


def strips(
    title: str, text: str, query: Dataquery, *bounds: Step, unit: str = "short"
) -> statushistory.Panel:
    """Return a panel with one strip for each series, whose colour tells its value over time."""
    legend = shared.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
    return (
        dress(statushistory.Panel(), title, text, [query], (24, _TALL))
        .unit(unit)
        .decimals(1)
        .thresholds(steps(*bounds))
        .color_scheme(by_threshold())
        .show_value(common.VisibilityMode.NEVER)
        .max_data_points(120)  # more than fits is not drawn at all
        .row_height(0.9)
        .fill_opacity(90)
        .legend(legend.placement(common.LegendPlacement.BOTTOM).show_legend(show_legend=True))
    )


def ranking(
    title: str, text: str, query: Dataquery, colour: str = BLUE, width: int = 8
) -> bargauge.Panel:
    """Return a panel with a bar for each series."""
    return (
        dress(bargauge.Panel(), title, text, [query], (width, _TALL))
        .unit("short")
        .min(0)
        .thresholds(steps((None, colour)))
        .color_scheme(by_threshold())
        .orientation(common.VizOrientation.HORIZONTAL)
        .display_mode(common.BarGaugeDisplayMode.BASIC)
        .reduce_options(shared.ReduceDataOptions().calcs(["lastNotNull"]))
    )


def bars(
    title: str, text: str, query: Dataquery, by: tuple[str, str], width: int = 12
) -> barchart.Panel:
    """Return a panel of bars by two labels: a group for each of the first, in it the second.

    The scale is logarithmic but for zero, which has its place: what is rare is seen beside what is
    not.
    """
    scale = shared.ScaleDistributionConfig().type(common.ScaleDistribution.SYMLOG)
    legend = shared.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
    matrix = transform("groupingToMatrix", rowField=by[0], columnField=by[1], valueField="Value")
    return (
        dress(barchart.Panel(), title, text, [query], (width, _TALL))
        .unit("short")
        .decimals(0)
        .with_transformation(matrix)
        .scale_distribution(scale.log(10).linear_threshold(1))
        .fill_opacity(90)
        .show_value(common.VisibilityMode.AUTO)
        .legend(legend.placement(common.LegendPlacement.BOTTOM).show_legend(show_legend=True))
    )


def sheet(
    title: str,
    text: str,
    queries: Sequence[Dataquery],
    columns: Mapping[str, str],
    size: tuple[int, int] = (24, _LOW),
) -> table.Panel:
    """Return a table: rows of the queries that agree in their labels are one.

    Args:
        title: of the panel.
        text: how to read it.
        queries: each is a column, "Value #A" and so on; with labels that all have in common.
        columns: the heading of each column that is shown, in their order.
        size: width, of 24, and height.
    """
    shown = {name: number for number, name in enumerate(columns)}
    return (
        dress(table.Panel(), title, text, queries, size)
        .with_transformation(transform("merge"))
        .with_transformation(transform("filterFieldsByName", include={"names": [*columns]}))
        .with_transformation(
            transform("organize", excludeByName={}, indexByName=shown, renameByName={**columns})
        )
        .cell_height(common.TableCellHeight.SM)
    )


def open_dashboard(uid: str, title: str, text: str, since: str = "now-1h") -> boards.Dashboard:
    """Return a dashboard without panels: with its variables, and links to the others."""
    others = boards.DashboardLink("Sealed Beam").type(dashboard.DashboardLinkType.DASHBOARDS)
    return (
        boards.Dashboard(title)
        .uid(uid)
        .description(text)
        .tags(["sealedbeam"])
        .time(since, "now")
        .refresh("30s")
        .timezone("utc")
        .readonly()
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .link(
            others.tags(["sealedbeam"])
            .as_dropdown(as_dropdown=True)
            .include_vars(include_vars=True)
            .keep_time(keep_time=True)
        )
    )


def with_choices(board: boards.Dashboard) -> boards.Dashboard:
    """Add the variables: which Prometheus, which jobs, which clusters."""
    source = boards.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    shipped = dashboard.VariableOption(text="Sealed Beam", value=DATASOURCE_UID)
    board.with_variable(source.current(shipped))
    for name, label, values in (
        ("job_name", "Job", "sealedbeam_run_info, job_name"),
        ("cluster", "Cluster", f"sealedbeam_records_total{{{JOB}}}, cluster"),
    ):
        board.with_variable(
            boards.QueryVariable(name)
            .label(label)
            .datasource(DATASOURCE)
            .query(f"label_values({values})")
            .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
            .multi(multi=True)
            .include_all(include_all=True)
            .all_value(".*")  # one job alone has no label job_name: only this finds it
            .current(dashboard.VariableOption(text=["All"], value=["$__all"]))
        )
    return board


def finish(board: boards.Dashboard) -> dashboard.Dashboard:
    """Return the dashboard with its panels numbered from 1 on, in their order."""
    built = board.build()
    for number, panel in enumerate(built.panels or [], 1):
        panel.id_val = number
    return built


def add(board: boards.Dashboard, title: str, *panels: Builder[dashboard.Panel]) -> boards.Dashboard:
    """Add a row with its panels."""
    board.with_row(boards.Row(title))
    for panel in panels:
        board.with_panel(panel)
    return board
