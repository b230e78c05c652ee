"""Compose, the image, the chart, Prometheus, Grafana and the code name the same settings, ports, topics and metrics.

What a file names is looked for in its text: a template's branch, a comment's command and a board's query count, too.
"""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from stream.metrics.catalogue import CATALOGUE, Kind
from stream.pipeline import default_pipeline
from stream.settings import Settings
from stream.settings.kafka_options import ENVIRONMENT_PREFIX
from stream.settings.reading import CONFIG, environment_names
from stream.topics import Topics
from tests.conftest import _demand
from tests.deploy.rendered import COMPOSE_FILE, DOCKERFILE, ROOT, Service, image, services
from tests.helm.rendered import FULL, MINIMAL, Chart, containers, of_kind, pods
from tests.oncall.rules import ALERTS, RECORDED
from tests.services.helm import find_helm

CHART = ROOT / "helm/skustream"
NAMES = {name for field in Settings.model_fields for name in environment_names(field)} | {CONFIG}
HTTP, CONSOLE = (Settings.model_fields[name].default for name in ("http_port", "console_port"))


@pytest.fixture(scope="module")
def model() -> dict[str, Service]:
    return _demand(services)


@pytest.fixture(scope="module")
def chart() -> Chart:
    return Chart(_demand(find_helm))


def files(*places: Path) -> list[Path]:
    """The files of these places, without what nobody wrote."""
    return [file for place in places for file in (sorted(place.rglob("*")) if place.is_dir() else [place]) if
            file.is_file() and file.suffix in {"", ".json", ".md", ".tpl", ".txt", ".yaml", ".yml"}]  # fmt: skip


def words(pattern: str, of: Iterable[Path]) -> dict[str, str]:
    """Each match → a file that has it."""
    return {word: file.name for file in of for word in re.findall(pattern, file.read_text())}


def test_every_variable_that_is_named_is_a_setting() -> None:
    found = words(r"\b(?:SKUSTREAM|PIXELAPI)_[A-Z0-9_]+\b", files(
        COMPOSE_FILE, DOCKERFILE, ROOT / ".env.example", ROOT / "deploy", CHART / "templates", CHART / "values.yaml"
    ))  # fmt: skip
    assert len(found) > 15
    unknown = {
        name: file for name, file in found.items() if name not in NAMES and not name.startswith(ENVIRONMENT_PREFIX)
    }
    assert unknown == {}


def test_ports_are_the_settings_own(model: dict[str, Service], chart: Chart) -> None:
    def published(name: str) -> list[int]:
        return [port["target"] for port in model[name]["ports"]]

    assert (published("worker"), published("console")) == ([HTTP], [CONSOLE])
    (exposed,) = re.findall(r"^EXPOSE (.*)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert exposed.split() == [str(HTTP), str(CONSOLE)]
    found = pods(chart.objects(MINIMAL, "console.enabled=true", "console.token.existingSecret=console"))
    for name, port in {"shop-skustream": HTTP, "shop-skustream-console": CONSOLE}.items():
        assert [each["containerPort"] for one in containers(found[name]) for each in one["ports"]] == [port]


def loaded(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text())


def test_who_watches_asks_where_something_answers(model: dict[str, Service]) -> None:
    """Prometheus, Alertmanager and Grafana: addresses are services, ports are those they publish."""
    prometheus = loaded("deploy/prometheus/prometheus.yml")
    targets = [
        target
        for place in (prometheus["scrape_configs"], prometheus["alerting"]["alertmanagers"])
        for one in place for each in one["static_configs"] for target in each["targets"]
    ]  # fmt: skip
    targets += [urlsplit(one["url"]).netloc for one in loaded(
        "deploy/grafana/provisioning/datasources/prometheus.yaml"
    )["datasources"]]  # fmt: skip
    assert sorted(targets) == ["alertmanager:9093", "prometheus:9090", f"worker:{HTTP}"]
    for target in targets:
        name, _, port = target.partition(":")
        assert [each["target"] for each in model[name]["ports"]] == [int(port)]
    listened = {word for name in ("prometheus", "alertmanager") for word in model[name]["command"]}
    assert {"--web.listen-address=:9090", "--web.listen-address=:9093"} <= listened


def test_what_is_mounted_is_there_and_is_looked_for_there(model: dict[str, Service]) -> None:
    mounted = {
        volume["target"]: Path(volume["source"])
        for service in model.values() for volume in service.get("volumes", []) if volume["type"] == "bind"
    }  # fmt: skip
    assert [source for source in mounted.values() if not source.exists()] == []
    (provider,) = loaded("deploy/grafana/provisioning/dashboards/skustream.yaml")["providers"]
    assert list(mounted[provider["options"]["path"]].glob("*.json"))
    assert mounted["/etc/grafana/provisioning"] == ROOT / "deploy/grafana/provisioning"
    for name in ("prometheus", "alertmanager"):
        (file,) = [word.partition("=")[2] for word in model[name]["command"] if word.startswith("--config.file=")]
        assert mounted[file] == ROOT / f"deploy/{name}/{name}.yml"


def test_topics_are_made_by_the_same_command(model: dict[str, Service], chart: Chart) -> None:
    """What it makes is compared with `Topics` where it runs: test_compose_runs, helm/test_runs."""
    (script,) = model["init"]["command"]
    made = [part.split()[1:3] for part in script.split(" && ")]
    (job,) = of_kind(chart.objects(MINIMAL, "topics.enabled=true"), "Job")
    assert [one["args"][:2] for one in containers(job["spec"]["template"])] == made
    assert made == [["topics", "create"], ["topics", "check"]]
    assert image().entrypoint == ("skustream",)


def test_every_topic_that_is_named_is_one() -> None:
    topics = Topics()
    pipeline = default_pipeline()
    known = {plan.name for plan in topics.plans(pipeline.topics_between(topics))}
    known |= {topics.group(stage.name) for stage in pipeline.stages} | {topics.operator}
    named = words(rf"\b{topics.prefix}\.[a-z0-9.-]*[a-z0-9]\b", files(COMPOSE_FILE, ROOT / "deploy", CHART))
    assert {name: file for name, file in named.items() if name not in known} == {}


def test_every_metric_that_is_named_is_in_the_catalogue() -> None:
    """In rules, boards, the autoscaler's question and the runbook; what rules record is theirs."""
    known = {
        name
        for metric in CATALOGUE
        for name in [metric.name, *(f"{metric.name}_{part}" for part in ("bucket", "sum", "count"))]
        if name == metric.name or metric.kind is Kind.HISTOGRAM
    }
    places = files(ROOT / "deploy", CHART, ROOT / "docs/runbook")
    recorded = words(r"\b[a-z_]+:[a-z_]+:\w+\b", [one for one in places if one.suffix != ".md"])
    assert {name: file for name, file in recorded.items() if ":skustream_" in name and name not in RECORDED} == {}
    named = words(r"(?<![\w:])skustream_[a-z_]*[a-z](?![\w:])", places)
    assert len(named) > 15
    assert {name: file for name, file in named.items() if name not in known} == {}


def test_every_alert_that_alertmanager_knows_is_one() -> None:
    named = words(r"\bSkustream\w+", files(ROOT / "deploy/alertmanager"))
    assert named
    assert named.keys() <= ALERTS.keys()


def test_the_fullest_release_scrapes_the_port_that_answers(chart: Chart) -> None:
    (monitor,) = of_kind(chart.objects(FULL), "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert (endpoint["port"], endpoint.get("path", "/metrics")) == ("http", "/metrics")
