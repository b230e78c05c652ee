"""The chart, judged by helm itself and by Kubernetes' schemas. No cluster was there: rendered and validated."""

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

from stream.pipeline import default_pipeline
from stream.settings import Settings
from stream.settings.kafka_options import REFUSED, is_secret
from tests.conftest import _demand
from tests.deploy.rendered import image
from tests.helm import paper
from tests.helm.rendered import CHART, FULL, HIGHEST, LOWEST, MINIMAL, SETS, Chart
from tests.helm.value_rules import OWN_SETTINGS, RULES, STAGE
from tests.services.helm import ROOT, Schemas

FOREIGN = {"PodMonitor", "PrometheusRule", "ScaledObject"}
"""Kinds that are not Kubernetes' own; `test_operators.py` judges them."""


@pytest.fixture(scope="module", params=[LOWEST, HIGHEST])
def schemas(request: pytest.FixtureRequest) -> Iterator[tuple[str, Schemas]]:
    found = _demand(lambda: Schemas(request.param))
    yield request.param, found
    found.close()


@pytest.mark.parametrize("values", SETS, ids=lambda path: path.stem)
def test_helm_lints_it_strictly(chart: Chart, values: Path) -> None:
    done = chart.helm.run("lint", "--strict", str(CHART), "--values", str(values))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "[WARNING]" not in done.stdout
    assert "[ERROR]" not in done.stdout


@pytest.mark.parametrize("values", SETS, ids=lambda path: path.stem)
def test_kubernetes_would_take_every_object(chart: Chart, schemas: tuple[str, Schemas], values: Path) -> None:
    version, judge = schemas
    objects = chart.objects(values, version=version)
    assert objects
    for one in objects:
        if one["kind"] in FOREIGN:
            assert not judge.knows(one)
        else:
            assert judge.complaints(one) == [], one["metadata"]["name"]


def test_the_schemas_find_what_is_wrong(chart: Chart, schemas: tuple[str, Schemas]) -> None:
    """The check can fail: a field that does not exist, text for a number, and a list for a map."""
    version, judge = schemas
    text = json.dumps(next(one for one in chart.objects(MINIMAL, version=version) if one["kind"] == "Deployment"))
    for right, wrong in [
        ('"minReadySeconds"', '"minReadySecond"'),
        ('"replicas": 1', '"replicas": "one"'),
        ('"seccompProfile": {"type": "RuntimeDefault"}', '"seccompProfile": []'),
    ]:
        assert right in text
        assert judge.complaints(json.loads(text.replace(right, wrong, 1)))


def test_it_asks_for_no_older_kubernetes_than_is_tested(chart: Chart) -> None:
    ranged = yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"]
    assert ranged == f">={LOWEST}.0-0 <2.0.0-0"
    done = chart.helm.run("template", str(CHART), "--values", str(MINIMAL), "--kube-version", "1.28.9")
    assert done.returncode != 0
    assert "kubeVersion" in done.stderr


def test_its_version_is_the_package_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert found["appVersion"] == project["version"]


def test_the_page_and_the_schema_are_those_that_the_values_make() -> None:
    again = "make them anew: python -m tests.helm.paper"
    assert (CHART / "values.schema.json").read_text() == paper.schema_text(), again
    assert (CHART / "README.md").read_text() == paper.readme(), again
    assert RULES.keys() <= {value.path for value in paper.values()}


def test_the_schema_is_closed_and_says_what_everything_is() -> None:
    schema = paper.schema()
    jsonschema.Draft7Validator.check_schema(schema)

    def walk(one: dict[str, object], path: str) -> None:
        assert path == "" or (one.get("description") and (one.get("type") or one.get("anyOf"))), path
        properties = one.get("properties")
        if isinstance(properties, dict):
            assert one["additionalProperties"] is False, path
            for name, below in properties.items():
                walk(below, f"{path}.{name}")

    walk(schema, "")
    walk(STAGE, "stages")


def test_every_setting_has_its_place() -> None:
    """A new setting is one of `settings` by itself; what the chart sets, it names."""
    assert Settings.model_fields.keys() >= OWN_SETTINGS
    offered = paper.schema()["properties"]["settings"]["properties"].keys()
    assert offered == Settings.model_fields.keys() - OWN_SETTINGS
    assert {
        name for name in Settings.model_fields if "token" in name or "secret" in name or "key" in name
    } <= OWN_SETTINGS


def test_what_it_knows_of_the_code_is_so() -> None:
    stages = [stage.name for stage in default_pipeline().stages]
    assert ",".join(stages) in (CHART / "templates/_helpers.tpl").read_text()
    checks = (CHART / "templates/_checks.tpl").read_text()
    assert ",".join(REFUSED) in checks
    assert f'"submit_timeout_seconds" | default {Settings.model_fields["submit_timeout_seconds"].default} ' in checks
    for option in (
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "sasl.oauthbearer.client.secret",
        "sasl.jaas.config",
    ):
        assert is_secret(option)
    user, _, group = image().user.partition(":")
    pod = (CHART / "templates/_pod.tpl").read_text()
    assert f"runAsUser: {user}\n" in pod
    assert f"runAsGroup: {group}\n" in pod


def test_it_can_be_packed(chart: Chart, tmp_path: Path) -> None:
    done = chart.helm.run("package", str(CHART), "--destination", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (packed,) = tmp_path.glob("skustream-*.tgz")
    assert chart.helm.run("template", str(packed), "--values", str(FULL)).returncode == 0
