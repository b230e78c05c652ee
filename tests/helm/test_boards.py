"""The boards in the chart are those of deploy/grafana, with links of one's own."""

import json

from tests.boards.paper import GRAFANA
from tests.helm.rendered import FULL, MINIMAL, Chart, of_kind

BOARDS = sorted((GRAFANA / "dashboards").glob("*.json"))
MINE = {"console": "https://catalog.example.com", "runbook": "https://pages.example.com/skustream/docs/runbook"}


def test_they_are_found_by_grafana_and_link_to_your_console_and_runbook(chart: Chart) -> None:
    objects = of_kind(chart.objects(FULL), "ConfigMap")
    (one,) = [each for each in objects if each["metadata"]["name"] == "catalog-dashboards"]
    assert one["metadata"]["labels"]["boards"] == "yes"
    assert one["metadata"]["annotations"] == {"grafana_folder": "skustream"}
    assert one["data"].keys() == {path.name for path in BOARDS}
    for path in BOARDS:
        expected = json.loads(path.read_text())
        for variable in expected["templating"]["list"]:
            if url := MINE.get(variable["name"]):
                chosen = {"selected": True, "text": url, "value": url}
                variable |= {"query": url, "current": chosen, "options": [chosen]}
        assert json.loads(one["data"][path.name]) == expected


def test_without_values_they_are_as_shipped(chart: Chart) -> None:
    objects = of_kind(chart.objects(MINIMAL, "dashboards.enabled=true"), "ConfigMap")
    (one,) = [each for each in objects if each["metadata"]["name"] == "shop-skustream-dashboards"]
    assert one["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert one["data"] == {path.name: path.read_text() for path in BOARDS}


def test_the_alerts_runbook_is_the_boards_too(chart: Chart) -> None:
    told = ("dashboards.enabled=true", f"prometheusRule.runbookUrl={MINE['runbook']}/")
    objects = of_kind(chart.objects(MINIMAL, *told), "ConfigMap")
    (one,) = [each for each in objects if each["metadata"]["name"] == "shop-skustream-dashboards"]
    for text in one["data"].values():
        variables = {each["name"]: each["query"] for each in json.loads(text)["templating"]["list"]}
        assert variables["runbook"] == MINE["runbook"]
        assert variables["console"] == "http://127.0.0.1:9474"
