"""Rights on a real Kafka with TLS, SCRAM and access lists: what is not allowed is named, with the command that helps.

Whoever may not see a topic is told so: to a client it looks as if there were none, and a batch as if it had no ends.
"""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from stream.assembly import open_worker
from stream.broker.admin import Done, check_topics, count_brokers, create_topics
from stream.broker.port import OutRecord
from stream.broker.publishing import publish
from stream.broker.rights import check_rights
from stream.broker.rules import Level
from stream.broker.scan import Scanner
from stream.broker.transactions import Refused, Transactions
from stream.core.errors import Misconfigured, StreamError, Unavailable
from stream.pipeline import default_pipeline
from stream.roles import Grant, Kind, Role, grants
from stream.settings import Settings
from stream.topics import Topics
from tests.services.acls import allow, forbid
from tests.services.clients import transactional_producer
from tests.services.identities import KEY_PASSWORD, USERS
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.waiting import free_ports

pytestmark = pytest.mark.kafka

MAP = default_pipeline()
TOPICS = Topics(f"rights{secrets.token_hex(5)}")
BETWEEN = MAP.topics_between(TOPICS)
EVERY_ROLE = list(Role)
Give = Callable[..., None]


@pytest.fixture(scope="module")
def guarded(guarded_kafka: KafkaCluster) -> KafkaCluster:
    """With the topics of a pipeline, and nobody may do anything with them."""
    inner = {"bootstrap.servers": guarded_kafka.bootstrap_servers}
    create_topics(inner, TOPICS.plans(BETWEEN), partitions=1, replication_factor=1)
    return guarded_kafka


@pytest.fixture
def give(guarded: KafkaCluster) -> Iterator[Give]:
    """Rights for the user `poor`, taken again after the test."""
    given: list[Grant] = []

    def some(*wanted: Grant) -> None:
        given.extend(wanted)
        allow(guarded, "poor", wanted)

    yield some
    if given:
        forbid(guarded, "poor", given)


def topic(name: str, *operations: str) -> Grant:
    return Grant(Kind.TOPIC, name, operations)


def one_line(error: StreamError) -> str:
    """What a person sees; no password is in it."""
    text = str(error)
    assert "\n" not in text
    assert not any(password in text for password in (*USERS.values(), KEY_PASSWORD, "wr0ng"))
    return text


class TestAsked:
    @pytest.mark.parametrize("role", EVERY_ROLE)
    def test_without_rights_each_one_is_named_with_its_command(self, guarded: KafkaCluster, role: Role) -> None:
        wanted = grants(role, TOPICS, MAP)
        found = check_rights(guarded.guarded("nobody"), wanted, timeout_seconds=20)
        assert [(each.level, each.topic, each.way_out) for each in found] == [
            (Level.ERROR, grant.name, grant.command("User:nobody")) for grant in wanted
        ]

    @pytest.mark.parametrize("role", EVERY_ROLE)
    def test_with_the_roles_own_rights_none_is_missing(self, guarded: KafkaCluster, give: Give, role: Role) -> None:
        give(*grants(role, TOPICS, MAP))
        assert check_rights(guarded.guarded("poor"), grants(role, TOPICS, MAP), timeout_seconds=20) == []

    def test_each_kind_of_right_that_is_taken_away_is_missed(self, guarded: KafkaCluster, give: Give) -> None:
        between = BETWEEN[0]
        kinds = [
            topic(between, "Read"),
            topic(between, "Write"),
            topic(TOPICS.raw, "DescribeConfigs"),
            Grant(Kind.GROUP, TOPICS.group("upscale"), ("Read",)),
            Grant(Kind.TRANSACTIONAL_ID, f"{TOPICS.group('upscale')}.", ("Write",), is_prefix=True),
            Grant(Kind.TRANSACTIONAL_ID, TOPICS.operator, ("Write",)),
        ]
        give(topic(TOPICS.raw, "Read"), *kinds)
        for taken in kinds:
            forbid(guarded, "poor", [taken])
            found = check_rights(guarded.guarded("poor"), kinds, timeout_seconds=20)
            assert [(each.topic, each.way_out) for each in found] == [(taken.name, taken.command("User:poor"))]
            allow(guarded, "poor", [taken])

    def test_topics_that_may_not_be_seen_are_not_told_as_missing(self, guarded: KafkaCluster, give: Give) -> None:
        give(topic(TOPICS.raw, "Describe", "DescribeConfigs"), topic(TOPICS.completed, "Describe"))
        found = {
            each.topic: each.message
            for each in check_topics(guarded.guarded("poor"), TOPICS, BETWEEN)
            if each.level is Level.ERROR
        }
        assert found.pop(TOPICS.completed).startswith("its configuration cannot be read: ")
        assert set(found.values()) == {"this user may not see whether it exists"}
        assert found.keys() == {plan.name for plan in TOPICS.plans(BETWEEN)} - {TOPICS.raw, TOPICS.completed}

    def test_asking_about_an_id_takes_it_from_nobody(self, guarded: KafkaCluster, give: Give) -> None:
        operator = Grant(Kind.TRANSACTIONAL_ID, TOPICS.operator, ("Write",))
        give(operator)
        owner = transactional_producer(guarded, TOPICS.operator, timeout_ms=120_000)
        owner.begin_transaction()
        owner.produce(TOPICS.completed, b"a record")
        assert check_rights(guarded.guarded("poor"), [operator], timeout_seconds=20) == []
        owner.commit_transaction(20)

    def test_a_broker_without_access_lists_is_told_as_such(
        self, kafka: KafkaCluster | ExistingKafka, prefix: str
    ) -> None:
        client, topics = {"bootstrap.servers": kafka.bootstrap_servers}, Topics(prefix)
        create_topics(client, topics.plans(MAP.topics_between(topics)), partitions=1, replication_factor=1)
        (finding,) = check_rights(client, grants(Role.WORKER, topics, MAP), timeout_seconds=20)
        assert finding.level is Level.INFO
        assert "the broker checks no rights" in finding.message


class TestRefused:
    """What commands and workers end with: one line that names the right, and who it is that lacks it."""

    def test_to_see_a_topic(self, guarded: KafkaCluster) -> None:
        with Scanner(guarded.guarded("nobody")) as scanner, pytest.raises(Unavailable) as refused:
            scanner.spans([TOPICS.completed])
        assert one_line(refused.value) == (
            f"Kafka does not allow User:nobody Describe on the topic {TOPICS.completed}; an administrator types: "
            f"kafka-acls.sh --add --allow-principal User:nobody --operation Describe --topic {TOPICS.completed}"
        )

    def test_to_read_it(self, guarded: KafkaCluster, give: Give) -> None:
        inner = {"bootstrap.servers": guarded.bootstrap_servers}
        assert publish(inner, [OutRecord(TOPICS.completed, b"k", b"v")]).acknowledged == 1
        give(topic(TOPICS.completed, "Describe"))
        with Scanner(guarded.guarded("poor")) as scanner:
            scanner.begin({place: span.low for place, span in scanner.spans([TOPICS.completed]).items()})
            with pytest.raises(Unavailable) as refused:
                list(scanner.read())
        assert f"Read on the topic {TOPICS.completed}" in one_line(refused.value)

    def test_to_publish(self, guarded: KafkaCluster, give: Give) -> None:
        give(topic(TOPICS.raw, "Describe"), topic(TOPICS.backfill, "Write"))
        done = publish(guarded.guarded("poor"), [OutRecord(name, b"k", b"v") for name in (TOPICS.raw, TOPICS.backfill)])
        assert done.acknowledged == 1
        (told,) = done.failures
        assert told.endswith(topic(TOPICS.raw, "Write").command("User:poor"))

    def test_to_create_topics(self, guarded: KafkaCluster, give: Give, prefix: str) -> None:
        topics = Topics(prefix)
        plans = topics.plans(MAP.topics_between(topics))
        give(*(topic(plan.name, "Create", "Describe", "DescribeConfigs") for plan in plans[1:]))
        made = create_topics(guarded.guarded("poor"), plans, partitions=1, replication_factor=1)
        assert [each.done for each in made] == [Done.REFUSED, *(Done.CREATED for _ in plans[1:])]
        assert made[0].detail.endswith(topic(topics.raw, "Create").command("User:poor"))

    def test_to_put_letters_back(self, guarded: KafkaCluster, give: Give) -> None:
        operator = Grant(Kind.TRANSACTIONAL_ID, TOPICS.operator, ("Write",))
        with pytest.raises(Unavailable) as refused:
            Transactions(guarded.guarded("poor"), TOPICS.operator).begin()
        assert one_line(refused.value).endswith(operator.command("User:poor"))
        give(operator, topic(TOPICS.retry("now"), "Write"))
        mine = Transactions(guarded.guarded("poor"), TOPICS.operator)
        mine.begin()
        with pytest.raises(Refused) as unwritten:
            mine.write([[OutRecord(TOPICS.retry("now"), b"k", b"v"), OutRecord(TOPICS.replays, b"k", b"v")]])
        assert one_line(unwritten.value).endswith(topic(TOPICS.replays, "Write").command("User:poor"))

    async def test_to_work(self, guarded: KafkaCluster, give: Give, tmp_path: Path) -> None:
        """A worker does not start with less than it needs; without a stage's id, not that stage."""
        with pytest.raises(Unavailable) as refused:
            await start(settings_of(guarded, "nobody", tmp_path))
        assert f"Read on the topic {TOPICS.raw}, and " in one_line(refused.value)
        wanted = grants(Role.WORKER, TOPICS, MAP, ["upscale"])
        (own_id,) = (each for each in wanted if each.kind is Kind.TRANSACTIONAL_ID)
        give(*(each for each in wanted if each is not own_id))
        with pytest.raises(Unavailable) as refused:
            await start(settings_of(guarded, "poor", tmp_path), "upscale")
        assert one_line(refused.value).endswith(own_id.command("User:poor"))
        give(own_id)
        await start(settings_of(guarded, "poor", tmp_path), "upscale")
        with pytest.raises(Unavailable) as refused:
            await start(settings_of(guarded, "poor", tmp_path), "upscale", "lifestyle")
        assert f"Read on the topic {TOPICS.asset('upscaled')}, and 1 more (" in one_line(refused.value)


async def start(settings: Settings, *stages: str) -> None:
    async with open_worker(settings, stages) as worker:
        await worker.process.stop()


def settings_of(kafka: KafkaCluster, user: str, folder: Path) -> Settings:
    return Settings(
        kafka_bootstrap_servers=kafka.guarded_servers, kafka=kafka.identities().options(user),
        topic_prefix=TOPICS.prefix, store=folder.as_uri(), pixelapi_key=SecretStr("pk_test"), pixelapi_base="http://127.0.0.1:9/v1",
        http_port=0, spool_dir=folder / "spool",
    )  # fmt: skip


class TestDoor:
    """Password, authority and protocol: what is wrong is said at once, with the settings to look at."""

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"sasl.password": "wr0ng-password"}, ["User:worker", "Authentication failed", "KAFKA_SASL_PASSWORD"]),
            ({"sasl.username": "who"}, ["User:who", "Authentication failed", "KAFKA_SASL_USERNAME"]),
            ({"sasl.mechanism": "PLAIN"}, ["Unsupported SASL mechanism", "SCRAM-SHA-512", "KAFKA_SASL_MECHANISM"]),
            ({"ssl.ca.location": "STRANGER"}, ["certificate verify failed", "SKUSTREAM_KAFKA_SSL_CA_LOCATION"]),
            ({"bootstrap.servers": "INNER"}, ["PLAINTEXT broker listener", "SKUSTREAM_KAFKA_SECURITY_PROTOCOL"]),
        ],
    )
    def test_what_is_wrong_is_told(self, guarded: KafkaCluster, options: dict[str, str], words: list[str]) -> None:
        places = {"STRANGER": str(guarded.identities().stranger_ca), "INNER": guarded.bootstrap_servers}
        client = {**guarded.guarded("worker"), **{name: places.get(text, text) for name, text in options.items()}}
        with pytest.raises(Unavailable) as refused:
            count_brokers(client, timeout_seconds=20)
        told = one_line(refused.value)
        assert [word for word in words if word not in told] == []

    async def test_a_worker_ends_with_the_same_line(self, guarded: KafkaCluster, tmp_path: Path) -> None:
        settings = settings_of(guarded, "worker", tmp_path)
        wrong = settings.model_copy(update={"kafka": {**settings.kafka, "sasl.password": "wr0ng-password"}})
        with pytest.raises(Unavailable) as refused:
            await start(wrong)
        assert "SKUSTREAM_KAFKA_SASL_PASSWORD" in one_line(refused.value)

    @pytest.mark.parametrize("place", ["nobody", "TLS"])
    def test_silence_is_not_a_wrong_password(self, guarded: KafkaCluster, place: str) -> None:
        """To a client without TLS, a port with it is silent."""
        servers = f"127.0.0.1:{free_ports(1)[0]}" if place == "nobody" else guarded.guarded_servers
        with pytest.raises(Unavailable) as refused:
            count_brokers({"bootstrap.servers": servers}, timeout_seconds=1)
        assert one_line(refused.value).startswith("Kafka does not answer: ")
        assert "KAFKA_BOOTSTRAP_SERVERS, SKUSTREAM_KAFKA_SECURITY_PROTOCOL" in one_line(refused.value)

    def test_a_client_certificate_needs_its_keys_password(self, guarded: KafkaCluster) -> None:
        identities = guarded.identities()
        client: dict[str, Any] = guarded.guarded("worker") | {
            "ssl.certificate.location": str(identities.client_certificate),
            "ssl.key.location": str(identities.client_key),
        }
        assert count_brokers({**client, "ssl.key.password": KEY_PASSWORD}, timeout_seconds=20) == 1
        with pytest.raises(Misconfigured) as refused:
            count_brokers({**client, "ssl.key.password": "wr0ng"}, timeout_seconds=20)
        assert "SKUSTREAM_KAFKA_SSL_KEY_PASSWORD" in one_line(refused.value)
        with pytest.raises(Misconfigured, match=r"ssl\.ca\.location"):
            count_brokers({**client, "ssl.ca.location": "/no/such/ca.pem"}, timeout_seconds=20)
