"""What Kafka keeps when brokers die or stand still: everything acknowledged, once. And how the client tells."""

import signal
from collections.abc import Iterator

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

from tests.services.clients import Kafka, create_topic, read_all, transactional_producer, wait_decided
from tests.services.kafka import KafkaCluster

pytestmark = pytest.mark.kafka
SECONDS = 60.0


def _leader(kafka: Kafka, topic: str) -> int:
    leader = kafka.admin().list_topics(topic, timeout=SECONDS).topics[topic].partitions[0].leader
    assert isinstance(leader, int)
    return leader


def _read(kafka: Kafka, topic: str) -> list[bytes]:
    wait_decided(kafka, topic)
    return sorted(value for record in read_all(kafka, topic) if (value := record.value()) is not None)


def _is_committed(producer: Producer) -> bool:
    """Commit, asking again while the answer is late. False: aborted instead. A fatal error is raised."""
    while True:
        try:
            producer.commit_transaction(SECONDS)
        except KafkaException as refused:
            error = refused.args[0]
            if error.txn_requires_abort():
                producer.abort_transaction(SECONDS)
                return False
            if not error.retriable():
                raise
        else:
            return True


def _commit_batches(producer: Producer, topic: str, batches: list[list[bytes]]) -> Iterator[int]:
    """Commit one batch per transaction, whatever it takes. Yields inside each transaction, half of it produced."""
    for number, batch in enumerate(batches):
        is_first_try = True
        while True:
            producer.begin_transaction()
            for at, value in enumerate(batch):
                producer.produce(topic, value)
                if is_first_try and at == len(batch) // 2:
                    producer.poll(0)
                    yield number
            if _is_committed(producer):
                break
            is_first_try = False


def test_a_killed_leader_loses_and_repeats_nothing(kafka3: KafkaCluster, prefix: str) -> None:
    topic = create_topic(kafka3, prefix, partitions=3)
    producer = transactional_producer(kafka3, prefix, timeout_ms=60_000)
    batches = [[b"%03d-%02d" % (number, at) for at in range(20)] for number in range(40)]
    for number in _commit_batches(producer, topic, batches):
        if number == 10:
            killed = _leader(kafka3, topic)
            kafka3.kill(killed)
        if number == 30:
            kafka3.restart(killed)
    assert _read(kafka3, topic) == [value for batch in batches for value in batch]


def test_a_killed_single_broker_keeps_what_readers_saw(breakable_kafka: KafkaCluster, prefix: str) -> None:
    """Saw, not only acknowledged.

    Killed between a commit's acknowledgement and its markers, a *single* broker can come back with the transaction
    open for good (Kafka 4.3.1, 4 of 14 kills): its coordinator loads before the broker counts as alive, finds no leader
    for the topic, and skips the markers as those of a deleted topic.
    """
    topic = create_topic(breakable_kafka, prefix)
    producer = transactional_producer(breakable_kafka, prefix)
    values = [b"%03d" % number for number in range(200)]
    for _ in _commit_batches(producer, topic, [values]):
        continue
    assert _read(breakable_kafka, topic) == values
    breakable_kafka.kill(1)
    breakable_kafka.restart(1)
    assert _read(breakable_kafka, topic) == values


def test_a_commit_whose_answer_is_late_is_asked_again(breakable_kafka: KafkaCluster, prefix: str) -> None:
    """`_TIMED_OUT` and retriable: the commit goes on by itself, nothing else may run, the next call joins it."""
    topic = create_topic(breakable_kafka, prefix)
    producer = transactional_producer(breakable_kafka, prefix, timeout_ms=60_000)
    producer.begin_transaction()
    producer.produce(topic, b"late")
    producer.flush(SECONDS)
    breakable_kafka.kill(1, signal.SIGSTOP)
    try:
        with pytest.raises(KafkaException) as late:
            producer.commit_transaction(0.5)
        with pytest.raises(KafkaException) as meanwhile:
            producer.abort_transaction(0.5)
    finally:
        breakable_kafka.kill(1, signal.SIGCONT)
    assert (late.value.args[0].code(), late.value.args[0].retriable()) == (KafkaError._TIMED_OUT, True)
    assert (meanwhile.value.args[0].code(), meanwhile.value.args[0].retriable()) == (KafkaError._CONFLICT, True)
    producer.commit_transaction(SECONDS)
    assert _read(breakable_kafka, topic) == [b"late"]
