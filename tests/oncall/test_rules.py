"""The alerts: promtool proves them, their words are the catalogue's, and a worker that has just begun wakes nobody."""

import math
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from stream.core.clock import SystemClock
from stream.core.errors import Resource
from stream.core.reasons import CARDS, Fault
from stream.metrics.catalogue import CATALOGUE, Kind, Known, Metric
from stream.metrics.prometheus import PrometheusRecorder, series
from stream.pipeline import default_pipeline
from stream.topics import Topics
from tests.oncall.rules import ALERTS, RECORDED, RULES, RUNBOOK, SCRAPED, TESTS, matched, recorded, selectors

MINUTES = 120
KNOWN = Known.of(default_pipeline(), Topics())
SHOWN: dict[str, Metric] = {
    shown: metric
    for metric in CATALOGUE
    for shown in (
        [f"{metric.name}_{part}" for part in ("bucket", "sum", "count")]
        if metric.kind is Kind.HISTOGRAM
        else [metric.name]
    )
}
"""Every name as Prometheus stores it."""
EXPRESSIONS = {name: rule["expr"] for name, rule in {**RECORDED, **ALERTS}.items()}


def run(*words: str) -> str:
    """The output of a program that must end well."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_promtool_takes_the_rules(promtool: str) -> None:
    assert "FAILED" not in run(promtool, "check", "rules", *map(str, RULES))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.stem)
def test_an_alert_fires_and_clears(promtool: str, path: Path) -> None:
    run(promtool, "test", "rules", str(path))


@pytest.mark.parametrize("alert", ALERTS)
def test_each_alert_is_proved_to_fire_and_then_to_clear(alert: str) -> None:
    (path,) = [path for path in TESTS if path.stem == alert]
    moments = [each["alert_rule_test"] for each in yaml.safe_load(path.read_text())["tests"]]
    assert {moment["alertname"] for test in moments for moment in test} == {alert}
    fires = [[bool(moment.get("exp_alerts")) for moment in test] for test in moments]
    assert any(True in test and test[-1] is False for test in fires)
    assert any(test[0] is False for test in fires) or len(fires) > 1
    told = [alert["exp_annotations"] for test in moments for moment in test for alert in moment.get("exp_alerts", [])]
    assert all(each.keys() == {"summary", "description", "runbook_url"} for each in told)


def lines(**fields: Any) -> str:
    """A promtool test of the shipped rules, or of `rule_files`."""
    shipped = {"rule_files": [str(rule) for rule in RULES], "evaluation_interval": "1m"}
    return yaml.safe_dump({**shipped, **fields})


@pytest.mark.parametrize("alert", [name for name, rule in ALERTS.items() if "keep_firing_for" in rule])
def test_without_what_keeps_an_alert_firing_its_tests_fail(promtool: str, tmp_path: Path, alert: str) -> None:
    for path in RULES:
        rules = yaml.safe_load(path.read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                if rule.get("alert") == alert:
                    del rule["keep_firing_for"]
        (tmp_path / path.name).write_text(yaml.safe_dump(rules))
    (tests,) = [path for path in TESTS if path.stem == alert]
    told = yaml.safe_load(tests.read_text())
    (tmp_path / "tests.yaml").write_text(lines(**told | {"rule_files": [path.name for path in RULES]}))
    done = subprocess.run(
        [promtool, "test", "rules", str(tmp_path / "tests.yaml")],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 1, done.stdout
    assert f"alertname: {alert}" in done.stdout + done.stderr


def fleet(*workers: tuple[float, int, int]) -> list[dict[str, str]]:
    """Series of workers: (useful replicas, its limit, the contract)."""
    names = ("skustream_useful_replicas", "skustream_limiter_limit_requests", "skustream_limiter_contract_requests")
    return [
        {"series": _named(name, {"instance": f"{number}:9464", **({"stage": "upscale"} if "useful" in name else {})}),
         "values": f"{value}x10"}
        for number, worker in enumerate(workers)
        for name, value in zip(names, worker, strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("workers", "replicas"),
    [
        ([(0, 15, 60)], 1),
        ([(0.2, 15, 60), (0.1, 15, 60)], 1),
        ([(0.9, 15, 60), (1.2, 15, 60)], 3),
        ([(4, 15, 60), (4, 15, 60)], 4),
        ([(1, 60, 60)], 1),
        ([(5, 2, 10)] * 3, 5),
    ],
)
def test_useful_replicas_are_the_smaller_one_of_lag_and_contract(
    promtool: str, tmp_path: Path, workers: list[tuple[float, int, int]], replicas: int
) -> None:
    recorded_as = "job:skustream_useful_replicas:sum"
    told = {"labels": f'{recorded_as}{{namespace="shop", job="skustream"}}', "value": replicas}
    asked = [{"expr": recorded_as, "eval_time": "5m", "exp_samples": [told]}]
    test = {"interval": "1m", "input_series": fleet(*workers), "promql_expr_test": asked}
    (tmp_path / "tests.yaml").write_text(lines(tests=[test]))
    run(promtool, "test", "rules", str(tmp_path / "tests.yaml"))


def test_there_are_tests_of_no_other_alert() -> None:
    assert {path.stem for path in TESTS} == ALERTS.keys()


def test_a_worker_that_has_just_begun_wakes_nobody(promtool: str, tmp_path: Path) -> None:
    """Every series that the real recorder shows at its start, for two hours: no traffic, and no failure yet."""
    shown = series(PrometheusRecorder(KNOWN, SystemClock()))
    given = [{"series": _named("up", {}), "values": f"1x{MINUTES}"}]
    for (name, labels), value in shown.items():
        values = " ".join(["NaN"] * MINUTES) if math.isnan(value) else f"{value!r}+0x{MINUTES}"
        given.append({"series": _named(name, dict(labels)), "values": values})
    asked = [{"eval_time": f"{at}m", "alertname": alert} for alert in ALERTS for at in (1, 30, MINUTES - 5)]
    lags = [
        {"series": _named("skustream_lag_records", {"stage": stage, "topic": topic, "partition": "0"}),
         "values": f"0x{MINUTES}"}
        for stage, topic in KNOWN.inputs
    ]  # fmt: skip
    test: dict[str, Any] = {"interval": "1m", "input_series": given + lags, "alert_rule_test": asked}
    path = tmp_path / "fresh.yaml"
    path.write_text(lines(tests=[test]))
    run(promtool, "test", "rules", str(path))


def _named(name: str, labels: dict[str, str]) -> str:
    own = {"namespace": "shop", "job": "skustream", "instance": "a:9464", **labels}
    inside = ", ".join(f'{label}="{value}"' for label, value in own.items())
    return f"{name}{{{inside}}}"


@pytest.mark.parametrize("rule", EXPRESSIONS)
def test_what_a_rule_reads_is_in_the_catalogue(rule: str) -> None:
    expr = EXPRESSIONS[rule]
    labels = set(SCRAPED)
    for selector in selectors(expr):
        if selector.name == "up":
            continue
        metric = SHOWN[selector.name]
        sources = dict(metric.labels)
        labels |= sources.keys()
        for label, operator, value in selector.asked:
            if label == "le":
                assert float(value) in metric.buckets
            elif label != "topic":  # named by the deployment's prefix
                words = set(value.split("|")) if "~" in operator else {value}
                assert words <= set(KNOWN.values[sources[label]]), f"{label}: {words}"
    assert recorded(expr) <= RECORDED.keys()
    if recorded(expr):
        labels |= {"stage"}
    assert matched(expr) <= labels


def test_failures_are_the_letters_that_are_not_the_senders_fault() -> None:
    ours = {reason.value for reason, card in CARDS.items() if card.fault is not Fault.SENDER}
    for name, rule in RECORDED.items():
        if name.startswith("stage:skustream_events_failed:"):
            (selector,) = [each for each in selectors(rule["expr"]) if each.name == "skustream_dead_letters_total"]
            assert set(selector.asked[0][2].split("|")) == ours


def test_whatever_pauses_intake_has_an_alert() -> None:
    alerts = [selector for rule in ALERTS.values() for selector in selectors(rule["expr"])]
    told = [each.asked[0][2] for each in alerts if each.name == "skustream_intake_paused" and each.asked]
    assert {word for words in told for word in words.split("|")} == set(Resource)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_how_bad_what_and_where_to_read_on(alert: str) -> None:
    rule = ALERTS[alert]
    assert re.fullmatch(r"Skustream([A-Z][a-z]+)+", alert)
    assert rule["labels"].keys() == {"severity"}
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    assert rule["annotations"]["runbook_url"] == f"docs/runbook/{alert}.md"
    assert (RUNBOOK / f"{alert}.md").exists()
    kept = set(re.findall(r"\$labels\.(\w+)", str(rule["annotations"])))
    possible = matched(rule["expr"]) | SCRAPED | {"stage"}
    assert kept <= possible
