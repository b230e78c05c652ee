"""What boards are made of: queries, panels, rows, a board; and the classic JSON (schemaVersion 41) that Grafana reads.

Comes in: a description. Goes out: `document`, which holds nothing of one Grafana: no ids, no times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

SCHEMA_VERSION = 41
COLUMNS = 24
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
GREEN, YELLOW, RED, BLUE, GREY = "green", "yellow", "red", "blue", "text"


class Shape(StrEnum):
    """Grafana's panels that are used here."""

    LINES = "timeseries"
    FIGURE = "stat"
    TABLE = "table"
    STATES = "state-timeline"
    WORDS = "text"


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel, and what its series are called: `{{label}}` stands for a label's value."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel. `steps`: colour from a value on; `link`: a title and where it leads, variables and all.

    `words`: Markdown instead of queries. `empty`: what is shown instead of a figure where there is none.
    """

    title: str
    meaning: str
    unit: str = "short"
    queries: tuple[Query, ...] = ()
    shape: Shape = Shape.LINES
    width: int = 8
    height: int = 8
    is_stacked: bool = False
    steps: tuple[tuple[float, str], ...] = ()
    base: str = GREEN
    link: tuple[str, str] | None = None
    words: str = ""
    empty: str = "-"
    most: float | None = None
    decimals: int | None = None
    """Of a figure that counts things: increases are reckoned, and come to 7.01."""
    names: Mapping[str, str] | None = None
    """State timelines only: a value's word; its colour is that of `steps`."""


@dataclass(frozen=True, slots=True)
class Row:
    """A heading with panels below it, laid out from left to right in their order."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """One of a board's variables, as Grafana keeps it."""

    name: str
    label: str
    kind: str
    query: str
    more: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Board:
    """A whole board."""

    uid: str
    title: str
    meaning: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...]
    links: tuple[tuple[str, str], ...]
    since: str
    refresh: str


def choice(
    name: str, label: str, metric: str, asked: str = "", *, everything: str = ".*", is_hidden: bool = False
) -> Variable:
    """Any number of a label's values, all of them at first; `everything` is the regular expression that means all."""
    query = f"label_values({metric}{{{asked}}}, {name})" if asked else f"label_values({metric}, {name})"
    return Variable(name, label, "query", query, {
        "datasource": SOURCE, "definition": query, "refresh": 2, "sort": 1, "regex": "", "multi": True,
        "includeAll": True, "allValue": everything, "current": {"text": ["All"], "value": ["$__all"]},
        "options": [], "hide": 2 if is_hidden else 0,
    })  # fmt: skip


def words(name: str, label: str, value: str) -> Variable:
    """A text that a person may change."""
    chosen = {"selected": True, "text": value, "value": value}
    return Variable(
        name, label, "textbox", value, {"current": chosen, "options": [chosen], "hide": 0, "skipUrlSync": False}
    )


def source() -> Variable:
    """Which Prometheus is asked."""
    more = {"current": {}, "options": [], "refresh": 1, "regex": "", "multi": False, "includeAll": False, "hide": 0}
    return Variable("datasource", "Data source", "datasource", "prometheus", more)


def document(board: Board) -> dict[str, Any]:
    """The board as Grafana's classic JSON."""
    return {
        "uid": board.uid, "title": board.title, "description": board.meaning, "tags": ["skustream"],
        "schemaVersion": SCHEMA_VERSION, "version": 1, "editable": False, "graphTooltip": 1, "timezone": "browser",
        "refresh": board.refresh, "time": {"from": board.since, "to": "now"},
        "annotations": {"list": []}, "links": _links(board.links),
        "templating": {"list": [_variable(each) for each in board.variables]}, "panels": _laid_out(board.rows),
    }  # fmt: skip


def _variable(variable: Variable) -> dict[str, Any]:
    query: Any = variable.query
    if variable.kind == "query":
        query = {"query": variable.query, "refId": "Variable"}
    return {"name": variable.name, "label": variable.label, "type": variable.kind, "query": query, **variable.more}


def _links(links: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    boards = {
        "type": "dashboards", "title": "Boards", "tags": ["skustream"], "asDropdown": False, "includeVars": True,
        "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": "",
    }  # fmt: skip
    return [boards, *(boards | {
        "type": "link", "title": title, "url": url, "tags": [], "includeVars": False, "keepTime": False,
        "targetBlank": True,
    } for title, url in links)]  # fmt: skip


def _laid_out(rows: Sequence[Row]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    y = 0
    for row in rows:
        found.append({
            "type": "row", "title": row.title, "id": len(found) + 1, "collapsed": False, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        })  # fmt: skip
        x, y, below = 0, y + 1, y + 1
        for panel in row.panels:
            if x + panel.width > COLUMNS:
                x, y = 0, below
            place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
            found.append({"id": len(found) + 1, "gridPos": place, **_panel(panel)})
            x, below = x + panel.width, max(below, y + panel.height)
        y = below
    return found


def _panel(panel: Panel) -> dict[str, Any]:
    made: dict[str, Any] = {"type": panel.shape.value, "title": panel.title, "description": panel.meaning}
    if panel.shape is Shape.WORDS:
        return made | {"options": {"mode": "markdown", "content": panel.words}}
    is_now = panel.shape in {Shape.FIGURE, Shape.TABLE}
    targets = [
        {"refId": chr(ord("A") + place), "datasource": SOURCE, "editorMode": "code", "expr": query.expr,
         "legendFormat": query.legend or "__auto", "instant": is_now, "range": not is_now,
         **({"format": "table"} if panel.shape is Shape.TABLE else {})}
        for place, query in enumerate(panel.queries)
    ]  # fmt: skip
    return made | {
        "datasource": SOURCE, "targets": targets, "fieldConfig": {"defaults": _field(panel), "overrides": []},
        "options": _OPTIONS[panel.shape], **_reshaped(panel),
        "links": [{"title": panel.link[0], "url": panel.link[1], "targetBlank": True}] if panel.link else [],
    }  # fmt: skip


def _reshaped(panel: Panel) -> dict[str, Any]:
    """A table shows labels and the value, not the time of the question."""
    if panel.shape is not Shape.TABLE:
        return {}
    return {"transformations": [{"id": "organize", "options": {"excludeByName": {"Time": True}}}]}


def _field(panel: Panel) -> dict[str, Any]:
    steps = [{"color": panel.base, "value": None}, *({"color": name, "value": at} for at, name in panel.steps)]
    is_flat = panel.shape is not Shape.LINES
    field: dict[str, Any] = {
        "unit": panel.unit, "noValue": panel.empty, "color": {"mode": "thresholds" if is_flat else "palette-classic"},
        "thresholds": {"mode": "absolute", "steps": steps}, "mappings": [], "custom": {},
        **({} if panel.decimals is None else {"decimals": panel.decimals}),
    }  # fmt: skip
    if panel.shape is Shape.LINES:
        field |= {"min": 0, **({} if panel.most is None else {"max": panel.most}), "custom": {
            "drawStyle": "line", "lineWidth": 1, "fillOpacity": 40 if panel.is_stacked else 8, "showPoints": "never",
            "spanNulls": False, "stacking": {"group": "A", "mode": "normal" if panel.is_stacked else "none"},
            "thresholdsStyle": {"mode": "dashed" if panel.steps else "off"},
        }}  # fmt: skip
    if panel.shape is Shape.STATES:
        colours = {"0": panel.base, **{f"{at:g}": name for at, name in panel.steps}}
        told = {
            value: {"text": text, "color": colours[value], "index": place}
            for place, (value, text) in enumerate((panel.names or {}).items())
        }
        field |= {"mappings": [{"type": "value", "options": told}], "custom": {"fillOpacity": 70, "lineWidth": 0}}
    return field


_OPTIONS: Mapping[Shape, Mapping[str, Any]] = {
    Shape.LINES: {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    Shape.FIGURE: {
        "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto", "textMode": "auto",
        "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False},
    },
    Shape.TABLE: {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}},
    Shape.STATES: {
        "mergeValues": True, "showValue": "never", "rowHeight": 0.8, "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "single", "sort": "none"},
    },
}  # fmt: skip
