"""Bounded reading and publishing on a real Kafka: where a scan ends, what it reads twice (nothing), what is counted."""

import itertools

import pytest

from stream.broker.port import OutRecord, Partition
from stream.broker.publishing import publish
from stream.broker.scan import Scanner
from stream.core.errors import Misconfigured, Unavailable
from tests.services.clients import create_topic, read_all, transactional_producer, wait_decided
from tests.services.kafka import ExistingKafka, KafkaCluster
from tests.services.waiting import free_ports

pytestmark = pytest.mark.kafka
Kafka = KafkaCluster | ExistingKafka


@pytest.fixture
def topic(kafka: Kafka, prefix: str) -> str:
    return create_topic(kafka, f"{prefix}.scanned", partitions=2)


def client(kafka: Kafka) -> dict[str, str]:
    return {"bootstrap.servers": kafka.bootstrap_servers}


def records(topic: str, count: int, *, begin: int = 0) -> list[OutRecord]:
    return [OutRecord(topic, key=b"%d" % number, value=b"%d" % number) for number in range(begin, begin + count)]


def read(scanner: Scanner) -> list[int]:
    return sorted(int(record.value or b"") for batch in scanner.read() for record in batch)


def test_each_read_ends_and_only_what_is_new_is_read_again(kafka: Kafka, topic: str) -> None:
    assert publish(client(kafka), records(topic, 100)).acknowledged == 100
    with Scanner(client(kafka)) as scanner:
        scanner.begin({partition: span.low for partition, span in scanner.spans([topic, "nowhere"]).items()})
        seen: list[tuple[int, int]] = []
        assert sorted(int(r.value or b"") for b in scanner.read(lambda *at: seen.append(at)) for r in b) == list(
            range(100)
        )
        assert seen[-1] == (100, 100)
        assert read(scanner) == []
        publish(client(kafka), records(topic, 5, begin=100))
        assert read(scanner) == [100, 101, 102, 103, 104]


def test_it_ends_before_an_open_transaction_and_passes_markers_and_aborted_records(kafka: Kafka, topic: str) -> None:
    producer = transactional_producer(kafka, f"{topic}-writer")
    with Scanner(client(kafka)) as scanner:
        scanner.begin(dict.fromkeys(scanner.spans([topic]), 0))
        producer.begin_transaction()
        for record in records(topic, 10):
            producer.produce(record.topic, record.value, key=record.key)
        assert producer.flush(30) == 0
        assert read(scanner) == []
        producer.commit_transaction(30)
        wait_decided(kafka, topic)
        assert read(scanner) == list(range(10))
        producer.begin_transaction()
        producer.produce(topic, b"99", key=b"99")
        assert producer.flush(30) == 0
        producer.abort_transaction(30)
        wait_decided(kafka, topic)
        assert read(scanner) == []


def test_a_time_is_found_and_one_after_the_last_record_is_the_end(kafka: Kafka, topic: str) -> None:
    publish(client(kafka), records(topic, 10))
    with Scanner(client(kafka)) as scanner:
        spans = scanner.spans([topic])
        assert scanner.since(spans, 0) == dict.fromkeys(spans, 0)
        assert scanner.since(spans, 4_000_000_000_000) == {partition: span.high for partition, span in spans.items()}
        assert sum(span.high for span in spans.values()) == 10


def test_told_to_stop_it_counts_exactly_what_is_in_the_topic(kafka: Kafka, topic: str) -> None:
    asked = itertools.count()
    done = publish(client(kafka), records(topic, 50_000), told_to_stop=lambda: next(asked) > 20_000)
    assert done.interrupted
    assert done.failures == {}
    assert done.acknowledged == len(read_all(kafka, topic)) < 50_000


def test_nobody_there_and_wrong_options_are_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stream.broker.scan.TIMEOUT_SECONDS", 0.3)
    (port,) = free_ports(1)
    with Scanner({"bootstrap.servers": f"127.0.0.1:{port}"}) as scanner, pytest.raises(Unavailable):
        scanner.spans(["any"])
    with pytest.raises(Misconfigured):
        Scanner({"bootstrap.servers": "a:1", "fetch.wait.max.ms": "soon"})
    with pytest.raises(Misconfigured):
        publish({"bootstrap.servers": "a:1", "no.such.option": "1"}, [])


def test_a_topic_that_vanished_ends_the_reading(kafka: Kafka, topic: str) -> None:
    with Scanner(client(kafka)) as scanner:
        scanner.begin({Partition(f"{topic}-never", 0): 0})
        assert read(scanner) == []
