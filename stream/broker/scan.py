"""Bounded reading: topics from given offsets to where they end now, without joining a group or committing anything.

Comes in: librdkafka options and start offsets. Goes out: batches of records; further calls read only what is new. One
thread owns a scanner, as it does any client.
"""

import contextlib
import logging
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from stream.broker.port import InRecord, Partition
from stream.broker.refusals import answered, misfit, not_allowed
from stream.broker.words import record_of
from stream.core.errors import Resource, Unavailable
from stream.roles import Grant, Kind

GROUP = "skustream-scan"
"""librdkafka wants a name; nobody ever joins it."""
TIMEOUT_SECONDS = 30.0
POLL_SECONDS = 0.2
BATCH_RECORDS = 2_000
_CHATTER = logging.getLogger("librdkafka")


@dataclass(frozen=True, slots=True)
class Span:
    """What a partition holds: `low` is its first offset still kept, `high` its end for readers of committed records."""

    low: int
    high: int


class Scanner:
    """A consumer that is told where to begin. Every method raises `Unavailable(broker)` when Kafka does not answer."""

    def __init__(self, client: Mapping[str, Any], *, batch_records: int = BATCH_RECORDS) -> None:
        """`client`: librdkafka options. Raises `Misconfigured` for those it refuses. Nothing is read yet."""
        ours = {
            "group.id": GROUP,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            # Only where retention took what was asked for between asking and reading.
            "auto.offset.reset": "earliest",
        }
        try:
            self._consumer = Consumer({"fetch.wait.max.ms": 50, **client, **ours}, logger=_CHATTER)
        except KafkaException as error:
            raise misfit(error) from None
        self._client = client
        self._batch_records = batch_records
        self._next: dict[Partition, int] = {}

    def spans(self, topics: Collection[str]) -> dict[Partition, Span]:
        """What the partitions of those topics hold that exist.

        A topic that this user may not see raises, too: taken for missing, its events would be taken for none.
        """
        known = self._asked(lambda seconds: self._consumer.list_topics(timeout=seconds)).topics
        for topic in topics:
            if topic not in known:
                self._look_for(topic)
        partitions = [
            Partition(topic, number) for topic in topics if topic in known for number in known[topic].partitions
        ]
        return {partition: self._span(partition) for partition in partitions}

    def since(self, spans: Mapping[Partition, Span], timestamp_ms: int) -> dict[Partition, int]:
        """Where each partition's records of this time or later begin; its beginning where nobody can tell."""
        found = self._offsets_at(spans, timestamp_ms)
        silent = {partition: span for partition, span in spans.items() if partition not in found}
        # "None so late" and "cannot tell" (librdkafka's own broker) sound alike; the latter knows no first one either.
        told = self._offsets_at(silent, 0) if silent else {}
        ends = {partition: span.high if partition in told else span.low for partition, span in silent.items()}
        return {**found, **ends}

    def knows_times(self, spans: Mapping[Partition, Span]) -> bool:
        """Whether `since` finds offsets by time there; librdkafka's own broker knows none, and all is read instead."""
        filled = {partition: span for partition, span in spans.items() if span.high > span.low}
        return not filled or bool(self._offsets_at(filled, 0))

    def begin(self, starts: Mapping[Partition, int]) -> None:
        """Read these partitions too, from these offsets on."""
        self._next |= starts
        parts = [TopicPartition(partition.topic, partition.number, offset) for partition, offset in starts.items()]
        if parts:
            self._consumer.incremental_assign(parts)

    def read(self, on_progress: Callable[[int, int], None] | None = None) -> Iterator[list[InRecord]]:
        """Every record between where the last call stopped and where the partitions end now.

        `on_progress` is told offsets passed and offsets in all.
        """
        spans = self.spans({partition.topic for partition in self._next})
        ends = {partition: spans[partition].high for partition in self._next if partition in spans}
        begun = {partition: self._next[partition] for partition in ends}
        total = sum(max(0, ends[partition] - offset) for partition, offset in begun.items())
        patience = time.monotonic() + TIMEOUT_SECONDS
        while any(self._next[partition] < end for partition, end in ends.items()):
            records = self._poll()
            if records:
                patience = time.monotonic() + TIMEOUT_SECONDS
                yield records
            elif time.monotonic() > patience:
                raise Unavailable(Resource.BROKER, f"Kafka sent nothing for {TIMEOUT_SECONDS:g} s")
            if on_progress is not None:
                passed = sum(min(self._next[partition], end) - begun[partition] for partition, end in ends.items())
                on_progress(max(0, passed), total)

    def close(self) -> None:
        """Let go; nothing is committed."""
        with contextlib.suppress(KafkaException, RuntimeError):
            self._consumer.close()

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Closed."""
        self.close()

    def _poll(self) -> list[InRecord]:
        """What has arrived; `consume(n, t)` alone would wait to fill n."""
        first = self._consumer.poll(POLL_SECONDS)
        if first is None:
            return []
        messages = [first, *self._consumer.consume(self._batch_records - 1, 0)]
        return [record for message in messages if (record := self._taken(message)) is not None]

    def _taken(self, message: Message) -> InRecord | None:
        read: Any = message
        error = read.error()
        if error is None:
            self._next[Partition(read.topic(), read.partition())] = read.offset() + 1
            return record_of(read)
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - the client's public name for it
            # Markers of transactions take offsets and are no records: only this news tells that they were passed.
            self._next[Partition(read.topic(), read.partition())] = read.offset()
        elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise not_allowed(self._client, Grant(Kind.TOPIC, read.topic(), ("Read",)))
        elif error.fatal():
            raise Unavailable(Resource.BROKER, f"Kafka refuses to be read: {error.str()}")
        return None

    def _look_for(self, topic: str) -> None:
        """Whether it is missing, or only hidden from this user."""
        seen = self._asked(lambda seconds: self._consumer.list_topics(topic, timeout=seconds)).topics[topic]
        if seen.error is not None and seen.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            raise not_allowed(self._client, Grant(Kind.TOPIC, topic, ("Describe",)))

    def _span(self, partition: Partition) -> Span:
        asked = TopicPartition(partition.topic, partition.number)
        low, high = self._asked(lambda seconds: self._consumer.get_watermark_offsets(asked, timeout=seconds))
        return Span(low, high)

    def _offsets_at(self, spans: Mapping[Partition, Span], timestamp_ms: int) -> dict[Partition, int]:
        asked = [TopicPartition(each.topic, each.number, timestamp_ms) for each in spans]
        answers = self._asked(lambda seconds: self._consumer.offsets_for_times(asked, timeout=seconds))
        return {Partition(each.topic, each.partition): each.offset for each in answers if each.offset >= 0}

    def _asked(self, call: Callable[[float], Any]) -> Any:
        return answered(call, self._client, timeout_seconds=TIMEOUT_SECONDS)
