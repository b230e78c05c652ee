"""The services of `docker-compose.yml` at work: commands, environments, health checks and order, counted from outside.

What needs a Docker daemon (building the image, the network between containers) is not run; the README says so.
"""

import hashlib
import http.client
import json
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stream.pipeline import default_pipeline
from stream.topics import Topics
from tests.composed.watcher import Ended, Watcher
from tests.conftest import _demand
from tests.deploy.changed import kafka_properties
from tests.deploy.rendered import image, services
from tests.deploy.stack import Stack
from tests.oncall.rules import ALERTS, RECORDED
from tests.services.clients import Kafka
from tests.services.kafka import ExistingKafka
from tests.services.prometheus import ask
from tests.services.waiting import until

SAMPLE = ["BAG-701-TAN", "BTL-001-AMBER", "SHO-501-COBALT", "WAT-702-NAVY"]
PARTITIONS = 6


@dataclass(frozen=True, slots=True)
class Running:
    """A stack that is up, and what its topics say."""

    stack: Stack
    kafka: Kafka
    watcher: Watcher

    def wait_ended(self, count: int) -> Ended:
        """Return once `count` events have ended."""
        until(lambda: len(self.watcher.look()) >= count, timeout_seconds=180, what=f"{count} ends")
        return self.watcher.look(1.0)

    def jobs(self) -> list[dict[str, Any]]:
        """What was bought, by the simulated provider's own books."""
        address = f"http://127.0.0.1:{self.stack.ports['simulator']}/_sim/ledger"
        with urllib.request.urlopen(address, timeout=10) as answer:
            found: list[dict[str, Any]] = json.load(answer)["jobs"]
        return found

    def standing(self) -> dict[str, Any]:
        """What the second command of the README tells."""
        code, told = self.stack.execute("worker", "skustream", "status", "--batch", "sample", "--json")
        assert code == 0, told
        found = json.loads(told)
        return {name: found[name] for name in ("total", "success", "failed", "in_progress", "credits")}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Running]:
    """`docker compose up`, once for this file. Topics are read through the port that is published on this machine."""
    stack = Stack(_demand(services), image(), wheel, tmp_path_factory.mktemp("stack"))
    try:
        _demand(stack.up)
        kafka = ExistingKafka(f"127.0.0.1:{stack.ports['outside']}")
        topics = Topics()
        watcher = Watcher(kafka, [topics.completed, topics.dead_letter], partitions=PARTITIONS)
        yield Running(stack, kafka, watcher)
        watcher.close()
    finally:
        stack.close()


def test_the_rule_of_the_image_for_kafkas_settings() -> None:
    given = {"KAFKA_A_B": "1", "KAFKA_A__B": "2", "KAFKA_A___B": "3", "KAFKA_HEAP_OPTS": "-Xmx1g", "CLUSTER_ID": "x"}
    assert kafka_properties(given) == {"a.b": "1", "a_b": "2", "a-b": "3"}


def test_the_sample_catalog_ends_in_full_and_its_pictures_open_in_a_browser(running: Running) -> None:
    ended = running.wait_ended(len(SAMPLE) + 1)
    assert sorted((record["sku_id"], record["status"]) for record in ended.completed[: len(SAMPLE)]) == [
        (sku, "completed") for sku in SAMPLE
    ]
    assert [letter["skustream.reason"] for letter in ended.letters] == ["source-missing"]
    for record in ended.completed:
        assert len(record["assets"]) == 20
        for asset in record["assets"].values():
            assert hashlib.sha256(opened(running.stack.here(asset["url"]))).hexdigest() == asset["sha256"]
    assert len(running.jobs()) == 3 * len(SAMPLE)
    assert running.standing() == {"total": 5, "success": 4, "failed": 1, "in_progress": 0, "credits": "280"}
    assert_submitted_again_it_buys_nothing(running)


def assert_submitted_again_it_buys_nothing(running: Running) -> None:
    assert running.stack.again("catalog")[0] == 0
    ended = running.wait_ended(2 * (len(SAMPLE) + 1))
    assert sorted(record["sku_id"] for record in ended.completed) == sorted(2 * SAMPLE)
    assert len(running.jobs()) == 3 * len(SAMPLE)


def opened(url: str) -> bytes:
    """What a browser gets: no key, no signature."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
        content: bytes = answer.read()
        assert answer.headers["Content-Type"].startswith("image/")
    return content


@pytest.mark.parametrize(("method", "path"), [("PUT", "/assets/shop/mine.txt"), ("GET", "/assets/?list-type=2")])
def test_nobody_can_write_or_list_without_a_key(method: str, path: str, running: Running) -> None:
    browser = http.client.HTTPConnection("127.0.0.1", running.stack.ports["s3"], timeout=10)
    browser.request(method, path, body=b"x")
    assert browser.getresponse().status == 403
    browser.close()


def test_topics_are_created_once_and_judged_sound(running: Running) -> None:
    topics = Topics()
    plans = topics.plans(default_pipeline().topics_between(topics))
    wanted = {plan.name: 1 if plan.is_read_whole else PARTITIONS for plan in plans}
    seen = running.kafka.admin().list_topics(timeout=10).topics
    assert {name: len(seen[name].partitions) for name in seen if not name.startswith("__")} == wanted
    code, told = running.stack.again("init")
    assert code == 0
    assert "created" not in told
    assert told.count("one copy of each record") == len(wanted)


def test_the_wheel_runs_where_it_cannot_write(running: Running) -> None:
    """Everything that was written lies in the volumes and in /tmp, as a read-only root demands."""
    root = running.stack.folder / "root"
    assert list(root.iterdir()) == []
    assert [path for path in running.stack.installed.rglob("*") if path.suffix == ".pyc"] == []


def test_prometheus_scrapes_the_worker_judges_the_shipped_rules_and_knows_alertmanager(running: Running) -> None:
    prometheus = f"127.0.0.1:{running.stack.ports['prometheus']}"

    def scraped() -> bool:
        targets = ask(prometheus, "/api/v1/targets?state=active")["activeTargets"]
        return [(each["labels"], each["health"]) for each in targets] == [
            ({"job": "skustream", "namespace": "compose", "instance": running.stack.here("worker:9464")}, "up")
        ]

    until(scraped, timeout_seconds=150, what="the worker is a target and up")
    rules = [rule for group in ask(prometheus, "/api/v1/rules")["groups"] for rule in group["rules"]]
    assert {rule["name"] for rule in rules} == ALERTS.keys() | RECORDED.keys()
    rings = running.stack.here("http://alertmanager:9093/api/v2/alerts")
    until(
        lambda: ask(prometheus, "/api/v1/alertmanagers")["activeAlertmanagers"] == [{"url": rings}],
        timeout_seconds=150, what="Alertmanager is known",
    )  # fmt: skip


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_the_console_opens_on_this_machine_and_asks_who_comes(name: str, running: Running) -> None:
    port = running.stack.ports["console"]
    assert [visited(port, path, f"{name}:{port}") for path in ("/login", "/batches")] == [200, 401]
    assert visited(port, "/login", "example.com") == 403


def visited(port: int, path: str, host: str) -> int:
    """How a browser without a session is answered."""
    browser = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    browser.request("GET", path, headers={"Host": host})
    status = browser.getresponse().status
    browser.close()
    return status


def test_a_worker_told_to_stop_ends_in_order_and_comes_back(running: Running) -> None:
    """At any moment of the sample's way: what it leaves running, the next one takes over."""
    assert running.stack.stop("worker") == 0, running.stack.said("worker")
    assert not running.stack.is_healthy("worker")
    running.stack.restart("worker")
