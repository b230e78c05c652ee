"""Rights on a real Kafka with access lists: what a worker may not do is named, with the command that allows it."""

from dataclasses import replace

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # re-exported, unmarked
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from stream.broker.admin import count_brokers, create_topics
from stream.broker.rights import Needs, check_rights
from stream.broker.rules import Level
from stream.core.errors import Unavailable
from stream.topics import TopicPlan
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.node import USERS
from tests.services.waiting import until

pytestmark = pytest.mark.kafka


def as_worker(kafka: KafkaCluster, password: str = USERS["worker"]) -> dict[str, str]:
    return {
        "bootstrap.servers": kafka.guarded_servers,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.username": "worker",
        "sasl.password": password,
    }


def allow(kafka: KafkaCluster, kind: ResourceType, name: str, *operations: AclOperation) -> None:
    lists = [
        AclBinding(kind, name, ResourcePatternType.LITERAL, "User:worker", "*", operation, AclPermissionType.ALLOW)
        for operation in operations
    ]
    for answer in kafka.admin().create_acls(lists).values():
        answer.result(20)


def needs_of(prefix: str) -> Needs:
    return Needs(
        reads=[f"{prefix}.raw"],
        writes=[f"{prefix}.done"],
        groups=[f"{prefix}.cut"],
        writes_in_transactions=True,
        id_prefix=f"{prefix}.",
    )


def make_topics(servers: str, needs: Needs) -> None:
    limits = {"cleanup.policy": "delete", "max.message.bytes": "1000"}
    plans = [TopicPlan(name, "a topic", limits) for name in (*needs.reads, *needs.writes)]
    create_topics({"bootstrap.servers": servers}, plans, partitions=1, replication_factor=1)


def test_what_is_not_allowed_is_named_with_the_command_that_allows_it(guarded_kafka: KafkaCluster, prefix: str) -> None:
    needs = needs_of(prefix)
    make_topics(guarded_kafka.bootstrap_servers, needs)
    client = as_worker(guarded_kafka)
    refused = [finding for finding in check_rights(client, needs, timeout_seconds=20) if finding.level is Level.ERROR]
    assert [(finding.topic, finding.message.split(" on ")[0]) for finding in refused] == [
        (f"{prefix}.done", "Write"), (f"{prefix}.raw", "Read"), (f"{prefix}.cut", "Read"),
    ]  # fmt: skip
    assert refused[1].way_out.endswith(f"--operation Read --topic {prefix}.raw")

    allow(guarded_kafka, ResourceType.TOPIC, f"{prefix}.raw", AclOperation.READ)
    allow(guarded_kafka, ResourceType.TOPIC, f"{prefix}.done", AclOperation.READ)  # the wrong one
    allow(guarded_kafka, ResourceType.GROUP, f"{prefix}.cut", AclOperation.READ)

    def left() -> list[tuple[Level, str]]:
        return [(each.level, each.topic) for each in check_rights(client, needs, timeout_seconds=20)]

    until(lambda: len(left()) == 2, timeout_seconds=20, what="the access lists at work")
    assert left() == [(Level.ERROR, f"{prefix}.done"), (Level.INFO, "rights")]
    allow(guarded_kafka, ResourceType.TOPIC, f"{prefix}.done", AclOperation.WRITE)
    until(lambda: left() == [(Level.INFO, "rights")], timeout_seconds=20, what="every right given")
    (untold,) = check_rights(client, needs, timeout_seconds=20)
    assert f"transactional ids ({prefix}.…)" in untold.message
    assert check_rights(client, replace(needs, writes_in_transactions=False), timeout_seconds=20) == []


def test_a_broker_without_access_lists_is_told_as_such(kafka: KafkaCluster | ExistingKafka, prefix: str) -> None:
    needs = needs_of(prefix)
    make_topics(kafka.bootstrap_servers, needs)
    (finding,) = check_rights({"bootstrap.servers": kafka.bootstrap_servers}, needs, timeout_seconds=20)
    assert finding.level is Level.INFO
    assert "the broker checks no rights" in finding.message


def test_a_wrong_password_is_told_in_the_brokers_words_and_without_the_password(guarded_kafka: KafkaCluster) -> None:
    with pytest.raises(Unavailable) as refused:
        count_brokers(as_worker(guarded_kafka, "wr0ng-password"), timeout_seconds=2)
    assert "Authentication failed" in str(refused.value)
    assert "wr0ng" not in str(refused.value)
    assert count_brokers(as_worker(guarded_kafka), timeout_seconds=20) == 1
