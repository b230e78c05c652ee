"""Bad input at the start, with the installed command against real parts: one line, what to look at, the exit code."""

import secrets
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stream.broker.admin import create_topics
from stream.cli.front import Exit
from stream.pipeline import default_pipeline
from stream.topics import Topics
from tests.composed.worker import WorkerProcess, surroundings
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.relay import relay
from tests.services.s3 import S3Server
from tests.services.swift import Order, exit_codes
from tests.services.waiting import free_ports, until

pytestmark = [pytest.mark.kafka]

SECRETS = {"PIXELAPI_KEY": "pk_never_told", "AWS_SECRET_ACCESS_KEY": S3Server.secret_key}
WRONG_SECRETS = ("a-wrong-password", "a-wrong-secret-key")
BESIDE = 6
"""Commands at a time: most of their life they wait."""
LIMIT_SECONDS = 100
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Case:
    """A start that must fail: the words typed, what is changed, the exit code, and what the last lines must name."""

    words: str
    changed: Mapping[str, str | None]
    code: Exit
    told: tuple[str, ...]
    lines: int = field(default=1)


STORE = ("SKUSTREAM_STORE", "AWS_*")
SERVERS = ("unavailable (broker)", "Connection refused", "KAFKA_BOOTSTRAP_SERVERS")
PASSWORD = ("unavailable (broker)", "does not let", "SKUSTREAM_KAFKA_SASL_PASSWORD")
WRONG, AWAY = Exit.MISCONFIGURED, Exit.UNAVAILABLE
CASES = {
    "a name that is no setting": Case("run", {"SKUSTREAM_STOER": "x"}, WRONG, ("did you mean SKUSTREAM_STORE?",)),
    "a wrong value": Case("run", {"SKUSTREAM_QUOTA_SHARE": "2"}, WRONG, ("SKUSTREAM_QUOTA_SHARE", "'2'", "1")),
    "nothing set": Case(
        "run", {"KAFKA_BOOTSTRAP_SERVERS": None, "SKUSTREAM_STORE": None, "PIXELAPI_KEY": None}, WRONG,
        ("KAFKA_BOOTSTRAP_SERVERS is not set", "SKUSTREAM_STORE is not set", "PIXELAPI_KEY is not set"), lines=3,
    ),
    "no such pipeline file": Case("run", {"SKUSTREAM_PIPELINE": "/none.yaml"}, WRONG, ("/none.yaml", "No such file")),
    "a port that is taken": Case("run", {"SKUSTREAM_HTTP_PORT": "{busy}"}, WRONG, ("SKUSTREAM_HTTP_PORT={busy}",)),
    "an option that Kafka's client does not know": Case(
        "run", {"SKUSTREAM_KAFKA_NO_SUCH": "1"}, WRONG, ("no.such", "SKUSTREAM_KAFKA_*")
    ),
    "topics that are missing": Case(
        "run", {"SKUSTREAM_TOPIC_PREFIX": "nobody"}, WRONG, ("nobody.raw", "skustream topics create", "waited 1 s")
    ),
    "no Kafka there": Case(
        "run", {"KAFKA_BOOTSTRAP_SERVERS": "{nobody}"}, AWAY,
        (*SERVERS, "waited 1 s", "SKUSTREAM_START_WAIT_SECONDS"),
    ),
    "a wrong password": Case("run", {"KAFKA_BOOTSTRAP_SERVERS": "{guarded}"}, AWAY, PASSWORD),
    "no store there": Case("run", {"AWS_ENDPOINT_URL": "http://{nobody}"}, AWAY, ("unavailable (store)", *STORE)),
    "no such bucket": Case(
        "run", {"SKUSTREAM_STORE": "s3://nobodys-bucket/shop"}, AWAY, ("bucket does not exist: create it", *STORE)
    ),
    "keys that the store refuses": Case(
        "run", {"AWS_SECRET_ACCESS_KEY": "a-wrong-secret-key"}, AWAY, ("access refused", "check the keys", *STORE)
    ),
    "status, no Kafka there": Case("status --batch b", {"KAFKA_BOOTSTRAP_SERVERS": "{nobody}"}, AWAY, SERVERS),
    "submit, a wrong password": Case(
        "submit {catalog} --batch b", {"KAFKA_BOOTSTRAP_SERVERS": "{guarded}"}, AWAY, PASSWORD
    ),
    "dlq, a Kafka that says nothing": Case(
        "dlq list", {"KAFKA_BOOTSTRAP_SERVERS": "{mute}"}, AWAY, ("unavailable (broker)", "KAFKA_BOOTSTRAP_SERVERS")
    ),
    "console, no such bucket": Case(
        "console --port 0", {"SKUSTREAM_STORE": "s3://nobodys-bucket/shop"}, AWAY, ("bucket does not exist", *STORE)
    ),
    "console, topics that are missing": Case(
        "console --port 0", {"SKUSTREAM_TOPIC_PREFIX": "nobody"}, WRONG, ("nobody.raw", "skustream topics create")
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    output: str
    told: list[str]
    """What its last lines must name."""


class Surroundings:
    """Kafka and a store that are in order, and places where they are not."""

    def __init__(self, folder: Path, guarded: KafkaCluster, s3: S3Server, prefix: str) -> None:
        self._folder = folder
        wrong = guarded.identities().options("worker", "a-wrong-password")
        self._wrong_password = {
            f"SKUSTREAM_KAFKA_{name.upper().replace('.', '_')}": str(value) for name, value in wrong.items()
        }
        servers = guarded.bootstrap_servers
        topics = Topics(prefix)
        plans = topics.plans(default_pipeline().topics_between(topics))
        create_topics({"bootstrap.servers": servers}, plans, partitions=1, replication_factor=1)
        self.sound = {
            **SECRETS, "KAFKA_BOOTSTRAP_SERVERS": servers, "SKUSTREAM_TOPIC_PREFIX": prefix,
            "SKUSTREAM_STORE": f"s3://{s3.create_bucket(f'{prefix}-bucket')}/shop", "AWS_ENDPOINT_URL": s3.endpoint_url,
            "AWS_ACCESS_KEY_ID": s3.access_key, "AWS_REGION": s3.region, "SKUSTREAM_HTTP_PORT": "0",
            "SKUSTREAM_LOG_FORMAT": "json", "SKUSTREAM_START_WAIT_SECONDS": "1", "SKUSTREAM_IMAGE_THREADS": "1",
        }  # fmt: skip
        (folder / "catalog.csv").write_text("sku_id,raw_url\nA,https://shop.example/a.jpg\n")
        self.places = {
            "nobody": f"127.0.0.1:{free_ports(1)[0]}", "guarded": guarded.guarded_servers,
            "catalog": str(folder / "catalog.csv"),
        }  # fmt: skip

    def order(self, case: Case) -> Order:
        """What is typed, and around it."""
        changed = {name: None if value is None else self.put(value) for name, value in case.changed.items()}
        extra = self._wrong_password if case.told is PASSWORD else {}
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        settings = {**self.sound, "SKUSTREAM_SPOOL_DIR": str(folder / "spool"), **extra, **changed}
        environment = surroundings() | {name: value for name, value in settings.items() if value is not None}
        return Order(self.put(case.words).split(), environment, str(folder / "log"))

    def put(self, text: str) -> str:
        """With the places in it."""
        return text.format(**self.places)


@contextmanager
def listener() -> Iterator[str]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield str(server.getsockname()[1])


@pytest.fixture(scope="module")
def ends(guarded_kafka: KafkaCluster, s3: S3Server, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:
    """Every case's end; they wait beside each other."""
    around = Surroundings(tmp_path_factory.mktemp("starts"), guarded_kafka, s3, f"bad-{secrets.token_hex(4)}")
    with listener() as busy:
        around.places |= {"busy": busy, "mute": f"127.0.0.1:{busy}"}
        orders = [around.order(case) for case in CASES.values()]
        codes = exit_codes(orders, beside=BESIDE, limit_seconds=LIMIT_SECONDS)
    return {
        name: Ended(code, Path(order.log).read_text(), [around.put(word) for word in CASES[name].told])
        for name, code, order in zip(CASES, codes, orders, strict=True)
    }


@pytest.mark.parametrize("name", CASES)
def test_a_bad_start_is_told_in_its_last_line_with_a_way_out(ends: dict[str, Ended], name: str) -> None:
    case, end = CASES[name], ends[name]
    last = end.output.splitlines()[-case.lines :]
    assert end.code == case.code, end.output
    assert all(line.startswith("skustream: ") for line in last), end.output
    assert [word for word in end.told if word not in "\n".join(last)] == [], end.output
    assert "Traceback" not in end.output
    assert [secret for secret in (*SECRETS.values(), *WRONG_SECRETS) if secret in end.output] == []


def test_a_late_kafka_is_waited_for_and_readyz_says_so(
    kafka: KafkaCluster | ExistingKafka, prefix: str, tmp_path: Path
) -> None:
    topics = Topics(prefix)
    servers = {"bootstrap.servers": kafka.bootstrap_servers}
    create_topics(servers, topics.plans(default_pipeline().topics_between(topics)), partitions=1, replication_factor=1)
    (port,) = free_ports(1)
    settings = {
        **SECRETS, "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{port}", "SKUSTREAM_TOPIC_PREFIX": prefix,
        "AWS_ACCESS_KEY_ID": "a", "SKUSTREAM_STORE": (tmp_path / "store").as_uri(), "SKUSTREAM_IMAGE_THREADS": "1",
        "SKUSTREAM_START_WAIT_SECONDS": str(PATIENCE_SECONDS), "SKUSTREAM_QUOTA_STARTS_CLOSED": "false",
        "PIXELAPI_BASE": "http://127.0.0.1:1/v1",
    }  # fmt: skip
    worker = WorkerProcess("late", tmp_path, settings, ["thumbnails"])

    def waits() -> bool:
        return any(reason.startswith("waiting at the start for Kafka") for reason in worker.reasons())

    worker.start()
    until(waits, timeout_seconds=60, what="it says that it waits")
    assert worker.ailments() == []
    assert worker.stop() == Exit.OK, worker.last_words()
    worker.start()
    until(waits, timeout_seconds=60, what="it waits again")
    with relay(port, kafka.bootstrap_servers.split(",")[0]):
        worker.wait_ready()
        assert worker.stop() == Exit.OK
    assert {each["setting"] for each in worker.said("waiting")} == {"SKUSTREAM_START_WAIT_SECONDS"}
