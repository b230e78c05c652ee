"""Rendered objects, by policy: rights, probes, endings, secrets; names agree with the code and with Compose."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from stream.cli.main import app
from stream.console.access import Mode, access_of
from stream.metrics.server import HealthServer
from stream.pipeline import load_pipeline
from stream.settings import Settings, load
from stream.settings.kafka_options import ENVIRONMENT_PREFIX
from stream.settings.reading import CONFIG, environment_names
from tests.conftest import _demand
from tests.deploy.rendered import services
from tests.helm.rendered import (
    FULL,
    MINIMAL,
    PROXY,
    SETS,
    STAGES,
    Chart,
    Object,
    config,
    containers,
    environment,
    mebibytes,
    of_kind,
    pods,
    worker,
)

every_set = pytest.mark.parametrize("values", SETS, ids=lambda path: path.stem)
NAMES = {name for field in Settings.model_fields for name in environment_names(field)} | {CONFIG}


@every_set
def test_nothing_runs_with_more_rights_than_it_needs(chart: Chart, values: Path) -> None:
    """The restricted profile of Kubernetes' pod security, and more: a read-only root, no token of the API."""
    for name, pod in pods(chart.objects(values)).items():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["enableServiceLinks"] is False, name
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        assert all(volume.keys() & {"configMap", "secret", "emptyDir"} for volume in spec["volumes"])
        for one in containers(pod):
            assert one["securityContext"] == {
                "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
            }  # fmt: skip
    for account in of_kind(chart.objects(values), "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@every_set
def test_memory_is_what_was_asked_for_and_cpu_has_no_limit(chart: Chart, values: Path) -> None:
    for pod in pods(chart.objects(values)).values():
        for one in containers(pod):
            assert one["resources"]["limits"] == {"memory": one["resources"]["requests"]["memory"]}
            assert "cpu" in one["resources"]["requests"]


@every_set
def test_why_a_container_ended_is_told_with_the_pod(chart: Chart, values: Path) -> None:
    """A crash loop must not hide the one line that names the setting."""
    for pod in pods(chart.objects(values)).values():
        assert all(one["terminationMessagePolicy"] == "FallbackToLogsOnError" for one in containers(pod))


@every_set
def test_only_bounded_volumes_can_be_written(chart: Chart, values: Path) -> None:
    for pod in pods(chart.objects(values)).values():
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        for one in containers(pod):
            for mount in one["volumeMounts"]:
                volume = volumes[mount["name"]]
                assert mount.get("readOnly", False) == ("emptyDir" not in volume)
                assert mebibytes(volume.get("emptyDir", {}).get("sizeLimit", "1Mi")) > 0
            assert "/tmp" in {mount["mountPath"] for mount in one["volumeMounts"]}  # noqa: S108 - in the container
        assert {mount["name"] for one in containers(pod) for mount in one["volumeMounts"]} == volumes.keys()


@every_set
def test_every_name_in_the_environment_is_a_setting(chart: Chart, values: Path) -> None:
    for pod in pods(chart.objects(values)).values():
        for one in containers(pod):
            told = environment(one)
            assert len(told) == len(one["env"])
            assert {name for name in told if not name.startswith(ENVIRONMENT_PREFIX)} <= NAMES


@every_set
def test_every_command_is_one(chart: Chart, values: Path) -> None:
    for pod in pods(chart.objects(values)).values():
        for one in containers(pod):
            assert "command" not in one  # the image's entry point is `skustream`
            command: Any = get_command(app)
            words = list(one["args"])
            while getattr(command, "commands", None):
                command = command.commands[words.pop(0)]
            command.make_context("skustream", words, resilient_parsing=False)


def settings_of(container: Object, objects: list[Object], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings as the container reads them: its environment, its files, secrets made up."""
    for name in [name for name in os.environ if name in NAMES or name.startswith("SKUSTREAM_")]:
        monkeypatch.delenv(name)
    for one in of_kind(objects, "ConfigMap"):
        for file, text in one["data"].items():
            (folder / file).write_text(text.replace("/etc/skustream/", f"{folder}/"))
    (folder / "secret").write_text("a-made-up-secret-of-some-length")
    for name, value in environment(container).items():
        text = "made=up" if value.startswith("secret ") else value
        text = str(folder / "secret") if name.endswith("_FILE") else text
        monkeypatch.setenv(name, text.replace("/etc/skustream/", f"{folder}/"))
    return load({})


@every_set
def test_the_settings_are_taken_by_the_code(
    chart: Chart, values: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = chart.objects(values)
    for deployment in of_kind(objects, "Deployment"):
        (one,) = deployment["spec"]["template"]["spec"]["containers"]
        settings = settings_of(one, objects, tmp_path, monkeypatch)
        settings.need_store()
        settings.kafka_client()
        stages = [stage.name for stage in load_pipeline(settings.pipeline).stages]
        if one["name"] == "console":
            access = access_of(settings)
            assert settings.console_host == "0.0.0.0"
            assert access.mode is (Mode.PROXY if values == PROXY else Mode.TOKEN)
            assert settings.console_port == one["ports"][0]["containerPort"]
            assert settings.pixelapi_key is None
        else:
            settings.need_pixelapi_key()
            assert settings.quota_starts_closed
            assert settings.http_host == "0.0.0.0"
            assert settings.http_port == one["ports"][0]["containerPort"]
            assert {word.partition("=")[2] for word in one["args"][1:]} <= set(stages)
            assert (
                deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] >= settings.drain_seconds + 30
            )
            spool = next(
                volume for volume in deployment["spec"]["template"]["spec"]["volumes"] if volume["name"] == "spool"
            )
            assert mebibytes(spool["emptyDir"]["sizeLimit"]) * 1024**2 > settings.spool_bytes
            assert str(settings.spool_dir) in {mount["mountPath"] for mount in one["volumeMounts"]}


def test_values_of_every_kind_reach_the_settings_as_they_are(
    chart: Chart, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Helm's whole numbers are floats: 100000000 would be 1e+08 in YAML, which is text there."""
    objects = chart.objects(FULL)
    settings = settings_of(worker(objects, "catalog"), objects, tmp_path, monkeypatch)
    assert (settings.max_pixels, settings.max_download_bytes) == (100_000_000, 128 * 1024**2)
    assert settings.fetch_allow == ("photos.example.com",)
    assert settings.topic_prefix == "catalog"
    assert settings.kafka == {
        "security.protocol": "SASL_SSL", "sasl.mechanism": "SCRAM-SHA-512", "socket.keepalive.enable": "true",
        "sasl.username": "made=up", "sasl.password": "made=up", "ssl.ca.location": "/etc/skustream-kafka/ca.crt",
        "ssl.certificate.location": "/etc/skustream-kafka/tls.crt", "ssl.key.location": "/etc/skustream-kafka/tls.key",
        "ssl.key.password": "a-made-up-secret-of-some-length",
    }  # fmt: skip
    assert [stage.name for stage in load_pipeline(settings.pipeline).stages] == ["cut-out", "larger"]
    assert settings.aws_endpoint_url == "https://s3.example.com"
    assert settings.otlp_endpoint == "http://otel-collector:4318"
    assert settings.drain_seconds == 90


def test_text_from_values_stays_text(chart: Chart) -> None:
    """Names that look like numbers, and text with quotes, lines and templates in it."""
    hostile = '"\n{{ .Release.Name }}: \\ #é'
    objects = chart.objects(
        MINIMAL, 'pixelapi.existingSecret="123"', 'image.tag="1e3"', f"podAnnotations={json.dumps({'a': '1'})}",
        f"kafka.options={json.dumps({'client.id': hostile})}", 'store.existingSecret="0x1"', 'nameOverride="1"',
    )  # fmt: skip
    one = worker(objects, "shop-1")
    assert one["image"].endswith(":1e3")
    assert environment(one)["AWS_ACCESS_KEY_ID"] == "secret 0x1/access-key-id"
    assert config(objects, "shop-1")["kafka"] == {"client.id": hostile}


SECRET_PARTS = ("PASSWORD", "SECRET", "TOKEN", "ACCESS_KEY", "API_KEY", "USERNAME", "HEADERS")


@every_set
def test_secrets_are_named_and_never_there(chart: Chart, values: Path) -> None:
    objects = chart.objects(values)
    assert of_kind(objects, "Secret") == []
    secret = {
        "pixelapi_key", "aws_secret_access_key", "aws_session_token", "aws_access_key_id", "console_token",
        "otlp_headers",
    }  # fmt: skip
    for one in of_kind(objects, "ConfigMap"):
        assert not secret & yaml.safe_load(one["data"].get("settings.yaml", "{}")).keys()
    for pod in pods(objects).values():
        for one in containers(pod):
            for name, value in environment(one).items():
                if any(part in name for part in SECRET_PARTS):
                    assert value.startswith(("secret ", "/etc/skustream-")), name


def test_each_pod_is_given_the_secrets_it_needs_and_no_others(chart: Chart) -> None:
    found = pods(chart.objects(FULL))

    def secrets(name: str) -> set[str]:
        mounted = {
            volume["secret"]["secretName"] for volume in found[name]["spec"]["volumes"] if "secret" in volume
        }  # fmt: skip
        told = [environment(one).values() for one in containers(found[name])]
        return mounted | {
            value.split()[1].split("/")[0] for each in told for value in each if value.startswith("secret ")
        }

    assert secrets("catalog") == {"pixelapi", "kafka-user", "kafka-tls", "s3-keys", "collector"}
    assert secrets("catalog-console") == {"console", "kafka-user", "kafka-tls", "s3-keys"}
    assert secrets("catalog-topics") == {"kafka-user", "kafka-tls"}


def test_probes_ask_what_the_worker_answers(chart: Chart) -> None:
    code = Path(str(HealthServer.__init__.__code__.co_filename)).read_text()
    for values in (MINIMAL, STAGES):
        for name, pod in pods(chart.objects(values)).items():
            (one,) = containers(pod)
            asked = {probe: one[probe]["httpGet"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")}
            assert asked["readinessProbe"] == {"path": "/readyz", "port": "http"}, name
            assert asked["livenessProbe"] == asked["startupProbe"] == {"path": "/livez", "port": "http"}
            assert [port["name"] for port in one["ports"]] == ["http"]
            assert all(f'"{probe["path"]}"' in code for probe in asked.values())


def test_ports_and_probes_agree_with_compose(chart: Chart) -> None:
    compose = _demand(services)["worker"]
    one = worker(chart.objects(MINIMAL))
    (published,) = compose["ports"]
    assert one["ports"][0]["containerPort"] == published["target"] == Settings().http_port
    assert "/livez" in str(compose["healthcheck"]["test"])
    assert compose["stop_grace_period"] == "1m20s"
    assert pods(chart.objects(MINIMAL))["shop-skustream"]["spec"]["terminationGracePeriodSeconds"] == 80
    assert one["args"] == compose["command"] == ["run"]


def test_a_changed_setting_or_pipeline_changes_the_pods(chart: Chart) -> None:
    """Or the workers would go on with what they have read at their start."""

    def sum_of(*sets: str) -> str:
        found = pods(chart.objects(MINIMAL, *sets))["shop-skustream"]
        return str(found["metadata"]["annotations"]["checksum/config"])

    first = sum_of()
    pipeline = "stages: [{name: a, operation: remove-bg, needs: raw, makes: cut}]"
    others = [
        sum_of("settings.flood_letters=7"), sum_of("quota.requests=61"), sum_of(f"pipeline={json.dumps(pipeline)}"),
        sum_of(f"kafka.options={json.dumps({'client.id': 'x'})}"), sum_of("store.cdnBaseUrl=https://cdn.example.com"),
    ]  # fmt: skip
    assert len({first, *others}) == 6
    assert sum_of("podLabels.team=a") == first


@every_set
def test_what_selects_pods_selects_those_and_no_others(chart: Chart, values: Path) -> None:
    objects = chart.objects(values)
    labels = {name: pod["metadata"]["labels"] for name, pod in pods(objects).items()}

    def selected(wanted: dict[str, str]) -> set[str]:
        return {name for name, has in labels.items() if wanted.items() <= has.items()}

    for one in of_kind(objects, "Deployment"):
        assert selected(one["spec"]["selector"]["matchLabels"]) == {one["metadata"]["name"]}
        for spread in one["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
            assert spread["labelSelector"] == one["spec"]["selector"]
    workers = {one["metadata"]["name"] for one in of_kind(objects, "Deployment") if "spread" in json.dumps(one).lower()}
    for one in of_kind(objects, "PodDisruptionBudget"):
        assert one["spec"]["maxUnavailable"] == 1
        assert selected(one["spec"]["selector"]["matchLabels"]) == {one["metadata"]["name"]} <= workers
    assert len(of_kind(objects, "PodDisruptionBudget")) == len(workers) > 0
    for one in of_kind(objects, "Service"):
        assert selected(one["spec"]["selector"]) == {one["metadata"]["name"]}
    for one in of_kind(objects, "PodMonitor"):
        assert selected(one["spec"]["selector"]["matchLabels"]) == workers
        (endpoint,) = one["spec"]["podMetricsEndpoints"]
        assert endpoint == {"port": "http", "path": "/metrics", "interval": "15s" if values == FULL else "30s"}
        assert one["apiVersion"] == "monitoring.coreos.com/v1"
        assert one["spec"].keys() == {"selector", "podMetricsEndpoints"}
    for one in of_kind(objects, "NetworkPolicy"):
        assert selected(one["spec"]["podSelector"]["matchLabels"]) == labels.keys()


def test_flags_are_off_by_default(chart: Chart) -> None:
    kinds = sorted(one["kind"] for one in chart.objects(MINIMAL))
    assert kinds == ["ConfigMap", "Deployment", "PodDisruptionBudget", "ServiceAccount"]


def test_the_network_policy_opens_what_is_needed(chart: Chart) -> None:
    (one,) = of_kind(chart.objects(FULL), "NetworkPolicy")
    opened = [port["port"] for rule in one["spec"]["egress"] for port in rule["ports"]]
    assert opened == [53, 53, 9093, 443, 9000]
    assert [rule["ports"][0]["port"] for rule in one["spec"]["ingress"]] == [9500, 9474]
    (closed,) = of_kind(chart.objects(PROXY), "NetworkPolicy")
    assert [rule["ports"][0]["port"] for rule in closed["spec"]["ingress"]] == [9464]


def test_topics_are_made_before_anything_else_with_settings_of_their_own(chart: Chart) -> None:
    objects = chart.objects(FULL)
    hooks = [one for one in objects if "helm.sh/hook" in one["metadata"].get("annotations", {})]
    assert {one["kind"] for one in hooks} == {"ConfigMap", "Job"}
    weights = {one["kind"]: int(one["metadata"]["annotations"]["helm.sh/hook-weight"]) for one in hooks}
    assert weights["ConfigMap"] < weights["Job"]
    assert config(objects, "catalog-topics") == config(objects, "catalog")
    pod = pods(objects)["catalog-topics"]["spec"]
    assert "serviceAccountName" not in pod
    assert pod["initContainers"][0]["args"] == ["topics", "create", "--partitions=24", "--replication-factor=3"]
    assert pod["containers"][0]["args"] == ["topics", "check"]
    named = {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
    assert named == {"catalog-topics"}
    (alone,) = pods(chart.objects(PROXY))["shop-skustream-topics"]["spec"]["containers"]
    assert alone["args"] == ["topics", "create", "--partitions=12"]


def test_the_console_only_shows_unless_it_is_told_otherwise(chart: Chart) -> None:
    replaying = environment(containers(pods(chart.objects(FULL))["catalog-console"])[0])
    showing = environment(containers(pods(chart.objects(PROXY))["shop-skustream-console"])[0])
    assert replaying["SKUSTREAM_CONSOLE_ALLOW_REPLAY"] == "true"
    assert showing["SKUSTREAM_CONSOLE_ALLOW_REPLAY"] == "false"
    (one,) = [each for each in of_kind(chart.objects(PROXY), "Deployment") if "console" in each["metadata"]["name"]]
    assert (one["spec"]["replicas"], one["spec"]["strategy"]) == (1, {"type": "Recreate"})
