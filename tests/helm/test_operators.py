"""What operators make of a release: rules that promtool takes, and workers that come and go within the contract."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import _demand
from tests.helm import paper
from tests.helm.rendered import MINIMAL, SCALED, SETS, Chart, Object, environment, of_kind, worker
from tests.oncall.rules import RULES, all_rules
from tests.services.helm import CustomSchemas
from tests.services.prometheus import promtool

ALERTS_ON = "prometheusRule.enabled=true"
SCALED_ON = ("autoscaling.enabled=true", "autoscaling.prometheusUrl=http://prometheus:9090")


@pytest.fixture(scope="module")
def custom() -> CustomSchemas:
    return _demand(CustomSchemas)


@pytest.mark.parametrize("values", SETS, ids=lambda path: path.stem)
def test_operators_would_take_their_objects(chart: Chart, custom: CustomSchemas, values: Path) -> None:
    for one in of_kind(chart.objects(values), "PodMonitor", "PrometheusRule", "ScaledObject"):
        assert custom.complaints(one) == [], one["metadata"]["name"]


def test_their_schemas_find_what_is_wrong(chart: Chart, custom: CustomSchemas) -> None:
    (rules,) = of_kind(chart.objects(MINIMAL, ALERTS_ON), "PrometheusRule")
    scaled = of_kind(chart.objects(SCALED), "ScaledObject")[0]
    metadata = scaled["spec"]["triggers"][0]["metadata"]
    for wrong in (
        {**rules, "spec": {"group": rules["spec"]["groups"]}},
        {**scaled, "spec": {**scaled["spec"], "maxReplicas": 3}},
        {
            **scaled,
            "spec": {**scaled["spec"], "triggers": [{"type": "prometheus", "metadata": {**metadata, "threshold": 1}}]},
        },
    ):
        assert custom.complaints(wrong), wrong["spec"]


# Alerts


def rendered_rules(chart: Chart, *sets: str) -> list[dict[str, Any]]:
    """The groups as the operator would hand them to Prometheus."""
    (one,) = of_kind(chart.objects(MINIMAL, ALERTS_ON, *sets), "PrometheusRule")
    groups: list[dict[str, Any]] = one["spec"]["groups"]
    return groups


def test_the_chart_carries_the_rules_as_they_are() -> None:
    carried = {path: path.read_text() for path in (paper.CHART / "files/rules").iterdir()}
    assert carried == paper.rule_files(), "make them anew: python -m tests.helm.paper"


def test_the_rendered_rules_are_those_that_were_proved(chart: Chart) -> None:
    assert [rule for group in rendered_rules(chart) for rule in group["rules"]] == all_rules()


def test_promtool_takes_the_rendered_rules_and_proves_one(chart: Chart, tmp_path: Path) -> None:
    base = "https://git.example.com/docs/runbook"
    judge = _demand(promtool)
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": rendered_rules(chart, f"prometheusRule.runbookUrl={base}/")})
    )
    proof = (RULES[0].parents[1] / "tests/SkustreamOutOfCredits.yaml").read_text()
    told = yaml.safe_load(proof.replace("docs/runbook/", f"{base}/"))
    (tmp_path / "proof.yaml").write_text(yaml.safe_dump({**told, "rule_files": ["rules.yaml"]}))
    for words in (["check", "rules", "rules.yaml"], ["test", "rules", "proof.yaml"]):
        done = subprocess.run([judge, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "FAILED" not in done.stdout


@pytest.mark.parametrize("base", ["https://git.example.com/a/docs/runbook", "https://git.example.com/a/docs/runbook/"])
def test_every_alert_names_a_page_where_it_can_be_opened(chart: Chart, base: str) -> None:
    rules = [rule for group in rendered_rules(chart, f"prometheusRule.runbookUrl={base}") for rule in group["rules"]]
    pages = {rule["alert"]: rule["annotations"]["runbook_url"] for rule in rules if "alert" in rule}
    assert pages == {alert: f"https://git.example.com/a/docs/runbook/{alert}.md" for alert in pages}
    assert len(pages) > 15


# Autoscaling


def scaled_objects(objects: list[Object]) -> dict[str, Object]:
    return {one["spec"]["scaleTargetRef"]["name"]: one["spec"] for one in of_kind(objects, "ScaledObject")}


def test_only_who_may_have_more_than_one_worker_is_scaled_and_has_no_number_of_its_own(chart: Chart) -> None:
    objects = chart.objects(SCALED)
    scaled = scaled_objects(objects)
    assert scaled.keys() == {"shop-skustream-remove-bg", "shop-skustream-upscale"}
    for one in of_kind(objects, "Deployment"):
        assert ("replicas" in one["spec"]) == (one["metadata"]["name"] not in scaled)


def test_the_most_workers_are_the_shares_of_the_contract(chart: Chart) -> None:
    """48 % of 300 requests are seven shares of 20; a maxReplicas that was set counts instead."""
    objects = chart.objects(SCALED)
    most = {name: spec["maxReplicaCount"] for name, spec in scaled_objects(objects).items()}
    assert most == {"shop-skustream-remove-bg": 7, "shop-skustream-upscale": 4}
    for name, number in most.items():
        assert environment(worker(objects, name))["SKUSTREAM_QUOTA_SHARE"].endswith(f"/{number}00")


def test_it_follows_useful_replicas_and_nothing_else(chart: Chart) -> None:
    for name, spec in scaled_objects(chart.objects(SCALED)).items():
        assert (spec["minReplicaCount"], "idleReplicaCount" in spec) == (1, False)
        (trigger,) = spec["triggers"]
        assert (trigger["type"], trigger["metricType"]) == ("prometheus", "AverageValue")
        assert all(isinstance(value, str) for value in trigger["metadata"].values())
        assert trigger["metadata"]["threshold"] == "1"
        assert trigger["metadata"]["ignoreNullValues"] == "false"
        assert trigger["metadata"]["query"].startswith(
            'sum(skustream_useful_replicas{namespace="default",pod=~"' + name
        )
        assert "lag" not in trigger["metadata"]["query"]
        behavior = spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
        for way in ("scaleUp", "scaleDown"):
            assert behavior[way]["policies"] == [{"type": "Pods", "value": 1, "periodSeconds": 70}]
            assert 300 <= behavior[way]["stabilizationWindowSeconds"] <= 3600


def test_its_question_counts_the_deployment_s_own_pods(chart: Chart, tmp_path: Path) -> None:
    """Judged by promtool: two pods of the Deployment, one whose name Kubernetes cut, and three of others."""
    query = scaled_objects(chart.objects(SCALED))["shop-skustream-upscale"]["triggers"][0]["metadata"]["query"]
    pods = {
        "shop-skustream-upscale-7d9f8b6c5-abc12": 0.5, "shop-skustream-upscale-7d9f8b6c5-xyz89": 1.25,
        "shop-skustream-upscale-7d9f8abc12": 0.25, "shop-skustream-remove-bg-7d9f8b6c5-abc12": 4,
        "shop-skustream-upscale-two-7d9f8b6c5-abc12": 4, "other-shop-skustream-upscale-7d9f8b6c5-abc12": 4,
    }  # fmt: skip
    given = [
        {
            "series": f'skustream_useful_replicas{{namespace="default", pod="{pod}", stage="upscale"}}',
            "values": f"{value}x5",
        }
        for pod, value in pods.items()
    ]
    asked = [{"expr": query, "eval_time": "3m", "exp_samples": [{"labels": "{}", "value": 2.0}]}]
    test = {"interval": "1m", "input_series": given, "promql_expr_test": asked}
    (tmp_path / "test.yaml").write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}))
    done = subprocess.run(
        [_demand(promtool), "test", "rules", str(tmp_path / "test.yaml")], capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("sets", "most"),
    [
        (["maxReplicas=3"], 3),
        (["replicas=9", "maxReplicas=3"], 3),
        ([], 3),
        (["quota.requests=300"], 15),
        (["quota.requests=300", "quota.percent=50"], 7),
        (["quota.requests=300", "autoscaling.requestsPerWorker=100"], 3),
    ],
)
def test_one_deployment_of_all_stages_is_scaled_as_the_contract_allows(
    chart: Chart, sets: list[str], most: int
) -> None:
    objects = chart.objects(MINIMAL, *SCALED_ON, *sets)
    assert [spec["maxReplicaCount"] for spec in scaled_objects(objects).values()] == [most]
    share = environment(worker(objects))["SKUSTREAM_QUOTA_SHARE"]
    assert int(share.partition("/")[2]) == 100 * most
