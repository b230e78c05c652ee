"""docs/operations.md: its values are what the real helm takes, and bring what the page says they bring."""

import re
from pathlib import Path

import pytest

from tests.helm.rendered import CHART, HIGHEST, Chart
from tests.services.helm import ROOT

PAGE = ROOT / "docs" / "operations.md"


@pytest.fixture
def values(tmp_path: Path) -> Path:
    (text,) = re.findall(r"<!-- example: values -->\n```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    path = tmp_path / "my-values.yaml"
    path.write_text(text)
    return path


def test_the_values_shown_are_linted_and_bring_what_the_page_tells(chart: Chart, values: Path) -> None:
    done = chart.helm.run("lint", "--strict", str(CHART), "--values", str(values))
    assert done.returncode == 0, done.stdout + done.stderr
    kinds = [one["kind"] for one in chart.objects(values, version=HIGHEST)]
    assert {"Deployment", "Job", "PodMonitor", "PrometheusRule", "ConfigMap"} <= set(kinds)


def test_the_secrets_created_on_the_page_are_those_that_the_values_name(values: Path) -> None:
    created = set(re.findall(r"kubectl create secret generic (\S+)", PAGE.read_text()))
    assert created == set(re.findall(r"existingSecret: ([^,}\s]+)", values.read_text()))
