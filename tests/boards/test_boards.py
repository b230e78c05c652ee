"""The boards as files: made anew they are the same, they ask only for what is, and they keep the rules of the trade.

The rules are those of grafana/dashboard-linter, with `pod` in place of `instance`, and links that lead somewhere.
"""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from stream.core.errors import Reason
from stream.metrics.catalogue import CATALOGUE, Kind, Known, Metric
from stream.pipeline import default_pipeline
from stream.topics import Topics
from tests.boards.grafana import panels
from tests.boards.paper import BOARDS, FOLDERS, GRAFANA, ROOT, files
from tests.boards.parts import SCHEMA_VERSION, SOURCE
from tests.boards.promql import SHOWN, VARIABLES, WINDOW, series
from tests.oncall.rules import RECORDED, RUNBOOK, matched, recorded, selectors

UNITS = {"short", "percentunit", "s", "cpm", "bytes", "dateTimeAsIso"}
"""Of the linter's list, those that are used."""
KNOWN = Known.of(default_pipeline(), Topics())
METRICS: dict[str, Metric] = {
    shown: metric
    for metric in CATALOGUE
    for shown in (
        [f"{metric.name}_{part}" for part in ("bucket", "sum", "count")]
        if metric.kind is Kind.HISTOGRAM
        else [metric.name]
    )
}
SCHEMA = json.loads((Path(__file__).parent / "board.schema.json").read_text())
PATHS = sorted((GRAFANA / "dashboards").glob("*.json"))
PANELS = [
    pytest.param(board, panel, id=f"{path.stem}: {panel['title']}")
    for path in PATHS
    for board in [json.loads(path.read_text())]
    for panel in panels(board)
]
EVERY_BOARD = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
EVERY_PANEL = pytest.mark.parametrize(("board", "panel"), PANELS)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_the_files_are_what_is_made_anew() -> None:
    made = files()
    stored = {path for folder in FOLDERS for path in folder.glob("*")}
    assert stored == made.keys()
    stale = [path.name for path, content in made.items() if path.read_text() != content]
    assert stale == [], "python -m tests.boards.paper"


@EVERY_BOARD
def test_a_board_is_classic_json_as_grafana_reads_it(path: Path) -> None:
    board = read(path)
    jsonschema.validate(board, SCHEMA)
    assert board["schemaVersion"] == SCHEMA_VERSION
    ids = [panel["id"] for panel in board["panels"]]
    titles = [panel["title"] for panel in panels(board)]
    assert (len(set(ids)), len(set(titles))) == (len(ids), len(titles))


@EVERY_BOARD
def test_no_panel_lies_upon_another(path: Path) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in read(path)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


@EVERY_BOARD
def test_variables_choose_the_source_and_the_workers(path: Path) -> None:
    variables = {each["name"]: each for each in read(path)["templating"]["list"]}
    assert (variables["datasource"]["type"], variables["datasource"]["query"]) == ("datasource", "prometheus")
    assert variables["datasource"]["label"] == "Data source"
    for name in VARIABLES:
        variable = variables[name]
        assert variable["label"] == name.title()
        assert variable["datasource"] == SOURCE
        assert (variable["multi"], variable["includeAll"], variable["refresh"]) == (True, True, 2)
        # Only a job is always there: outside Kubernetes there is neither namespace nor pod.
        assert variable["allValue"] == (".+" if name == "job" else ".*")
        assert variable["definition"] == variable["query"]["query"]
    for variable in variables.values():
        if variable["type"] == "query":
            (asked,) = re.findall(r"label_values\((.+), (\w+)\)", variable["definition"])
            (selector,) = selectors(asked[0])
            assert asked[1] in (*VARIABLES, *METRICS[selector.name].label_names)


@EVERY_BOARD
def test_a_query_and_a_link_name_only_variables_that_the_board_has(path: Path) -> None:
    board = read(path)
    own = {each["name"] for each in board["templating"]["list"]} | {"__range", "__rate_interval"}
    named = {name for found in re.findall(r"\$(?:(\w+)|\{(\w+)\})", path.read_text()) for name in found if name}
    assert named - {"__all"} <= own
    assert own <= named


@EVERY_PANEL
def test_a_panel_says_what_it_shows_in_which_unit_from_the_chosen_source(
    board: dict[str, Any], panel: dict[str, Any]
) -> None:
    assert panel["title"]
    assert re.search(r"[.]$", panel["description"]), "a description is a sentence"
    assert panel["description"] != panel["title"]
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert panel["datasource"] == SOURCE
    assert panel["targets"]
    for target in panel["targets"]:
        assert target["datasource"] == SOURCE


@EVERY_PANEL
def test_a_query_reads_what_the_catalogue_has_and_is_narrowed_by_the_variables(
    board: dict[str, Any], panel: dict[str, Any]
) -> None:
    for target in panel["targets"]:
        expr = target["expr"]
        labels = {*VARIABLES, "instance", "le"}
        for selector in selectors(expr):
            metric = METRICS[selector.name]
            sources = dict(metric.labels)
            labels |= sources.keys()
            for label, operator, value in selector.asked:
                if label in {*VARIABLES, "stage"} and value == f"${label}":
                    continue
                assert operator in {"=", "!=", "=~", "!~"}
                if label not in {"topic", "code"}:  # named by the deployment's prefix; a family of codes
                    assert set(value.split("|")) <= set(KNOWN.values[sources[label]]), f"{label}: {value}"
            narrowed = {label for label, operator, value in selector.asked if value == f"${label}"}
            assert narrowed == {*VARIABLES, *({"stage"} & sources.keys())}, expr
        assert recorded(expr) <= RECORDED.keys()
        assert expr.count("{namespace=~") == len(selectors(expr)) + len(recorded(expr)) + expr.count("process_") or (
            "ALERTS{" in expr
        )
        alert_labels = {"severity", "alertname", "stage", "resource", "reason"} if "ALERTS{" in expr else set()
        assert matched(expr) <= labels | {"stage"} | alert_labels
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= matched(expr) | {"stage"}


@EVERY_PANEL
def test_a_rate_looks_back_as_far_as_grafana_says_and_a_counter_is_never_shown_bare(
    board: dict[str, Any], panel: dict[str, Any]
) -> None:
    for target in panel["targets"]:
        expr = re.sub(r'"[^"]*"', '""', target["expr"])
        windows = re.findall(r"\b(\w+)\([^()\[\]]*\[([^\]]+)\]\)", expr)
        assert {window for name, window in windows if name in {"rate", "irate"}} <= {WINDOW}
        assert {window for name, window in windows if name == "increase"} <= {WINDOW, SHOWN, "15m", "1h"}
        counted = re.findall(r"(\w+)\((?:\w+_total|\w+_bucket|\w+_sum|\w+_count)\{", expr)
        bare = re.findall(r"(?:\w+_total|\w+_bucket|\w+_sum|\w+_count)\{", expr)
        assert len(counted) == len(bare)
        assert set(counted) <= {"rate", "increase"}
        assert expr.count("[") == len(windows)


@EVERY_BOARD
def test_links_lead_to_pages_of_the_runbook_and_to_the_console(path: Path) -> None:
    board = read(path)
    told = [link["url"] for link in board["links"]] + [
        link["url"] for panel in panels(board) for link in panel["links"]
    ]
    pages = [url.removeprefix("${runbook}/").partition("#") for url in told if url.startswith("${runbook}")]
    assert pages
    for name, _, anchor in pages:
        text = (RUNBOOK / name).read_text()
        assert not anchor or f"\n## {anchor.title()}\n" in text
    assert [url for url in told if url.startswith("${console}")]
    assert {url.partition("}")[0] for url in told if url} == {"${console", "${runbook"}
    assert board["links"][0]["tags"] == ["skustream"] == board["tags"]


def test_every_metric_is_on_a_board() -> None:
    shown = {METRICS[each.name].name for path in PATHS for panel in panels(read(path)) for target in panel["targets"]
             for each in selectors(target["expr"])}  # fmt: skip
    assert {metric.name for metric in CATALOGUE} == shown


def test_each_reason_has_a_page_where_the_board_says_so() -> None:
    assert [reason for reason in Reason if not (RUNBOOK / f"{reason}.md").exists()] == []


def test_a_label_or_a_part_that_is_not_there_cannot_be_described() -> None:
    counter, histogram = CATALOGUE[0], next(each for each in CATALOGUE if each.kind is Kind.HISTOGRAM)
    for asked in ('sku="A"', "stage", 'stage="a" or vector(1)'):
        with pytest.raises(ValueError, match="cannot be asked"):
            series(counter, asked)
    with pytest.raises(ValueError, match="by its parts"):
        series(counter, part="bucket")
    with pytest.raises(ValueError, match="by its parts"):
        series(histogram)


def test_the_boards_are_told_apart_and_show_no_ids() -> None:
    assert len({board.uid for board in BOARDS}) == len({board.title for board in BOARDS}) == len(BOARDS)
    assert not re.search(r"sku_id|batch_id|image_id|job_id|event_id", "".join(files().values()))


def test_grafana_is_provisioned_with_one_prometheus_and_the_folder_of_boards() -> None:
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    assert (source["type"], source["isDefault"]) == ("prometheus", True)
    assert re.fullmatch(r"\d+s", source["jsonData"]["timeInterval"])
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/skustream.yaml").read_text())["providers"]
    assert (provider["type"], provider["allowUiUpdates"]) == ("file", False)
    assert provider["options"]["path"].startswith("/")
    assert sorted(path.parent for path in PATHS) == [ROOT / "deploy/grafana/dashboards"] * len(BOARDS)
