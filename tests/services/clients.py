"""Plain Kafka clients for tests: topics, transactional producers, group members, and the auditor who reads it all.

Only what tests count with; the runtime has its own broker door.
"""

import logging
import time
from collections.abc import Iterable, Mapping
from typing import Protocol

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic

from tests.services.waiting import until

# A refused connection is what a test with kills asks for; librdkafka need not print it.
_silence = logging.getLogger("tests.services.clients")
_silence.addHandler(logging.NullHandler())
_silence.propagate = False
_PATIENCE_SECONDS = 90.0
_JUST_RESTARTED = frozenset(
    {KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError.FENCED_LEADER_EPOCH, KafkaError.NOT_LEADER_FOR_PARTITION}
    | {KafkaError.LEADER_NOT_AVAILABLE, KafkaError.OFFSET_NOT_AVAILABLE}
)
"""What a broker says for a moment after its restart, to a client that remembers it from before."""


class Kafka(Protocol):
    """What both clusters of `tests.services.kafka` offer."""

    bootstrap_servers: str

    def admin(self) -> AdminClient:
        """The cluster's admin client."""


def create_topic(kafka: Kafka, name: str, *, partitions: int = 1, settings: Mapping[str, str] | None = None) -> str:
    """Create a topic, replicated as the cluster replicates by default, and return its name."""
    topic = NewTopic(name, num_partitions=partitions, replication_factor=-1, config=dict(settings or {}))
    kafka.admin().create_topics([topic], operation_timeout=_PATIENCE_SECONDS)[name].result(_PATIENCE_SECONDS)
    return name


def alter_topic(kafka: Kafka, name: str, settings: Mapping[str, str | None]) -> None:
    """Set configurations of a topic; None takes one back to the cluster's default."""
    entries = [
        ConfigEntry(
            key, value, incremental_operation=AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
        )
        for key, value in settings.items()
    ]
    resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=entries)
    for answer in kafka.admin().incremental_alter_configs([resource]).values():
        answer.result(_PATIENCE_SECONDS)


def transactional_producer(kafka: Kafka, transactional_id: str, *, timeout_ms: int = 10_000) -> Producer:
    """Return a producer that owns `transactional_id`: whoever had it is fenced, its open transaction aborted."""
    producer = Producer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "transactional.id": transactional_id,
            "transaction.timeout.ms": timeout_ms,
        },
        logger=_silence,
    )
    producer.init_transactions(_PATIENCE_SECONDS)
    return producer


def consumer(kafka: Kafka, group: str, **settings: str | int | bool) -> Consumer:
    """Return a consumer set up as our runtime's: cooperative, read committed, commits by hand.

    `settings` add to librdkafka's, underscores for dots.
    """
    defaults: dict[str, str | int | bool] = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "group.id": group,
        "isolation.level": "read_committed",
        "partition.assignment.strategy": "cooperative-sticky",
        "enable.auto.commit": False,
        "auto.offset.reset": "earliest",
        "session.timeout.ms": 6_000,
        "heartbeat.interval.ms": 500,
    }
    return Consumer(defaults | {name.replace("_", "."): value for name, value in settings.items()}, logger=_silence)


def join(member: Consumer, topic: str, *, partitions: int = 1) -> None:
    """Subscribe and poll until `partitions` partitions are assigned. Raises TimeoutError."""
    member.subscribe([topic])
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(member.assignment()) < partitions:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{partitions} partitions of {topic} were not assigned")
        member.poll(0.05)


def wait_decided(kafka: Kafka, topic: str) -> None:
    """Return once no transaction is open on `topic`. Raises TimeoutError.

    A commit is acknowledged before its markers are written: only now must every reader see what was committed.
    """
    numbers = kafka.admin().list_topics(topic, timeout=_PATIENCE_SECONDS).topics[topic].partitions
    until(lambda: _is_decided(kafka, topic, numbers), timeout_seconds=_PATIENCE_SECONDS,
          what=f"every transaction on {topic} decided")  # fmt: skip


def _is_decided(kafka: Kafka, topic: str, numbers: Iterable[int]) -> bool:
    try:
        committed = _ends(kafka, topic, numbers, IsolationLevel.READ_COMMITTED)
        return committed == _ends(kafka, topic, numbers, IsolationLevel.READ_UNCOMMITTED)
    except KafkaException as error:
        if error.args[0].code() not in _JUST_RESTARTED:
            raise
        return False


def _ends(kafka: Kafka, topic: str, numbers: Iterable[int], isolation: IsolationLevel) -> list[int]:
    asked = {TopicPartition(topic, number): OffsetSpec.latest() for number in sorted(numbers)}  # type: ignore[no-untyped-call]
    answers = kafka.admin().list_offsets(asked, isolation_level=isolation)
    return [answers[partition].result(_PATIENCE_SECONDS).offset for partition in asked]


def read_all(kafka: Kafka, topic: str, *, isolation: str = "read_committed") -> list[Message]:
    """Return every record of `topic` a reader of this isolation sees now, partition by partition. Joins no group."""
    auditor = consumer(kafka, f"auditor-of-{topic}", isolation_level=isolation, enable_partition_eof=True)
    try:
        numbers = auditor.list_topics(topic, timeout=_PATIENCE_SECONDS).topics[topic].partitions
        auditor.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in numbers])
        return _until_the_end(auditor, partitions=len(numbers))
    finally:
        auditor.close()


def _until_the_end(auditor: Consumer, *, partitions: int) -> list[Message]:
    records: list[Message] = []
    ended: set[int | None] = set()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while len(ended) < partitions:
        if time.monotonic() > deadline:
            raise TimeoutError(f"only {len(ended)} of {partitions} partitions could be read to their end")
        message = auditor.poll(0.1)
        if message is None:
            continue
        error = message.error()
        if error is None:
            records.append(message)
        elif error.code() == KafkaError._PARTITION_EOF:
            ended.add(message.partition())
        elif not error.retriable():
            raise KafkaException(error)
    return sorted(records, key=lambda record: (record.partition(), record.offset()))
