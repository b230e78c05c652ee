"""What the runtime rests on, shown on Kafka itself with the pinned client: transactions, commit metadata, fencing.

A change of client or broker that breaks an assumption fails here, by name, and not in the worker.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from tests.services.clients import Kafka, consumer, create_topic, join, read_all, transactional_producer, wait_decided

pytestmark = pytest.mark.kafka
SECONDS = 30.0
LARGEST_METADATA = 4095


@pytest.fixture
def topic(kafka: Kafka, prefix: str) -> str:
    return create_topic(kafka, prefix)


@pytest.fixture
def producer(kafka: Kafka, prefix: str) -> Producer:
    return transactional_producer(kafka, prefix)


@pytest.fixture
def member(kafka: Kafka, prefix: str, topic: str) -> Iterator[Consumer]:
    """A member of group `prefix` that owns the topic's only partition."""
    opened = consumer(kafka, prefix)
    join(opened, topic)
    yield opened
    opened.close()


def _refusal(call: Callable[[], object]) -> KafkaError:
    with pytest.raises(KafkaException) as refused:
        call()
    error = refused.value.args[0]
    assert isinstance(error, KafkaError)
    return error


def _is_abortable(error: KafkaError) -> bool:
    return error.txn_requires_abort() and not error.fatal() and not error.retriable()


def _is_fatal(error: KafkaError) -> bool:
    return error.fatal() and not error.txn_requires_abort() and not error.retriable()


def _send(producer: Producer, offset: TopicPartition, whose: Any) -> None:
    producer.send_offsets_to_transaction([offset], whose, SECONDS)


def _committed(member: Consumer, topic: str, timeout_seconds: float = SECONDS) -> tuple[int, str | None]:
    answer = member.committed([TopicPartition(topic, 0)], timeout_seconds)[0]
    return answer.offset, answer.metadata


def _values(kafka: Kafka, topic: str, isolation: str = "read_committed") -> list[bytes | None]:
    return [record.value() for record in read_all(kafka, topic, isolation=isolation)]


def test_outputs_and_offsets_appear_with_the_commit_and_never_after_an_abort(
    kafka: Kafka, topic: str, producer: Producer, member: Consumer
) -> None:
    producer.begin_transaction()
    producer.produce(topic, b"kept")
    _send(producer, TopicPartition(topic, 0, 1), member.consumer_group_metadata())
    producer.flush(SECONDS)
    assert (_values(kafka, topic), _values(kafka, topic, "read_uncommitted")) == ([], [b"kept"])
    producer.commit_transaction(SECONDS)
    wait_decided(kafka, topic)
    assert (_values(kafka, topic), _committed(member, topic)) == ([b"kept"], (1, None))

    producer.begin_transaction()
    producer.produce(topic, b"dropped")
    _send(producer, TopicPartition(topic, 0, 2), member.consumer_group_metadata())
    producer.flush(SECONDS)
    producer.abort_transaction(SECONDS)
    wait_decided(kafka, topic)
    assert (_values(kafka, topic), _committed(member, topic)) == ([b"kept"], (1, None))


def test_commit_metadata_comes_back_up_to_4095_characters(topic: str, producer: Producer, member: Consumer) -> None:
    """The default `offset.metadata.max.bytes` is 4096: UTF-16 units are counted, and 4096 of them are refused."""
    producer.begin_transaction()
    largest = "m" * LARGEST_METADATA
    _send(producer, TopicPartition(topic, 0, 1, metadata=largest), member.consumer_group_metadata())
    producer.commit_transaction(SECONDS)
    assert _committed(member, topic) == (1, largest)


def test_larger_metadata_is_refused_and_only_an_abort_leads_on(
    topic: str, producer: Producer, member: Consumer
) -> None:
    producer.begin_transaction()
    too_large = TopicPartition(topic, 0, 1, metadata="m" * (LARGEST_METADATA + 1))
    refusal = _refusal(lambda: _send(producer, too_large, member.consumer_group_metadata()))
    assert (refusal.code(), _is_abortable(refusal)) == (KafkaError.OFFSET_METADATA_TOO_LARGE, True)
    repeated = _refusal(lambda: producer.commit_transaction(SECONDS))
    assert (repeated.code(), _is_abortable(repeated)) == (KafkaError.OFFSET_METADATA_TOO_LARGE, True)
    producer.abort_transaction(SECONDS)

    producer.begin_transaction()
    _send(producer, TopicPartition(topic, 0, 1, metadata="m"), member.consumer_group_metadata())
    producer.commit_transaction(SECONDS)
    assert _committed(member, topic) == (1, "m")


@pytest.mark.parametrize(("end", "decided"), [("commit_transaction", (7, "new")), ("abort_transaction", (3, "old"))])
def test_a_pending_commit_keeps_the_reader_waiting_until_it_is_decided(
    topic: str, producer: Producer, member: Consumer, end: str, decided: tuple[int, str]
) -> None:
    """`committed()` under read_committed asks for stable offsets: it waits its whole timeout, then `_TIMED_OUT`."""
    member.commit(offsets=[TopicPartition(topic, 0, 3, metadata="old")], asynchronous=False)
    producer.begin_transaction()
    _send(producer, TopicPartition(topic, 0, 7, metadata="new"), member.consumer_group_metadata())
    undecided = _refusal(lambda: _committed(member, topic, timeout_seconds=0.5))
    assert undecided.code() == KafkaError._TIMED_OUT
    assert (undecided.retriable(), undecided.fatal(), undecided.txn_requires_abort()) == (False, False, False)
    getattr(producer, end)(SECONDS)
    assert _committed(member, topic) == decided


def test_a_read_uncommitted_reader_is_told_the_older_offset_at_once(
    kafka: Kafka, prefix: str, topic: str, producer: Producer, member: Consumer
) -> None:
    """The trap: with `isolation.level=read_uncommitted` nobody waits, and finished work would be done twice."""
    member.commit(offsets=[TopicPartition(topic, 0, 3)], asynchronous=False)
    producer.begin_transaction()
    _send(producer, TopicPartition(topic, 0, 7), member.consumer_group_metadata())
    careless = consumer(kafka, prefix, isolation_level="read_uncommitted")
    assert _committed(careless, topic)[0] == 3
    careless.close()
    producer.abort_transaction(SECONDS)


def test_offsets_of_an_old_generation_are_refused(
    kafka: Kafka, prefix: str, producer: Producer, member: Consumer, topic: str
) -> None:
    old = member.consumer_group_metadata()
    second_topic = create_topic(kafka, f"{prefix}-second")
    member.subscribe([topic, second_topic])
    while len(member.assignment()) < 2:
        member.poll(0.05)
    producer.begin_transaction()
    producer.produce(topic, b"zombie")
    refusal = _refusal(lambda: _send(producer, TopicPartition(topic, 0, 1), old))
    assert (refusal.code(), _is_abortable(refusal)) == (KafkaError.ILLEGAL_GENERATION, True)
    producer.abort_transaction(SECONDS)

    producer.begin_transaction()
    producer.produce(topic, b"owner")
    _send(producer, TopicPartition(topic, 0, 1), member.consumer_group_metadata())
    producer.commit_transaction(SECONDS)
    wait_decided(kafka, topic)
    assert _values(kafka, topic) == [b"owner"]


def test_offsets_of_a_member_that_left_are_refused(kafka: Kafka, prefix: str, producer: Producer, topic: str) -> None:
    gone = consumer(kafka, prefix)
    join(gone, topic)
    whose = gone.consumer_group_metadata()
    gone.close()
    producer.begin_transaction()
    refusal = _refusal(lambda: _send(producer, TopicPartition(topic, 0, 1), whose))
    assert (refusal.code(), _is_abortable(refusal)) == (KafkaError.UNKNOWN_MEMBER_ID, True)
    producer.abort_transaction(SECONDS)


def test_offsets_of_a_consumer_that_never_joined_are_not_refused(
    kafka: Kafka, prefix: str, producer: Producer, member: Consumer, topic: str
) -> None:
    """The hole: without a generation Kafka checks nothing, even while the group has members. Join before you commit."""
    stranger = consumer(kafka, prefix)
    producer.begin_transaction()
    _send(producer, TopicPartition(topic, 0, 5), stranger.consumer_group_metadata())
    producer.commit_transaction(SECONDS)
    stranger.close()
    assert _committed(member, topic)[0] == 5


def test_a_commit_after_the_transaction_timed_out_is_fatal_and_a_new_producer_goes_on(
    kafka: Kafka, prefix: str, topic: str, member: Consumer
) -> None:
    late = transactional_producer(kafka, prefix, timeout_ms=3_000)
    late.begin_transaction()
    late.produce(topic, b"late")
    _send(late, TopicPartition(topic, 0, 1), member.consumer_group_metadata())
    late.flush(SECONDS)
    assert _committed(member, topic)[0] < 0  # returns when the broker has aborted: nothing was ever committed
    for call in (late.commit_transaction, late.abort_transaction, late.begin_transaction, late.init_transactions):
        refusal = _refusal(call)
        assert (refusal.code(), _is_fatal(refusal)) == (KafkaError._FENCED, True)

    next_one = transactional_producer(kafka, prefix)
    next_one.begin_transaction()
    next_one.produce(topic, b"in time")
    next_one.commit_transaction(SECONDS)
    wait_decided(kafka, topic)
    assert _values(kafka, topic) == [b"in time"]


def test_the_next_owner_of_a_transactional_id_ends_the_open_transaction_at_once(
    kafka: Kafka, prefix: str, topic: str, producer: Producer, member: Consumer
) -> None:
    producer.begin_transaction()
    producer.produce(topic, b"zombie")
    _send(producer, TopicPartition(topic, 0, 9), member.consumer_group_metadata())
    producer.flush(SECONDS)
    transactional_producer(kafka, prefix)
    assert _committed(member, topic)[0] < 0
    refusal = _refusal(lambda: producer.commit_transaction(SECONDS))
    assert (refusal.code(), _is_fatal(refusal)) == (KafkaError._FENCED, True)
    wait_decided(kafka, topic)
    assert _values(kafka, topic) == []


def test_committed_and_incremental_assign_work_inside_the_cooperative_callback(
    kafka: Kafka, prefix: str, topic: str, producer: Producer
) -> None:
    producer.begin_transaction()
    for value in (b"zero", b"one", b"two"):
        producer.produce(topic, value)
    producer.commit_transaction(SECONDS)
    member = consumer(kafka, prefix)
    member.commit(offsets=[TopicPartition(topic, 0, 1, metadata="gaps")], asynchronous=False)
    seen: list[TopicPartition] = []

    def on_assign(owner: Consumer, assigned: list[TopicPartition]) -> None:
        stored = owner.committed(assigned, SECONDS)
        seen.extend(stored)
        owner.incremental_assign([TopicPartition(one.topic, one.partition, one.offset + 1) for one in stored])

    member.subscribe([topic], on_assign=on_assign)
    message = None
    while message is None:
        message = member.poll(0.1)
    member.close()
    assert [(one.offset, one.metadata) for one in seen] == [(1, "gaps")]
    assert (message.offset(), message.value()) == (2, b"two")
